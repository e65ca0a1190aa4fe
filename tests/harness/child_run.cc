#include "harness/child_run.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "app/config/catalogue.h"
#include "app/config/settings.h"
#include "run/ledger/ledger.h"
#include "run/runner.h"

namespace steward::harness {
namespace {

struct Quiet final : Reporter {
  void task_began(const Step&) override {}
  void progress(const Progress&) override {}
  void note(Level, std::string_view, std::string_view) override {}
  void task_ended(std::string_view, std::string_view, const Amount&, const std::vector<Skip>&, const Error*) override {}
};

/// Carries out the job in this process and hands every checkpoint's name to `at`. Never returns to the test.
[[noreturn]] void carry_out(const Application& application, const std::function<void(std::string_view)>& at,
                            const std::string& name) {
  ::clearenv();
  for (const auto& [variable, value] : application.environment) ::setenv(variable.c_str(), value.c_str(), 1);
  if (::chdir(application.root().c_str()) != 0) ::_exit(99);
  const auto settings = app::read_settings(app::process_environment(), application.root());
  if (!settings) ::_exit(98);
  const auto state = StateDirectory::open(settings->state_dir);
  if (!state) ::_exit(97);
  const auto ledger = ledger::open({.url = state->ledger_url()});
  if (!ledger) ::_exit(96);
  const Job job = app::make_job(name, *settings, *state, {.agent = "steward crash test"});
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

/// A server may take a moment to see that its client is gone, and has the locks of a run until then.
void await_its_locks(const Application& application) {
  if (application.database_kind() != DatabaseKind::postgres) return;
  const auto connection = sql::connect({.url = application.environment.at("DATABASE_URL")});
  ASSERT_TRUE(connection) << connection.error().message;
  await(
      [&] {
        const auto held = (*connection)
                              ->query(
                                  "select count(*) from pg_locks where locktype = 'advisory' and database = (select "
                                  "oid from pg_database "
                                  "where datname = current_database())");
        return held && sql::to_integer(held->rows.at(0).at(0)) == 0;
      },
      "the server has let go of what the run had locked");
}

}  // namespace

int in_a_child(const Application& application, const std::function<void(std::string_view)>& at,
               const std::string& job) {
  const pid_t child = ::fork();
  if (child == 0) carry_out(application, at, job);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) await_its_locks(application);
  return status;
}

std::vector<std::string> places_of(const Application& application, const std::string& job) {
  const std::string file = application.path("places");
  const int status = in_a_child(
      application, [&](std::string_view place) { std::ofstream(file, std::ios::app) << place << '\n'; }, job);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the undisturbed run failed: " << status;
  std::vector<std::string> names;
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return names;
}

std::set<std::size_t> worth_trying(const std::vector<std::string>& places) {
  std::map<std::string, std::vector<std::size_t>> by_name;
  for (std::size_t i = 0; i < places.size(); ++i) by_name[places[i]].push_back(i + 1);
  std::set<std::size_t> chosen;
  for (const auto& [name, at] : by_name) chosen.insert({at.front(), at[at.size() / 2], at.back()});
  return chosen;
}

}  // namespace steward::harness
