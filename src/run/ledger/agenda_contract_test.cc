// What agenda.h promises, on both databases.
#include "run/ledger/agenda.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using sql::kind_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using namespace std::chrono_literals;

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};
const Process daemon_process{
    .host = "web-1", .boot = "b1", .pid = 10, .started_ticks = 100, .pid_namespace = "pid:[1]"};
const Process child{.host = "web-1", .boot = "b1", .pid = 11, .started_ticks = 101, .pid_namespace = "pid:[1]"};

struct AgendaContract : OnEachDatabase {
  Agenda& agenda() { return ledger->agenda(); }

  static Tick a_tick(Instant due = three, std::string outcome = "fired") {
    return {.job = "backup", .due = due, .outcome = std::move(outcome), .decided = due, .daemon = "web-1:10"};
  }
  static LedgerRun a_run(std::string id) {
    return {.id = std::move(id),
            .job = "backup",
            .status = Status::queued,
            .started = three,
            .heartbeat = three,
            .process = daemon_process,
            .trigger = "serve",
            .actor = "schedule",
            .due = three};
  }
  static LedgerRun begun(std::string id) {
    LedgerRun run = a_run(std::move(id));
    run.started = run.heartbeat = three + 1s;
    run.process = child;
    run.version = "0.2.0";
    run.environment = "production";
    return run;
  }
};

TEST_P(AgendaContract, ATickHasOneOutcomeForGood) {
  EXPECT_EQ(agenda().enter(a_tick(), a_run("r1"), {}), true);
  EXPECT_EQ(agenda().enter(a_tick(), a_run("r2"), {}), false);
  EXPECT_EQ(agenda().enter(a_tick(three, "paused"), {}, {}), false);
  EXPECT_EQ(agenda().enter(a_tick(three + 24h, "paused"), {}, {}), true);

  const std::vector<Tick> ticks = agenda().ticks({.job = "backup"}).value();
  ASSERT_EQ(ticks.size(), 2u);
  EXPECT_EQ(ticks[0].outcome, "paused");
  EXPECT_EQ(ticks[1].outcome, "fired");
  EXPECT_EQ(ticks[1].run, "r1");
  EXPECT_EQ(kind_of(ledger->run("r2")), Kind::not_found) << "its run is not there without it";
  EXPECT_EQ(agenda().ticks({.fired = false})->size(), 1u);
  EXPECT_THAT(agenda().last_ticks().value(), ElementsAre(Pair("backup", three + 24h)));
}

TEST_P(AgendaContract, ATickThatWasLeftToAnotherSchedulerMayStillBeFiredByItOnce) {
  EXPECT_EQ(agenda().enter(a_tick(three, "left"), {}, {}), true);
  EXPECT_EQ(agenda().enter(a_tick(three, "paused"), {}, {}), false) << "it has its outcome";
  EXPECT_EQ(agenda().enter(a_tick(), a_run("r1"), {}), true);
  EXPECT_EQ(agenda().enter(a_tick(), a_run("r2"), {}), false);
  EXPECT_EQ(agenda().enter(a_tick(three, "left"), {}, {}), false) << "nor is it taken back";
  const std::vector<Tick> ticks = agenda().ticks({}).value();
  ASSERT_EQ(ticks.size(), 1u);
  EXPECT_EQ(ticks[0].outcome, "fired");
  EXPECT_EQ(ticks[0].run, "r1");
  EXPECT_EQ(agenda().open_runs()->size(), 1u);
  ASSERT_EQ(agenda().enter(a_tick(three + 24h, "missed"), {}, {}), true);
  EXPECT_EQ(agenda().enter(a_tick(three + 24h), a_run("r3"), {}), false) << "what was missed was not left";
}

TEST_P(AgendaContract, OfManyDaemonsThatEnterOneTickOneDoes) {
  constexpr int daemons = 6;
  std::atomic<int> entered = 0, failed = 0;
  std::vector<std::unique_ptr<Ledger>> ledgers;
  for (int i = 0; i < daemons; ++i) ledgers.push_back(opened());
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < daemons; ++i)
      all.emplace_back([&, i] {
        for (int day = 0; day < 5; ++day) {
          const auto done =
              ledgers[i]->agenda().enter(a_tick(three + 24h * day), a_run(fmt::format("r{}-{}", day, i)), {});
          failed += !done;
          entered += done && *done;
        }
      });
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(entered, 5);
  EXPECT_EQ(agenda().open_runs()->size(), 5u);
}

TEST_P(AgendaContract, AQueuedRunIsTakenOverByTheProcessWhoseTokenIsTheLast) {
  ASSERT_TRUE(agenda().enqueue(a_run("r1")));
  EXPECT_EQ(agenda().take_over(begun("r1"), ""), false) << "nothing was started yet";
  EXPECT_EQ(agenda().launch("r1", "", "t1", daemon_process, three), true);
  EXPECT_EQ(agenda().launch("r1", "", "t2", daemon_process, three), false) << "another daemon was first";
  EXPECT_EQ(agenda().launch("r1", "t1", "t2", daemon_process, three), true) << "what t1 started is thought dead";
  EXPECT_EQ(agenda().take_over(begun("r1"), "t1"), false) << "it comes late";
  EXPECT_EQ(agenda().take_over(begun("r1"), "t2"), true);
  EXPECT_EQ(agenda().take_over(begun("r1"), "t2"), false);
  EXPECT_EQ(agenda().launch("r1", "t2", "t3", daemon_process, three), false);

  const LedgerRun run = ledger->run("r1").value();
  EXPECT_EQ(run.status, Status::running);
  EXPECT_EQ(run.process, child);
  EXPECT_EQ(run.started, three + 1s);
  EXPECT_EQ(run.due, three);
  EXPECT_EQ(run.trigger, "serve");
  EXPECT_EQ(run.version, "0.2.0");
  EXPECT_EQ(run.environment, "production");
  EXPECT_THAT(acts(), ElementsAre("run.begin r1"));
}

TEST_P(AgendaContract, OpenRunsAreThoseThatAreQueuedOrRunning) {
  ASSERT_TRUE(agenda().enqueue(a_run("r1")));
  ASSERT_TRUE(agenda().enqueue(a_run("r2")));
  ASSERT_EQ(agenda().launch("r2", "", "t", daemon_process, three), true);
  ASSERT_EQ(agenda().take_over(begun("r2"), "t"), true);
  ASSERT_EQ(agenda().open_runs()->size(), 2u);
  ASSERT_TRUE(ledger->end_run("r2", Status::succeeded, three + 1min, ""));
  ASSERT_TRUE(ledger->end_run("r1", Status::interrupted, three + 1min, ""));
  EXPECT_THAT(agenda().open_runs().value(), IsEmpty());
  EXPECT_EQ(ledger->run("r1")->status, Status::interrupted);
}

TEST_P(AgendaContract, AQueuedRunIsCancelledAtOnce) {
  ASSERT_TRUE(agenda().enqueue(a_run("r1")));
  ASSERT_EQ(agenda().launch("r1", "", "t", daemon_process, three), true);
  ASSERT_TRUE(ledger->request_cancel("r1", "ada", three));
  EXPECT_EQ(ledger->run("r1")->status, Status::cancelled);
  EXPECT_EQ(agenda().take_over(begun("r1"), "t"), false);
  EXPECT_THAT(acts(), ElementsAre("run.end r1", "run.cancel r1")) << "and people hear of its end";
  EXPECT_EQ(ledger->audit_lines(1)->front().detail, R"({"status":"cancelled"})");
}

TEST_P(AgendaContract, ARunThatDidNotSucceedIsRetriedOnce) {
  for (const auto& [id, status] : std::map<std::string, Status>{
           {"r1", Status::failed}, {"r2", Status::succeeded}, {"r3", Status::interrupted}, {"r4", Status::cancelled}}) {
    ASSERT_EQ(agenda().enqueue(a_run(id)), true);
    ASSERT_TRUE(ledger->end_run(id, status, three + 1h, ""));
  }
  LedgerRun by_hand = a_run("r5");
  by_hand.due.reset();
  ASSERT_EQ(agenda().enqueue(by_hand), true);
  ASSERT_TRUE(ledger->end_run("r5", Status::failed, three + 1h, ""));

  const auto ids = [&](Instant since) {
    std::vector<std::string> out;
    const std::vector<LedgerRun> runs = agenda().without_retry(since).value();
    for (const LedgerRun& run : runs) out.push_back(run.id);
    return out;
  };
  EXPECT_THAT(ids(three), ElementsAre("r1", "r3"));
  EXPECT_THAT(ids(three + 2h), IsEmpty());
  LedgerRun retry = a_run("r1-2");
  retry.retry_of = "r1";
  EXPECT_EQ(agenda().enqueue(retry), true);
  retry.id = "r1-3";
  EXPECT_EQ(agenda().enqueue(retry), false);
  EXPECT_THAT(ids(three), ElementsAre("r3"));
}

TEST_P(AgendaContract, APulseIsNoHeartbeatAndTellsOfACancel) {
  ASSERT_TRUE(ledger->begin_run({.id = "r1", .job = "backup", .started = three, .heartbeat = three}));
  EXPECT_EQ(ledger->pulse("r1", three + 1min), false);
  EXPECT_EQ(ledger->run("r1")->pulse, three + 1min);
  EXPECT_EQ(ledger->run("r1")->heartbeat, three);
  ASSERT_TRUE(ledger->request_cancel("r1", "ada", three));
  EXPECT_EQ(ledger->pulse("r1", three + 2min), true);
}

TEST_P(AgendaContract, ALeaseIsOneHoldersUntilItEndsOrIsGivenUp) {
  const Lease first = agenda().take_lease("serve", "a", 1h, three).value().value();
  EXPECT_EQ(agenda().take_lease("serve", "b", 1h, three).value(), std::nullopt);
  EXPECT_EQ(agenda().take_lease("serve", "a", 1h, three)->value().term, first.term) << "renewed";
  EXPECT_TRUE(agenda().take_lease("serve --only backup", "b", 1h, three)->has_value()) << "another lease";

  ASSERT_TRUE(agenda().give_up_lease(first));
  const Lease second = agenda().take_lease("serve", "b", 1h, three).value().value();
  EXPECT_GT(second.term, first.term);
  ASSERT_TRUE(agenda().give_up_lease(first)) << "another's, which stays";
  EXPECT_EQ(agenda().take_lease("serve", "a", 1h, three).value(), std::nullopt);
  // Over at once: PostgreSQL goes by its own clock, which no test can move.
  EXPECT_TRUE(agenda().take_lease("serve", "b", 0s, three)->has_value());
  EXPECT_TRUE(agenda().take_lease("serve", "a", 1h, three)->has_value());
}

TEST_P(AgendaContract, ALeaseOfAClockThatWasWrongDoesNotLockTheOthersOut) {
  ASSERT_TRUE(agenda().take_lease("serve", "a", 24h * 365, three)->has_value());
  EXPECT_TRUE(agenda().take_lease("serve", "b", 30s, three)->has_value()) << "no lease of 30 s runs for a year";
}

TEST_P(AgendaContract, LeasesTellWhoHasWhichAndWhetherItIsOver) {
  EXPECT_THAT(agenda().leases(three).value(), IsEmpty());
  ASSERT_TRUE(agenda().take_lease("serve", "a", 1h, three)->has_value());
  ASSERT_TRUE(agenda().take_lease("serve backup", "b", 0s, three)->has_value());
  const std::vector<LeaseState> all = agenda().leases(three).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].lease.name, "serve");
  EXPECT_EQ(all[0].lease.holder, "a");
  EXPECT_TRUE(all[0].in_force);
  EXPECT_EQ(all[1].lease.holder, "b");
  EXPECT_FALSE(all[1].in_force);
  EXPECT_EQ(all[0].until - all[1].until > 59min, true);
  ASSERT_TRUE(agenda().give_up_lease(all[0].lease));
  EXPECT_EQ(agenda().leases(three)->size(), 1u) << "given up";
}

TEST_P(AgendaContract, WhoHasLostTheLeaseEntersNothing) {
  const Lease first = agenda().take_lease("serve", "a", 0s, three).value().value();
  EXPECT_EQ(agenda().enter(a_tick(), a_run("r1"), first), true) << "over, but nobody else has it";
  const Lease second = agenda().take_lease("serve", "b", 1h, three + 1s).value().value();
  const auto late = agenda().enter(a_tick(three + 24h), a_run("r2"), first);
  ASSERT_EQ(kind_of(late), Kind::interrupted);
  EXPECT_THAT(late.error().message, HasSubstr("another daemon"));
  EXPECT_EQ(agenda().ticks({})->size(), 1u);
  EXPECT_EQ(agenda().enter(a_tick(three + 24h), a_run("r3"), second), true);
}

TEST_P(AgendaContract, PausesAreInForceUntilTheyEndOrAreLifted) {
  ASSERT_TRUE(agenda().add_pause({.id = "p-1", .job = "backup", .reason = "move", .who = "ada", .made = three}));
  ASSERT_TRUE(
      agenda().add_pause({.id = "p-2", .job = "*", .reason = "x", .who = "ada", .made = three, .until = three + 1h}));
  EXPECT_EQ(agenda().pauses(three)->size(), 2u);
  EXPECT_EQ(agenda().pauses(three + 1h)->size(), 1u);
  ASSERT_TRUE(agenda().lift_pause("p-1", "eve", three + 2h));
  EXPECT_THAT(agenda().pauses(three + 2h).value(), IsEmpty());
  const std::vector<Pause> all = agenda().pauses(three, true).value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].lifted_by, "eve");
  EXPECT_EQ(agenda().lift_pause("p-1", "eve", three).error().code, "lifted");
  EXPECT_EQ(kind_of(agenda().lift_pause("p-9", "eve", three)), Kind::not_found);
  EXPECT_THAT(acts(), ElementsAre("job.resume backup", "job.pause *", "job.pause backup"));
}

TEST_P(AgendaContract, ItIsThereAfterItIsOpenedAgain) {
  ASSERT_EQ(agenda().enter(a_tick(), a_run("r1"), {}), true);
  ledger = opened();
  EXPECT_EQ(agenda().enter(a_tick(), a_run("r2"), {}), false);
  EXPECT_EQ(agenda().open_runs()->at(0).id, "r1");
}

TEST_P(AgendaContract, ARequestThatComesAgainHasTheRunOfTheFirstTime) {
  const RequestKey key{.actor = "ann", .key = "k1", .request = "cleanup"};
  EXPECT_EQ(agenda().enqueue_once(a_run("r1"), key), "r1");
  EXPECT_EQ(agenda().enqueue_once(a_run("r2"), key), "r1");
  EXPECT_EQ(kind_of(ledger->run("r2")), Kind::not_found);
  EXPECT_EQ(agenda().enqueue_once(a_run("r3"), {.actor = "ann", .key = "k1", .request = "backup"}).error().code,
            "request-reused");
  EXPECT_EQ(agenda().enqueue_once(a_run("r4"), {.actor = "bob", .key = "k1", .request = "cleanup"}), "r4");
  LedgerRun later = a_run("r5");
  later.started = three + 48h;
  EXPECT_EQ(agenda().enqueue_once(later, key), "r5") << "after two days it is another request";
}

ON_EACH_DATABASE(AgendaContract);

}  // namespace
}  // namespace steward::ledger
