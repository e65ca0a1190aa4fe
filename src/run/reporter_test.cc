#include "run/reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/files/scratch.h"

namespace steward {
namespace {
using namespace std::chrono_literals;

struct LogOfARun : testing::Test {
  void SetUp() override { clock.time = Instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}}; }
  /// What the log has after a run that tells of its progress each five seconds.
  std::string after(std::chrono::seconds length) {
    const auto log = LogReporter::open(folder, "r1", clock).value();
    std::uint64_t items = 0;
    for (const Instant end = clock.time + length; clock.time < end; clock.time += 5s)
      log->progress({.task = "purge-signals",
                     .done = {.items = items += 50'000, .bytes = Bytes{items * 100}},
                     .planned = {.items = 100'000'000'000, .bytes = Bytes{10'000'000'000'000}}});
    return scratch.read("runs/r1/log.jsonl");
  }
  files::Scratch scratch{};
  files::Folder folder = files::Folder::open(scratch.path()).value();
  FakeClock clock{};
};

TEST_F(LogOfARun, HasALineOfProgressEachTenSeconds) {
  const std::string text = after(1h);
  EXPECT_EQ(std::ranges::count(text, '\n'), 360);
}

TEST_F(LogOfARun, StaysBelowFiveMebibytesHoweverLongItTakes) {
  const std::string text = after(24h * 30);
  EXPECT_LT(text.size(), 5U << 20);
  EXPECT_GT(std::ranges::count(text, '\n'), 1'000) << "and still says how it went on";
}

}  // namespace
}  // namespace steward
