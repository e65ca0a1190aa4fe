// `steward status`: what is to come, who sees to it, and the same over HTTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "harness/serving.h"
#include "run/ledger/agenda.h"

namespace steward::harness {
namespace {
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

struct StatusOfSchedules : Serve {
  using Serve::Serve;
  json status() { return app.steward({"status", "--json"}).json(); }
  json cleanup() {
    const json all = status()["schedules"];
    for (const json& schedule : all)
      if (schedule["job"] == "cleanup") return schedule;
    return {};
  }
};

TEST_F(StatusOfSchedules, SaysThatNoDaemonIsRunningAndWhichIsWhenOneIs) {
  EXPECT_EQ(status()["daemon"], (json{{"alive", false}, {"daemons", json::array()}}));
  EXPECT_EQ(cleanup()["standing"], "unkept");
  EXPECT_THAT(app.steward({"status"}).out,
              HasSubstr("! no daemon is running, and nothing else starts cleanup: steward serve"));

  const auto serving = daemon();
  await_ready(*serving);
  const json alive = status()["daemon"];
  EXPECT_EQ(alive["alive"], true);
  ASSERT_EQ(alive["daemons"].size(), 1u);
  EXPECT_THAT(alive["daemons"][0]["daemon"].get<std::string>(), HasSubstr(":" + std::to_string(serving->pid())));
  EXPECT_EQ(alive["daemons"][0]["here"], true);
  EXPECT_EQ(cleanup()["standing"], "scheduled");
  EXPECT_TRUE(parse_instant(cleanup()["fires"].get<std::string>()));
  EXPECT_THAT(app.steward({"status"}).out,
              AllOf(HasSubstr("keeps the schedule of all jobs"), Not(HasSubstr("no daemon"))));

  ::kill(serving->pid(), SIGKILL);
  serving->wait();
  EXPECT_EQ(status()["daemon"]["alive"], false) << "what a dead one has left does not count";
}

TEST_F(StatusOfSchedules, AsksForNoRunOfAJobThatIsOffOrNotConfigured) {
  EXPECT_THAT(app.steward({"status"}).out,
              AllOf(HasSubstr("! cleanup has never run as a whole"), Not(HasSubstr("backup has never run"))));
  app.environment.erase("STEWARD_CONFIG");
  EXPECT_THAT(app.steward({"status"}).out, HasSubstr("! rotate-logs has never run as a whole"));
  app.environment["STEWARD_DISABLE"] = "logs";
  EXPECT_THAT(app.steward({"status"}).out, Not(HasSubstr("rotate-logs has never run")));
}

TEST_F(StatusOfSchedules, OfADaemonForOtherJobsIsNot) {
  const auto serving = daemon({"--only", "backup"});
  await_ready(*serving);
  EXPECT_EQ(status()["daemon"]["daemons"][0]["jobs"], json::array({"backup"}));
  EXPECT_EQ(cleanup()["standing"], "unkept");
}

TEST_F(StatusOfSchedules, SaysWhatIsInTheWayAndWhatBecameOfTheLastTick) {
  ASSERT_EQ(app.steward({"pause", "cleanup", "--reason", "an index is being built"}).exit_code, 0);
  json found = cleanup();
  EXPECT_EQ(found["standing"], "paused");
  EXPECT_THAT(found["reason"].get<std::string>(), MatchesRegex("paused by .+: an index is being built"));
  EXPECT_EQ(found["fires"], nullptr);
  ASSERT_EQ(app.steward({"resume", "cleanup"}).exit_code, 0);
  ASSERT_EQ(app.steward({"freeze", "--reason", "audit"}).exit_code, 0);
  EXPECT_EQ(cleanup()["standing"], "frozen");

  const Instant due = parse_instant("2026-01-01T03:00:00Z").value();
  ASSERT_EQ(
      ledger->agenda().enter(
          {.job = "cleanup", .due = due, .outcome = "missed", .reason = "steward was not running", .decided = due}, {},
          {}),
      true);
  EXPECT_EQ(cleanup()["last_tick"]["outcome"], "missed");
  EXPECT_THAT(app.steward({"status"}).out,
              HasSubstr("! cleanup did not fire at 2026-01-01T03:00:00Z (missed): steward was not running"));
}

TEST_F(StatusOfSchedules, WhereAScriptStartsItNobodyIsMissed) {
  configure("schedule: {every: 1h}");
  app.run_cleanup();
  const json found = cleanup();
  EXPECT_EQ(found["standing"], "unkept");
  EXPECT_EQ(found["reason"], "no daemon is running; it was last started by script");
  EXPECT_THAT(app.steward({"status"}).out, Not(HasSubstr("! no daemon")));
}

struct StatusOnASharedLedger : StatusOfSchedules {
  StatusOnASharedLedger() : StatusOfSchedules(DatabaseKind::postgres) {}
  std::string ledger_url() const override { return app.environment.at("DATABASE_URL"); }
  void SetUp() override {
    app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    StatusOfSchedules::SetUp();
  }
};

TEST_F(StatusOnASharedLedger, TellsWhoDecidesAndWhoStandsBy) {
  const auto first = daemon({}, {{"STEWARD_STATE_DIR", app.path("elsewhere")}});
  await([&] { return status()["daemon"]["alive"] == true; }, "the first has the lease");
  const auto second = daemon();
  await([&] { return status()["daemon"]["daemons"].size() == 2; }, "the second is there");
  const json daemons = status()["daemon"]["daemons"];
  EXPECT_THAT(daemons[0]["daemon"].get<std::string>(), HasSubstr(":" + std::to_string(first->pid())));
  EXPECT_EQ(daemons[0]["decides"], true);
  EXPECT_EQ(daemons[0]["here"], false);
  EXPECT_NE(daemons[0]["until"], nullptr);
  EXPECT_THAT(daemons[1]["daemon"].get<std::string>(), HasSubstr(":" + std::to_string(second->pid())));
  EXPECT_EQ(daemons[1]["decides"], false);
  EXPECT_EQ(daemons[1]["here"], true);
  EXPECT_EQ(cleanup()["standing"], "scheduled");
  EXPECT_THAT(app.steward({"metrics"}).out, HasSubstr("steward_lease_held{lease=\"serve\",holder=\"" +
                                                      daemons[0]["daemon"].get<std::string>() + "\"} 1\n"));
}

}  // namespace
}  // namespace steward::harness
