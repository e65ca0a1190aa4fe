#include "engine/notify/history.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ranges>

#include "core/random.h"
#include "engine/notify/log_tail.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using ledger::Status;

constexpr Instant start = sys_days{2026y / 11 / 20};

/// An outbox in memory, as far as a look back asks it: it counts what it was asked for.
struct MemoryOutbox final : ledger::Outbox {
  std::vector<ledger::Event> events{};
  std::vector<ledger::Delivery> sent{};
  std::size_t asked = 0;

  Result<std::vector<ledger::Event>> events_before(std::int64_t id, std::string_view job, std::string_view kind,
                                                   std::size_t limit) override {
    ++asked;
    std::vector<ledger::Event> out;
    for (const ledger::Event& event : std::views::reverse(events))
      if (event.id < id && event.job == job && event.kind == kind && out.size() < limit) out.push_back(event);
    return out;
  }
  Result<std::vector<ledger::Delivery>> deliveries(const ledger::DeliveryFilter& filter) override {
    std::vector<ledger::Delivery> out;
    for (const ledger::Delivery& delivery : std::views::reverse(sent))
      if (delivery.channel == filter.channel && out.size() < filter.limit) out.push_back(delivery);
    return out;
  }
  // Nothing else is asked for.
  Result<void> collect(Instant) override { return unasked(); }
  Result<bool> add_event(const ledger::Event&) override { return unasked(); }
  Result<std::vector<ledger::Event>> undispatched(std::size_t) override { return unasked(); }
  Result<bool> dispatch(std::span<const std::int64_t>, std::span<const ledger::Delivery>) override { return unasked(); }
  Result<std::vector<ledger::Delivery>> take(std::string_view, Instant, seconds, std::size_t) override {
    return unasked();
  }
  Result<void> delivered(std::int64_t, Instant) override { return unasked(); }
  Result<void> not_delivered(std::int64_t, std::string_view, std::optional<Instant>, Instant) override {
    return unasked();
  }
  Result<std::optional<Instant>> next_due() override { return unasked(); }
  Result<std::uint64_t> forget_events(Instant) override { return unasked(); }
  static std::unexpected<Error> unasked() { return fail(Kind::bug, "that was not to be asked"); }
};

struct NotifyHistory : testing::Test {
  std::string folder = "/tmp/steward-notify-" + random_hex(6);
  std::unique_ptr<ledger::Ledger> ledger{};
  MemoryOutbox outbox{};
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
    outbox.events.push_back({.id = static_cast<std::int64_t>(outbox.events.size()) + 1,
                             .kind = "run-ended",
                             .key = "run-ended/" + run.id,
                             .job = run.job,
                             .run = run.id,
                             .at = at + 1h,
                             .detail = "{}"});
    at += 24h;
    return outbox.events.back();
  }
  void told(const std::string& topic, Instant made, const std::string& channel = "ops") {
    outbox.sent.push_back({.channel = channel, .topic = topic, .job = "cleanup", .made = made});
  }
  History look(std::vector<ledger::Event> events) {
    const auto history =
        look_up(settings, events,
                {.ledger = *ledger, .outbox = outbox, .retry_follows = [&](const ledger::Run& run, const auto&) {
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
  for (int i = 0; i < 3000; ++i)
    outbox.sent.push_back({.channel = "ops", .topic = "done", .job = "other", .made = start + 2h});
  EXPECT_EQ(look({ended(Status::failed)}).jobs.at("cleanup").told.at("ops").at("failed"), start + 1h + 1s);
}

TEST_F(NotifyHistory, CountsALongRowInPages) {
  for (int i = 0; i < 250; ++i) ended(Status::failed);
  const JobPast past = look({ended(Status::failed)}).jobs.at("cleanup");
  EXPECT_EQ(past.failures, 250U);
  EXPECT_EQ(past.since, start + 1h);
  EXPECT_EQ(outbox.asked, 3U);
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
