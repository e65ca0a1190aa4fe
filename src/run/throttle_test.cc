#include "run/throttle.h"

#include <gtest/gtest.h>

namespace steward {
namespace {
using namespace std::chrono_literals;

TEST(BatchSize, BeginsAtTheMostAndStaysThereWhileBatchesAreShort) {
  BatchSize size(100, 10'000, 250ms);
  EXPECT_EQ(size.now(), 10'000U);
  size.took(10'000, 30ms, false);
  EXPECT_EQ(size.now(), 10'000U);
}

TEST(BatchSize, ShrinksAtOnceToWhatWouldHaveFitted) {
  BatchSize size(100, 10'000, 250ms);
  size.took(10'000, 2500ms, false);
  EXPECT_EQ(size.now(), 1'000U);
}

TEST(BatchSize, GrowsByAQuarterAtATimeWhenItIsFastAgain) {
  BatchSize size(100, 10'000, 250ms);
  size.took(10'000, 2500ms, false);
  size.took(1'000, 10ms, false);
  EXPECT_EQ(size.now(), 1'251U);
  for (int i = 0; i < 20; ++i) size.took(size.now(), 10ms, false);
  EXPECT_EQ(size.now(), 10'000U);
}

TEST(BatchSize, IsHalvedWhereSomebodyWaitedForItsLocks) {
  BatchSize size(100, 10'000, 250ms);
  size.took(10'000, 100ms, true);
  EXPECT_EQ(size.now(), 5'000U);
}

TEST(BatchSize, IsNeverLessThanTheLeastNorMoreThanTheMost) {
  BatchSize size(100, 10'000, 250ms);
  for (int i = 0; i < 10; ++i) size.took(size.now(), 60s, true);
  EXPECT_EQ(size.now(), 100U);
  BatchSize small(100, 50, 250ms);
  EXPECT_EQ(small.now(), 50U);
  small.took(50, 60s, false);
  EXPECT_EQ(small.now(), 50U);
}

TEST(BatchSize, GoesBackWhereSmallerBatchesTakeAsLong) {
  BatchSize size(100, 10'000, 250ms);
  size.took(10'000, 2500ms, false);  // nearly all of it for finding them
  EXPECT_EQ(size.now(), 1'000U);
  size.took(1'000, 2300ms, false);
  EXPECT_EQ(size.now(), 10'000U);
  size.took(10'000, 2500ms, false);
  EXPECT_EQ(size.now(), 10'000U);
}

TEST(BatchSize, ALastBatchThatIsNotFullSaysNothingOfTheNext) {
  BatchSize size(100, 10'000, 250ms);
  size.took(10, 200ms, false);
  EXPECT_EQ(size.now(), 10'000U);
}

TEST(BatchSize, ABatchOfNothingSaysNothing) {
  BatchSize size(100, 10'000, 250ms);
  size.took(0, 60s, true);
  EXPECT_EQ(size.now(), 10'000U);
}

}  // namespace
}  // namespace steward
