#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <thread>

#include "io/files/folder.h"
#include "io/files/scratch.h"

namespace steward::files {
namespace {

struct FolderLock : testing::Test {
  Folder folder() const { return Folder::open(scratch.path()).value(); }
  /// Whether another process could take it now.
  bool is_free() const {
    bool free = false;
    const Handle handle(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    free = flock(handle.fd(), LOCK_EX | LOCK_NB) == 0;
    return free;
  }
  Scratch scratch{};
};

TEST_F(FolderLock, IsBusyWhereAnotherProcessHasIt) {
  {
    const Holder other([&] {
      static const auto kept = folder().lock();
      EXPECT_TRUE(kept);
    });
    const auto refused = folder().lock();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Kind::busy);
    EXPECT_EQ(refused.error().message, "cannot lock " + scratch.path() + ": another process has it locked");
    EXPECT_EQ(refused.error().hint, "Wait for it to finish; `lslocks` shows which it is.");
  }
  EXPECT_TRUE(folder().lock()) << "the end of the process released it";
}

TEST_F(FolderLock, IsReleasedWithTheLastHandleAndNotBefore) {
  auto first = folder().lock();
  auto second = folder().lock();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(is_free());
  first->reset();
  EXPECT_FALSE(is_free());
  second->reset();
  EXPECT_TRUE(is_free());
}

TEST_F(FolderLock, IsOneForEveryWayToTheSameFolder) {
  scratch.symlink(".", "same");
  const auto first = folder().lock();
  const auto second = Folder::open(scratch / "same")->lock();
  EXPECT_TRUE(second);
}

TEST_F(FolderLock, CanBeAskedForAndStaysFreeForOthers) {
  EXPECT_EQ(folder().is_locked(), false);
  EXPECT_TRUE(is_free());
  {
    const auto kept = folder().lock();
    EXPECT_EQ(folder().is_locked(), true);
  }
  EXPECT_EQ(folder().is_locked(), false);
  {
    const Holder other([&] {
      static const auto kept = folder().lock();
      EXPECT_TRUE(kept);
    });
    EXPECT_EQ(folder().is_locked(), true);
  }
  EXPECT_EQ(folder().is_locked(), false) << "the end of the process released it";
}

TEST_F(FolderLock, OutlivesItsFolderObject) {
  auto kept = folder().lock();
  EXPECT_FALSE(is_free());
  kept->reset();
  EXPECT_TRUE(is_free());
}

TEST_F(FolderLock, IsCountedAlsoAmongThreads) {
  const auto taken_and_given_back = [&] {
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(folder().lock());
  };
  std::thread other(taken_and_given_back);
  taken_and_given_back();
  other.join();
  EXPECT_TRUE(is_free());
}

}  // namespace
}  // namespace steward::files
