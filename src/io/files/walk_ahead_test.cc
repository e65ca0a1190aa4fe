#include "io/files/walk_ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>

#include "io/files/scratch.h"
#include "io/files/thread_pool.h"

namespace steward::files {
namespace {
using testing::ElementsAre;
using testing::IsEmpty;

struct WalksAhead : testing::TestWithParam<Calls> {
  Folder folder() const { return Folder::open(scratch.path(), GetParam()).value(); }

  /// What is handed over, sorted; `batches` has how many at a time.
  std::vector<std::string> walk(WalkAhead with = {}) {
    std::vector<std::string> paths;
    with.take = [&](std::vector<Found>& found) -> Result<bool> {
      batches.push_back(found.size());
      for (const Found& file : found) paths.push_back(file.path);
      return true;
    };
    with.unreadable = [&](const Unreadable& what) { unread.push_back(what.path); };
    const auto done = walk_ahead(folder(), {}, with);
    EXPECT_TRUE(done) << done.error().message;
    std::ranges::sort(paths);
    return paths;
  }
  Scratch scratch{};
  std::vector<std::size_t> batches{};
  std::vector<std::string> unread{};
};
INSTANTIATE_TEST_SUITE_P(Files, WalksAhead, testing::Values(Calls::best, Calls::portable),
                         [](const auto& way) { return way.param == Calls::best ? "best" : "portable"; });

TEST_P(WalksAhead, HandsOverInBatchesWhatTheWalkFindsAndIsWanted) {
  for (const char* name : {"a/1", "a/2", "b/c/3", "4", "5", "b/left out"}) scratch.write(name, "x");
  const auto wanted = [](const Found& found) { return !found.path.ends_with("left out"); };
  EXPECT_THAT(walk({.batch = 2, .wanted = wanted}), ElementsAre("4", "5", "a/1", "a/2", "b/c/3"));
  EXPECT_THAT(batches, ElementsAre(2, 2, 1));
  EXPECT_THAT(unread, IsEmpty());
}

TEST_P(WalksAhead, OfAnEmptyFolderNothingIsHandedOver) {
  EXPECT_THAT(walk(), IsEmpty());
  EXPECT_THAT(batches, IsEmpty());
}

TEST_P(WalksAhead, TellsWhatCannotBeReadAlsoWhereNothingIsFound) {
  scratch.write("closed/f", "x");
  chmod((scratch / "closed").c_str(), 0700);
  as_ordinary_user([&] {
    EXPECT_THAT(walk(), IsEmpty());
    EXPECT_THAT(unread, ElementsAre("closed"));
  });
}

TEST_P(WalksAhead, IsNeverMoreThanFourBatchesAhead) {
  for (int i = 0; i < 200; ++i) scratch.write(std::to_string(i), "x");
  std::atomic<std::size_t> looked_at = 0;
  std::size_t taken = 0;
  const auto done = walk_ahead(folder(), {},
                               {.batch = 5,
                                .wanted = [&](const Found&) { return ++looked_at > 0; },
                                .take = [&](std::vector<Found>& found) -> Result<bool> {
                                  taken += found.size();
                                  // Four that are ready, and one that waits to be.
                                  EXPECT_LE(looked_at, taken + std::size_t{5} * 5);
                                  return true;
                                }});
  EXPECT_TRUE(done);
  EXPECT_EQ(taken, 200U);
}

TEST_P(WalksAhead, StopsWhereItIsToldTo) {
  for (int i = 0; i < 100; ++i) scratch.write(std::to_string(i), "x");
  int times = 0;
  EXPECT_TRUE(
      walk_ahead(folder(), {}, {.batch = 1, .take = [&](std::vector<Found>&) -> Result<bool> { return ++times < 3; }}));
  EXPECT_EQ(times, 3);
}

TEST_P(WalksAhead, EndsWithTheErrorOfWhoTakes) {
  for (int i = 0; i < 100; ++i) scratch.write(std::to_string(i), "x");
  const auto ended = walk_ahead(folder(), {}, {.batch = 1, .take = [&](std::vector<Found>&) -> Result<bool> {
                                                 return fail(Kind::interrupted, "told to stop");
                                               }});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "told to stop");
}

TEST_P(WalksAhead, EndsWithTheErrorOfTheWalk) {
  scratch.write("f", "x");
  ASSERT_EQ(chown(scratch.path().c_str(), nobody, nobody), 0);
  as_ordinary_user([&] {
    const Folder below = folder();
    chmod(scratch.path().c_str(), 0300);
    const auto ended = walk_ahead(below, {}, {.take = [](std::vector<Found>&) -> Result<bool> { return true; }});
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().kind, Kind::permission);
    EXPECT_TRUE(ended.error().message.starts_with("cannot list " + scratch.path() + ": permission denied"));
  });
}

TEST_P(WalksAhead, WhereNoThreadCanBeHadItWalksAllTheSame) {
  scratch.write("a/f", "x");
  scratch.write("b/f", "x");
  chmod((scratch / "a").c_str(), 0755);
  as_ordinary_user([&] {
    const rlimit none{0, 0};
    ASSERT_EQ(setrlimit(RLIMIT_NPROC, &none), 0);
    ASSERT_FALSE(quiet_thread([] {}));
    EXPECT_THAT(walk({.batch = 1}), ElementsAre("a/f", "b/f"));
  });
}

}  // namespace
}  // namespace steward::files
