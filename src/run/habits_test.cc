#include "run/habits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "run/runner.h"

namespace steward {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;

constexpr Instant midnight{std::chrono::sys_days{std::chrono::year{2026} / 11 / 1}};

/// Nights of one task, entered oldest first.
struct Nights {
  std::vector<ledger::PastTask> past{};  ///< Newest first.
  Instant at = midnight;

  void add(TaskResult result) {
    const std::string status = result.status.empty() ? "succeeded" : result.status;
    past.insert(past.begin(), {.started = at, .record = {.status = status, .detail = to_json(result).dump()}});
    at += 24h;
  }
  void did(std::uint64_t items) { add({.planned = {.items = items}, .done = {.items = items}}); }
  void left(std::vector<Skip> skipped) { add({.planned = {.items = 1}, .skipped = std::move(skipped)}); }
};

TEST(Usual, IsTheMedianSoThatOneGreatNightDoesNotCount) {
  Nights nights;
  for (const std::uint64_t items : {100U, 120U, 90'000U, 110U, 130U}) nights.did(items);
  EXPECT_EQ(usual(nights.past)->items, 120U);
}

TEST(Usual, GoesByTheLastRunsThatSucceeded) {
  Nights nights;
  for (int night = 0; night < 20; ++night) nights.did(5'000);
  for (std::size_t night = 0; night < runs_for_usual; ++night) nights.did(10);
  nights.add({.status = "failed", .done = {.items = 7'000}});
  EXPECT_EQ(usual(nights.past)->items, 10U);
}

TEST(Usual, IsNothingBeforeTheFirstRun) {
  EXPECT_EQ(usual({}), std::nullopt);
  Nights nights;
  nights.add({.status = "refused"});
  EXPECT_EQ(usual(nights.past), std::nullopt);
}

TEST(Staying, IsToldOnceItStayedThreeTimesInARow) {
  Nights nights;
  nights.left({{.reason = "held", .items = 3}});
  nights.left({{.reason = "held", .items = 4}});
  EXPECT_THAT(staying(nights.past), IsEmpty());
  nights.left({{.reason = "held", .items = 5, .examples = {"mockups 17"}}, {.reason = "in use", .items = 1}});
  const auto found = staying(nights.past);
  ASSERT_EQ(found.size(), 1U) << "what stayed once may go tomorrow";
  EXPECT_EQ(found[0].skip.reason, "held");
  EXPECT_EQ(found[0].skip.items, 5U);
  EXPECT_THAT(found[0].skip.examples, testing::ElementsAre("mockups 17"));
  EXPECT_EQ(found[0].runs, 3U);
  EXPECT_EQ(found[0].since, midnight);
}

TEST(Staying, BeginsAnewBehindANightWithoutIt) {
  Nights nights;
  for (int night = 0; night < 5; ++night) nights.left({{.reason = "held", .items = 3}});
  nights.left({});
  for (int night = 0; night < 3; ++night) nights.left({{.reason = "held", .items = 3}});
  EXPECT_EQ(staying(nights.past).at(0).since, midnight + 6 * 24h);
  nights.left({});
  EXPECT_THAT(staying(nights.past), IsEmpty()) << "it is over";
}

TEST(Staying, PassesOverRunsThatCameToNoPlan) {
  Nights nights;
  nights.left({{.reason = "held", .items = 3}});
  nights.left({{.reason = "held", .items = 3}});
  nights.add({.status = "failed", .error = Error{Kind::unavailable, "no answer"}});
  nights.left({{.reason = "held", .items = 3}});
  EXPECT_EQ(staying(nights.past).at(0).runs, 3U);
}

}  // namespace
}  // namespace steward
