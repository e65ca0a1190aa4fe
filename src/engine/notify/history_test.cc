#include "engine/notify/history.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/random.h"
#include "engine/notify/log_tail.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using ledger::Status;

constexpr Instant start = sys_days{2026y / 11 / 20};

struct NotifyHistory : testing::Test {
  std::string folder = "/tmp/steward-notify-" + random_hex(6);
  std::unique_ptr<ledger::Ledger> ledger{};
  Settings settings{};
  std::set<std::string> retried{};  ///< Runs that another attempt will follow.
  Instant at = start;
  int runs = 0;

  NotifyHistory() {
    std::filesystem::create_directories(folder);
    auto opened = ledger::open({.url = "sqlite:///" + folder + "/ledger.db"});
    EXPECT_TRUE(opened) << opened.error().message;
    ledger = *std::move(opened);
    settings.channels = {{.name = "ops", .how = Slack{}}};
  }
  ~NotifyHistory() override { std::filesystem::remove_all(folder); }

  /// A run of an hour that ends so, a day after the one before, and its event.
  ledger::Event ended(Status status, const ledger::Run& like = {}) {
    ledger::Run run = like;
    run.id = fmt::format("R{:04}", ++runs);
    if (run.job.empty()) run.job = "cleanup";
    run.started = at;
    EXPECT_TRUE(ledger->begin_run(run));
    EXPECT_TRUE(ledger->record_task(run.id, {.task = "t", .status = "failed", .detail = "{}"}));
    EXPECT_TRUE(ledger->end_run(run.id, status, at + 1h, ""));
    at += 24h;
    EXPECT_TRUE(ledger->outbox().collect(at));
    const std::vector<ledger::Event> events = ledger->outbox().undispatched(10).value();
    std::vector<std::int64_t> ids;
    for (const ledger::Event& event : events) ids.push_back(event.id);
    EXPECT_EQ(ledger->outbox().dispatch(ids, {}), true);
    return events.back();
  }
  void told(const std::string& topic, Instant made, const std::string& channel = "ops",
            const std::string& job = "cleanup", std::size_t count = 1) {
    const std::vector<ledger::Delivery> deliveries(
        count, {.channel = channel, .topic = topic, .job = job, .message = "{}", .made = made, .due = made});
    EXPECT_EQ(ledger->outbox().dispatch({}, deliveries), true);
  }
  History look(std::vector<ledger::Event> events) {
    const auto history = look_up(
        settings, events,
        {.ledger = *ledger, .outbox = ledger->outbox(), .retry_follows = [&](const ledger::Run& run, const auto&) {
           return retried.contains(run.id);
         }});
    EXPECT_TRUE(history) << history.error().message;
    return *history;
  }
};

TEST_F(NotifyHistory, KnowsTheRunOfAnEventWithItsTasks) {
  const History history = look({ended(Status::failed)});
  const RunFacts& facts = history.runs.at("R0001");
  EXPECT_EQ(facts.run.status, Status::failed);
  ASSERT_EQ(facts.tasks.size(), 1U);
  EXPECT_FALSE(facts.approval);
  EXPECT_FALSE(facts.retry_follows);
}

TEST_F(NotifyHistory, CountsFailuresInARowBackToTheLastSuccess) {
  ended(Status::failed);
  ended(Status::succeeded);
  ended(Status::failed);
  ended(Status::refused);
  ended(Status::cancelled);
  ended(Status::failed, {.job = "backup"});
  const JobPast past = look({ended(Status::failed)}).jobs.at("cleanup");
  EXPECT_EQ(past.failures, 2U);
  EXPECT_EQ(past.since, start + 48h + 1h);
}

TEST_F(NotifyHistory, AfterASuccessThereIsNothingToCount) {
  ended(Status::failed);
  ended(Status::succeeded);
  const JobPast past = look({ended(Status::succeeded)}).jobs.at("cleanup");
  EXPECT_EQ(past.failures, 0U);
  EXPECT_EQ(past.since, std::nullopt);
}

TEST_F(NotifyHistory, ASuccessOfAPartEndsNoRow) {
  ended(Status::failed);
  ended(Status::succeeded, {.scope = "purge-logs"});
  EXPECT_EQ(look({ended(Status::failed)}).jobs.at("cleanup").failures, 1U);
}

TEST_F(NotifyHistory, AttemptsThatWereRetriedCountOnce) {
  ended(Status::failed);                         // R0001
  ended(Status::failed, {.retry_of = "R0001"});  // R0002
  ended(Status::failed);                         // R0003, and R0004 is its retry
  const JobPast past = look({ended(Status::failed, {.retry_of = "R0003"})}).jobs.at("cleanup");
  EXPECT_EQ(past.failures, 1U);
  EXPECT_EQ(past.since, start + 24h + 1h);
}

TEST_F(NotifyHistory, AnAttemptWhoseRetryIsStillToComeDoesNotCount) {
  ended(Status::failed);  // R0001
  retried.insert("R0001");
  EXPECT_EQ(look({ended(Status::failed)}).jobs.at("cleanup").failures, 0U);
}

TEST_F(NotifyHistory, SeesWhatWasToldSinceTheRowBegan) {
  told("failed", start - 1h);  // of an earlier row
  ended(Status::failed);
  told("failed", start + 1h + 1s);
  ended(Status::failed);
  told("failed", start + 25h + 1s);
  told("refused", start + 26h);
  told("recovered", start + 27h);
  told("failed", start + 28h, "another");
  const JobPast past = look({ended(Status::failed)}).jobs.at("cleanup");
  EXPECT_EQ(past.failures, 2U);
  ASSERT_EQ(past.told.size(), 1U);
  EXPECT_EQ(past.told.at("ops").at("failed"), start + 25h + 1s);
  EXPECT_EQ(past.told.at("ops").at("refused"), start + 26h);
}

TEST_F(NotifyHistory, WhatWasToldOfAnEarlierRowDoesNotCount) {
  ended(Status::failed);
  told("failed", start + 2h);
  ended(Status::succeeded);
  ended(Status::failed);
  EXPECT_TRUE(look({ended(Status::failed)}).jobs.at("cleanup").told.empty());
}

TEST_F(NotifyHistory, FindsWhatWasToldBehindThousandsOfOtherMessages) {
  ended(Status::failed);
  told("failed", start + 1h + 1s);
  told("done", start + 2h, "ops", "other", 3000);
  EXPECT_EQ(look({ended(Status::failed)}).jobs.at("cleanup").told.at("ops").at("failed"), start + 1h + 1s);
}

TEST_F(NotifyHistory, CountsALongRowInPages) {
  for (int i = 0; i < 250; ++i) ended(Status::failed);
  const JobPast past = look({ended(Status::failed)}).jobs.at("cleanup");
  EXPECT_EQ(past.failures, 250U);
  EXPECT_EQ(past.since, start + 1h);
}

TEST_F(NotifyHistory, KnowsOfARunThatHasEndedThatItTookTooLong) {
  ASSERT_EQ(ledger->outbox().add_event(
                {.kind = "running-too-long", .key = "running-too-long/R0001", .job = "cleanup", .run = "R0001"}),
            true);
  EXPECT_TRUE(look({ended(Status::succeeded)}).runs.at("R0001").overran);
  EXPECT_FALSE(look({ended(Status::succeeded)}).runs.at("R0002").overran);
}

TEST_F(NotifyHistory, ARunThatTheLedgerDoesNotKnowIsLeftOut) {
  EXPECT_TRUE(look({{.id = 1, .kind = "run-ended", .job = "cleanup", .run = "gone"}}).runs.empty());
}

TEST_F(NotifyHistory, TheEndOfALogIsForPeople) {
  std::filesystem::create_directories(folder + "/runs/R0001");
  {
    std::ofstream log(folder + "/runs/R0001/log.jsonl");
    for (int i = 0; i < 30; ++i) log << R"({"at":"2026-11-23T03:00:00Z","level":"info","text":"note )" << i << "\"}\n";
    log << R"({"at":"2026-11-23T03:00:05.25Z","level":"info","task":"purge-logs","text":"progress","done":{"items":1}})"
        << '\n'
        << R"({"at":"2026-11-23T03:00:07Z","level":"error","task":"purge-logs","text":"ended: failed","error":{"kind":"unavailable","message":"no connection to db:5432","hint":""}})"
        << '\n'
        << R"({"at":"torn)";
  }
  const auto state = files::Folder::open(folder);
  ASSERT_TRUE(state);
  const std::string tail = log_tail(*state, "R0001");
  EXPECT_EQ(std::ranges::count(tail, '\n'), 19) << tail;
  EXPECT_TRUE(tail.starts_with("03:00:00 info note 11\n")) << tail;
  EXPECT_TRUE(tail.ends_with("03:00:07 error purge-logs: ended: failed: no connection to db:5432")) << tail;
  EXPECT_EQ(log_tail(*state, "R0002"), "");
}

}  // namespace
}  // namespace steward::notify
