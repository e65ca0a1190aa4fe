// Rows whose files are missing: kept, or archived without them, and never where a mount may be gone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "harness/child_run.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct MissingFiles : testing::TestWithParam<DatabaseKind> {
  Application app{GetParam()};

  static void configure(Application& app, const std::string& more = "    missing_file: archive-row\n") {
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
    app.file("steward.yaml",
             "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold}\ncleanup:\n  t:\n"
             "    kind: rows-with-files\n    table: mockups\n    age_column: created_at\n    age: 12 months\n"
             "    file_column: image_url\n    root: media\n    archive: cold\n" +
                 more);
  }
  /// Old rows; the first so many without their files.
  static void rows(Application& app, int count, int missing) {
    for (int i = 1; i <= count; ++i)
      app.mockup(i, std::to_string(i) + ".png", 400,
                 i <= missing ? std::nullopt : std::optional<std::string>("pixels " + std::to_string(i)));
  }
  void SetUp() override { configure(app); }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, MissingFiles, testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         [](const auto& p) { return testing::PrintToString(p.param); });

TEST_P(MissingFiles, UpToATenthGoWithoutThemAndComeBackWithoutThem) {
  rows(app, 20, 2);
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(plan["planned"]["items"], 20) << plan.dump(1);
  EXPECT_THAT(plan["notes"].dump(), HasSubstr("the files of 2 of these rows are missing"));
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 20);
  EXPECT_EQ(app.count("mockups"), 0);
  EXPECT_TRUE(app.files("media").empty());
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_THAT(task(restored.json(), "restore")["notes"].dump(), HasSubstr("2 of the rows came without a file"));
  EXPECT_EQ(app.count("mockups"), 20);
  EXPECT_EQ(app.files("media").size(), 18U);
  EXPECT_EQ(app.content("media/3.png"), "pixels 3");
}

TEST_P(MissingFiles, OfMoreThanATenthNoneGoesUnlessAPersonSaysSo) {
  rows(app, 20, 3);
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(plan["brake"]["code"], "brake-missing") << plan.dump(1);
  const Answer refused = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(refused.exit_code, 3);
  const json error = task(refused.json(), "t")["error"];
  EXPECT_EQ(error["message"],
            "the files of 3 of 20 planned rows are missing, more than 10 %: is " + app.path("media") + " mounted?");
  EXPECT_EQ(error["page"], "docs/refusals.md#brake-missing");
  EXPECT_EQ(app.count("mockups"), 20);
  EXPECT_EQ(app.files("media").size(), 17U);
  EXPECT_EQ(app.steward({"run", "cleanup", "--allow-removal", "t"}).exit_code, 0);
  EXPECT_EQ(app.count("mockups"), 0);
}

TEST_P(MissingFiles, AFolderThatIsGoneRefusesTheTask) {
  rows(app, 5, 0);
  std::filesystem::rename(app.path("media"), app.path("unmounted"));
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_EQ(app.count("mockups"), 5);
}

TEST_P(MissingFiles, StayWhereNothingElseIsSaid) {
  configure(app, "");
  rows(app, 20, 1);
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(run["done"]["items"], 19);
  EXPECT_EQ(skipped(run, "file missing"), 1);
  EXPECT_EQ(app.count("mockups"), 1);
}

TEST_P(MissingFiles, OneThatVanishesAfterThePlanKeepsItsRow) {
  rows(app, 20, 0);
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "archive-files: planned recorded") std::filesystem::remove(app.path("media/7.png"));
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.value("select id from mockups"), "7");
}

TEST_P(MissingFiles, OneThatVanishesBeforeItsBatchKeepsItsRow) {
  rows(app, 101, 0);  // a batch of a hundred, and one
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "archive-files: batch done") std::filesystem::remove(app.path("media/101.png"));
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.value("select id from mockups"), "101");
}

TEST_P(MissingFiles, OneThatComesBackBeforeItsRowIsGoneKeepsIt) {
  rows(app, 20, 1);
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "archive-files: verified recorded") app.file("media/1.png", "it was elsewhere");
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.value("select id from mockups"), "1");
  EXPECT_EQ(app.content("media/1.png"), "it was elsewhere");
}

TEST_P(MissingFiles, OneThatComesLaterIsNotTheRowsAndStays) {
  rows(app, 20, 1);
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "archive-files: row_gone done") app.file("media/1.png", "somebody else's");
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.count("mockups"), 0);
  EXPECT_EQ(app.content("media/1.png"), "somebody else's");
}

TEST_P(MissingFiles, ARowWithoutOneCanBeForgotten) {
  rows(app, 20, 1);
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  const Answer forgotten =
      app.steward({"archive", "forget", "--table", "mockups", "--key", "1", "--reason", "asked for", "--yes"});
  EXPECT_EQ(forgotten.exit_code, 0) << forgotten.out << forgotten.err;
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.count("mockups"), 19);
}

TEST_P(MissingFiles, KilledAnywhereTheNextRunFinishesAndAllComesBack) {
  rows(app, 11, 1);
  const std::vector<std::string> places = places_of(app);
  ASSERT_GT(places.size(), 10U);
  for (const std::size_t n : worth_trying(places)) {
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + places[n - 1]);
    Application fresh(GetParam());
    configure(fresh);
    rows(fresh, 11, 1);
    std::size_t count = 0;
    const int status = in_a_child(fresh, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    const Answer again = fresh.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(fresh.count("mockups"), 0);
    EXPECT_TRUE(fresh.files("media").empty());
    EXPECT_EQ(fresh.steward({"archive", "verify"}).exit_code, 0);
    EXPECT_EQ(fresh.steward({"archive", "restore", "--all"}).exit_code, 0);
    EXPECT_EQ(fresh.count("mockups"), 11);
    EXPECT_EQ(fresh.files("media").size(), 10U);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace steward::harness
