#include "io/object/pace.h"

#include <gtest/gtest.h>

namespace steward::object {
namespace {

using namespace std::chrono_literals;

/// One request that is turned away.
bool turned_away(Pace& pace, Pace::Patience& patience) {
  const Pace::Turn turn = pace.enter(patience);
  return pace.slow_down(patience, "SlowDown");
}

TEST(Pace, HalvesAtASlowDownAndGrowsByOneForEachRound) {
  Pace pace(64, 0ms, 0ms);
  EXPECT_FALSE(pace.words());
  Pace::Patience patience;
  turned_away(pace, patience);
  EXPECT_EQ(pace.limit(), 32U);
  EXPECT_EQ(pace.words(), "SlowDown");
  for (int i = 0; i < 33; ++i) pace.succeeded();
  EXPECT_EQ(pace.limit(), 33U);
  for (int i = 0; i < 10'000; ++i) pace.succeeded();
  EXPECT_EQ(pace.limit(), 64U) << "and never beyond what it began with";
}

TEST(Pace, TakesThoseThatWereUnderWayTogetherForOneSign) {
  Pace pace(64, 0ms, 0ms);
  Pace::Patience one, two, three;
  {
    const Pace::Turn first = pace.enter(one), second = pace.enter(two), third = pace.enter(three);
    for (Pace::Patience* each : {&one, &two, &three}) pace.slow_down(*each, "SlowDown");
  }
  EXPECT_EQ(pace.limit(), 32U);
}

TEST(Pace, NeverStopsAltogether) {
  Pace pace(8, 0ms, 0ms);
  for (int i = 0; i < 20; ++i) {
    Pace::Patience patience;
    turned_away(pace, patience);
  }
  EXPECT_EQ(pace.limit(), 1U);
}

TEST(Pace, GivesUpWhereNothingSucceedsAndNotWhereOthersDo) {
  Pace pace(8, 0ms, 0ms);
  Pace::Patience alone;
  int attempts = 1;
  while (turned_away(pace, alone)) ++attempts;
  EXPECT_EQ(attempts, Pace::most_in_vain);

  Pace::Patience unlucky;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(turned_away(pace, unlucky)) << i;
    pace.succeeded();
  }
}

TEST(Pace, PausesLongerEachTimeUntilSomethingSucceeds) {
  Pace pace(8, 5ms, 20ms);
  const auto seconds_of = [&](int times) {
    const auto begin = std::chrono::steady_clock::now();
    Pace::Patience patience;
    for (int i = 0; i < times; ++i) turned_away(pace, patience);
    const Pace::Turn turn = pace.enter(patience);  // after the last pause
    return std::chrono::steady_clock::now() - begin;
  };
  EXPECT_GE(seconds_of(4), 5ms + 10ms + 20ms + 20ms);
  pace.succeeded();
  EXPECT_GE(seconds_of(1), 5ms);
}

}  // namespace
}  // namespace steward::object
