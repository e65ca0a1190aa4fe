#include "io/files/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <latch>
#include <set>

namespace steward::files {
namespace {

TEST(ThreadPool, WhatIsSharedOutIsDoneOnceAndBeforeRunReturns) {
  ThreadPool pool(4);
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> next = 0, done = 0;
    pool.run([&] {
      while (next++ < 100) ++done;
    });
    EXPECT_EQ(done, 100);
  }
}

TEST(ThreadPool, OtherThreadsDoTheirPart) {
  ThreadPool pool(3);
  std::latch all(3);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  pool.run([&] {
    all.arrive_and_wait();  // would never end in one thread
    const std::scoped_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_TRUE(seen.contains(std::this_thread::get_id()));
}

TEST(ThreadPool, OfOneWorksInTheCallingThread) {
  ThreadPool pool(1);
  std::thread::id where;
  pool.run([&] { where = std::this_thread::get_id(); });
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(ThreadPool, SignalsAreForTheThreadThatBeganIt) {
  sigset_t before{}, inside{}, after{};
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  auto thread = quiet_thread([&] { pthread_sigmask(SIG_SETMASK, nullptr, &inside); });
  ASSERT_TRUE(thread);
  thread->join();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&inside, SIGTERM), 1);
  EXPECT_EQ(sigismember(&before, SIGTERM), 0);
  EXPECT_EQ(sigismember(&after, SIGTERM), 0);
}

}  // namespace
}  // namespace steward::files
