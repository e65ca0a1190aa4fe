#include "engine/scheduler.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

namespace steward::engine {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

Instant at(std::string_view text) { return parse_instant(text).value(); }

ScheduledJob job(std::string name, std::string_view cron, std::string_view zone = "UTC") {
  ScheduledJob made{.name = std::move(name)};
  made.schedule.timing = Cron::parse(cron).value();
  made.schedule.zone = Zone::load(zone).value();
  return made;
}

/// A scheduler and its time: two clocks that go together until a test sets one.
struct World {
  explicit World(std::vector<ScheduledJob> jobs, const char* start = "2026-11-23T00:00:00Z")
      : situation{.now = at(start), .monotonic = 1000s}, scheduler(std::move(jobs), situation) {}

  /// Time goes on, call by call, until `until`; what was decided on the way.
  std::vector<Verdict> run(Instant until) {
    std::vector<Verdict> all;
    for (;;) {
      for (Verdict& verdict : scheduler.decide(situation)) {
        if (verdict.outcome == Outcome::fire && run_time) {
          situation.running.insert(verdict.job);
          ends.emplace(situation.now + *run_time, verdict.job);
        }
        all.push_back(std::move(verdict));
      }
      Instant next = until;
      if (const auto wake = scheduler.wake(situation)) next = std::min(next, std::max(*wake, situation.now));
      if (!ends.empty()) next = std::min(next, ends.begin()->first);
      if (next >= until) break;
      pass(next - situation.now);
      while (!ends.empty() && ends.begin()->first <= situation.now) {
        situation.running.erase(situation.running.find(ends.begin()->second));
        ends.erase(ends.begin());
      }
    }
    pass(until - situation.now);
    return all;
  }
  Texts texts(Instant until) {
    Texts result;
    for (const Verdict& verdict : run(until)) result.push_back(text(verdict));
    return result;
  }
  static std::string text(const Verdict& verdict) {
    return fmt::format("{}{} {} {}{}{}", verdict.since ? format_instant(*verdict.since) + ".." : "",
                       format_instant(verdict.tick), verdict.job, name_of(verdict.outcome),
                       verdict.reason.empty() ? "" : ": ", verdict.reason);
  }
  void pass(microseconds span) {
    situation.now += span;
    situation.monotonic += span;
  }

  Situation situation;
  Scheduler scheduler;
  std::optional<microseconds> run_time{};  ///< How long runs take; none: no time.
  std::multimap<Instant, std::string> ends{};
};

TEST(Scheduler, FiresEachTickOnceAndWakesForIt) {
  World world({job("a", "0 3 * * *"), job("b", "0 */12 * * *")});
  EXPECT_EQ(world.scheduler.wake(world.situation), at("2026-11-23T03:00:00Z"));
  EXPECT_EQ(world.texts(at("2026-11-24T12:00:00Z")),
            (Texts{"2026-11-23T03:00:00Z a fired", "2026-11-23T12:00:00Z b fired", "2026-11-24T00:00:00Z b fired",
                   "2026-11-24T03:00:00Z a fired"}));
  EXPECT_EQ(world.texts(at("2026-11-24T12:00:01Z")), (Texts{"2026-11-24T12:00:00Z b fired"}));
}

TEST(Scheduler, OfOneMomentGoesByNames) {
  World world({job("c", "0 3 * * *"), job("a", "0 3 * * *"), job("b", "0 3 * * *")});
  EXPECT_EQ(world.texts(at("2026-11-23T04:00:00Z")),
            (Texts{"2026-11-23T03:00:00Z a fired", "2026-11-23T03:00:00Z b fired", "2026-11-23T03:00:00Z c fired"}));
}

TEST(Scheduler, GivesAReasonForEachTickThatDoesNotFire) {
  struct Case {
    std::function<void(ScheduledJob&, Situation&)> change;
    std::string verdict;
  };
  const std::vector<Case> table{
      {[](auto& it, auto&) { it.configured = false; }, "not-configured: not configured"},
      {[](auto& it, auto&) { it.off_by = "STEWARD_DISABLE"; }, "off: off by STEWARD_DISABLE"},
      {[](auto& it, auto&) { it.schedule.owner = Owner::cron; }, "left: left to cron"},
      {[](auto& it, auto&) { it.schedule.owner = Owner::dagster; }, "left: left to Dagster"},
      {[](auto& it, auto&) { it.schedule.pause = Pause{.reason = "moving"}; }, "paused: paused: moving"},
      {[](auto&, auto& so) {
         so.paused["a"] = {.reason = "case 12", .until = at("2026-11-23T03:00:01Z"), .who = "ada"};
       },
       "paused: paused until 2026-11-23T03:00:01Z by ada: case 12"},
      {[](auto&, auto& so) { so.paused["a"] = {.reason = "case 12", .until = at("2026-11-23T03:00:00Z")}; }, "fired"},
      {[](auto&, auto& so) { so.paused["b"] = {.reason = "another job"}; }, "fired"},
      {[](auto&, auto& so) { so.frozen = "frozen by ada: audit"; }, "frozen: frozen by ada: audit"},
      {[](auto& it, auto& so) {
         it.removes = false;
         so.frozen = "frozen by ada: audit";
       },
       "fired"},
      {[](auto& it, auto&) {
         it.schedule.blackouts = {{.window = DailyWindow{.from = 2h, .to = 4h}, .text = "02:00 to 04:00"}};
       },
       "blackout: blackout 02:00 to 04:00"},
      {[](auto&, auto& so) { so.running.insert("a"); }, "overlap: a is running"},
      {[](auto& it, auto& so) {
         it.schedule.overlap = Overlap::allow;
         so.running.insert("a");
       },
       "fired"},
  };
  for (const Case& c : table) {
    ScheduledJob it = job("a", "0 3 * * *");
    Situation so{};
    c.change(it, so);
    World world({it});
    world.situation.paused = so.paused;
    world.situation.frozen = so.frozen;
    world.situation.running = so.running;
    EXPECT_EQ(world.texts(at("2026-11-23T04:00:00Z")), (Texts{"2026-11-23T03:00:00Z a " + c.verdict}));
  }
}

TEST(Scheduler, WhereEachRunNeedsAnApprovalAsksForOneAtATime) {
  ScheduledJob asks = job("secrets", "0 3 * * *"), now_and_then = job("cleanup", "0 3 * * *");
  asks.schedule.approval.required = true;
  World world({asks, now_and_then});
  world.situation.waiting = {{"secrets", "r1"}, {"cleanup", "r2"}};
  EXPECT_EQ(world.texts(at("2026-11-23T12:00:00Z")),
            (Texts{"2026-11-23T03:00:00Z cleanup fired",
                   "2026-11-23T03:00:00Z secrets waiting: run r1 waits for an approval"}))
      << "a brake of last night keeps nothing else of cleanup";
  world.situation.waiting.clear();
  EXPECT_EQ(world.texts(at("2026-11-24T12:00:00Z")),
            (Texts{"2026-11-24T03:00:00Z cleanup fired", "2026-11-24T03:00:00Z secrets fired"}));
}

TEST(Scheduler, QueuesATickUntilTheRunEndsAndOfSeveralTheNewest) {
  ScheduledJob it = job("a", "0 * * * *");
  it.schedule.overlap = Overlap::queue;
  World world({it});
  world.situation.running.insert("a");
  EXPECT_EQ(world.texts(at("2026-11-23T03:30:00Z")),
            (Texts{"2026-11-23T01:00:00Z a overlap: a is running, and a newer tick waits",
                   "2026-11-23T02:00:00Z a overlap: a is running, and a newer tick waits"}));
  world.situation.running.clear();
  EXPECT_EQ(world.texts(at("2026-11-23T03:40:00Z")), (Texts{"2026-11-23T03:00:00Z a fired"}));
}

TEST(Scheduler, RunsOneJobAtATimeOfAConcurrencyKey) {
  ScheduledJob a = job("a", "0 3 * * *"), b = job("b", "0 3 * * *"), c = job("c", "0 3 * * *");
  a.schedule.concurrency = b.schedule.concurrency = "database";
  b.schedule.overlap = Overlap::queue;
  World world({a, b, c});
  world.run_time = 10min;
  EXPECT_EQ(world.texts(at("2026-11-23T03:09:00Z")),
            (Texts{"2026-11-23T03:00:00Z a fired", "2026-11-23T03:00:00Z c fired"}));
  EXPECT_EQ(world.texts(at("2026-11-23T03:11:00Z")), (Texts{"2026-11-23T03:00:00Z b fired"}));

  b.schedule.overlap = Overlap::skip;
  World skipping({a, b, c});
  skipping.run_time = 10min;
  EXPECT_EQ(
      skipping.texts(at("2026-11-23T04:00:00Z")),
      (Texts{"2026-11-23T03:00:00Z a fired", "2026-11-23T03:00:00Z b overlap: a is running (concurrency key database)",
             "2026-11-23T03:00:00Z c fired"}));
}

TEST(Scheduler, LetsWhoHasQueuedForAKeyGoBeforeWhoIsDueNow) {
  ScheduledJob often = job("a-often", "*/10 * * * *"), rare = job("rare", "5 3 * * *");
  often.schedule.concurrency = rare.schedule.concurrency = "key";
  rare.schedule.overlap = Overlap::queue;
  World world({often, rare}, "2026-11-23T02:55:00Z");
  world.run_time = 10min;  // each ends at the very moment at which the next is due
  EXPECT_EQ(world.texts(at("2026-11-23T03:21:00Z")),
            (Texts{"2026-11-23T03:00:00Z a-often fired", "2026-11-23T03:05:00Z rare fired",
                   "2026-11-23T03:10:00Z a-often overlap: rare is running (concurrency key key)",
                   "2026-11-23T03:20:00Z a-often fired"}));
}

TEST(Scheduler, StartsLaterByTheJittersPlaceAndKeepsTheTicksName) {
  ScheduledJob it = job("a", "0 3 * * *");
  it.schedule.jitter = 30min;
  World world({it});
  const auto place = jitter_of("a", 30min);
  ASSERT_GT(place, 0s);
  EXPECT_EQ(world.scheduler.wake(world.situation), at("2026-11-23T03:00:00Z") + place);
  EXPECT_EQ(world.texts(at("2026-11-23T03:00:00Z") + place), Texts{});
  EXPECT_EQ(world.texts(at("2026-11-23T04:00:00Z")), (Texts{"2026-11-23T03:00:00Z a fired"}));
}

// --- what was missed ------------------------------------------------------------------------------------------------

ScheduledJob since(ScheduledJob it, const char* decided, Missed missed = Missed::latest) {
  it.decided = at(decided);
  it.schedule.missed = missed;
  return it;
}

TEST(Missed, TheLatestIsMadeUpForFiveMinutesAfterTheStart) {
  World world({since(job("a", "0 3 * * *"), "2026-11-20T03:00:00Z")}, "2026-11-23T12:00:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T12:05:00Z")),
            (Texts{"2026-11-21T03:00:00Z a missed: steward was not running; the latest is made up for",
                   "2026-11-22T03:00:00Z a missed: steward was not running; the latest is made up for"}));
  EXPECT_EQ(world.texts(at("2026-11-23T12:06:01Z")),
            (Texts{"2026-11-23T03:00:00Z a fired: made up for: it was missed"}));
  EXPECT_EQ(world.texts(at("2026-11-24T04:00:00Z")), (Texts{"2026-11-24T03:00:00Z a fired"}));
}

TEST(Missed, OnesAreSpreadOverAMinute) {
  std::vector<ScheduledJob> jobs;
  for (int i = 0; i < 100; ++i)
    jobs.push_back(since(job(fmt::format("job-{}", i), "0 3 * * *"), "2026-11-22T03:00:00Z"));
  World world(std::move(jobs), "2026-11-23T12:00:00Z");
  std::set<Instant> moments;
  for (int s = 0; s < 361; ++s)
    if (!world.run(world.situation.now + 1s).empty()) moments.insert(world.situation.now);
  EXPECT_GT(moments.size(), 30U);
}

TEST(Missed, ThatIsToBeSkippedIsNotedAlone) {
  World world({since(job("a", "0 3 * * *"), "2026-11-21T03:00:00Z", Missed::skip)}, "2026-11-23T12:00:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T13:00:00Z")),
            (Texts{"2026-11-22T03:00:00Z a missed: steward was not running; it is not made up for (missed: skip)",
                   "2026-11-23T03:00:00Z a missed: steward was not running; it is not made up for (missed: skip)"}));
}

TEST(Missed, AllAreMadeUpForOneAfterTheOtherUpToTheLimit) {
  ScheduledJob it = since(job("a", "0 3 * * *"), "2026-11-18T03:00:00Z", Missed::all);
  it.schedule.missed_limit = 3;
  World world({it}, "2026-11-23T12:00:00Z");
  world.run_time = 30min;
  EXPECT_EQ(world.texts(at("2026-11-23T12:10:00Z")),
            (Texts{"2026-11-19T03:00:00Z a missed: steward was not running; the latest 3 are made up for",
                   "2026-11-20T03:00:00Z a missed: steward was not running; the latest 3 are made up for",
                   "2026-11-21T03:00:00Z a fired: made up for: it was missed"}));
  EXPECT_EQ(world.texts(at("2026-11-23T12:40:00Z")),
            (Texts{"2026-11-22T03:00:00Z a fired: made up for: it was missed"}));
  EXPECT_EQ(world.texts(at("2026-11-23T15:00:00Z")),
            (Texts{"2026-11-23T03:00:00Z a fired: made up for: it was missed"}));
}

TEST(Missed, WhatIsOlderThanTheWindowIsNotMadeUpFor) {
  ScheduledJob it = since(job("a", "0 3 * * *"), "2026-11-21T03:00:00Z");
  it.schedule.missed_window = 6h;
  World world({it}, "2026-11-23T12:00:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T13:00:00Z")).back(),
            "2026-11-23T03:00:00Z a missed: steward was not running; it is too old to be made up for");
  World monthly({since(job("a", "@monthly"), "2026-10-01T00:00:00Z")}, "2026-11-08T00:01:00Z");
  EXPECT_EQ(monthly.texts(at("2026-11-09T00:00:00Z")),
            (Texts{"2026-11-01T00:00:00Z a missed: steward was not running; it is too old to be made up for"}))
      << "seven days at the most";
  World in_time({since(job("a", "@monthly"), "2026-10-01T00:00:00Z")}, "2026-11-07T23:00:00Z");
  EXPECT_EQ(in_time.texts(at("2026-11-09T00:00:00Z")),
            (Texts{"2026-11-01T00:00:00Z a fired: made up for: it was missed"}));
}

TEST(Missed, TheNextTickTakesThePlaceOfOneThatWaits) {
  World world({since(job("a", "0 3 * * *"), "2026-11-21T03:00:00Z")}, "2026-11-23T02:57:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T04:00:00Z")),
            (Texts{"2026-11-22T03:00:00Z a missed: it was missed, and the next tick has come",
                   "2026-11-23T03:00:00Z a fired"}));
}

TEST(Missed, ANewJobHasMissedNothing) {
  World world({job("a", "0 3 * * *")}, "2026-11-23T12:00:00Z");
  EXPECT_EQ(world.texts(at("2026-11-24T02:00:00Z")), Texts{});
}

TEST(Missed, AMachineThatSleptMakesUpForTheLatest) {
  World world({job("a", "0 * * * *")});
  world.texts(at("2026-11-23T00:30:00Z"));
  world.situation.now = at("2026-11-23T03:30:00Z");  // the monotonic clock stood still
  EXPECT_EQ(
      world.texts(at("2026-11-23T03:40:00Z")),
      (Texts{
          "2026-11-23T01:00:00Z a missed: the clock went ahead by 3 h: it was set, or the machine slept; the latest is "
          "made up for",
          "2026-11-23T02:00:00Z a missed: the clock went ahead by 3 h: it was set, or the machine slept; the latest is "
          "made up for",
          "2026-11-23T03:00:00Z a fired: made up for: it was missed"}));
}

TEST(Missed, ATickLessThanAMinuteLateIsOnTime) {
  World world({job("a", "0 3 * * *")});
  world.pass(3h + 60s);
  EXPECT_EQ(world.texts(at("2026-11-23T03:02:00Z")), (Texts{"2026-11-23T03:00:00Z a fired"}));
  World later({job("a", "0 3 * * *")});
  later.pass(3h + 61s);
  EXPECT_EQ(later.texts(at("2026-11-23T03:02:00Z")), Texts{});
  EXPECT_EQ(later.texts(at("2026-11-23T03:08:00Z")),
            (Texts{"2026-11-23T03:00:00Z a fired: made up for: it was missed"}));
}

TEST(Missed, OfAJobThatWouldNotHaveStartedIsToldInOneVerdict) {
  ScheduledJob it = since(job("a", "0 3 * * *"), "2026-11-20T03:00:00Z");
  it.configured = false;
  World world({it}, "2026-11-23T12:00:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T13:00:00Z")),
            (Texts{"2026-11-21T03:00:00Z..2026-11-23T03:00:00Z a not-configured: not configured"}));
}

TEST(Missed, WaitsForNoFreezeOrPause) {
  World world({since(job("a", "0 3 * * *"), "2026-11-22T03:00:00Z")}, "2026-11-23T12:00:00Z");
  world.situation.frozen = "frozen by ada: audit";
  EXPECT_EQ(world.texts(at("2026-11-23T13:00:00Z")), (Texts{"2026-11-23T03:00:00Z a frozen: frozen by ada: audit"}));
}

// --- a clock that is set --------------------------------------------------------------------------------------------

TEST(Clock, SetForwardByAYearDoesNotFireAYearOfTicks) {
  World world({job("daily", "0 3 * * *"), job("minutely", "* * * * *")});
  world.run(at("2026-11-23T06:00:30Z"));
  world.situation.now += days{365};
  const auto verdicts = world.run(world.situation.now + 20s);
  std::map<std::string, int> fired;
  for (const Verdict& verdict : verdicts) fired[verdict.job] += verdict.outcome == Outcome::fire ? 1 : 0;
  EXPECT_EQ(fired["daily"], 0) << "its latest waits";
  EXPECT_EQ(fired["minutely"], 1) << "the tick of this very minute";
  EXPECT_LT(verdicts.size(), 70U);
  const auto told = std::ranges::find(verdicts, "daily", &Verdict::job);
  ASSERT_NE(told, verdicts.end());
  EXPECT_EQ(told->since, at("2026-11-24T03:00:00Z")) << "all of the year is told of";
  EXPECT_EQ(world.run(world.situation.now + 10min).size(), 10U + 1U);
}

TEST(Clock, SetBackFiresNoTickTwice) {
  World world({job("a", "0 * * * *")});
  EXPECT_EQ(world.texts(at("2026-11-23T03:30:00Z")).size(), 3U);
  world.situation.now = at("2026-11-23T01:30:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T05:00:01Z")),
            (Texts{"2026-11-23T04:00:00Z a fired", "2026-11-23T05:00:00Z a fired"}));
}

TEST(Clock, ThatWasAYearAheadAndIsRightAgainCountsFromNowOn) {
  World world({job("a", "0 3 * * *")});
  world.run(at("2026-11-23T06:00:00Z"));
  world.situation.now += days{365};
  world.run(world.situation.now + days{2});
  world.situation.now -= days{365};
  EXPECT_EQ(world.texts(at("2026-11-26T04:00:00Z")), (Texts{"2026-11-26T03:00:00Z a fired"}));
  // A year later those that had fired under the wrong date do not again.
  const Texts year = world.texts(at("2027-11-27T04:00:00Z"));
  EXPECT_EQ(std::ranges::count(year, "2027-11-24T03:00:00Z a fired"), 0);
  EXPECT_EQ(std::ranges::count(year, "2027-11-25T03:00:00Z a fired"), 0);
  EXPECT_EQ(std::ranges::count(year, "2027-11-26T03:00:00Z a fired"), 1);
}

TEST(Clock, SetBackTakesBackWhatWaitsToBeMadeUpFor) {
  World world({job("a", "0 3 * * *")});
  world.situation.now = at("2026-11-23T08:00:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T08:01:00Z")), Texts{}) << "it waits";
  world.situation.now = at("2026-11-23T00:05:00Z");
  EXPECT_EQ(world.texts(at("2026-11-23T02:00:00Z")), Texts{});
  EXPECT_EQ(world.texts(at("2026-11-23T03:10:00Z")), (Texts{"2026-11-23T03:00:00Z a fired"}));
}

TEST(Scheduler, AfterARestartGoesOnFromWhatWasDecided) {
  World world({since(job("a", "0 3 * * *"), "2026-11-23T03:00:00Z")}, "2026-11-23T03:00:00.5Z");
  EXPECT_EQ(world.texts(at("2026-11-24T03:00:01Z")), (Texts{"2026-11-24T03:00:00Z a fired"}));
}

TEST(Scheduler, AReloadKeepsWhatWasDecidedAndInventsNoMissedTicks) {
  World world({job("a", "0 3 * * *"), job("b", "0 3 * * *")});
  world.run(at("2026-11-23T12:30:00Z"));
  world.scheduler.replace({job("a", "0 * * * *"), job("b", "0 3 * * *"), job("c", "0 13 * * *")}, world.situation);
  EXPECT_EQ(world.texts(at("2026-11-23T14:30:00Z")),
            (Texts{"2026-11-23T13:00:00Z a fired", "2026-11-23T13:00:00Z c fired", "2026-11-23T14:00:00Z a fired"}));
  EXPECT_EQ(std::ranges::count(world.texts(at("2026-11-24T03:30:00Z")), "2026-11-24T03:00:00Z b fired"), 1);
}

// --- long walks -----------------------------------------------------------------------------------------------------

TEST(Scheduler, RunsAYearOfTenJobsThroughTwoChangesOfTheClocks) {
  std::vector<ScheduledJob> jobs{job("utc-daily", "0 3 * * *"),
                                 job("utc-hourly", "0 * * * *"),
                                 job("berlin-gap", "30 2 * * *", "Europe/Berlin"),
                                 job("berlin-hourly", "15 * * * *", "Europe/Berlin"),
                                 job("new-york", "0 2 * * *", "America/New_York"),
                                 job("lord-howe", "15 2 * * *", "Australia/Lord_Howe"),
                                 job("santiago", "0 0 * * *", "America/Santiago"),
                                 job("troll", "30 1,2 * * *", "Antarctica/Troll"),
                                 job("weekly", "0 5 * * 1", "Europe/Berlin"),
                                 job("monthly", "0 0 1 * *", "Asia/Beirut")};
  const std::vector<ScheduledJob> same = jobs;
  World world(std::move(jobs), "2026-01-01T00:00:00Z");
  const Instant end = at("2027-01-01T00:00:00Z");
  std::map<std::string, std::vector<Instant>> fired;
  for (const Verdict& verdict : world.run(end)) {
    ASSERT_EQ(verdict.outcome, Outcome::fire) << World::text(verdict);
    fired[verdict.job].push_back(verdict.tick);
  }
  for (const ScheduledJob& it : same) {
    std::vector<Instant> expected;
    for (auto tick = next_tick(it.schedule, at("2026-01-01T00:00:00Z")); tick->at < end;
         tick = next_tick(it.schedule, tick->at))
      expected.push_back(tick->at);
    EXPECT_EQ(fired[it.name], expected) << it.name;
  }
  // A year has 365 nights, and as many firings, in each zone.
  for (const char* name : {"utc-daily", "berlin-gap", "new-york", "lord-howe", "santiago"})
    EXPECT_GE(fired[name].size(), 364U) << name;
  EXPECT_EQ(fired["utc-hourly"].size(), 8759U);
  EXPECT_EQ(fired["berlin-hourly"].size(), 8760U);
  EXPECT_EQ(fired["weekly"].size(), 52U);
  EXPECT_EQ(fired["monthly"].size(), 12U);
}

TEST(Scheduler, GivesEachTickOneVerdictWhateverTheClockAndTheRunsDo) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::printf("seed %u\n", seed);
  std::mt19937_64 engine{seed};
  const auto upto = [&](int most) { return std::uniform_int_distribution<int>(0, most)(engine); };
  for (int round = 0; round < 60; ++round) {
    std::vector<ScheduledJob> jobs;
    for (int i = 0; i < 4; ++i) {
      ScheduledJob it = job(fmt::format("job-{}", i),
                            std::vector{"*/10 * * * *", "0 * * * *", "30 2 * * *", "5,35 */3 * * *"}[upto(3)],
                            std::vector{"UTC", "Europe/Berlin"}[upto(1)]);
      it.schedule.missed = Missed{upto(2)};
      it.schedule.missed_limit = 1 + upto(4);
      it.schedule.overlap = Overlap{upto(2)};
      it.schedule.jitter = seconds{upto(1) * upto(300)};
      if (upto(2) == 0) it.schedule.concurrency = "key";
      jobs.push_back(std::move(it));
    }
    World world(std::move(jobs), "2026-03-28T12:00:00Z");
    std::set<std::pair<std::string, Instant>> told;
    std::map<std::string, Instant> last;
    Instant latest_now = world.situation.now;
    for (int step = 0; step < 40; ++step) {
      world.run_time = minutes{upto(40)};
      if (upto(5) == 0) world.situation.now += minutes{upto(600)};  // slept, or set
      if (upto(5) == 0) world.situation.now -= minutes{upto(300)};
      for (const Verdict& verdict : world.run(world.situation.now + minutes{upto(120)})) {
        EXPECT_TRUE(told.emplace(verdict.job, verdict.tick).second) << "twice: " << World::text(verdict);
        if (const auto before = last.find(verdict.job); before != last.end()) {
          EXPECT_LT(before->second, verdict.tick) << "out of order: " << World::text(verdict);
        }
        last[verdict.job] = verdict.tick;
        latest_now = std::max(latest_now, world.situation.now);
        EXPECT_LE(verdict.tick, latest_now);
      }
      latest_now = std::max(latest_now, world.situation.now);
    }
  }
}

TEST(Scheduler, SaysWhatWaitsAndNotWhatHasItsVerdict) {
  std::vector<ScheduledJob> jobs{job("queued", "* * * * *"), job("skipped", "* * * * *")};
  jobs[0].schedule.overlap = Overlap::queue;
  World world(jobs);
  world.run_time = 90s;
  const auto waiting = [&] {
    Texts out;
    for (const WaitingTick& tick : world.scheduler.waiting())
      out.push_back(fmt::format("{} {}", tick.job, format_instant(tick.due)));
    return out;
  };
  world.run(at("2026-11-23T00:01:30Z"));
  EXPECT_EQ(waiting(), Texts{});
  world.run(at("2026-11-23T00:02:01Z"));
  EXPECT_EQ(waiting(), Texts{"queued 2026-11-23T00:02:00Z"});
  world.run(at("2026-11-23T00:02:31Z"));
  EXPECT_EQ(waiting(), Texts{}) << "the run before it has ended";
}

TEST(Scheduler, WithTenThousandSchedulesLooksOnlyAtThoseThatAreDue) {
  std::vector<ScheduledJob> jobs;
  for (int i = 0; i < 10'000; ++i)
    jobs.push_back(job(fmt::format("job-{}", i), fmt::format("{} {} * * *", i % 60, i / 60 % 24), "Europe/Berlin"));
  World world(std::move(jobs));
  std::size_t fired = 0, calls = 0;
  const Instant end = at("2026-11-24T00:00:00Z");
  while (world.situation.now < end) {
    fired += world.scheduler.decide(world.situation).size();
    ++calls;
    const auto wake = world.scheduler.wake(world.situation);
    ASSERT_TRUE(wake);
    ASSERT_GT(*wake, world.situation.now);
    world.pass(std::min(*wake, end) - world.situation.now);
  }
  EXPECT_EQ(fired, 10'000U - 7U) << "those of the first minute of the day were due before it began";
  EXPECT_LE(calls, 1441U) << "it wakes for minutes that have a tick, and for nothing else";
}

}  // namespace
}  // namespace steward::engine
