// What referred to an archived row is a person's as the row is: it is forgotten when it is asked to be, and what is
// held of it stays. And the rights that all of this asks for are those that are told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/text.h"
#include "harness/referred.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct ReferencesArchived : References {
  void SetUp() override {
    configure("{listings: set-null, bids: archive-too}");
    ASSERT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 3);
    ASSERT_TRUE(archive_holds("said"));
  }
  /// Whether any file of the archive has this text; segments of rows are read unpacked.
  bool archive_holds(const std::string& text) const {
    for (const std::string& file : app.files("cold")) {
      const std::string content =
          file.ends_with(".zst")
              ? run_program({"zstd", "-dc", app.path("cold/" + file)}, {{"PATH", "/usr/bin:/bin"}}, app.root()).out
              : app.content("cold/" + file);
      if (content.contains(text)) return true;
    }
    return false;
  }
  int forget(const std::string& table, const std::string& key) const {
    return app
        .steward({"archive", "forget", "--table", table, "--key", key, "--reason", "request 81", "--yes", "--json"})
        .exit_code;
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ReferencesArchived, testing::ValuesIn(kinds),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(ReferencesArchived, ARowThatWentAlongIsForgottenAlone) {
  EXPECT_EQ(forget("bids", "1"), 0);
  EXPECT_FALSE(archive_holds("said"));
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  auto rows = everything;
  rows.erase("bid 1");
  expect_restored(rows, "1 are back, and 3 refer to them again");
}

TEST_P(ReferencesArchived, WhatARowReferredToIsForgottenWithoutIt) {
  EXPECT_EQ(forget("listings", "3"), 0);
  auto rows = everything;
  rows["listing 3"] = "3|NULL|";
  expect_restored(rows, "2 are back, and 2 refer to them again");
}

TEST_P(ReferencesArchived, AreForgottenWithTheirRow) {
  EXPECT_EQ(forget("mockups", "1"), 0);
  EXPECT_FALSE(archive_holds("said"));
  EXPECT_FALSE(archive_holds("bids\",\"went")) << "nothing says that anything referred to it";
  const Answer restored = app.steward({"archive", "restore", "--all"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_EQ(app.count("bids"), 0);
  EXPECT_EQ(app.value("select count(*) from listings where mockup_id is null"), "2");
  EXPECT_EQ(app.value("select mockup_id from listings where id = 3"), "2");
}

TEST_P(ReferencesArchived, AHeldOneIsNotForgotten) {
  EXPECT_EQ(app.steward({"hold", "add", "--table", "bids", "--key", "1", "--reason", "case 12"}).exit_code, 0);
  EXPECT_EQ(forget("bids", "1"), 3);
  EXPECT_TRUE(archive_holds("said"));
}

TEST_P(ReferencesArchived, AreNamedWhereSomebodyLooksForThem) {
  const Answer answer = app.steward({"archive", "restore", "--table", "bids", "--key", "1"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_THAT(answer.out + answer.err, HasSubstr("What went from there with rows of " + full("mockups") +
                                                 " comes back with them: --table " + full("mockups") + "."));
}

TEST_P(ReferencesArchived, OneOfThemHeldKeepsAllOfItWhenTheArchiveExpires) {
  app.file("steward.yaml", [&] {
    std::string text = app.content("steward.yaml");
    text.replace(text.find("archive: cold"), 13, "archive: {to: cold, keep: 7 years}");
    return text;
  }());
  for (const std::string& file : app.files("cold")) {
    if (!file.contains("/manifest/")) continue;
    std::string text = app.content("cold/" + file);
    const std::size_t at = text.find("\"began\":\"") + 9;
    text.replace(at, 4, std::to_string(std::stoi(text.substr(at, 4)) - 8));
    std::ofstream(app.path("cold/" + file), std::ios::binary) << text;
  }
  const json hold =
      app.steward({"hold", "add", "--table", "bids", "--key", "1", "--reason", "case 12", "--json"}).json();
  const json step = task(app.run_cleanup(), "t.archive");
  EXPECT_EQ(step["done"]["items"], 2) << step.dump(1);
  EXPECT_TRUE(archive_holds("said"));
  EXPECT_EQ(app.steward({"hold", "release", hold["id"].get<std::string>()}).exit_code, 0);
  EXPECT_EQ(task(app.run_cleanup(), "t.archive")["done"]["items"], 1);
  EXPECT_FALSE(archive_holds("said"));
}

/// On PostgreSQL, as a user of steward's own.
struct ReferenceRights : References {
  std::string role{};
  std::vector<std::string> statements{};

  void SetUp() override {
    app.sql("create table stamps (id bigint primary key, bid_id bigint references bids(id))");
    app.sql("alter table listings add column title text");
    configure("{listings: set-null, bids: archive-too}");
    role = app.value("select current_database()") + "_role";
    app.sql("create role " + role + " login password 'secret'");
    const Answer answer = app.steward({"doctor", "--grants", "--for", role, "--json"});
    ASSERT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    for (const std::string& statement : split(answer.json()["databases"][0]["statements"].get<std::string>(), '\n'))
      if (!statement.empty() && !statement.starts_with("--")) statements.push_back(statement);
    std::string& url = app.environment["DATABASE_URL"];
    const std::size_t begin = url.find("://") + 3;
    url.replace(begin, url.find('@') - begin, role + ":secret");
  }
  void TearDown() override {
    app.sql("drop owned by " + role);
    app.sql("drop role " + role);
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ReferenceRights, testing::Values(kinds[2], kinds[3]),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(ReferenceRights, ThatAreToldAreEnough) {
  for (const std::string& statement : statements) app.sql(statement);
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(run["done"]["items"], 3) << run.dump(1);
  EXPECT_EQ(app.value("select count(*) from listings where mockup_id is null"), "3");
}

TEST_P(ReferenceRights, ThatAreMissingAreInThePlanBeforeAnythingIsDone) {
  for (const std::string& statement : statements) app.sql(statement);
  for (const std::string what : {"update (mockup_id) on listings", "delete on bids", "select on bids",
                                 "select (mockup_id) on listings", "select (bid_id) on stamps"}) {
    app.sql("revoke " + what + " from " + role);
    const json step = task(app.plan_cleanup(), "t");
    const json error = step.contains("brake") ? step["brake"] : step["error"];
    EXPECT_EQ(error["code"], "rights") << what << step.dump(1);
    EXPECT_NE(app.steward({"run", "cleanup"}).exit_code, 0) << what;
    app.sql("grant " + what + " to " + role);
  }
  EXPECT_EQ(all(), everything);
}

TEST_P(ReferenceRights, ToAnotherColumnAreNoRightsToTheOneThatRefers) {
  for (const std::string& statement : statements) app.sql(statement);
  app.sql("revoke update (mockup_id) on listings from " + role + "; grant update (title) on listings to " + role);
  EXPECT_EQ(task(app.plan_cleanup(), "t")["brake"]["code"], "rights");
}

}  // namespace
}  // namespace steward::harness
