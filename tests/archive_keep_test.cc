// An archive's own retention: what was archived long enough ago is purged from it, and nothing else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/instant.h"
#include "harness/child_run.h"
#include "run/ledger/ledger.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct ArchiveKeep : testing::TestWithParam<DatabaseKind> {
  Application app{GetParam()};

  static void configure(Application& app, const std::string& keep = "7 years") {
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
    const std::string archive = keep.empty() ? "cold" : "{to: cold, keep: " + keep + "}";
    app.file(
        "steward.yaml",
        "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold}\ncleanup:\n"
        "  m: {kind: rows-with-files, table: mockups, age_column: created_at, age: 12 months, file_column: image_url, "
        "root: media, archive: " +
            archive +
            "}\n"
            "  a: {kind: rows, table: audit_logs, age_column: timestamp, age: 18 months, archive: " +
            archive + "}\n");
  }
  /// Two mockups and three audit entries, archived today; and what is old of them as if eight years ago.
  static void archived(Application& app, bool long_ago = true) {
    configure(app);
    app.mockup(1, "one.png", 400, "first picture");
    app.mockup(2, "two.png", 400, "second picture");
    for (int i = 1; i <= 3; ++i)
      app.sql("insert into audit_logs values (" + std::to_string(i) + ", 'ann', 'login', '{}', '" + days_ago(600) +
              "')");
    ASSERT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
    ASSERT_EQ(app.count("mockups") + app.count("audit_logs"), 0);
    if (long_ago) set_back(app);
  }
  /// The manifests say that their runs were eight years ago.
  static void set_back(const Application& app) {
    for (const std::string& file : manifests(app)) {
      std::string text = app.content(file);
      const std::size_t at = text.find("\"began\":\"") + 9;
      const std::string year = text.substr(at, 4);
      text.replace(at, 4, std::to_string(std::stoi(year) - 8));
      std::ofstream(app.path(file), std::ios::binary) << text;
    }
  }
  static std::vector<std::string> manifests(const Application& app) {
    std::vector<std::string> found;
    for (const std::string& file : app.files("cold"))
      if (file.contains("/manifest/")) found.push_back("cold/" + file);
    return found;
  }
  /// All that is in the archive but manifests and its id.
  static std::vector<std::string> copies(const Application& app) {
    std::vector<std::string> found;
    for (const std::string& file : app.files("cold"))
      if (!file.contains("/manifest/") && file.contains('/') && !file.starts_with("holds/")) found.push_back(file);
    return found;
  }
  static std::string all_manifests(const Application& app) {
    std::string text;
    for (const std::string& file : manifests(app)) text += app.content(file);
    return text;
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ArchiveKeep, testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         [](const auto& p) { return testing::PrintToString(p.param); });

TEST_P(ArchiveKeep, WhatWasArchivedLongerAgoIsPurgedAndTheManifestSaysSo) {
  archived(app);
  const json plan = app.plan_cleanup();
  EXPECT_EQ(task(plan, "m.archive")["planned"]["items"], 2) << plan.dump(1);
  EXPECT_EQ(task(plan, "m.archive")["planned"]["bytes"], 27);
  EXPECT_EQ(task(plan, "a.archive")["planned"]["items"], 3);
  EXPECT_EQ(task(plan, "a.archive")["final"], true);
  EXPECT_EQ(task(plan, "a.archive")["reason"], "archived more than 7 years ago");
  EXPECT_EQ(copies(app).size(), 3U) << "a plan writes nothing";
  const json run = app.run_cleanup();
  EXPECT_EQ(task(run, "m.archive")["done"]["items"], 2) << run.dump(1);
  EXPECT_EQ(task(run, "a.archive")["done"]["items"], 3) << run.dump(1);
  EXPECT_TRUE(copies(app).empty());
  const std::string said = all_manifests(app);
  EXPECT_THAT(said, HasSubstr("\"reason\":\"archived more than 7 years ago\",\"state\":\"forgotten\""));
  EXPECT_EQ(said.find("one.png"), std::string::npos) << said;
  EXPECT_EQ(said.find("superseded"), std::string::npos) << said;
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  EXPECT_EQ(task(app.run_cleanup(), "m.archive")["done"]["items"], 0);
}

TEST_P(ArchiveKeep, WhatWasArchivedLaterStays) {
  archived(app, false);
  const json run = app.run_cleanup();
  EXPECT_EQ(task(run, "m.archive")["planned"]["items"], 0);
  EXPECT_EQ(copies(app).size(), 3U);
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.count("mockups") + app.count("audit_logs"), 5);
}

TEST_P(ArchiveKeep, WithoutItNothingGoesAndNoStepIsThere) {
  archived(app);
  configure(app, "");
  const json plan = app.plan_cleanup();
  EXPECT_EQ(plan["tasks"].size(), 2U) << plan.dump(1);
  app.run_cleanup();
  EXPECT_EQ(copies(app).size(), 3U);
}

TEST_P(ArchiveKeep, WhatIsHeldStaysWhole) {
  archived(app);
  ASSERT_EQ(app.steward({"hold", "add", "--table", "audit_logs", "--key", "2", "--reason", "case 12"}).exit_code, 0);
  ASSERT_EQ(app.steward({"hold", "add", "--path", app.path("media/two.png"), "--reason", "case 12"}).exit_code, 0);
  const json plan = app.plan_cleanup();
  EXPECT_EQ(task(plan, "a.archive")["planned"]["items"], 2) << plan.dump(1);
  EXPECT_EQ(skipped(task(plan, "a.archive"), "held"), 1);
  const json run = app.run_cleanup();
  EXPECT_EQ(task(run, "a.archive")["done"]["items"], 2);
  EXPECT_EQ(task(run, "m.archive")["done"]["items"], 1);
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.value("select id from audit_logs"), "2");
  EXPECT_EQ(app.content("media/two.png"), "second picture");
  EXPECT_FALSE(app.exists("media/one.png"));
}

TEST_P(ArchiveKeep, AHoldThatComesWhileItRunsIsSeenBeforeAnythingGoes) {
  archived(app);
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place != "forget: item" || app.exists("asked")) return;
    app.file("asked", "");
    const auto ledger = ledger::open({.url = "sqlite:///" + app.path("state/ledger.db")});
    const ledger::Hold hold{.id = "h-1",
                            .kind = "file",
                            .key = app.path("media/one.png"),
                            .reason = "case 12",
                            .who = "test",
                            .made = SystemClock{}.now()};
    if (!ledger || !(*ledger)->add_holds({&hold, 1})) ::_exit(93);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.value("select id from mockups"), "1");
}

TEST_P(ArchiveKeep, AFreezeKeepsAll) {
  archived(app);
  ASSERT_EQ(app.steward({"freeze", "--reason", "evidence"}).exit_code, 0);
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_EQ(copies(app).size(), 3U);
}

TEST_P(ArchiveKeep, KilledAnywhereTheNextRunFinishesAndNothingElseHasGone) {
  archived(app);
  const std::vector<std::string> places = places_of(app);
  ASSERT_GT(places.size(), 10U);
  for (const std::size_t n : worth_trying(places)) {
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + places[n - 1]);
    Application fresh(GetParam());
    archived(fresh);
    fresh.mockup(3, "three.png", 400, "third picture");
    std::size_t count = 0;
    const int status = in_a_child(fresh, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(fresh.steward({"archive", "verify"}).exit_code, 0) << "before it is finished, too";
    const Answer again = fresh.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(copies(fresh).size(), 1U);
    EXPECT_EQ(all_manifests(fresh).find("superseded"), std::string::npos);
    EXPECT_EQ(fresh.steward({"archive", "restore", "--all"}).exit_code, 0);
    EXPECT_EQ(fresh.value("select id from mockups"), "3");
    EXPECT_EQ(fresh.count("audit_logs"), 0);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace steward::harness
