// What outbox.h promises, on both databases.
#include "run/ledger/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};

struct OutboxContract : OnEachDatabase {
  Outbox& outbox() { return ledger->outbox(); }

  void ran(const std::string& id, Status status) {
    const LedgerRun run{.id = id, .job = "cleanup", .started = three, .heartbeat = three, .trigger = "serve"};
    ASSERT_TRUE(ledger->begin_run(run));
    ASSERT_TRUE(ledger->end_run(id, status, three + 1min, ""));
  }
  std::vector<std::string> kinds() {
    std::vector<std::string> out;
    const std::vector<Event> events = outbox().undispatched(100).value();
    for (const Event& event : events) out.push_back(event.kind + " " + event.job + " " + event.run);
    return out;
  }
  static Delivery a_delivery(std::string channel, Instant due = three) {
    return {.channel = std::move(channel),
            .topic = "failed",
            .job = "cleanup",
            .message = R"({"text":"cleanup failed"})",
            .made = three,
            .due = due};
  }
  /// One message that waits to be sent.
  void posted(Instant due = three) {
    ran("r" + std::to_string(++runs), Status::failed);
    ASSERT_TRUE(outbox().collect(three));
    std::vector<std::int64_t> ids;
    const std::vector<Event> events = outbox().undispatched(100).value();
    for (const Event& event : events) ids.push_back(event.id);
    Delivery delivery = a_delivery("ops", due);
    delivery.events = ids;
    ASSERT_EQ(outbox().dispatch(ids, {&delivery, 1}), true);
  }

  int runs = 0;
};

TEST_P(OutboxContract, ReadsOffTheTrailWhatHappenedOnceHoweverOftenItCollects) {
  ran("r1", Status::failed);
  ASSERT_TRUE(outbox().collect(three));
  ASSERT_TRUE(outbox().collect(three));
  EXPECT_THAT(kinds(), ElementsAre("run-begun cleanup r1", "run-ended cleanup r1"));
  const Event ended = outbox().undispatched(10)->at(1);
  EXPECT_EQ(ended.at, three + 1min);
  EXPECT_EQ(ended.detail, R"({"status":"failed"})");
}

TEST_P(OutboxContract, TellsOfMissedTicksAndNotOfThoseThatFired) {
  const auto enter = [&](Instant due, std::string outcome) {
    ASSERT_EQ(ledger->agenda().enter({.job = "backup",
                                      .due = due,
                                      .outcome = std::move(outcome),
                                      .reason = "the daemon was down",
                                      .decided = due + 1h,
                                      .daemon = "web-1"},
                                     std::nullopt, std::nullopt),
              true);
  };
  enter(three, "missed");
  enter(three + 1h, "overlap");
  ASSERT_TRUE(outbox().collect(three));
  enter(three + 30min, "missed");  // decided by another daemon, whose clock is behind
  ASSERT_TRUE(outbox().collect(three));
  EXPECT_THAT(kinds(), ElementsAre("tick-missed backup ", "tick-missed backup "));
  EXPECT_EQ(outbox().undispatched(1)->at(0).key, "tick-missed/backup/2026-11-23T03:00:00Z");
}

TEST_P(OutboxContract, EntersAnEventOnceThoughManyCollectAtOnce) {
  for (int i = 0; i < 40; ++i) ran("r" + std::to_string(i), Status::succeeded);
  std::vector<std::jthread> collectors;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 4; ++i)
    collectors.emplace_back([&] {
      const auto own = opened();
      if (!own || !own->outbox().collect(three)) ++failed;
    });
  collectors.clear();
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(kinds(), SizeIs(80));
}

TEST_P(OutboxContract, EntersAnEventOfAKeyOnce) {
  const Event late{.kind = "late", .key = "late/backup/1", .job = "backup", .at = three, .detail = "{}"};
  EXPECT_EQ(outbox().add_event(late), true);
  EXPECT_EQ(outbox().add_event(late), false);
  EXPECT_THAT(kinds(), ElementsAre("late backup "));
}

TEST_P(OutboxContract, DispatchesAnEventOnce) {
  ran("r1", Status::failed);
  ASSERT_TRUE(outbox().collect(three));
  const std::vector<std::int64_t> both{1, 2}, second{2};
  const Delivery delivery = a_delivery("ops");
  EXPECT_EQ(outbox().dispatch(both, {&delivery, 1}), true);
  EXPECT_EQ(outbox().dispatch(second, {&delivery, 1}), false);
  EXPECT_THAT(kinds(), IsEmpty());
  EXPECT_THAT(outbox().deliveries({}).value(), SizeIs(1));
}

TEST_P(OutboxContract, GivesADeliveryToOneTakerUntilItsTimeIsOver) {
  posted();
  EXPECT_THAT(outbox().take("a", three - 1s, 60s, 10).value(), IsEmpty()) << "it is not due";
  const std::vector<Delivery> taken = outbox().take("a", three, 60s, 10).value();
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].channel, "ops");
  EXPECT_EQ(taken[0].message, R"({"text":"cleanup failed"})");
  EXPECT_THAT(taken[0].events, ElementsAre(1, 2));
  EXPECT_THAT(outbox().take("b", three + 59s, 60s, 10).value(), IsEmpty());
  EXPECT_EQ(outbox().next_due().value(), three + 60s);
  EXPECT_THAT(outbox().take("b", three + 60s, 60s, 10).value(), SizeIs(1)) << "whoever took it has died";
  ASSERT_TRUE(outbox().delivered(1, three + 61s));
  EXPECT_THAT(outbox().take("c", three + 24h, 60s, 10).value(), IsEmpty());
  EXPECT_EQ(outbox().next_due().value(), std::nullopt);
  EXPECT_EQ(outbox().deliveries({})->at(0).sent, three + 61s);
}

TEST_P(OutboxContract, GivesEachDeliveryToOneOfManyWhoTakeAtOnce) {
  for (int i = 0; i < 20; ++i) posted();
  std::atomic<std::size_t> taken = 0;
  std::vector<std::jthread> takers;
  for (int i = 0; i < 4; ++i)
    takers.emplace_back([&, i] {
      const auto own = opened();
      const auto found = own->outbox().take("t" + std::to_string(i), three, 60s, 100);
      if (found) taken += found->size();
    });
  takers.clear();
  EXPECT_EQ(taken, 20U);
}

TEST_P(OutboxContract, TriesAgainWhenItIsSaidToAndNotWhenItIsGivenUp) {
  posted();
  ASSERT_THAT(outbox().take("a", three, 60s, 10).value(), SizeIs(1));
  ASSERT_TRUE(outbox().not_delivered(1, "no answer within 10 s", three + 30s, three));
  EXPECT_EQ(outbox().next_due().value(), three + 30s);
  EXPECT_THAT(outbox().take("a", three + 29s, 60s, 10).value(), IsEmpty());
  const std::vector<Delivery> again = outbox().take("a", three + 30s, 60s, 10).value();
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].attempts, 1);
  EXPECT_EQ(again[0].error, "no answer within 10 s");
  ASSERT_TRUE(outbox().not_delivered(1, "HTTP 410", std::nullopt, three + 31s));
  EXPECT_THAT(outbox().take("a", three + 24h, 60s, 10).value(), IsEmpty());
  EXPECT_THAT(outbox().deliveries({.open = true}).value(), IsEmpty());
  EXPECT_EQ(outbox().deliveries({.channel = "ops"})->at(0).given_up, three + 31s);
  EXPECT_THAT(outbox().deliveries({.channel = "other"}).value(), IsEmpty());
}

TEST_P(OutboxContract, FindsWhatCameBeforeOfTheSameJobAndKind) {
  ran("r1", Status::failed);
  ran("r2", Status::succeeded);
  ASSERT_TRUE(outbox().collect(three));
  const std::vector<Event> before = outbox().events_before(4, "cleanup", "run-ended", 10).value();
  ASSERT_THAT(before, SizeIs(1));
  EXPECT_EQ(before[0].run, "r1");
}

TEST_P(OutboxContract, ForgetsWhatIsOldAndNoMessageThatIsStillToBeSent) {
  posted();
  ran("untold", Status::failed);
  ASSERT_TRUE(outbox().collect(three));
  EXPECT_EQ(outbox().old_events(three + 1min), 2U) << "its end is of that very minute";
  EXPECT_EQ(outbox().old_events(three + 24h), 4U);
  EXPECT_EQ(outbox().forget_events(three + 24h), 4U) << "nobody is told of what is that old";
  EXPECT_EQ(outbox().old_events(three + 24h), 0U);
  EXPECT_THAT(outbox().deliveries({}).value(), SizeIs(1)) << "it was not sent yet";
  ASSERT_TRUE(outbox().delivered(1, three + 1h));
  EXPECT_EQ(outbox().forget_events(three + 1h), 0U);
  EXPECT_THAT(outbox().deliveries({}).value(), SizeIs(1));
  EXPECT_EQ(outbox().forget_events(three + 2h), 0U);
  EXPECT_THAT(outbox().deliveries({}).value(), IsEmpty());
  ASSERT_TRUE(outbox().collect(three));
  EXPECT_THAT(kinds(), IsEmpty()) << "what was forgotten does not come back";
}

TEST_P(OutboxContract, TellsOfEachQuestionItsReminderAndItsRejection) {
  const LedgerRun run{.id = "r1", .job = "cleanup", .started = three, .heartbeat = three, .trigger = "serve"};
  ASSERT_TRUE(ledger->begin_run(run));
  ASSERT_EQ(ledger->approvals().ask({.run = "r1",
                                     .job = "cleanup",
                                     .digest = std::string(64, 'd'),
                                     .tasks = {"purge-logs"},
                                     .reasons = "[]",
                                     .asked = three,
                                     .asked_by = "schedule",
                                     .expires = three + 168h}),
            true);
  ASSERT_EQ(ledger->approvals().remind(three + 24h)->size(), 1U);
  ASSERT_EQ(ledger->approvals().remind(three + 48h)->size(), 1U);
  ASSERT_TRUE(ledger->approvals().reject({.run = "r1", .who = "eve", .reason = "not now", .at = three + 49h}));
  ASSERT_TRUE(outbox().collect(three + 49h));
  EXPECT_THAT(kinds(), ElementsAre("run-begun cleanup r1", "approval-asked cleanup r1", "approval-reminded cleanup r1",
                                   "approval-reminded cleanup r1", "run-ended cleanup r1"));
}

TEST_P(OutboxContract, PassesNothingOverWhenAClockThatWasAYearAheadIsSetBack) {
  const auto missed = [&](Instant due, Instant decided) {
    ASSERT_EQ(ledger->agenda().enter({.job = "backup", .due = due, .outcome = "missed", .decided = decided},
                                     std::nullopt, std::nullopt),
              true);
  };
  missed(three, three + 8760h);
  ASSERT_TRUE(outbox().collect(three + 8760h));
  missed(three + 24h, three + 25h);
  ASSERT_TRUE(outbox().collect(three + 25h));
  ASSERT_TRUE(outbox().collect(three + 8760h));
  EXPECT_THAT(kinds(), ElementsAre("tick-missed backup ", "tick-missed backup "));
}

TEST_P(OutboxContract, WritesNothingWhileNothingHappens) {
  posted(three + 1h);
  const auto raw = database->connect();
  const auto state = [&] {
    const auto rows =
        raw->query(GetParam() == Dialect::sqlite ? "pragma data_version"
                                                 : "select ctid::text from steward.meta where name = 'outbox_audit'");
    return rows ? sql::to_text(rows->rows.at(0).at(0)) : rows.error().message;
  };
  const std::string before = state();
  ASSERT_TRUE(outbox().collect(three));
  EXPECT_THAT(outbox().take("a", three, 60s, 10).value(), IsEmpty());
  EXPECT_EQ(state(), before);
  EXPECT_THAT(outbox().take("a", three + 1h, 60s, 10).value(), SizeIs(1));
  EXPECT_NE(state(), before);
}

ON_EACH_DATABASE(OutboxContract);

}  // namespace
}  // namespace steward::ledger
