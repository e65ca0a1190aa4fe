// The five tasks from variables alone, exact to the item, on SQLite with folders and on PostgreSQL with S3.

#include <gtest/gtest.h>

#include "harness/application.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct Kind {
  const char* name;
  DatabaseKind database;
  BucketKind bucket;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

struct Cleanup : testing::TestWithParam<Kind> {
  Application app{GetParam().database, GetParam().bucket};

  /// Two of everything: one just old, one just not.
  void one_of_each() {
    app.mockup(1, "a/old.png", 400, "old pixels");
    app.mockup(2, "a/new.png", 300, "new pixels");
    app.sql("insert into signals values (1, 1, '" + days_ago(30.01) + "', 0.5, '{\"n\": 1}', 'x')");
    app.sql("insert into signals values (2, 1, '" + days_ago(29.99) + "', 0.5, '{\"n\": 2}', 'y')");
    app.sql("insert into audit_logs values (1, 'ann', 'login', '{\"q\": \"it''s\"}', '" + days_ago(560) + "')");
    app.sql("insert into audit_logs values (2, 'bob', 'login', null, '" + days_ago(500) + "')");
    app.file("logs/old.log", "x", 30.01);
    app.file("logs/new.log", "y", 29.99);
    app.object("old.csv", "x", 90.1);
    app.object("new.csv", "y", 89.9);
  }
};

TEST_P(Cleanup, RemovesExactlyWhatIsOldAndPlanEqualsRun) {
  one_of_each();
  const json plan = app.plan_cleanup();
  const json run = app.run_cleanup();
  EXPECT_EQ(run["status"], "succeeded") << run.dump(1);
  for (const char* name : {"archive-mockups", "purge-signals", "purge-logs", "expire-objects", "purge-audit-logs"}) {
    EXPECT_EQ(task(plan, name)["planned"]["items"], 1) << name << task(plan, name).dump(1);
    EXPECT_EQ(task(run, name)["done"]["items"], 1) << name << task(run, name).dump(1);
  }
  for (const char* table : {"mockups", "signals", "audit_logs"})
    EXPECT_EQ(app.value("select id from " + std::string(table)), "2") << table;
  EXPECT_FALSE(app.exists("media/a/old.png"));
  EXPECT_EQ(app.content("media/a/new.png"), "new pixels");
  EXPECT_FALSE(app.exists("logs/old.log"));
  EXPECT_TRUE(app.exists("logs/new.log"));
  EXPECT_EQ(app.objects(), std::vector<std::string>{"new.csv"});
}

TEST_P(Cleanup, RunsItsTasksInTheirOrder) {
  const json plan = app.plan_cleanup();
  std::vector<std::string> names;
  for (const json& entry : plan["tasks"]) names.push_back(entry["task"]);
  EXPECT_EQ(names, (std::vector<std::string>{"archive-mockups", "purge-signals", "purge-logs", "expire-objects",
                                             "purge-audit-logs"}));
}

TEST_P(Cleanup, ASecondRunRemovesNothing) {
  one_of_each();
  app.run_cleanup();
  const json second = app.run_cleanup();
  EXPECT_EQ(second["status"], "succeeded");
  for (const json& entry : second["tasks"]) EXPECT_EQ(entry["done"]["items"], 0) << entry.dump(1);
}

TEST_P(Cleanup, TheCopyLiesUnderItsMonthWithTheRowInTheManifestBesideIt) {
  app.sql("insert into mockups values (17, 3, 'deep/er/name.png', '2024-11-02T10:00:00Z')");
  app.file("media/deep/er/name.png", "the pixels");
  const json run = app.run_cleanup();
  EXPECT_EQ(app.content("cold/mockups/2024/11/17-name.png"), "the pixels");
  const std::string manifest = app.content("cold/mockups/manifest/" + run["run"].get<std::string>() + ".jsonl");
  const json item = json::parse(manifest.substr(manifest.find('\n') + 1), nullptr, false);
  EXPECT_EQ(item.value("state", ""), "source_gone") << manifest;
  EXPECT_EQ(item.value("copy", ""), "mockups/2024/11/17-name.png");
  EXPECT_EQ(item["row"]["image_url"], "deep/er/name.png");
}

TEST_P(Cleanup, RestoreAllGivesBackRowsValueForValueAndFilesByteForByte) {
  one_of_each();
  const std::string mockup =
      app.value("select cast(id as text) || image_url || cast(created_at as text) from mockups where id = 1");
  const std::string audit =
      app.value("select username || cast(details as text) || cast(timestamp as text) from audit_logs where id = 1");
  app.run_cleanup();
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.err << restored.out;
  EXPECT_EQ(task(restored.json(), "restore")["done"]["items"], 2);
  EXPECT_EQ(app.value("select cast(id as text) || image_url || cast(created_at as text) from mockups where id = 1"),
            mockup);
  EXPECT_EQ(
      app.value("select username || cast(details as text) || cast(timestamp as text) from audit_logs where id = 1"),
      audit);
  EXPECT_EQ(app.content("media/a/old.png"), "old pixels");
}

TEST_P(Cleanup, ASecondRestoreIsASuccessThatDoesNothing) {
  one_of_each();
  app.run_cleanup();
  app.steward({"archive", "restore", "--all"});
  const Answer again = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(again.exit_code, 0) << again.out;
  EXPECT_EQ(app.count("mockups"), 2);
  EXPECT_EQ(app.count("audit_logs"), 2);
}

TEST_P(Cleanup, WhatWasRestoredIsHeldSoThatTheNextRunLeavesIt) {
  one_of_each();
  app.run_cleanup();
  app.steward({"archive", "restore", "--all"});
  const json run = app.run_cleanup();
  EXPECT_EQ(app.count("mockups"), 2);
  EXPECT_EQ(skipped(task(run, "archive-mockups"), "held"), 1) << run.dump(1);
  EXPECT_EQ(skipped(task(run, "purge-audit-logs"), "held"), 1);
}

TEST_P(Cleanup, OneTaskFailingDoesNotStopTheOthers) {
  one_of_each();
  app.sql(app.database_kind() == DatabaseKind::sqlite ? "drop table signals" : "drop table signals cascade");
  const Answer answer = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(answer.exit_code, 4);
  EXPECT_EQ(answer.json()["status"], "partial");
  EXPECT_EQ(task(answer.json(), "purge-signals")["status"], "failed");
  EXPECT_EQ(task(answer.json(), "purge-audit-logs")["status"], "succeeded");
}

TEST_P(Cleanup, OneTaskAloneCanBeNamed) {
  one_of_each();
  const Answer answer = app.steward({"run", "cleanup/purge-signals", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_EQ(answer.json()["tasks"].size(), 1U);
  EXPECT_EQ(app.count("signals"), 1);
  EXPECT_EQ(app.count("mockups"), 2);
}

const Kind kinds[] = {{"sqlite_and_folders", DatabaseKind::sqlite, BucketKind::folder},
                      {"postgres_and_s3", DatabaseKind::postgres, BucketKind::versity}};
INSTANTIATE_TEST_SUITE_P(EndToEnd, Cleanup, testing::ValuesIn(kinds), [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace steward::harness
