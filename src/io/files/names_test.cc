#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "io/files/folder.h"
#include "io/files/scratch.h"
#include "io/files/system_calls.h"

namespace steward::files {
namespace {
using testing::ElementsAre;
using testing::StartsWith;

struct Names : testing::TestWithParam<Calls> {
  Folder folder() const { return Folder::open(scratch.path(), GetParam()).value(); }
  Scratch scratch{};
};
INSTANTIATE_TEST_SUITE_P(Files, Names, testing::Values(Calls::best, Calls::portable),
                         [](const auto& way) { return way.param == Calls::best ? "best" : "portable"; });

TEST_P(Names, ATemporaryIsBesideItsPathForThisUserAloneAndTellsItself) {
  scratch.folder("d");
  const auto temporary = folder().temporary_beside("d/final");
  ASSERT_TRUE(temporary);
  EXPECT_THAT(temporary->path, StartsWith("d/.steward-tmp-"));
  EXPECT_EQ(folder().stat(temporary->path)->mode, 0600U);
  EXPECT_TRUE(FileSink(temporary->handle.fd()).write(std::as_bytes(std::span("abc", 3))));
  ASSERT_EQ(lseek(temporary->handle.fd(), 0, SEEK_SET), 0);
  char read_back = 0;
  EXPECT_EQ(read(temporary->handle.fd(), &read_back, 1), 1);
  EXPECT_THAT(folder().temporary_beside("final")->path, StartsWith(temporary_prefix));
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(folder().temporary_beside("final")->path);
  EXPECT_EQ(names.size(), 100U);
}

TEST_P(Names, RenameMovesAFileAndReplacesOnlyWhenTold) {
  scratch.write("a", "a");
  scratch.write("d/b", "b");
  const auto refused = folder().rename("a", "d/b", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::refused);
  EXPECT_EQ(refused.error().code, "exists");
  EXPECT_EQ(refused.error().message, "cannot rename to " + scratch / "d/b" + ": it is there already");
  EXPECT_EQ(scratch.read("a"), "a");
  EXPECT_EQ(scratch.read("d/b"), "b");
  EXPECT_TRUE(folder().rename("a", "d/c", false));
  EXPECT_FALSE(scratch.has("a"));
  EXPECT_EQ(scratch.read("d/c"), "a");
  EXPECT_TRUE(folder().rename("d/c", "d/b", true));
  EXPECT_EQ(scratch.read("d/b"), "a");
}

TEST_P(Names, RenameWithoutReplacingSparesASymlinkThatLeadsNowhere) {
  scratch.write("a", "a");
  scratch.symlink("nowhere", "link");
  EXPECT_EQ(folder().rename("a", "link", false).error().code, "exists");
  EXPECT_TRUE(scratch.has("link"));
}

TEST_P(Names, RenameOfASymlinkMovesTheSymlink) {
  scratch.write("a", "a");
  scratch.symlink("a", "link");
  EXPECT_TRUE(folder().rename("link", "other", false));
  EXPECT_EQ(folder().stat("other")->type, FileType::symlink);
}

TEST_P(Names, RenameOfWhatIsNotThereIsNotFound) {
  EXPECT_EQ(folder().rename("none", "a", false).error().kind, Kind::not_found);
  EXPECT_EQ(folder().rename("none", "a", true).error().kind, Kind::not_found);
  scratch.write("a", "a");
  EXPECT_EQ(folder().rename("a", "none/a", false).error().kind, Kind::not_found);
}

TEST_P(Names, RenameToAnotherFileSystemIsUnavailableAndMovesNothing) {
  with_own_mounts([&] {
    scratch.folder("other");
    mount_tmpfs(scratch / "other");
    scratch.write("a", "a");
    const auto refused = folder().rename("a", "other/a", false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Kind::unavailable);
    EXPECT_EQ(refused.error().message, "cannot rename " + scratch / "a" + ": the two are on different file systems");
    EXPECT_EQ(scratch.read("a"), "a");
  });
}

TEST_P(Names, RenameKilledAnywhereLeavesTheFileAndCanBeDoneAgain) {
  const auto act = [&] { EXPECT_TRUE(folder().rename("a", "d/b", false)); };
  scratch.write("a", "a");
  scratch.folder("d");
  const std::size_t calls = system_calls(act).size();
  ASSERT_TRUE(scratch.has("d/b"));
  for (std::size_t n = 0; n < calls; ++n) {
    std::filesystem::rename(scratch / "d/b", scratch / "a");
    killed_at(n, act);
    EXPECT_EQ(scratch.read(scratch.has("d/b") ? "d/b" : "a"), "a") << n;
    EXPECT_TRUE(!scratch.has("a") || folder().rename("a", "d/b", false)) << n;
    EXPECT_EQ(scratch.read("d/b"), "a") << n;
    EXPECT_FALSE(scratch.has("a")) << n;
  }
}

TEST_P(Names, RenameSyncsBothFolders) {
  scratch.write("a", "a");
  scratch.folder("d");
  const auto calls = system_calls([&] { EXPECT_TRUE(folder().rename("a", "d/b", false)); });
  const std::vector<long> order = of(calls, {SYS_renameat2, SYS_linkat, SYS_unlinkat, SYS_fsync});
  // Portable: the new name is on the disk before the old one goes.
  const std::vector<long> portable{SYS_linkat, SYS_fsync, SYS_unlinkat, SYS_fsync, SYS_fsync};
  const std::vector<long> best{SYS_renameat2, SYS_fsync, SYS_fsync};
  EXPECT_EQ(order, GetParam() == Calls::best ? best : portable);
}

TEST_P(Names, UnlinkRemovesAFileOrTheSymlinkItselfAndIsContentWithAbsence) {
  scratch.write("d/f", "x");
  scratch.symlink("d/f", "link");
  EXPECT_TRUE(folder().unlink("link"));
  EXPECT_TRUE(scratch.has("d/f"));
  EXPECT_TRUE(folder().unlink("d/f"));
  EXPECT_FALSE(scratch.has("d/f"));
  EXPECT_TRUE(folder().unlink("d/f"));
  EXPECT_TRUE(folder().unlink("never/was"));
  scratch.write("file", "x");
  EXPECT_TRUE(folder().unlink("file/below"));
}

TEST_P(Names, UnlinkIsNotForFolders) {
  scratch.folder("d");
  const auto refused = folder().unlink("d");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::refused);
  EXPECT_EQ(refused.error().code, "folder");
  EXPECT_TRUE(scratch.has("d"));
}

TEST_P(Names, UnlinkSyncsItsFolderAlsoWhereItWasAbsentAlready) {
  scratch.write("f", "x");
  const auto act = [&] { EXPECT_TRUE(folder().unlink("f")); };
  EXPECT_THAT(of(system_calls(act), {SYS_unlinkat, SYS_fsync}), ElementsAre(SYS_unlinkat, SYS_fsync));
  EXPECT_THAT(of(system_calls(act), {SYS_unlinkat, SYS_fsync}), ElementsAre(SYS_unlinkat, SYS_fsync));
}

TEST_P(Names, OnlyAnEmptyFolderIsRemoved) {
  scratch.write("d/f", "x");
  const auto refused = folder().remove_empty_folder("d");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::refused);
  EXPECT_EQ(refused.error().code, "not-empty");
  EXPECT_TRUE(folder().unlink("d/f"));
  EXPECT_TRUE(folder().remove_empty_folder("d"));
  EXPECT_FALSE(scratch.has("d"));
  EXPECT_TRUE(folder().remove_empty_folder("d"));
  EXPECT_TRUE(folder().remove_empty_folder("never/was"));
  scratch.write("f", "x");
  EXPECT_EQ(folder().remove_empty_folder("f").error().code, "not-a-folder");
}

TEST_P(Names, MadeFoldersAreSyncedInEachOfTheirParents) {
  const auto act = [&] { EXPECT_TRUE(folder().make_folders("a/b")); };
  const std::vector<long> wanted{SYS_mkdirat, SYS_fsync};
  EXPECT_THAT(of(system_calls(act), wanted), ElementsAre(SYS_mkdirat, SYS_fsync, SYS_mkdirat, SYS_fsync));
  // Who made them may have been killed before its fsync.
  EXPECT_THAT(of(system_calls(act), wanted), ElementsAre(SYS_mkdirat, SYS_fsync, SYS_mkdirat, SYS_fsync));
}

}  // namespace
}  // namespace steward::files
