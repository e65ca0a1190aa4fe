#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <algorithm>

#include "io/files/folder.h"
#include "io/files/scratch.h"
#include "io/files/system_calls.h"

namespace steward::files {
namespace {
using testing::ElementsAre;
using testing::StartsWith;

struct Content : testing::Test {
  Folder folder() const { return Folder::open(scratch.path()).value(); }
  Scratch scratch{};
};

TEST_F(Content, ReplacingWritesANewFileWithTheModeThatWasAsked) {
  EXPECT_TRUE(replace_file(folder(), "f", "one"));
  EXPECT_EQ(folder().stat("f")->mode, 0600U);
  EXPECT_TRUE(replace_file(folder(), "f", "two", 0644));
  EXPECT_EQ(folder().stat("f")->mode, 0644U);
  EXPECT_EQ(scratch.read("f"), "two");
  EXPECT_EQ(scratch.entries(), 1U);
}

TEST_F(Content, ReplacingASymlinkLeavesWhatItLedTo) {
  scratch.write("real", "real");
  scratch.symlink("real", "link");
  EXPECT_TRUE(replace_file(folder(), "link", "new"));
  EXPECT_EQ(scratch.read("real"), "real");
  EXPECT_EQ(folder().stat("link")->type, FileType::regular);
}

TEST_F(Content, ReplacingSyncsTheFileThenRenamesThenSyncsTheFolder) {
  const auto calls = system_calls([&] { EXPECT_TRUE(replace_file(folder(), "f", "new")); });
  auto order = of(calls, {SYS_fchmod, SYS_write, SYS_fsync, SYS_renameat, SYS_rename});
  // UndefinedBehaviorSanitizer writes into pipes of its own to see whether memory can be read.
  order.erase(std::unique(order.begin(), order.end()), order.end());
  EXPECT_THAT(order, ElementsAre(SYS_fchmod, SYS_write, SYS_fsync, SYS_renameat, SYS_fsync));
}

TEST_F(Content, ReplacingKilledAnywhereLeavesTheOldFileOrTheNewOne) {
  const auto act = [&] { EXPECT_TRUE(replace_file(folder(), "f", "new content")); };
  const std::size_t calls = system_calls(act).size();
  std::size_t old_seen = 0, new_seen = 0;
  for (std::size_t n = 0; n < calls; ++n) {
    scratch.write("f", "old");
    killed_at(n, act);
    const std::string left = scratch.read("f");
    old_seen += left == "old";
    new_seen += left == "new content";
    EXPECT_EQ(old_seen + new_seen, n + 1) << "\"" << left << "\" after call " << n;
  }
  EXPECT_GT(old_seen, 0U);
  EXPECT_GT(new_seen, 0U);
}

TEST_F(Content, AFullDiskLeavesTheOldFileAndNoTemporary) {
  with_own_mounts([&] {
    mount_tmpfs(scratch.path(), "size=64k");
    scratch.write("f", "old");
    const auto full = replace_file(folder(), "f", std::string(1 << 20, 'x'));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().kind, Kind::unavailable);
    EXPECT_THAT(full.error().message, StartsWith("cannot write " + scratch / ".steward-tmp-"));
    EXPECT_THAT(full.error().message, testing::EndsWith(": no space left on device"));
    EXPECT_EQ(full.error().hint, "Free some room on its file system.");
    EXPECT_EQ(scratch.read("f"), "old");
    EXPECT_EQ(scratch.entries(), 1U);
    EXPECT_EQ(umount2(scratch.path().c_str(), MNT_DETACH), 0);
  });
}

TEST_F(Content, AFailedRenameLeavesNoTemporary) {
  scratch.folder("f");
  EXPECT_FALSE(replace_file(folder(), "f", "new"));
  EXPECT_EQ(scratch.entries(), 1U);
}

TEST_F(Content, ReadsWholeSmallFilesAndRefusesLargeOnes) {
  scratch.write("f", "12345");
  scratch.write("empty", "");
  EXPECT_EQ(read_file(folder(), "f", 5_B).value(), "12345");
  EXPECT_EQ(read_file(folder(), "empty", 0_B).value(), "");
  const auto refused = read_file(folder(), "f", 4_B);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Kind::refused);
  EXPECT_EQ(refused.error().code, "too-large");
  EXPECT_EQ(refused.error().message, "cannot read " + scratch / "f" + ": it is larger than 4 B");
  EXPECT_EQ(read_file(folder(), "none", 4_B).error().kind, Kind::not_found);
  scratch.write("big", std::string(300'000, 'b'));
  EXPECT_EQ(read_file(folder(), "big", 1_MiB)->size(), 300'000U);
}

TEST_F(Content, WritesAllOfItAlsoWhereTheKernelTakesItInParts) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const std::string sent(1 << 20, 'p');  // a pipe takes 64 KiB at a time
  const Holder writer([&] {
    close(ends[0]);
    if (fork() == 0) {
      const bool written = FileSink(ends[1]).write(std::as_bytes(std::span(sent))).has_value();
      _exit(written ? 0 : 1);
    }
    close(ends[1]);
  });
  close(ends[1]);
  FileSource source(ends[0]);
  std::vector<std::byte> buffer(100'000);
  std::size_t received = 0;
  while (true) {
    const auto n = source.read(buffer);
    ASSERT_TRUE(n);
    if (*n == 0) break;
    received += *n;
  }
  close(ends[0]);
  EXPECT_EQ(received, sent.size());
}

TEST_F(Content, NamesTheFileThatCannotBeWritten) {
  scratch.write("f", "x");
  const Handle file = folder().open_for_reading("f").value();
  const auto failed = FileSink(file.fd()).write(std::as_bytes(std::span("abc", 3)));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "cannot write " + scratch / "f" + ": bad file descriptor");
  EXPECT_TRUE(sync_file(file.fd()));
  EXPECT_FALSE(sync_file(-1));
}

}  // namespace
}  // namespace steward::files
