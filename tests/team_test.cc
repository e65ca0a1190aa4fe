// A team's whole file at once: three tables, one of them partitioned, two buckets, holds and an archive.

#include <gtest/gtest.h>

#include "harness/partitioned.h"
#include "io/object/s3_test_support.h"

namespace steward::harness {
namespace {

using nlohmann::json;

/// A shop on PostgreSQL, with a bucket of exports, and another for the archive that has an endpoint and keys of its
/// own.
struct Team : testing::Test {
  Application app{DatabaseKind::postgres, BucketKind::versity};
  object::StoreTarget cold = object::new_bucket("STEWARD_TEST_S3_VERSITY");

  void SetUp() override {
    app.mockup(1, "1.png", 400, "one");
    app.mockup(2, "2.png", 400, "two");
    app.mockup(3, "3.png", 100, "three");
    app.sql(
        "create schema shop;"
        "create table shop.orders (id bigint primary key, number text unique, created_at timestamptz, status text, "
        "total "
        "numeric, \"Legal Hold\" boolean);"
        "create table shop.invoices (id bigint primary key, order_number text)");
    order(1, 3'000, "'delivered', 10, false");
    order(2, 3'000, "'open', 10, false");
    order(3, 3'000, "'delivered', 10, true");
    order(4, 3'000, "'cancelled', 10, null");
    order(5, 3'000, "'delivered', 10, null");
    order(6, 100, "'delivered', 10, false");
    order(7, 3'000, "'delivered', 20000, false");
    app.sql("insert into shop.invoices values (1, 'n4')");
    app.sql("create table events (id bigint, at timestamptz not null, primary key (id, at)) partition by range (at)");
    part("e1", 120, 60);
    part("e2", 60, 20);
    part("e3", 20, -10);
    app.sql("insert into events select i, now() - i * interval '10 days' from generate_series(0, 9) i");
    app.file("logs/old.log", "x", 40);
    app.file("logs/new.log", "x", 4);
    app.object("old.csv", "x", 100);
    app.object("new.csv", "x", 10);
    app.object("case-12/old.csv", "x", 100);
    app.file("cold_secret_key", cold.s3.secret_key.reveal() + "\n");
    app.environment["COLD_ACCESS_KEY"] = cold.s3.access_key;
    app.file("steward.yaml", fmt::format(R"(
version: 1
environment: production
databases: {{app: "${{DATABASE_URL}}"}}
stores:
  cold:
    url: {}/production
    endpoint: {}
    access_key: ${{COLD_ACCESS_KEY}}
    secret_key: ${{file:cold_secret_key}}
  exports: {}
cleanup:
  archive-mockups:
    kind: rows-with-files
    table: mockups
    age_column: created_at
    age: 12 months
    file_column: image_url
    root: media
    archive: cold
  archive-orders:
    kind: rows
    table: shop.orders
    age_column: created_at
    age: 7 years
    where:
      - {{column: status, in: [delivered, cancelled]}}
      - {{column: total, at_most: 10000}}
    hold_when: {{column: Legal Hold, equals: true}}
    referenced_by: {{table: shop.invoices, column: order_number, target: number}}
    archive: cold
  purge-events: {{kind: rows, table: events, age_column: at, age: 30 days, archive: cold}}
  purge-logs: {{kind: files, folder: logs, age: 30 days}}
  expire-exports: {{kind: objects, store: exports, age: 90 days}}
jobs:
  cleanup: {{schedule: "30 2 * * *", time_zone: Europe/Berlin}}
)",
                                         cold.url, cold.s3.endpoint, app.bucket_name()));
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
  }
  void order(int id, int days_old, const std::string& rest) {
    app.sql(fmt::format("insert into shop.orders values ({}, 'n{}', '{}', {})", id, id, days_ago(days_old), rest));
  }
  void part(const std::string& name, int from, int to) {
    app.sql(
        fmt::format("create table {} partition of events for values from ('{}') to ('{}')", name, day(from), day(to)));
  }
  std::string ids(const std::string& table) {
    return app.value("select string_agg(id::text, ' ' order by id) from " + table);
  }
  void hold(std::vector<std::string> words) const {
    words.insert(words.begin(), {"hold", "add", "--reason", "case 12"});
    const Answer answer = app.steward(words);
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
  }
};

TEST_F(Team, ItsFileRunsAsItIsWrittenAndAllThatWasArchivedComesBack) {
  const Answer checked = app.steward({"config", "check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.out;
  hold({"--table", "mockups", "--key", "2"});
  hold({"--table", "shop.orders", "--where", "number = n5"});
  hold({"--object", app.bucket_name() + "/case-12/", "--prefix"});

  const json plan = app.plan_cleanup();
  const json done = app.run_cleanup();
  ASSERT_EQ(done["status"], "succeeded") << done.dump(1);
  for (const auto& [name, items] : std::map<std::string, int>{{"archive-mockups", 1},
                                                              {"archive-orders", 1},
                                                              {"purge-events", 7},
                                                              {"purge-logs", 1},
                                                              {"expire-exports", 1}}) {
    EXPECT_EQ(task(plan, name)["planned"]["items"], items) << task(plan, name).dump(1);
    EXPECT_EQ(task(done, name)["done"]["items"], items) << task(done, name).dump(1);
  }
  EXPECT_EQ(ids("mockups"), "2 3");
  EXPECT_EQ(ids("shop.orders"), "2 3 4 5 6 7");
  EXPECT_EQ(skipped(task(done, "archive-orders"), "held by its column Legal Hold"), 1);
  EXPECT_EQ(skipped(task(done, "archive-orders"), "referenced by invoices"), 1);
  EXPECT_EQ(ids("events"), "0 1 2");
  EXPECT_EQ(app.value("select to_regclass('e1') is null and to_regclass('e2') is not null"), "t")
      << "what is old as a whole goes as a whole";
  EXPECT_EQ(app.files("logs"), std::vector<std::string>{"new.log"});
  EXPECT_EQ(app.objects(), (std::vector<std::string>{"case-12/old.csv", "new.csv"}));
  EXPECT_FALSE(app.exists("media/1.png"));

  const Answer verified = app.steward({"archive", "verify"});
  EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
  part("e1", 120, 60);
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(ids("mockups"), "1 2 3");
  EXPECT_EQ(app.content("media/1.png"), "one");
  EXPECT_EQ(ids("shop.orders"), "1 2 3 4 5 6 7");
  EXPECT_EQ(ids("events"), "0 1 2 3 4 5 6 7 8 9");
}

TEST_F(Team, EachMistakeInItsFileIsFoundWithItsPlace) {
  std::string text = app.content("steward.yaml");
  const auto spoil = [&text](const std::string& right, const std::string& wrong) {
    const auto at = text.find(right);
    ASSERT_NE(at, std::string::npos) << right;
    text.replace(at, right.size(), wrong);
  };
  spoil("age: 12 months", "age: -1 months");
  spoil("file_column:", "file_colum:");
  spoil("at_most: 10000", "at_most: 10000, equals: 3");
  spoil("age_column: at,", "");
  spoil("store: exports", "store: export");
  spoil("30 2 * * *", "30 26 * * *");
  spoil("Europe/Berlin", "Europe/Berln");
  app.file("steward.yaml", text);
  const Answer checked = app.steward({"config", "check"});
  EXPECT_EQ(checked.exit_code, 2);
  for (const char* said : {"steward.yaml:17:10: age", "unknown key \"file_colum\"",
                           "steward.yaml:28:9: a condition has", "rows policy \"purge-events\" has no age_column",
                           "Did you mean \"exports\"?", "steward.yaml:36:23:", "Did you mean \"Europe/Berlin\"?"})
    EXPECT_NE(checked.out.find(said), std::string::npos) << said << "\n" << checked.out;
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 2);
  EXPECT_EQ(ids("mockups"), "1 2 3");
}

}  // namespace
}  // namespace steward::harness
