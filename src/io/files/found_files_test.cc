#include "io/files/found_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "io/files/scratch.h"
#include "io/files/system_calls.h"

namespace steward::files {
namespace {
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

/// Each promise, on both ways of resolving a path.
struct FoundFilesContract : testing::TestWithParam<Calls> {
  void SetUp() override { need_root(); }
  Folder folder() const { return Folder::open(scratch.path(), GetParam()).value(); }

  /// All files below, sorted by path.
  std::vector<Found> find() const {
    std::vector<Found> found;
    EXPECT_TRUE(folder().walk({}, [&](const Found& file) -> Result<bool> {
      found.push_back(file);
      return true;
    }));
    std::ranges::sort(found, {}, &Found::path);
    return found;
  }
  static std::vector<const Found*> all(const std::vector<Found>& found) {
    std::vector<const Found*> out;
    for (const Found& file : found) out.push_back(&file);
    return out;
  }
  /// What becomes of them.
  std::vector<Standing> remove(const std::vector<Found>& found, unsigned threads = 1) const {
    const Folder root = folder();
    std::vector<Standing> standings;
    for (const auto& answer : FoundFiles(root, threads).remove(all(found), 1h)) {
      EXPECT_TRUE(answer) << answer.error().message;
      standings.push_back(answer.value_or(Standing::unknown));
    }
    return standings;
  }
  std::vector<Standing> look(const std::vector<Found>& found) const {
    const Folder root = folder();
    return FoundFiles(root, 1).look(all(found));
  }
  Scratch scratch{};
};
INSTANTIATE_TEST_SUITE_P(Files, FoundFilesContract, testing::Values(Calls::best, Calls::portable),
                         [](const auto& way) { return way.param == Calls::best ? "best" : "portable"; });

TEST_P(FoundFilesContract, WhatIsFreeGoes) {
  scratch.write("a", "x");
  scratch.write("d/b", "x");
  scratch.write("d/e/c", "x");
  scratch.write("d/e/d", "x");
  const auto found = find();
  EXPECT_EQ(look(found), std::vector<Standing>(4, Standing::free));
  EXPECT_EQ(find().size(), 4U) << "looking removes nothing";
  EXPECT_EQ(remove(found), std::vector<Standing>(4, Standing::free));
  EXPECT_THAT(find(), IsEmpty());
  EXPECT_TRUE(scratch.has("d/e")) << "folders stay";
}

TEST_P(FoundFilesContract, WhatSomebodyHasOpenStays) {
  scratch.write("d/open", "x");
  scratch.write("d/other", "x");
  const auto found = find();
  const Holder other([&] { EXPECT_GE(open((scratch / "d/open").c_str(), O_RDONLY), 0); });
  EXPECT_THAT(look(found), ElementsAre(Standing::in_use, Standing::free));
  EXPECT_THAT(remove(found), ElementsAre(Standing::in_use, Standing::free));
  EXPECT_TRUE(scratch.has("d/open"));
}

TEST_P(FoundFilesContract, WhatWasWrittenSinceStays) {
  scratch.write("longer", "x");
  scratch.write("touched", "x");
  const auto found = find();
  scratch.write("longer", "xx");
  const timespec times[] = {{1, 0}, {1, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, (scratch / "touched").c_str(), times, 0), 0);
  EXPECT_THAT(remove(found), ElementsAre(Standing::changed, Standing::changed));
  EXPECT_EQ(find().size(), 2U);
}

TEST_P(FoundFilesContract, AnotherFileInItsPlaceStays) {
  scratch.write("d/a", "x");
  scratch.write("d/b", "x");
  scratch.write("d/gone", "x");
  scratch.write("new", "x");
  const auto found = find();
  std::filesystem::rename(scratch / "new", scratch / "d/a");  // of the same size
  const timespec times[] = {{0, UTIME_OMIT},
                            {found[0].info.modified_ns / 1'000'000'000, found[0].info.modified_ns % 1'000'000'000}};
  ASSERT_EQ(utimensat(AT_FDCWD, (scratch / "d/a").c_str(), times, 0), 0);
  std::filesystem::rename(scratch / "d/b", scratch / "d/was");
  scratch.symlink("was", "d/b");
  std::filesystem::remove(scratch / "d/gone");
  EXPECT_EQ(remove(found), std::vector<Standing>(4, Standing::changed));
  for (const char* name : {"d/a", "d/b", "d/was"}) EXPECT_TRUE(scratch.has(name)) << name;
}

TEST_P(FoundFilesContract, AFifoInItsPlaceStaysAndHangsNobody) {
  scratch.write("f", "x");
  const auto found = find();
  std::filesystem::remove(scratch / "f");
  ASSERT_EQ(mkfifo((scratch / "f").c_str(), 0600), 0);
  EXPECT_NE(remove(found).at(0), Standing::free);
  EXPECT_TRUE(scratch.has("f"));
}

TEST_P(FoundFilesContract, AFolderReplacedByASymlinkLeadsNowhere) {
  Scratch outside;
  scratch.write("d/e/f", "x");
  const auto found = find();
  std::filesystem::rename(scratch / "d", outside / "d");  // the very same file behind the symlink
  scratch.symlink(outside / "d", "d");
  EXPECT_THAT(look(found), ElementsAre(Standing::changed));
  EXPECT_THAT(remove(found), ElementsAre(Standing::changed));
  EXPECT_TRUE(outside.has("d/e/f"));
}

TEST_P(FoundFilesContract, AFolderThatWasMovedAwayKeepsItsFiles) {
  scratch.write("d/a", "x");
  scratch.write("d/b", "x");
  const auto found = find();
  const Folder root = folder();
  FoundFiles files(root, 1);
  const std::vector<const Found*> first{&found[0]}, second{&found[1]};
  EXPECT_EQ(files.remove(first, 1h).at(0).value(), Standing::free);
  std::filesystem::rename(scratch / "d", scratch / "moved");
  EXPECT_EQ(files.remove(second, 1h).at(0).value(), Standing::changed) << "no handle outlives a call";
  EXPECT_TRUE(scratch.has("moved/b"));
}

TEST_P(FoundFilesContract, AnotherFolderInItsPlaceKeepsItsFiles) {
  scratch.write("d/f", "x");
  const auto found = find();
  std::filesystem::rename(scratch / "d", scratch / "moved");
  scratch.write("d/f", "x");
  EXPECT_THAT(remove(found), ElementsAre(Standing::changed));
  EXPECT_TRUE(scratch.has("d/f"));
  EXPECT_TRUE(scratch.has("moved/f"));
}

TEST_P(FoundFilesContract, WhatCannotBeAskedOrRemovedStaysAndSaysWhy) {
  scratch.write("closed/f", "x");
  scratch.write("foreign", "x");
  scratch.write("secret", "x");
  ASSERT_EQ(chown((scratch / "foreign").c_str(), 1, 1), 0);
  chmod((scratch / "secret").c_str(), 0600);
  scratch.write("theirs/own", "x");
  ASSERT_EQ(chown((scratch / "theirs/own").c_str(), nobody, nobody), 0);
  const auto found = find();
  chmod((scratch / "closed").c_str(), 0700);
  as_ordinary_user([&] {
    const Folder root = folder();
    const auto answers = FoundFiles(root, 1).remove(all(found), 1h);
    ASSERT_EQ(answers.size(), 4U);
    EXPECT_EQ(answers[0].value(), Standing::unreadable) << "closed/f";
    EXPECT_EQ(answers[1].value(), Standing::unknown) << "foreign: no lease, and other users' processes are hidden";
    EXPECT_EQ(answers[2].value(), Standing::unreadable) << "secret";
    ASSERT_FALSE(answers[3]);
    EXPECT_EQ(answers[3].error().kind, Kind::permission);
    EXPECT_EQ(answers[3].error().message, "cannot remove " + scratch / "theirs/own" +
                                              ": permission denied (this is uid 65534; " + scratch / "theirs" +
                                              " is 0755, owned by 0)");
  });
  EXPECT_EQ(find().size(), 4U);
}

TEST_P(FoundFilesContract, TheLastLookIsTheCallBeforeTheRemovalAndTheLeaseIsHeldTillThen) {
  scratch.write("d/a", "x");
  scratch.write("d/b", "x");
  const auto found = find();
  const Folder root = folder();
  FoundFiles files(root, 1);
  const auto calls = system_calls([&] { EXPECT_EQ(files.remove(all(found), 1h).size(), 2U); });
  const std::vector<long> one{SYS_openat, SYS_fcntl, SYS_fcntl, SYS_newfstatat, SYS_unlinkat, SYS_close};
  std::vector<long> expected{SYS_openat};  // the folder, once
  for (int i = 0; i < 2; ++i) expected.insert(expected.end(), one.begin(), one.end());
  expected.push_back(SYS_close);
  EXPECT_EQ(of(calls, {SYS_openat2, SYS_openat, SYS_fcntl, SYS_newfstatat, SYS_unlinkat, SYS_close}), expected);
}

TEST_P(FoundFilesContract, BeginsNothingMoreWhenItsTimeIsOver) {
  for (int i = 100; i < 300; ++i) scratch.write("d/" + std::to_string(i), "x");
  const auto found = find();
  const Folder root = folder();
  for (const unsigned threads : {1U, 4U}) {
    const auto left = find();
    const auto answers = FoundFiles(root, threads).remove(all(left), 0ms);
    ASSERT_GE(answers.size(), 1U);
    EXPECT_LT(answers.size(), left.size());
    for (std::size_t i = 0; i < left.size(); ++i) EXPECT_NE(scratch.has(left[i].path), i < answers.size()) << i;
  }
}

TEST_P(FoundFilesContract, ManyThreadsDoWhatOneDoes) {
  for (int i = 0; i < 900; ++i)
    scratch.write(std::to_string(i % 7) + "/" + std::to_string(i % 3) + "/" + std::to_string(i), "x");
  const auto found = find();
  std::vector<std::string> kept;
  for (std::size_t i = 0; i < found.size(); i += 10) {
    scratch.write(found[i].path, "longer");
    kept.push_back(found[i].path);
  }
  EXPECT_EQ(look(found), std::vector<Standing>(900, Standing::free));
  const auto standings = remove(found, 4);
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(standings[i], i % 10 == 0 ? Standing::changed : Standing::free) << found[i].path;
  std::vector<std::string> left;
  for (const Found& file : find()) left.push_back(file.path);
  EXPECT_EQ(left, kept);
}

TEST_P(FoundFilesContract, OfNothingNothingIsSaid) {
  EXPECT_THAT(remove({}), IsEmpty());
  EXPECT_THAT(look({}), IsEmpty());
}

}  // namespace
}  // namespace steward::files
