// Killed with SIGKILL at a named point of a task, and run again: nothing is lost, nothing is there twice, and what was
// archived comes back.
//
// A child process carries out the job and kills itself at the n-th checkpoint. Afterwards everything is checked from
// outside: with SQL, with the files, and by reading the manifests as a person would.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "app/config/catalogue.h"
#include "app/config/settings.h"
#include "harness/application.h"
#include "harness/world.h"
#include "run/ledger/ledger.h"
#include "run/runner.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct Quiet final : Reporter {
  void task_began(const Step&) override {}
  void progress(const Progress&) override {}
  void note(Level, std::string_view, std::string_view) override {}
  void task_ended(std::string_view, std::string_view, const Amount&, const std::vector<Skip>&, const Error*) override {}
};

/// Carries out `cleanup` in this process and hands every checkpoint's name to `at`. Never returns to the test.
[[noreturn]] void carry_out(const Application& application, const std::function<void(std::string_view)>& at) {
  ::clearenv();
  for (const auto& [name, value] : application.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (::chdir(application.root().c_str()) != 0) ::_exit(99);
  const auto settings = app::read_settings(app::process_environment(), application.root());
  if (!settings) ::_exit(98);
  const auto state = StateDirectory::open(settings->state_dir);
  if (!state) ::_exit(97);
  const auto ledger = ledger::open({.url = state->ledger_url()});
  if (!ledger) ::_exit(96);
  const Job job = app::cleanup(*settings, *state, {.agent = "steward crash test"});
  SystemClock clock;
  Quiet quiet;
  const auto interrupted = [&](std::string_view place) -> Result<void> {
    at(place);
    return {};
  };
  const auto result =
      run_job(job, {.actor = "test", .version = "test"},
              {.clock = clock, .state = *state, .ledger = **ledger, .reporter = quiet, .interrupted = interrupted});
  ::_exit(result ? result->exit_code : 95);
}

/// The status of a child that did that.
int in_a_child(const Application& application, const std::function<void(std::string_view)>& at) {
  const pid_t child = ::fork();
  if (child == 0) carry_out(application, at);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

struct Crash : testing::TestWithParam<Shape> {
  /// The names of all checkpoints of an undisturbed run, in their order.
  std::vector<std::string> places() {
    World world(GetParam());
    const std::string file = world.app.path("places");
    const int status =
        in_a_child(world.app, [&](std::string_view place) { std::ofstream(file, std::ios::app) << place << '\n'; });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the undisturbed run failed: " << status;
    world.expect_finished("undisturbed");
    std::vector<std::string> names;
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) names.push_back(line);
    return names;
  }
};

/// Of a name that comes often, the first, the second and the last time are tried; of others, each.
std::set<std::size_t> worth_trying(const std::vector<std::string>& places) {
  std::map<std::string, std::vector<std::size_t>> by_name;
  for (std::size_t i = 0; i < places.size(); ++i) by_name[places[i]].push_back(i + 1);
  std::set<std::size_t> chosen;
  for (const auto& [name, at] : by_name) chosen.insert({at.front(), at[at.size() / 2], at.back()});
  return chosen;
}

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
