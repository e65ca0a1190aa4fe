// What totals.h promises, on both databases.
#include "run/ledger/totals.h"

#include <gmock/gmock.h>

#include "run/ledger/agenda.h"
#include "run/ledger/ledger_contract.h"
#include "run/ledger/outbox.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};

struct TotalsContract : OnEachDatabase {
  void ran(const std::string& id, Instant started, Status status, std::string scope = "", std::uint64_t items = 0) {
    LedgerRun run{.id = id, .job = "cleanup", .scope = std::move(scope), .started = started, .heartbeat = started};
    if (id.starts_with("due")) run.due = started - 2s;
    ASSERT_TRUE(ledger->begin_run(run));
    ASSERT_TRUE(ledger->record_task(
        id, {.task = "purge-logs", .status = "succeeded", .done_items = items, .done_bytes = items * 3'000'000'000}));
    ASSERT_TRUE(ledger->end_run(id, status, started + 90s, ""));
  }
};

TEST_P(TotalsContract, OfAnEmptyLedgerAreNothing) {
  const Totals totals = ledger->totals().value();
  EXPECT_THAT(totals.runs, IsEmpty());
  EXPECT_THAT(totals.tasks, IsEmpty());
  EXPECT_THAT(totals.ticks, IsEmpty());
  EXPECT_THAT(totals.last, IsEmpty());
  EXPECT_THAT(totals.channels, IsEmpty());
}

TEST_P(TotalsContract, AddUpRunsTasksAndTicks) {
  ran("r1", three, Status::succeeded, "", 10);
  ran("r2", three + 24h, Status::succeeded, "", 5);
  ran("due3", three + 48h, Status::failed);
  ran("r4", three + 50h, Status::succeeded, "purge-logs", 1);
  ASSERT_EQ(ledger->agenda().enter({.job = "cleanup", .due = three, .outcome = "paused", .decided = three}, {}, {}),
            true);
  const Totals totals = ledger->totals().value();
  ASSERT_THAT(totals.runs, SizeIs(2));
  EXPECT_EQ(totals.runs[0].status, Status::failed);
  EXPECT_EQ(totals.runs[0].runs, 1u);
  EXPECT_EQ(totals.runs[1].runs, 3u);
  EXPECT_EQ(totals.runs[1].took, 270s);
  ASSERT_THAT(totals.tasks, SizeIs(1));
  EXPECT_EQ(totals.tasks[0].runs, 4u);
  EXPECT_EQ(totals.tasks[0].items, 16u);
  EXPECT_EQ(totals.tasks[0].bytes, 48'000'000'000u) << "beyond 32 bits";
  ASSERT_THAT(totals.ticks, SizeIs(1));
  EXPECT_EQ(totals.ticks[0].outcome, "paused");
  ASSERT_THAT(totals.last, SizeIs(1));
  EXPECT_EQ(totals.last[0].started, three + 48h) << "runs of single tasks are not of the job";
  EXPECT_EQ(totals.last[0].due, three + 48h - 2s);
  EXPECT_EQ(totals.last[0].succeeded, three + 24h);
}

TEST_P(TotalsContract, CountWhatWaitsForEachChannelAndWhatWasGivenUp) {
  Outbox& outbox = ledger->outbox();
  ASSERT_EQ(outbox.add_event({.kind = "test", .key = "test/1", .at = three, .detail = "{}"}), true);
  const auto message = [](const std::string& channel, Instant made) {
    return Delivery{.channel = channel, .topic = "failed", .message = "{}", .made = made, .due = made};
  };
  const std::vector<Delivery> messages{message("mail", three), message("mail", three + 1s), message("mail", three + 2s),
                                       message("ops", three)};
  const std::vector<std::int64_t> events{outbox.undispatched(1).value().at(0).id};
  ASSERT_EQ(outbox.dispatch(events, messages), true);
  const std::vector<Delivery> entered = outbox.deliveries({}).value();
  for (const Delivery& delivery : entered) {
    if (delivery.channel == "ops") {
      ASSERT_TRUE(outbox.delivered(delivery.id, three + 5s));
    } else if (delivery.made == three) {
      ASSERT_TRUE(outbox.not_delivered(delivery.id, "refused", {}, three + 5s));
    } else {
      ASSERT_TRUE(outbox.not_delivered(delivery.id, "it was down", three + 60s, three + 5s));
    }
  }
  const Totals totals = ledger->totals().value();
  ASSERT_THAT(totals.channels, SizeIs(2));
  EXPECT_EQ(totals.channels[0].channel, "mail");
  EXPECT_EQ(totals.channels[0].waiting, 2u);
  EXPECT_EQ(totals.channels[0].oldest, three + 1s) << "since it was made, however often it was tried";
  EXPECT_EQ(totals.channels[0].given_up, 1u);
  EXPECT_EQ(totals.channels[1].waiting, 0u);
  EXPECT_EQ(totals.channels[1].oldest, std::nullopt);
  EXPECT_EQ(totals.channels[1].given_up, 0u);
}

ON_EACH_DATABASE(TotalsContract);

}  // namespace
}  // namespace steward::ledger
