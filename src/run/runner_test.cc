#include "run/runner.h"

#include <gtest/gtest.h>

namespace steward {
namespace {

using namespace std::chrono_literals;

struct Case {
  const char* name;
  std::vector<std::string> statuses;
  ledger::Status status;
  int exit_code;
};

struct VerdictOf : testing::TestWithParam<Case> {};

TEST_P(VerdictOf, AddsUpTheTasks) {
  std::vector<TaskResult> tasks;
  for (const std::string& status : GetParam().statuses) tasks.push_back({.task = "t", .status = status});
  EXPECT_EQ(verdict_of(tasks).status, GetParam().status);
  EXPECT_EQ(verdict_of(tasks).exit_code, GetParam().exit_code);
}

using enum ledger::Status;
const Case cases[] = {
    {"all_done", {"succeeded", "succeeded"}, succeeded, 0},
    {"what_is_not_configured_or_off_does_not_count", {"succeeded", "not_configured", "off"}, succeeded, 0},
    {"all_failed", {"failed", "failed", "off"}, failed, 1},
    {"some_failed", {"succeeded", "failed"}, partial, 4},
    {"some_refused", {"succeeded", "refused"}, partial, 4},
    {"all_refused", {"refused", "not_configured"}, refused, 3},
    {"failed_and_refused", {"failed", "refused"}, failed, 1},
    {"what_waits_of_another_run_counts_where_nothing_was_done", {"waiting", "off"}, refused, 3},
    {"what_waits_of_another_run_does_not_count_beside_what_was_done", {"waiting", "succeeded"}, succeeded, 0},
    {"waiting_and_refused", {"waiting", "refused"}, refused, 3},
    {"cancelled", {"succeeded", "cancelled", "failed"}, cancelled, 1},
};
INSTANTIATE_TEST_SUITE_P(Run, VerdictOf, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(ClockRefusal, ToleratesFiveMinutesEitherWay) {
  const Instant now = *parse_instant("2026-11-23T12:00:00Z");
  using namespace std::chrono_literals;
  EXPECT_FALSE(clock_refusal(now, now + 5min, "the database"));
  EXPECT_FALSE(clock_refusal(now, now - 5min, "the database"));
  const auto ahead = clock_refusal(now, now - 6min, "the database");
  ASSERT_TRUE(ahead);
  EXPECT_EQ(ahead->code, "clock");
  EXPECT_EQ(ahead->message,
            "this machine's clock says 2026-11-23T12:00:00Z, the database says 2026-11-23T11:54:00Z: 6 min ahead");
}

ledger::Run run_of(const ledger::Process& process, Instant heartbeat = {}, std::optional<Instant> pulse = {}) {
  return {.heartbeat = heartbeat, .process = process, .pulse = pulse};
}

TEST(IsGone, ThisProcessIsThereAndOneOfAnotherBootIsNot) {
  ledger::Process process = this_process();
  EXPECT_FALSE(is_gone(run_of(process), SystemClock().now()));
  EXPECT_EQ(presence_of(process), Presence::alive);
  process.boot = "another";
  EXPECT_TRUE(is_gone(run_of(process), SystemClock().now()));
}

TEST(IsGone, AReusedPidIsAnotherProcess) {
  ledger::Process process = this_process();
  process.started_ticks += 1;
  EXPECT_TRUE(is_gone(run_of(process), SystemClock().now()));
}

TEST(IsGone, APidOfAnotherNamespaceSaysNothingAndOnlyThePulseCounts) {
  const Instant now = SystemClock().now();
  ledger::Process process = this_process();
  process.pid_namespace = "pid:[1]";
  process.started_ticks += 1;
  EXPECT_EQ(presence_of(process), Presence::unknown);
  EXPECT_FALSE(is_gone(run_of(process, now - 2h, now - 9min), now));
  EXPECT_TRUE(is_gone(run_of(process, now - 2h, now - 11min), now));
}

TEST(IsGone, AnotherHostThatShowsNoPulseIsBelievedForAnHour) {
  const Instant now = SystemClock().now();
  ledger::Process process = this_process();
  process.host = process.boot = "elsewhere";
  EXPECT_FALSE(is_gone(run_of(process, now - 59min), now));
  EXPECT_TRUE(is_gone(run_of(process, now - 61min), now));
}

TEST(IsGone, ARunOfAnEarlierStewardIsKnownByItsHost) {
  ledger::Process process = this_process();
  process.pid_namespace = "";
  EXPECT_FALSE(is_gone(run_of(process), SystemClock().now()));
  process.started_ticks += 1;
  EXPECT_TRUE(is_gone(run_of(process), SystemClock().now()));
}

}  // namespace
}  // namespace steward
