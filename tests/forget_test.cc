// Forgetting single rows of an archive: afterwards nothing in it holds them, everything else is as it was, and a kill
// in the middle is finished by the next call.

#include <gtest/gtest.h>

#include <algorithm>

#include "harness/application.h"
#include "harness/world.h"

namespace steward::harness {
namespace {

using nlohmann::json;

const Shape shapes[] = {{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                        {"postgres", DatabaseKind::postgres, BucketKind::folder}};

struct Forget : testing::TestWithParam<Shape> {
  World world{GetParam()};
  Application& app = world.app;

  void SetUp() override {
    app.mockup(50, "private/Erika Mustermann.png", 400, "her picture");
    app.sql("insert into audit_logs values (51, 'erika.mustermann', 'login', '{}', '" + days_ago(700) + "')");
    app.run_cleanup();
    ASSERT_TRUE(holds_of("Mustermann") && holds_of("erika"));
  }
  /// Whether any file of the archive, its name or its content, has this text; segments of rows are read unpacked.
  bool holds_of(const std::string& text) const {
    for (const std::string& file : app.files("cold")) {
      if (file.find(text) != std::string::npos) return true;
      const std::string content =
          file.ends_with(".zst")
              ? run_program({"zstd", "-dc", app.path("cold/" + file)}, {{"PATH", "/usr/bin:/bin"}}, app.root()).out
              : app.content("cold/" + file);
      if (content.find(text) != std::string::npos) return true;
    }
    return false;
  }
  Answer forget(const std::string& table, const std::string& key, bool yes = true) const {
    std::vector<std::string> words{"archive", "forget", "--table", table, "--key", key, "--reason", "request 81"};
    if (yes) words.emplace_back("--yes");
    return app.steward(words);
  }
  void expect_the_rest_is_there() {
    EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
    const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
    EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    EXPECT_EQ(world.all_rows(), world.rows) << "all but the forgotten rows are back";
  }
};

TEST_P(Forget, SaysFirstWhatItWouldDoAndChangesNothing) {
  const Answer said = forget("mockups", "50", false);
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_NE(said.out.find("1 item, 11 B, final"), std::string::npos) << said.out;
  EXPECT_NE(said.out.find("the same with --yes"), std::string::npos) << said.out;
  EXPECT_TRUE(holds_of("Mustermann"));
}

TEST_P(Forget, RemovesACopyItsNameAndItsRow) {
  const Answer done = forget("mockups", "50");
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_FALSE(holds_of("Mustermann"));
  EXPECT_FALSE(holds_of("her picture"));
  EXPECT_TRUE(holds_of("request 81")) << "that it was forgotten, and why, stays";
  EXPECT_TRUE(holds_of("erika"));
  EXPECT_EQ(forget("audit_logs", "51").exit_code, 0);
  expect_the_rest_is_there();
}

TEST_P(Forget, WritesASegmentAnewWithoutTheRow) {
  EXPECT_EQ(forget("audit_logs", "51").exit_code, 0);
  EXPECT_FALSE(holds_of("erika"));
  EXPECT_EQ(forget("mockups", "50").exit_code, 0);
  expect_the_rest_is_there();
}

TEST_P(Forget, OfEveryRowOfASegmentLeavesNone) {
  std::vector<std::string> words{"archive", "forget", "--table", "audit_logs", "--reason", "all", "--yes"};
  for (const char* key : {"1", "2", "3", "4", "5", "6", "7", "8", "51"}) words.insert(words.end(), {"--key", key});
  EXPECT_EQ(app.steward(words).exit_code, 0);
  for (const std::string& file : app.files("cold/audit_logs")) EXPECT_FALSE(file.ends_with(".zst")) << file;
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
}

TEST_P(Forget, LeavesNothingOfTheContentInTheLedgerOrTheLog) {
  forget("mockups", "50");
  const Answer log = app.steward({"runs", "log", "latest"});
  const Answer shown = app.steward({"runs", "show", "latest", "--json"});
  EXPECT_EQ((log.out + shown.out).find("Mustermann"), std::string::npos) << log.out << shown.out;
  EXPECT_NE(shown.out.find("\"job\": \"forget\""), std::string::npos) << shown.out;
}

TEST_P(Forget, OfACopyThatAnotherRowHasTooLeavesTheCopy) {
  const Answer done = forget("mockups", "3");  // 3 and 4 had one file, and a copy each
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_TRUE(holds_of("both old"));
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
}

TEST_P(Forget, AHeldRowIsRefused) {
  EXPECT_EQ(app.steward({"hold", "add", "--table", "mockups", "--key", "50", "--reason", "case 12"}).exit_code, 0);
  EXPECT_EQ(forget("mockups", "50").exit_code, 3);
  EXPECT_TRUE(holds_of("Mustermann"));
}

TEST_P(Forget, WhatIsNotArchivedIsNotFound) {
  const Answer answer = forget("mockups", "4711");
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_NE(answer.out.find("nothing in file://"), std::string::npos) << answer.out << answer.err;
}

TEST_P(Forget, ARowThatWasRestoredIsForgottenInTheArchiveAndStaysInTheDatabase) {
  EXPECT_EQ(app.steward({"archive", "restore", "--table", "mockups", "--key", "50"}).exit_code, 0);
  EXPECT_EQ(forget("mockups", "50").exit_code, 0);
  EXPECT_FALSE(holds_of("Mustermann"));
  EXPECT_EQ(app.value("select count(*) from mockups where id = 50"), "1");
}

/// Killed at the n-th rename (a put that replaces), fsync or unlink, and called again.
TEST_P(Forget, KilledAnywhereItIsFinishedByTheNextCall) {
  for (const char* call : {"renameat", "fsync", "unlinkat"}) {
    int kills = 0;
    for (int n = 1; n <= 12; ++n) {
      SCOPED_TRACE(std::string(call) + ' ' + std::to_string(n));
      World fresh(GetParam());
      fresh.app.sql("insert into audit_logs values (51, 'erika.mustermann', 'login', '{}', '" + days_ago(700) +
                    "'), (52, 'max.mustermann', 'login', '{}', '" + days_ago(700) + "')");
      fresh.app.run_cleanup();
      const std::vector<std::string> words{"archive", "forget",   "--table", "audit_logs", "--key",
                                           "51",      "--reason", "r",       "--yes"};
      std::vector<std::string> traced{"strace",
                                      "-f",
                                      "-o",
                                      "/dev/null",
                                      "-e",
                                      std::string("trace=") + call,
                                      "-e",
                                      std::string("inject=") + call + ":signal=SIGKILL:when=" + std::to_string(n),
                                      steward_binary()};
      traced.insert(traced.end(), words.begin(), words.end());
      const Answer killed = run_program(traced, fresh.app.environment, fresh.app.root());
      const Answer again = fresh.app.steward(words);
      // Another row of the same segment, later: nothing that was left in between has it either.
      std::vector<std::string> other = words;
      std::ranges::replace(other, "51", "52");
      EXPECT_EQ(fresh.app.steward(other).exit_code, 0);
      EXPECT_TRUE(again.exit_code == 0 || again.exit_code == 1) << again.out << again.err;  // 1: it was all done
      for (const std::string& file : fresh.app.files("cold/audit_logs")) {
        const std::string text = file.ends_with(".zst")
                                     ? run_program({"zstd", "-dc", fresh.app.path("cold/audit_logs/" + file)},
                                                   {{"PATH", "/usr/bin:/bin"}}, fresh.app.root())
                                           .out
                                     : fresh.app.content("cold/audit_logs/" + file);
        EXPECT_EQ(text.find("mustermann"), std::string::npos) << file;
        EXPECT_EQ(text.find("superseded"), std::string::npos) << file;
      }
      EXPECT_EQ(fresh.app.steward({"archive", "verify"}).exit_code, 0);
      fresh.expect_restored("after a forget that was killed");
      if (HasFailure()) return;
      if (killed.exit_code < 128) break;  // beyond the last one it was not killed
      ++kills;
    }
    EXPECT_GE(kills, 2) << call;
  }
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, Forget, testing::ValuesIn(shapes),
                         [](const auto& shape) { return std::string(shape.param.name); });

}  // namespace
}  // namespace steward::harness
