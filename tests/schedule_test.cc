// `steward schedule`: the command beside another implementation of cron, and what it says to people.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <sstream>

#include "harness/application.h"

namespace steward::harness {
namespace {
using nlohmann::json;

struct Schedule : testing::Test {
  Application app{};
  Answer schedule(std::vector<std::string> words) {
    words.insert(words.begin(), "schedule");
    return app.steward(std::move(words));
  }
};

TEST_F(Schedule, AgreesWithAnotherImplementationOnWhatADiceMakesUp) {
  const auto seed = std::random_device{}();
  const std::string shown = fmt::format("seed {}", seed);
  SCOPED_TRACE(shown);
  std::puts(shown.c_str());
  std::map<std::string, std::string> environment{{"PATH", "/usr/bin:/bin"}};
  for (const char* name : {"HOME", "STEWARD_TOOLS"})
    if (const char* value = std::getenv(name)) environment[name] = value;
  const Answer peer = run_program(
      {STEWARD_SOURCES "/tests/vectors/cron_peer.sh", "random", std::to_string(seed), "150"}, environment, app.root());
  ASSERT_EQ(peer.exit_code, 0) << peer.err;
  std::istringstream lines(peer.out);
  int compared = 0;
  for (std::string line; std::getline(lines, line); ++compared) {
    const json one = json::parse(line);
    const auto expected = one["firings"].get<std::vector<std::string>>();
    const std::string count = std::to_string(expected.size() + 1);
    const Answer answer =
        schedule({"--json", "-n", count, "--cron", one["cron"], "--time-zone", one["zone"], "--from", one["from"]});
    ASSERT_EQ(answer.exit_code, 0) << line << answer.out;
    auto firings = answer.json()["firings"].get<std::vector<std::string>>();
    std::erase_if(firings, [&](const std::string& firing) { return firing >= one["until"].get<std::string>(); });
    ASSERT_EQ(firings, expected) << line;
  }
  EXPECT_EQ(compared, 150);
}

TEST_F(Schedule, ShowsEachFiringInItsZoneWithAMarkWhereClocksChange) {
  EXPECT_EQ(
      schedule({"--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--from", "2026-03-28T00:00:00Z", "-n", "3"})
          .out,
      "30 2 * * *  every day at 02:30, Europe/Berlin\n"
      "2026-03-28T01:30:00Z  Sat 2026-03-28 02:30 CET\n"
      "2026-03-29T01:00:00Z  Sun 2026-03-29 03:00 CEST  clocks go forward over its time: right after\n"
      "2026-03-30T00:30:00Z  Mon 2026-03-30 02:30 CEST\n");
  const Answer both = schedule({"--cron", "30 2 * * *", "--time-zone", "Europe/Berlin", "--dst-overlap", "both",
                                "--from", "2026-10-25T00:00:00Z", "-n", "2", "--json"});
  EXPECT_EQ(both.json()["firings"], (json{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"}));
  EXPECT_EQ(both.json()["ticks"][1],
            (json{{"at", "2026-10-25T01:30:00Z"}, {"local", "2026-10-25T02:30:00+01:00"}, {"dst", "second"}}));
}

TEST_F(Schedule, RefusesWithExitCodeTwoAndTheReason) {
  struct Case {
    std::vector<std::string> words;
    std::string message;
  };
  const std::vector<Case> table{
      {{"--cron", "0 0 31 2 *"},
       "cron \"0 0 31 2 *\": it can never fire: day of month (the third field) is 31, and that month has at most 29 "
       "days"},
      {{"--cron", "61 * * * *"}, "cron \"61 * * * *\": minute (the first field) is 61: expected 0 to 59"},
      {{"--cron", "* * * * *", "--time-zone", "Europe/Berln"},
       "there is no time zone \"Europe/Berln\" in /usr/share/zoneinfo"},
      {{"--cron", "* * * * *", "--from", "tomorrow"}, "--from is \"tomorrow\": expected a date and time"},
      {{"--cron", "* * * * *", "--from", "2026-01-01"}, "--from is \"2026-01-01\": expected a date and time"},
      {{"bakcup"}, "there is no job \"bakcup\""},
  };
  for (const Case& c : table) {
    std::vector<std::string> words = c.words;
    words.emplace_back("--json");
    const Answer answer = schedule(words);
    EXPECT_EQ(answer.exit_code, 2) << c.message;
    EXPECT_EQ(answer.json()["error"]["message"], c.message);
  }
}

TEST_F(Schedule, OfTheBuiltInJobsIsThereWithVariablesAlone) {
  const Answer answer = schedule({"--json", "-n", "2", "--from", "2026-11-23T00:00:00Z"});
  ASSERT_EQ(answer.exit_code, 0) << answer.out;
  EXPECT_EQ(answer.json()["firings"], (json{"2026-11-23T01:00:00Z", "2026-11-23T03:00:00Z"}));
  std::map<std::string, std::string> crons;
  const json document = answer.json();
  for (const json& job : document["jobs"]) crons[job["job"]] = job["cron"];
  EXPECT_EQ(crons, (std::map<std::string, std::string>{{"cleanup", "0 3 * * *"},
                                                       {"rotate-logs", "0 1 * * *"},
                                                       {"backup", "0 0 * * *"},
                                                       {"analyze-query-plans", "30 6 * * *"},
                                                       {"update-dependencies", "0 5 * * 1"},
                                                       {"rotate-secrets", "0 0 1 * *"}}));
}

TEST_F(Schedule, OfAFileIsTheFiles) {
  app.file("steward.yaml",
           "databases: {app: \"${DATABASE_URL}\"}\n"
           "cleanup:\n  t: {kind: rows, table: signals, age_column: timestamp, age: 30 days}\n"
           "jobs:\n  cleanup: {schedule: 30 2 * * *, time_zone: Europe/Berlin, dst_gap: skip}\n");
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  const Answer answer = schedule({"cleanup", "--json", "-n", "2", "--from", "2026-03-28T00:00:00Z"});
  ASSERT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(answer.json()["firings"], (json{"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"}));
  EXPECT_FALSE(answer.json().contains("not_started"));

  app.file("steward.yaml", "jobs:\n  cleanup: {schedule: {every: 6h}, scheduler: cron}\n");
  const Answer every = schedule({"cleanup", "--json", "-n", "2", "--from", "2026-03-28T00:00:00Z"});
  EXPECT_EQ(every.json()["firings"], (json{"2026-03-28T06:00:00Z", "2026-03-28T12:00:00Z"}));
  EXPECT_EQ(every.json()["not_started"], "not configured");

  app.file("steward.yaml", "jobs:\n  cleanup: {schedule: 0 3 * * 8}\n");
  const Answer wrong = app.steward({"config", "check"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(
      wrong.out.find("steward.yaml:2:23: cron \"0 3 * * 8\": day of week (the fifth field) is 8: expected 0 to 7"),
      std::string::npos)
      << wrong.out;
}

}  // namespace
}  // namespace steward::harness
