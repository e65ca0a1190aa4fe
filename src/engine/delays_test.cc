// Which delays are entered, and when: a ledger that is there, and a clock that the test moves.
#include "engine/delays.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/files/scratch.h"
#include "run/ledger/agenda.h"
#include "run/ledger/outbox.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using ledger::Status;
using testing::ElementsAre;
using testing::IsEmpty;

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};

struct DelaysTest : testing::Test {
  void queue(const std::string& id, ledger::Run like = {}) {
    like.id = id;
    like.job = "cleanup";
    like.status = Status::queued;
    like.started = like.heartbeat = like.due.value_or(three);
    ASSERT_EQ(ledger->agenda().enqueue(like), true);
  }
  void begin(const std::string& id, Instant started, const std::string& scope = {}) {
    ASSERT_TRUE(
        ledger->begin_run({.id = id, .job = "cleanup", .scope = scope, .started = started, .heartbeat = started}));
  }
  /// A run of before that took so long.
  void succeeded(std::chrono::microseconds took) {
    const std::string id = fmt::format("before-{}", ++before);
    const Instant started = three - 24h * before;
    begin(id, started);
    ASSERT_TRUE(ledger->end_run(id, Status::succeeded, started + took, ""));
  }
  /// Those that there are after a look at that moment: "late/cleanup/2026-11-23T03:00:00Z".
  std::vector<std::string> after_look(Instant now, const std::vector<WaitingTick>& waiting = {}) {
    EXPECT_TRUE(delays.look(ledger->agenda().open_runs().value(), waiting, schedules, now));
    std::vector<std::string> keys;
    for (const ledger::Event& event : events()) keys.push_back(event.key);
    return keys;
  }
  std::vector<ledger::Event> events() const { return ledger->outbox().undispatched(100).value(); }

  std::unique_ptr<ledger::Ledger> opened() const {
    auto out = ledger::open({.url = "sqlite:///" + scratch.path() + "/ledger.db"});
    EXPECT_TRUE(out) << out.error().message;
    return out ? std::move(*out) : nullptr;
  }

  files::Scratch scratch{};
  std::unique_ptr<ledger::Ledger> ledger = opened();
  std::map<std::string, Schedule> schedules{{"cleanup", {.start_grace = 5min}}};
  Delays delays{*ledger};
  int before = 0;
};

TEST_F(DelaysTest, AQueuedRunIsLateFromItsGraceOnOnce) {
  queue("r1", {.due = three});
  EXPECT_THAT(after_look(three + 5min - 1us), IsEmpty());
  EXPECT_EQ(delays.next(), three + 5min);
  EXPECT_THAT(after_look(three + 5min), ElementsAre("late/cleanup/2026-11-23T03:00:00Z"));
  EXPECT_EQ(delays.next(), std::nullopt);
  EXPECT_THAT(after_look(three + 6min), testing::SizeIs(1));
  EXPECT_EQ(events()[0].run, "r1");
  EXPECT_EQ(events()[0].at, three + 5min);
  EXPECT_EQ(nlohmann::json::parse(events()[0].detail)["due"], "2026-11-23T03:00:00Z");
}

TEST_F(DelaysTest, AnotherDaemonDoesNotEnterItAgain) {
  queue("r1", {.due = three});
  after_look(three + 5min);
  Delays another(*ledger);
  ASSERT_TRUE(another.look(ledger->agenda().open_runs().value(), {}, schedules, three + 10min));
  EXPECT_THAT(events(), testing::SizeIs(1));
}

TEST_F(DelaysTest, ATickThatWaitsIsLateAndStaysOneEventWhenItsRunIsQueued) {
  const std::vector<WaitingTick> waiting{{.job = "cleanup", .due = three}};
  EXPECT_THAT(after_look(three + 4min, waiting), IsEmpty());
  EXPECT_EQ(delays.next(), three + 5min);
  EXPECT_THAT(after_look(three + 5min, waiting), testing::SizeIs(1));
  queue("r1", {.due = three});
  EXPECT_THAT(after_look(three + 6min), testing::SizeIs(1));
}

TEST_F(DelaysTest, JitterIsNoDelay) {
  schedules["cleanup"].jitter = 1h;
  queue("r1", {.due = three});
  const auto jitter = jitter_of("cleanup", 1h);
  EXPECT_THAT(after_look(three + jitter + 4min), IsEmpty());
  EXPECT_EQ(delays.next(), three + jitter + 5min);
}

TEST_F(DelaysTest, WhatNobodyHasScheduledOrWaitsOnPurposeIsNotLate) {
  for (const char* id : {"failed", "expired"}) {
    begin(id, three);
    ASSERT_TRUE(ledger->end_run(id, Status::failed, three, ""));
  }
  queue("by-hand");
  queue("retry", {.due = three, .attempt = 2, .retry_of = "failed"});
  queue("asked-again", {.due = three, .retry_of = "expired"});
  queue("approved", {.plan = "{}", .due = three});
  EXPECT_THAT(after_look(three + 24h), IsEmpty());
}

TEST_F(DelaysTest, ARunThatHasBegunIsNotLateAnyMore) {
  ASSERT_TRUE(ledger->begin_run({.id = "r1", .job = "cleanup", .started = three + 1min, .due = three}));
  EXPECT_THAT(after_look(three + 9min), IsEmpty());
}

TEST_F(DelaysTest, AJobWithoutAScheduleIsPassedOver) {
  queue("r1", {.due = three});
  schedules.clear();
  EXPECT_THAT(after_look(three + 24h, {{.job = "cleanup", .due = three}}), IsEmpty());
}

TEST_F(DelaysTest, ARunTakesTooLongWhereItIsExpectedToTakeLess) {
  schedules["cleanup"].expected_runtime = 2min;
  begin("r1", three);
  EXPECT_THAT(after_look(three + 2min - 1us), IsEmpty());
  EXPECT_EQ(delays.next(), three + 2min);
  EXPECT_THAT(after_look(three + 2min), ElementsAre("running-too-long/r1"));
  EXPECT_THAT(after_look(three + 3min), testing::SizeIs(1));
  const auto detail = nlohmann::json::parse(events()[0].detail);
  EXPECT_EQ(detail["limit"], "2 min");
  EXPECT_EQ(detail["usual"], false);
}

TEST_F(DelaysTest, WithoutAWordThreeTimesTheMedianIsTooLong) {
  for (const auto took : {5min, 6min, 600min}) succeeded(took);
  begin("r1", three);
  EXPECT_THAT(after_look(three + 1min), IsEmpty());
  EXPECT_EQ(delays.next(), three + 10min) << "before that nothing is looked up";
  EXPECT_THAT(after_look(three + 10min), IsEmpty());
  EXPECT_EQ(delays.next(), three + 18min);
  EXPECT_THAT(after_look(three + 18min), ElementsAre("running-too-long/r1"));
  EXPECT_EQ(nlohmann::json::parse(events()[0].detail)["usual"], true);
}

TEST_F(DelaysTest, NothingIsTooLongThatTakesLessThanTenMinutes) {
  for (int i = 0; i < 3; ++i) succeeded(1s);
  begin("r1", three);
  EXPECT_THAT(after_look(three + 10min - 1us), IsEmpty());
  EXPECT_THAT(after_look(three + 10min), testing::SizeIs(1));
}

TEST_F(DelaysTest, NothingIsUsualBeforeThreeSuccessesNorOfSingleTasks) {
  succeeded(1s);
  succeeded(1s);
  begin("r1", three);
  EXPECT_THAT(after_look(three + 24h), IsEmpty());
  succeeded(1s);
  begin("r2", three, "purge-logs");
  EXPECT_THAT(after_look(three + 24h), IsEmpty()) << "of r1 it is known that nothing was usual when it was looked up";
  begin("r3", three);
  EXPECT_THAT(after_look(three + 24h), ElementsAre("running-too-long/r3"));
}

}  // namespace
}  // namespace steward::engine
