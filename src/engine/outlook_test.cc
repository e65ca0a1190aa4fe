#include "engine/outlook.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

Instant at(std::string_view text) { return parse_instant(text).value(); }
const Instant now = at("2026-11-23T12:00:00Z");

ScheduledJob job_at_three(std::string_view cron = "0 3 * * *") {
  ScheduledJob job{.name = "a"};
  job.schedule.timing = Cron::parse(cron).value();
  return job;
}

struct Case {
  std::string name;
  std::function<void(ScheduledJob&, OutlookFacts&)> change;
  std::string standing;
  std::string fires = "";  // "": nothing can be known of
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

std::string text_of(const Outlook& outlook) {
  return fmt::format("{}{}{}", name_of(outlook.standing), outlook.reason.empty() ? "" : ": ", outlook.reason);
}

struct Outlooking : testing::TestWithParam<Case> {};

TEST_P(Outlooking, GivesTheStandingWithItsReason) {
  ScheduledJob job = job_at_three();
  OutlookFacts facts{.now = now, .keepers = std::vector{Keeper{.daemon = "web-1:10"}}};
  GetParam().change(job, facts);
  const Outlook found = outlook(job, facts);
  EXPECT_EQ(text_of(found), GetParam().standing);
  EXPECT_EQ(found.fires ? format_instant(*found.fires) : "", GetParam().fires);
}

void paused(OutlookFacts& facts, std::string job, std::optional<Instant> until) {
  facts.pauses.push_back({.id = "p-1", .job = std::move(job), .reason = "case 12", .who = "ada", .until = until});
}
void frozen(OutlookFacts& facts, std::optional<Instant> until) {
  facts.freezes.push_back({.id = "f-1", .reason = "audit", .who = "ada", .until = until});
}
void ran(OutlookFacts& facts, std::string trigger, Instant when) {
  facts.runs["a"] = {.id = "r", .job = "a", .started = when, .trigger = std::move(trigger)};
}

const std::vector<Case> cases{
    {"Scheduled", [](auto&, auto&) {}, "scheduled", "2026-11-24T03:00:00Z"},
    {"NotConfigured", [](auto& job, auto&) { job.configured = false; }, "not-configured: not configured"},
    {"Off", [](auto& job, auto&) { job.off_by = "STEWARD_DISABLE"; }, "off: off by STEWARD_DISABLE"},
    {"LeftToCron", [](auto& job, auto&) { job.schedule.owner = Owner::cron; }, "left: left to cron"},
    {"LeftToDagster", [](auto& job, auto&) { job.schedule.owner = Owner::dagster; }, "left: left to Dagster"},
    {"PausedByTheFile", [](auto& job, auto&) { job.schedule.pause = Pause{.reason = "moving"}; },
     "paused: paused: moving"},
    {"Paused", [](auto&, auto& facts) { paused(facts, "a", {}); }, "paused: paused by ada: case 12"},
    {"AllPaused", [](auto&, auto& facts) { paused(facts, "*", {}); }, "paused: paused by ada: case 12"},
    {"AnotherPaused", [](auto&, auto& facts) { paused(facts, "b", {}); }, "scheduled", "2026-11-24T03:00:00Z"},
    {"PausedUntilAfterTheTick", [](auto&, auto& facts) { paused(facts, "a", at("2026-11-24T03:00:01Z")); },
     "paused: paused until 2026-11-24T03:00:01Z by ada: case 12", "2026-11-25T03:00:00Z"},
    {"PausedUntilTheTick", [](auto&, auto& facts) { paused(facts, "a", at("2026-11-24T03:00:00Z")); }, "scheduled",
     "2026-11-24T03:00:00Z"},
    {"PausedForAMonth", [](auto&, auto& facts) { paused(facts, "a", at("2026-12-24T03:00:00Z")); },
     "paused: paused until 2026-12-24T03:00:00Z by ada: case 12", "2026-12-24T03:00:00Z"},
    {"Frozen", [](auto&, auto& facts) { frozen(facts, {}); },
     "frozen: nothing is removed until it is lifted: frozen by ada, audit (f-1)"},
    {"FrozenUntil", [](auto&, auto& facts) { frozen(facts, at("2026-11-26T00:00:00Z")); },
     "frozen: nothing is removed until 2026-11-26T00:00:00Z: frozen by ada, audit (f-1)", "2026-11-26T03:00:00Z"},
    {"FrozenUntilBeforeTheTick", [](auto&, auto& facts) { frozen(facts, at("2026-11-23T18:00:00Z")); }, "scheduled",
     "2026-11-24T03:00:00Z"},
    {"RemovesNothing",
     [](auto& job, auto& facts) {
       job.removes = false;
       frozen(facts, {});
     },
     "scheduled", "2026-11-24T03:00:00Z"},
    {"Blackout",
     [](auto& job, auto&) {
       job.schedule.blackouts = {
           {.window = OneWindow{at("2026-11-24T00:00:00Z"), at("2026-11-26T00:00:00Z")}, .text = "the sale"}};
     },
     "blackout: blackout the sale", "2026-11-26T03:00:00Z"},
    {"WaitsForAnApproval",
     [](auto& job, auto& facts) {
       job.schedule.approval.required = true;
       facts.waiting["a"] = "r1";
     },
     "waiting: run r1 waits for an approval"},
    {"OneTaskWaits", [](auto&, auto& facts) { facts.waiting["a"] = "r1"; }, "scheduled", "2026-11-24T03:00:00Z"},
    {"NoDaemon", [](auto&, auto& facts) { facts.keepers->clear(); }, "unkept: no daemon is running"},
    {"NoDaemonOfThisJob", [](auto&, auto& facts) { facts.keepers->front().jobs = {"b"}; },
     "unkept: no daemon is running"},
    {"ADaemonOfThisJob", [](auto&, auto& facts) { facts.keepers->front().jobs = {"a", "b"}; }, "scheduled",
     "2026-11-24T03:00:00Z"},
    {"OneThatStandsBy", [](auto&, auto& facts) { facts.keepers->front().decides = false; },
     "unkept: no daemon is running"},
    {"NobodyHasLooked", [](auto&, auto& facts) { facts.keepers.reset(); }, "scheduled", "2026-11-24T03:00:00Z"},
    {"PausedWithoutADaemon",
     [](auto&, auto& facts) {
       facts.keepers->clear();
       paused(facts, "a", {});
     },
     "paused: paused by ada: case 12"},
    {"StartedByAScript",
     [](auto&, auto& facts) {
       facts.keepers->clear();
       ran(facts, "script", at("2026-11-22T03:00:00Z"));
     },
     "unkept: no daemon is running; it was last started by script"},
    {"ADaemonsOwnLastRun",
     [](auto&, auto& facts) {
       facts.keepers->clear();
       ran(facts, "serve", now);
     },
     "unkept: no daemon is running"},
    {"APersonsRun",
     [](auto&, auto& facts) {
       facts.keepers->clear();
       ran(facts, "hand", now);
     },
     "unkept: no daemon is running"},
    {"StartedTooLongAgo",
     [](auto&, auto& facts) {
       facts.keepers->clear();
       ran(facts, "script", at("2026-11-22T02:59:59Z"));
     },
     "unkept: no daemon is running"}};
INSTANTIATE_TEST_SUITE_P(Engine, Outlooking, testing::ValuesIn(cases), [](const auto& one) { return one.param.name; });

struct ElsewhereCase {
  std::string name;
  std::function<void(ScheduledJob&, OutlookFacts&)> change;
  std::string obstacle;  // "": it is to start
};

void PrintTo(const ElsewhereCase& one, std::ostream* out) { *out << one.name; }

/// A tick of Dagster's, at 12:00, a second later.
struct Elsewhere : testing::TestWithParam<ElsewhereCase> {
  Instant tick = now;
  static std::string obstacle(const ScheduledJob& job, const OutlookFacts& facts, Instant tick) {
    const auto found = obstacle_elsewhere(job, facts, tick);
    if (!found) return "";
    return fmt::format("{}: {}{}", name_of(found->outcome), found->reason,
                       found->until ? " [" + format_instant(*found->until) + "]" : "");
  }
};

TEST_P(Elsewhere, IsToldWhatIsInTheWay) {
  ScheduledJob job = job_at_three("0 * * * *");
  job.schedule.owner = Owner::dagster;
  OutlookFacts facts{.now = now + 1s};
  GetParam().change(job, facts);
  EXPECT_EQ(obstacle(job, facts, tick), GetParam().obstacle);
}

void black_out(ScheduledJob& job, std::string_view from, std::string_view to) {
  job.schedule.blackouts.push_back({.window = OneWindow{at(from), at(to)}, .text = "the sale"});
}

const std::vector<ElsewhereCase> elsewhere{
    {"Nothing", [](auto&, auto&) {}, ""},
    {"NothingElse",
     [](auto& job, auto& facts) {
       paused(facts, "b", {});
       facts.waiting["b"] = "r1";
       facts.under_way = {{.job = "b", .run = "r1"}};
       black_out(job, "2026-11-23T08:00:00Z", "2026-11-23T12:00:00Z");
     },
     ""},
    {"PausedByTheFile", [](auto& job, auto&) { job.schedule.pause = Pause{.reason = "moving"}; },
     "paused: paused: moving"},
    {"Paused", [](auto&, auto& facts) { paused(facts, "a", at("2026-11-24T00:00:00Z")); },
     "paused: paused until 2026-11-24T00:00:00Z by ada: case 12 [2026-11-24T00:00:00Z]"},
    {"Frozen", [](auto&, auto& facts) { frozen(facts, {}); },
     "frozen: nothing is removed until it is lifted: frozen by ada, audit (f-1)"},
    {"Blackout", [](auto& job, auto&) { black_out(job, "2026-11-23T12:00:00Z", "2026-11-26T00:00:00Z"); },
     "blackout: blackout the sale, until 2026-11-26T00:00:00Z [2026-11-26T00:00:00Z]"},
    {"BlackoutThatHasJustBegun",
     [](auto& job, auto&) { black_out(job, "2026-11-23T12:00:01Z", "2026-11-26T00:00:00Z"); },
     "blackout: blackout the sale, until 2026-11-26T00:00:00Z [2026-11-26T00:00:00Z]"},
    {"BlackoutIsNotMadeUpFor", [](auto& job, auto&) { black_out(job, "2026-11-23T11:59:00Z", "2026-11-23T12:00:01Z"); },
     "blackout: blackout the sale, until 2026-11-23T12:00:01Z [2026-11-23T12:00:01Z]"},
    {"JitterIsNotHeld",
     [](auto& job, auto&) {
       job.schedule.jitter = 24h;
       black_out(job, "2026-11-23T12:01:00Z", "2026-11-26T00:00:00Z");
     },
     ""},
    {"WaitsForAnApproval",
     [](auto& job, auto& facts) {
       job.schedule.approval.required = true;
       facts.waiting["a"] = "r1";
     },
     "waiting: run r1 waits for an approval"},
    {"OneTaskWaits", [](auto&, auto& facts) { facts.waiting["a"] = "r1"; }, ""},
    {"UnderWay", [](auto&, auto& facts) { facts.under_way = {{.job = "a", .run = "r1"}}; },
     "overlap: run r1 is under way"},
    {"SameKeyUnderWay",
     [](auto& job, auto& facts) {
       job.schedule.concurrency = "database";
       facts.under_way = {{.job = "b", .run = "r1", .concurrency = "database"}};
     },
     "overlap: run r1 of b is under way (concurrency key database)"},
    {"OverlapIsTheOthersToQueue",
     [](auto& job, auto& facts) {
       job.schedule.overlap = Overlap::queue;
       facts.under_way = {{.job = "a", .run = "r1"}};
     },
     ""},
    {"OverlapIsAllowed",
     [](auto& job, auto& facts) {
       job.schedule.overlap = Overlap::allow;
       facts.under_way = {{.job = "a", .run = "r1"}};
     },
     ""}};
INSTANTIATE_TEST_SUITE_P(Engine, Elsewhere, testing::ValuesIn(elsewhere),
                         [](const auto& one) { return one.param.name; });

TEST(Outlook, HasTheTickInUtcAndTheStartAfterItsJitter) {
  ScheduledJob job = job_at_three();
  job.schedule.zone = Zone::load("Europe/Berlin").value();
  job.schedule.jitter = 10min;
  const Outlook found = outlook(job, {.now = now});
  EXPECT_EQ(format_instant(found.next.value()), "2026-11-24T02:00:00Z");
  EXPECT_EQ(found.starts.value() - found.fires.value(), jitter_of("a", 10min));
}

TEST(TicksBack, CountsThoseThatHaveCome) {
  const Schedule daily = job_at_three().schedule;
  EXPECT_EQ(ticks_back(daily, at("2026-11-23T03:00:00Z"), 1), at("2026-11-23T03:00:00Z"));
  EXPECT_EQ(ticks_back(daily, at("2026-11-23T02:59:59Z"), 2), at("2026-11-21T03:00:00Z"));
  Schedule hourly = job_at_three("0 * * * *").schedule;
  hourly.blackouts = {{.window = DailyWindow{8h, 18h}, .text = "by day"}};
  EXPECT_EQ(ticks_back(hourly, now, 2), at("2026-11-23T06:00:00Z")) << "those in a blackout do not count";
  EXPECT_EQ(ticks_back(job_at_three("0 3 29 2 *").schedule, now, 4), std::nullopt);
  EXPECT_EQ(ticks_back(job_at_three("0 3 29 2 *").schedule, now, 1), at("2024-02-29T03:00:00Z"));
}

TEST(Keepers, AreNamedByTheirLeaseAndThoseHereThatHaveNoneStandBy) {
  const std::vector<ledger::LeaseState> leases{
      {.lease = {.name = "serve", .holder = "web-1:10"}, .until = now + 20s, .in_force = true},
      {.lease = {.name = "serve backup,cleanup", .holder = "web-2:7"}, .until = now + 10s, .in_force = true},
      {.lease = {.name = "serve old", .holder = "web-3:7"}, .until = now - 10s, .in_force = false}};
  const Keeper first{.daemon = "web-1:10", .here = true, .since = now - 1h, .url = "http://127.0.0.1:8420"};
  const Keeper second{.daemon = "web-1:11", .here = true};
  const std::vector<Keeper> all = keepers_of(leases, {first, second}, true);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].daemon, "web-1:10");
  EXPECT_EQ(all[0].since, now - 1h);
  EXPECT_EQ(all[0].until, now + 20s);
  EXPECT_TRUE(all[0].here && all[0].keeps("anything"));
  EXPECT_EQ(all[1].daemon, "web-2:7");
  EXPECT_THAT(all[1].jobs, ElementsAre("backup", "cleanup"));
  EXPECT_TRUE(all[1].keeps("backup"));
  EXPECT_FALSE(all[1].keeps("rotate-logs"));
  EXPECT_EQ(all[2].daemon, "web-1:11");
  EXPECT_FALSE(all[2].keeps("backup"));
  EXPECT_THAT(keepers_of({}, {}, true), IsEmpty());
}

TEST(Keepers, OfALedgerOfThisMachineAloneDecideWithoutALease) {
  const std::vector<Keeper> all = keepers_of({}, {Keeper{.daemon = "web-1:10", .here = true}}, false);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(all[0].keeps("backup"));
}

TEST(LeaseName, NamesTheJobsThatWereChosen) {
  EXPECT_EQ(lease_name({}), "serve");
  EXPECT_EQ(lease_name({"cleanup", "backup"}), "serve backup,cleanup");
}

}  // namespace
}  // namespace steward::engine
