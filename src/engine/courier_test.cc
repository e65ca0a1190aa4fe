// What the courier promises, with a ledger that is there and a receiver that answers as it is told.
#include "engine/courier.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "io/files/scratch.h"
#include "io/http/scripted_server_test_support.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using http::Reply;
using http::ScriptedServer;
using http::SeenRequest;
using ledger::Delivery;
using ledger::Status;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};

struct CourierTest : testing::Test {
  void SetUp() override {
    clock.time = three;
    ledger = opened();
    ASSERT_TRUE(ledger);
  }
  std::unique_ptr<ledger::Ledger> opened() const {
    auto out = ledger::open({.url = "sqlite:///" + scratch.path() + "/ledger.db"});
    EXPECT_TRUE(out) << out.error().message;
    return out ? std::move(*out) : nullptr;
  }
  notify::Settings settings() const {
    notify::Settings out;
    out.channels = {{.name = "ops", .how = notify::Webhook{.url = Secret(server.url() + "/in")}}};
    out.rules = {{.topics = notify::default_topics()}};
    return out;
  }
  std::unique_ptr<Courier> courier(ledger::Ledger& of, const std::string& name = "web-1:1",
                                   std::map<std::string, Schedule> schedules = {}) {
    return std::make_unique<Courier>(of, clock, folder, settings(), std::move(schedules), name);
  }
  /// One round of a courier that has just come, as at the end of a run.
  std::optional<Instant> round() {
    const auto next = courier(*ledger)->round([] { return 60s; });
    EXPECT_TRUE(next) << next.error().message;
    return next.value_or(std::nullopt);
  }
  void ran(const std::string& id, Status status, const std::string& job = "cleanup") {
    ASSERT_TRUE(ledger->begin_run(
        {.id = id, .job = job, .started = clock.time, .heartbeat = clock.time, .trigger = "serve", .due = three}));
    if (status == Status::failed) {
      ASSERT_TRUE(ledger->record_task(
          id, {.task = "t", .status = "failed", .detail = R"({"error":{"kind":"unavailable","message":"m"}})"}));
    }
    ASSERT_TRUE(ledger->end_run(id, status, clock.time, ""));
  }
  std::vector<Delivery> deliveries() const { return ledger->outbox().deliveries({}).value(); }
  /// The ids under which messages have come in.
  std::vector<std::string> ids() const {
    std::vector<std::string> out;
    const std::vector<SeenRequest> seen = server.seen();
    for (const SeenRequest& request : seen) out.push_back(nlohmann::json::parse(request.body)["id"]);
    return out;
  }
  void await_messages(std::size_t count) const {
    const auto deadline = std::chrono::steady_clock::now() + 40s;  // sooner than one who is not woken looks again
    while (server.seen().size() < count && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_THAT(server.seen(), SizeIs(count));
  }

  files::Scratch scratch{};
  files::Folder folder = files::Folder::open(scratch.path()).value();
  FakeClock clock{};
  std::atomic<int> answer = 200;
  std::atomic<bool> silent = false;
  ScriptedServer server{[this](const SeenRequest&) { return silent ? Reply{"", true} : Reply::of(answer, ""); }};
  std::unique_ptr<ledger::Ledger> ledger{};
};

TEST_F(CourierTest, TellsOfAFailureOnceHoweverManyRoundsAndCouriersThereAre) {
  ran("r1", Status::failed);
  EXPECT_EQ(round(), std::nullopt) << "nothing waits";
  EXPECT_EQ(round(), std::nullopt);
  EXPECT_THAT(ids(), SizeIs(1));
  EXPECT_EQ(deliveries().at(0).sent, three);
}

TEST_F(CourierTest, SeveralAtOnceSendEachMessageOnce) {
  constexpr int jobs = 12;
  for (int i = 0; i < jobs; ++i) ran(fmt::format("r{}", i), Status::failed, fmt::format("job-{}", i));
  std::atomic<int> failed = 0;
  std::vector<std::jthread> couriers;
  for (int i = 0; i < 4; ++i)
    couriers.emplace_back([&, i] {
      const auto own = opened();
      if (!own || !courier(*own, fmt::format("web-{}:1", i))->round([] { return 60s; })) ++failed;
    });
  couriers.clear();
  EXPECT_EQ(failed, 0);
  const std::vector<std::string> all = ids();
  EXPECT_THAT(all, SizeIs(jobs));
  EXPECT_THAT(std::set(all.begin(), all.end()), SizeIs(jobs));
}

TEST_F(CourierTest, GoesOnWhereOneThatDiedHasLeftOff) {
  ran("r1", Status::failed);
  ASSERT_TRUE(courier(*ledger, "died:1")->round([] { return 0s; })) << "its message is entered, and not sent";
  EXPECT_THAT(ids(), IsEmpty());
  round();
  EXPECT_THAT(ids(), SizeIs(1));
}

TEST_F(CourierTest, SendsWhatOneThatDiedHadTakenOnceItsTimeIsOver) {
  ran("r1", Status::failed);
  ASSERT_TRUE(courier(*ledger, "died:1")->round([] { return 0s; }));
  ASSERT_THAT(ledger->outbox().take("died:1", three, 120s, 1).value(), SizeIs(1));
  EXPECT_EQ(round(), three + 120s) << "it may be sending";
  EXPECT_THAT(ids(), IsEmpty());
  clock.time = three + 120s;
  EXPECT_EQ(round(), std::nullopt);
  EXPECT_THAT(ids(), SizeIs(1));
}

TEST_F(CourierTest, TriesAgainUnderTheSameIdUntilTheReceiverIsUp) {
  ran("r1", Status::failed);
  answer = 503;
  const std::optional<Instant> first = round();
  ASSERT_TRUE(first);
  EXPECT_GT(*first, three);
  EXPECT_FALSE(deliveries().at(0).error.empty());
  clock.time = *first - 1us;
  EXPECT_EQ(round(), first);
  EXPECT_THAT(ids(), SizeIs(1)) << "it is not time yet";
  clock.time = *first;
  const std::optional<Instant> second = round();
  ASSERT_TRUE(second);
  EXPECT_GT(*second - *first, *first - three) << "each pause is longer than the one before";
  answer = 200;
  clock.time = *second;
  EXPECT_EQ(round(), std::nullopt);
  const std::vector<std::string> tried = ids();
  ASSERT_THAT(tried, SizeIs(3));
  EXPECT_EQ(std::set(tried.begin(), tried.end()).size(), 1U);
  EXPECT_EQ(deliveries().at(0).sent, *second);
  EXPECT_EQ(deliveries().at(0).attempts, 3);
}

TEST_F(CourierTest, SpendsNoMoreTimeOnAReceiverThatIsSilentThanThereIs) {
  ran("r1", Status::failed);
  silent = true;
  ASSERT_TRUE(courier(*ledger)->round([] { return 200ms; }));
  ASSERT_THAT(deliveries(), SizeIs(1));
  EXPECT_THAT(deliveries()[0].error, HasSubstr("within 200 ms"));
  EXPECT_EQ(deliveries()[0].attempts, 1);
}

TEST_F(CourierTest, GivesUpAtOnceWhereTheReceiverRefusesForGood) {
  ran("r1", Status::failed);
  answer = 410;
  EXPECT_EQ(round(), std::nullopt);
  EXPECT_EQ(deliveries().at(0).given_up, three);
  clock.time += 24h;
  round();
  EXPECT_THAT(ids(), SizeIs(1));
}

TEST_F(CourierTest, GivesUpWhatWasTriedLongEnough) {
  ran("r1", Status::failed);
  answer = 503;
  std::size_t rounds = 0;
  for (auto next = round(); next && rounds < 1000; next = round(), ++rounds) clock.time = *next;
  EXPECT_TRUE(deliveries().at(0).given_up);
  EXPECT_FALSE(deliveries().at(0).sent);
  EXPECT_LE(clock.time, three + 72h);
}

TEST_F(CourierTest, DoesNotTellOfWhatIsOlderThanThreeDays) {
  ran("old", Status::failed, "cleanup");
  clock.time += 72h + 1us;
  ran("new", Status::failed, "backup");
  round();
  ASSERT_THAT(deliveries(), SizeIs(1));
  EXPECT_EQ(deliveries()[0].job, "backup");
  EXPECT_THAT(ledger->outbox().undispatched(10).value(), IsEmpty());
}

TEST_F(CourierTest, SaysNothingOfAFailureThatARetryFollows) {
  Schedule schedule;
  schedule.retries.max = 1;
  ran("r1", Status::failed);
  ASSERT_TRUE(courier(*ledger, "web-1:1", {{"cleanup", schedule}})->round([] { return 60s; }));
  EXPECT_THAT(ids(), IsEmpty());
}

TEST_F(CourierTest, WhoWorksSendsWhenItIsWokenAndEndsWhenItIsToldTo) {
  ran("r1", Status::failed, "backup");
  const auto own = opened();
  const auto works = courier(*own);
  std::jthread thread([&](const std::stop_token& stop) { works->work(stop, [](Level, std::string_view, auto) {}); });
  await_messages(1);
  ran("r2", Status::failed);  // its first round has read the trail before
  works->wake();
  await_messages(2);
}

TEST_F(CourierTest, WhoWorksGoesByChangedSettingsFromTheNextRoundOn) {
  const auto own = opened();
  const auto works =
      std::make_unique<Courier>(*own, clock, folder, notify::Settings{}, std::map<std::string, Schedule>{}, "web-1:1");
  std::jthread thread([&](const std::stop_token& stop) { works->work(stop, [](Level, std::string_view, auto) {}); });
  // What happens after it: a round by the settings of before has told nobody, for good.
  works->take(settings(), {});
  ran("r1", Status::failed);
  works->wake();
  await_messages(1);
}

TEST_F(CourierTest, ToldToStopItGivesUpAMessageThatIsUnderWayAndAnotherSendsIt) {
  ran("r1", Status::failed);
  silent = true;
  {
    const auto own = opened();
    const auto works = courier(*own);
    std::jthread thread([&](const std::stop_token& stop) { works->work(stop, [](Level, std::string_view, auto) {}); });
    await_messages(1);
  }
  ASSERT_THAT(deliveries(), SizeIs(1));
  EXPECT_THAT(deliveries()[0].error, HasSubstr("given up")) << "and no time limit was waited for";
  EXPECT_FALSE(deliveries()[0].given_up);
  silent = false;
  clock.time = deliveries()[0].due;
  round();
  EXPECT_EQ(deliveries()[0].sent, clock.time);
}

}  // namespace
}  // namespace steward::engine
