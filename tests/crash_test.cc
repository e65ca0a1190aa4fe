// Killed with SIGKILL at a named point of a task, and run again: nothing is lost, nothing is there twice, and what was
// archived comes back.
//
// A child process carries out the job and kills itself at the n-th checkpoint. Afterwards everything is checked from
// outside: with SQL, with the files, and by reading the manifests as a person would.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "harness/application.h"
#include "harness/child_run.h"
#include "harness/world.h"
#include "run/ledger/ledger.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct Crash : testing::TestWithParam<Shape> {
  /// The names of all checkpoints of an undisturbed run, in their order.
  std::vector<std::string> places() {
    World world(GetParam());
    std::vector<std::string> names = places_of(world.app);
    world.expect_finished("undisturbed");
    return names;
  }
};

TEST_P(Crash, KilledAnywhereItLosesNothingAndTheNextRunFinishes) {
  const std::vector<std::string> names = places();
  ASSERT_GT(names.size(), 30U) << "the tasks have named points";
  for (const std::size_t n : worth_trying(names)) {
    const std::string where = "killed at " + std::to_string(n) + ": " + names[n - 1];
    SCOPED_TRACE(where);
    World world(GetParam());
    std::size_t count = 0;
    const int status = in_a_child(world.app, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status)) << where;
    world.expect_nothing_lost(where);
    const Answer again = world.app.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err << where;
    world.expect_nothing_lost(where + ", then run again");
    world.expect_finished(where);
    world.expect_restored(where);
    if (HasFailure()) return;  // one place is enough to read
  }
}

/// A hold on that path, entered by somebody else.
void add_hold(const Application& application, const std::string& path) {
  const auto ledger = ledger::open({.url = "sqlite:///" + application.path("state/ledger.db")});
  if (!ledger) ::_exit(94);
  const ledger::Hold hold{
      .id = "h-1", .kind = "file", .key = path, .reason = "case 12", .who = "test", .made = SystemClock{}.now()};
  if (!(*ledger)->add_holds({&hold, 1})) ::_exit(93);
}

TEST(PurgeLogs, AHoldThatComesWhenAllIsListedIsSeenBeforeAnythingGoes) {
  Application app;
  app.file("logs/a.log", "x", 40);
  app.file("logs/b.log", "x", 40);
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "purge-files: round") add_hold(app, app.path("logs/a.log"));
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.files("logs"), std::vector<std::string>{"a.log"});
}

TEST(PurgeLogs, AFileThatIsOpenedWhenAllIsListedStays) {
  Application app;
  app.file("logs/a.log", "x", 40);
  app.file("logs/b.log", "x", 40);
  std::ifstream held;
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "purge-files: round" && !held.is_open()) held.open(app.path("logs/a.log"));
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(app.files("logs"), std::vector<std::string>{"a.log"});
}

TEST_P(Crash, WhatAKilledRunLeftIsNotFinishedUnderAFreeze) {
  World world(GetParam());
  const int status = in_a_child(world.app, [&](std::string_view place) {
    if (place == "archive-files: row_gone recorded") ::kill(::getpid(), SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(world.app.steward({"freeze", "--reason", "evidence"}).exit_code, 0);
  const auto rows = world.all_rows();
  const std::vector<std::string> media = world.app.files("media"), cold = world.app.files("cold");
  EXPECT_EQ(world.app.steward({"run", "cleanup"}).exit_code, 3);
  EXPECT_EQ(world.app.files("media"), media) << "the files of rows that are gone stay until the freeze is lifted";
  EXPECT_EQ(world.app.files("cold"), cold);
  EXPECT_EQ(world.all_rows(), rows);
  ASSERT_EQ(world.app.steward({"freeze", "lift"}).exit_code, 0);
  EXPECT_EQ(world.app.steward({"run", "cleanup"}).exit_code, 0);
  world.expect_finished("after the freeze");
}

const Shape shapes[] = {{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                        {"postgres_and_s3", DatabaseKind::postgres, BucketKind::versity}};
INSTANTIATE_TEST_SUITE_P(EndToEnd, Crash, testing::ValuesIn(shapes),
                         [](const auto& shape) { return shape.param.name; });

}  // namespace
}  // namespace steward::harness
