#include "run/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "run/runner.h"

namespace steward {
namespace {

using namespace std::chrono_literals;

constexpr Instant midnight{std::chrono::sys_days{std::chrono::year{2026} / 11 / 1}};

/// Planned and done of one night, oldest first.
struct Night {
  std::uint64_t planned = 0, done = 0;
};

std::vector<PastRun> nights(const std::vector<Night>& nights, std::chrono::hours apart = 24h) {
  std::vector<PastRun> past;
  Instant at = midnight;
  for (const Night& night : nights) {
    past.insert(past.begin(), {.started = at, .planned = {.items = night.planned}, .done = {.items = night.done}});
    at += apart;
  }
  return past;
}

struct Case {
  const char* name;
  std::vector<Night> nights;
  std::uint64_t backlog;
  Trend trend;
  std::optional<std::uint64_t> until_gone;
  std::string reason;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

struct ForecastOf : testing::TestWithParam<Case> {};

TEST_P(ForecastOf, IsAVerdictWithItsReason) {
  const Case& c = GetParam();
  const Forecast found = forecast({.items = c.backlog}, nights(c.nights));
  EXPECT_EQ(found.trend, c.trend);
  EXPECT_EQ(found.reason, c.reason);
  EXPECT_EQ(found.nights, c.until_gone);
  EXPECT_EQ(found.backlog.items, c.backlog);
}

const Case cases[] = {
    {"never_ran", {}, 900, Trend::unknown, {}, "it has not run yet as it is configured now"},
    {"one_run_that_did_all", {{900, 900}}, 80, Trend::keeping_up, 1, "keeps up: the last run left nothing"},
    {"nothing_waits", {{900, 900}}, 0, Trend::keeping_up, 0, "keeps up: the last run left nothing"},
    {"every_run_does_all",
     {{900, 900}, {1000, 1000}, {1200, 1200}},
     1100,
     Trend::keeping_up,
     1,
     "keeps up: the last run left nothing; 1,100 items a night come"},
    {"twice_as_much_as_ever", {{900, 900}}, 1800, Trend::keeping_up, 1, "keeps up: the last run left nothing"},
    {"more_than_twice_as_much_as_ever",
     {{900, 900}},
     1801,
     Trend::unknown,
     {},
     "1,801 items wait, and no run has done more than 900"},
    {"two_bad_nights_are_no_trend",
     {{900, 900}, {900, 0}, {1800, 0}},
     1800,
     Trend::unknown,
     {},
     "the last run left 1,800 items; three such runs in a row, over half a day, tell more"},
    {"more_comes_than_goes",
     {{9000, 5000}, {9500, 5000}, {10000, 5000}},
     5000,
     Trend::losing_ground,
     {},
     "losing ground: 5,500 items a night come, 5,000 items go, so that what waits is never gone"},
    {"refused_every_night",
     {{9000, 0}, {9500, 0}, {10000, 0}},
     10000,
     Trend::losing_ground,
     {},
     "losing ground: 500 items a night come, 0 items go, so that what waits is never gone"},
    {"as_much_comes_as_goes",
     {{9000, 5000}, {9000, 5000}, {9000, 5000}},
     4000,
     Trend::standing_still,
     {},
     "stands still: 5,000 items a night come, 5,000 items go, and as much is left as 3 runs ago"},
    {"the_same_three_stay",
     {{3, 0}, {3, 0}, {3, 0}},
     3,
     Trend::standing_still,
     {},
     "stands still: 0 items a night come, 0 items go, and as much is left as 3 runs ago"},
    {"a_neglected_table",
     {{10'000'000, 1'000'000}, {9'100'000, 1'000'000}, {8'200'000, 1'000'000}},
     7'200'000,
     Trend::catching_up,
     8,
     "catching up: 100,000 items a night come, 1,000,000 items go; nothing waits any more in 8 nights"},
    {"a_day_later_a_night_more",
     {{10'000'000, 1'000'000}, {9'100'000, 1'000'000}, {8'200'000, 1'000'000}},
     7'200'001,
     Trend::catching_up,
     9,
     "catching up: 100,000 items a night come, 1,000,000 items go; nothing waits any more in 9 nights"},
    {"what_went_before_it_fell_behind_does_not_count",
     {{90'000, 90'000}, {90'000, 90'000}, {9000, 5000}, {8000, 5000}, {7000, 5000}},
     2000,
     Trend::catching_up,
     2,
     "catching up: 4,000 items a night come, 5,000 items go; nothing waits any more in 2 nights"},
    {"the_application_removes_too",
     {{9000, 1000}, {5000, 1000}, {2000, 1000}},
     1000,
     Trend::catching_up,
     1,
     "catching up: 0 items a night come, 1,000 items go; nothing waits any more in 1 night"},
};
INSTANTIATE_TEST_SUITE_P(Run, ForecastOf, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(Forecast, ANightIsADayHoweverOftenTheTaskRuns) {
  const std::vector<Night> runs(14, {.planned = 90, .done = 50});
  EXPECT_DOUBLE_EQ(forecast({.items = 40}, nights(runs, 1h)).go->items, 24 * 50);
  EXPECT_DOUBLE_EQ(forecast({.items = 40}, nights(runs, 24h * 7)).go->items, 50.0 / 7);
}

TEST(Forecast, RunsWithinLessThanHalfADayAreNoTrend) {
  const std::vector<Night> runs{{90, 50}, {95, 50}, {100, 50}, {105, 50}};
  EXPECT_EQ(forecast({.items = 55}, nights(runs, 3h)).trend, Trend::unknown);
  EXPECT_EQ(forecast({.items = 55}, nights(runs, 4h)).trend, Trend::losing_ground);
}

TEST(Forecast, HasBytesWhereEveryRunHadThem) {
  std::vector<PastRun> past = nights({{90, 50}, {95, 50}, {100, 50}});
  for (PastRun& run : past) {
    run.planned.bytes = Bytes{run.planned.items << 20};
    run.done.bytes = Bytes{run.done.items << 20};
  }
  EXPECT_EQ(forecast({.items = 50}, past).reason,
            "losing ground: 55 items (55 MiB) a night come, 50 items (50 MiB) go, so that what waits is never gone");
  past[1].planned.bytes = std::nullopt;
  EXPECT_EQ(forecast({.items = 50}, past).come->bytes, std::nullopt);
}

// --- from the ledger -------------------------------------------------------------------------------------------------

struct PastRuns : testing::Test {
  std::string file = testing::TempDir() + "forecast-" + std::to_string(::getpid()) + ".db";
  std::unique_ptr<ledger::Ledger> ledger = [this] {
    remove();
    auto opened = ledger::open({.url = "sqlite:///" + file});
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }();
  ~PastRuns() override { remove(); }
  void remove() const {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
  }

  Step step{.task = "purge-signals",
            .target = "table signals",
            .filter = "timestamp < cutoff",
            .reason = "older than 30 days"};
  int entered = 0;

  void enter(Step planned, std::uint64_t items, std::uint64_t done) {
    planned.planned.items = items;
    const std::string id = "run-" + std::to_string(entered);
    ASSERT_TRUE(ledger->begin_run({.id = id, .job = "cleanup", .started = midnight + 24h * entered++}));
    ASSERT_TRUE(ledger->set_plan(id, "0f", to_json(Plan{.job = "cleanup", .steps = {planned}}).dump()));
    const TaskResult result{
        .task = "purge-signals", .status = "cancelled", .planned = planned.planned, .done = {.items = done}};
    ASSERT_TRUE(
        ledger->record_task(id, {.task = "purge-signals", .status = "cancelled", .detail = to_json(result).dump()}));
  }
  std::vector<std::uint64_t> left(const Step* like = nullptr) const {
    std::vector<std::uint64_t> out;
    const auto past = past_runs(*ledger, "cleanup", "purge-signals", like);
    for (const PastRun& run : past.value()) out.push_back(run.left().items);
    return out;
  }
};

TEST_F(PastRuns, AreThoseOfTheSamePolicyNewestFirst) {
  Step older = step;
  older.reason = "older than 90 days";
  enter(older, 70, 1);
  enter(step, 80, 50);
  enter(step, 90, 50);
  EXPECT_THAT(left(), testing::ElementsAre(40, 30));
  EXPECT_THAT(left(&step), testing::ElementsAre(40, 30));
  EXPECT_THAT(left(&older), testing::IsEmpty()) << "what the policy was before is another task's history";
}

TEST_F(PastRuns, ThatCouldNotBePlannedArePassedOver) {
  enter(step, 80, 50);
  Step failed{.task = "purge-signals", .readiness = Readiness::failed, .error = Error{Kind::unavailable, "no answer"}};
  enter(failed, 0, 0);
  enter(step, 90, 50);
  EXPECT_THAT(left(), testing::ElementsAre(40, 30));
}

TEST_F(PastRuns, EndWhereTheirPlansWereForgotten) {
  enter(step, 80, 50);
  ASSERT_TRUE(ledger->end_run("run-0", ledger::Status::cancelled, midnight, ""));
  enter(step, 90, 50);
  ASSERT_EQ(ledger->forget_plans(midnight + 1h).value(), 1U);
  EXPECT_THAT(left(), testing::ElementsAre(40));
}

}  // namespace
}  // namespace steward
