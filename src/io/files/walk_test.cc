#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <set>

#include "io/files/folder.h"
#include "io/files/scratch.h"

namespace steward::files {
namespace {
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Walk : testing::TestWithParam<Calls> {
  Folder folder() const { return Folder::open(scratch.path(), GetParam()).value(); }

  /// The paths that a walk finds, sorted; what it could not read is in `unread`.
  std::vector<std::string> walk(const WalkOptions& options = {}) {
    std::vector<std::string> paths;
    unread.clear();
    const auto done = folder().walk(
        options,
        [&](const Found& found) -> Result<bool> {
          paths.push_back(found.path);
          return true;
        },
        [&](const Unreadable& what) { unread.push_back(what); });
    EXPECT_TRUE(done) << done.error().message;
    std::ranges::sort(paths);
    return paths;
  }
  Scratch scratch{};
  std::vector<Unreadable> unread{};
};
INSTANTIATE_TEST_SUITE_P(Files, Walk, testing::Values(Calls::best, Calls::portable),
                         [](const auto& way) { return way.param == Calls::best ? "best" : "portable"; });

TEST_P(Walk, FindsEveryRegularFileWithItsPathAndWhatStatKnows) {
  scratch.write("a", "1");
  scratch.write("d/b", "22");
  scratch.write("d/e/c", "333");
  scratch.write("d/.hidden", "");
  scratch.folder("empty");
  EXPECT_THAT(walk(), ElementsAre("a", "d/.hidden", "d/b", "d/e/c"));
  EXPECT_THAT(unread, IsEmpty());
  const auto done = folder().walk({}, [&](const Found& found) -> Result<bool> {
    const auto info = folder().stat(found.path);
    EXPECT_TRUE(found.info.same_as(*info)) << found.path;
    EXPECT_EQ(found.info.changed_ns, info->changed_ns);
    EXPECT_EQ(found.info.modified, info->modified);
    EXPECT_EQ(found.info.mode, info->mode);
    EXPECT_EQ(found.info.links, info->links);
    return true;
  });
  EXPECT_TRUE(done);
}

TEST_P(Walk, LeavesOutSymlinksFifosAndDevices) {
  need_root();
  Scratch outside;
  outside.write("f", "x");
  scratch.write("f", "x");
  scratch.symlink(outside.path(), "folder");
  scratch.symlink(outside / "f", "file");
  scratch.symlink("nowhere", "dangling");
  scratch.symlink(".", "loop");
  ASSERT_EQ(mkfifo((scratch / "x.log").c_str(), 0600), 0);
  ASSERT_EQ(mknod((scratch / "null.log").c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  EXPECT_THAT(walk(), ElementsAre("f"));
  EXPECT_THAT(unread, IsEmpty());
}

TEST_P(Walk, StopsWhereItIsToldTo) {
  for (int i = 0; i < 10; ++i) scratch.write("d/" + std::to_string(i), "x");
  int taken = 0;
  EXPECT_TRUE(folder().walk({}, [&](const Found&) -> Result<bool> { return ++taken < 3; }));
  EXPECT_EQ(taken, 3);
}

TEST_P(Walk, EndsWithTheErrorOfWhoTakes) {
  scratch.write("d/f", "x");
  const auto ended =
      folder().walk({}, [](const Found&) -> Result<bool> { return fail(Kind::interrupted, "told to stop"); });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "told to stop");
}

TEST_P(Walk, EntersOnlyTheFoldersItMay) {
  scratch.write("archive/a", "x");
  scratch.write("d/archive/b", "x");
  scratch.write("d/c", "x");
  WalkOptions options;
  std::vector<std::string> asked;
  options.enter = [&](std::string_view path) {
    asked.emplace_back(path);
    return path != "archive";
  };
  EXPECT_THAT(walk(options), ElementsAre("d/archive/b", "d/c"));
  EXPECT_THAT(asked, UnorderedElementsAre("archive", "d", "d/archive"));
}

TEST_P(Walk, ReportsWhatItMayNotReadAndGoesOn) {
  scratch.write("closed/f", "x");
  scratch.write("listed/f", "x");
  scratch.write("open/f", "x");
  chmod((scratch / "closed").c_str(), 0700);
  chmod((scratch / "listed").c_str(), 0744);
  as_ordinary_user([&] {
    EXPECT_THAT(walk(), ElementsAre("open/f"));
    std::ranges::sort(unread, {}, &Unreadable::path);
    ASSERT_EQ(unread.size(), 2U);
    EXPECT_EQ(unread[0].path, "closed");
    EXPECT_EQ(unread[0].error.kind, Kind::permission);
    EXPECT_EQ(unread[0].error.message, "cannot list " + scratch / "closed" +
                                           ": permission denied (this is uid 65534; " + scratch / "closed" +
                                           " is 0700, owned by 0)");
    EXPECT_EQ(unread[1].path, "listed/f");
    EXPECT_EQ(unread[1].error.kind, Kind::permission);
  });
}

TEST_P(Walk, NamesAreBytes) {
  const std::set<std::string> names{"caf\xe9.log", "\xff", "new\nline", "d/\xc3(", "*", "\x01"};
  for (const std::string& name : names) scratch.write(name, "x");
  const auto found = walk();
  EXPECT_EQ(std::set(found.begin(), found.end()), names);
}

TEST_P(Walk, CrossesNoMountAndSaysSo) {
  with_own_mounts([&] {
    Scratch other;
    other.write("bound", "x");
    scratch.write("own/f", "x");
    scratch.folder("tmpfs");
    mount_tmpfs(scratch / "tmpfs");
    scratch.write("tmpfs/f", "x");
    scratch.folder("bind");  // the same device: only the mount id tells
    ASSERT_EQ(mount(other.path().c_str(), (scratch / "bind").c_str(), nullptr, MS_BIND, nullptr), 0);
    scratch.write("file", "x");
    ASSERT_EQ(mount((other / "bound").c_str(), (scratch / "file").c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_THAT(walk(), ElementsAre("own/f"));
    std::vector<std::string> paths;
    for (const Unreadable& what : unread) {
      paths.push_back(what.path);
      EXPECT_EQ(what.error.code, "mount");
      EXPECT_EQ(what.error.message, "cannot list " + scratch / what.path + ": it is on another mount");
    }
    EXPECT_THAT(paths, UnorderedElementsAre("bind", "file", "tmpfs"));
    EXPECT_THAT(walk({.cross_mounts = true}), ElementsAre("bind/bound", "file", "own/f", "tmpfs/f"));
    umount2((scratch / "bind").c_str(), MNT_DETACH);
    umount2((scratch / "tmpfs").c_str(), MNT_DETACH);
    umount2((scratch / "file").c_str(), MNT_DETACH);
  });
}

TEST_P(Walk, ItsFolderMayItselfBeAMount) {
  with_own_mounts([&] {
    mount_tmpfs(scratch.path());
    scratch.write("d/f", "x");
    EXPECT_THAT(walk(), ElementsAre("d/f"));
    umount2(scratch.path().c_str(), MNT_DETACH);
  });
}

TEST_P(Walk, SaysWhatLiesTooDeep) {
  scratch.write("a/b/f", "x");
  scratch.write("a/b/c/f", "x");
  EXPECT_THAT(walk({.max_depth = 2}), ElementsAre("a/b/f"));
  ASSERT_EQ(unread.size(), 1U);
  EXPECT_EQ(unread[0].path, "a/b/c");
  EXPECT_EQ(unread[0].error.code, "depth");
  EXPECT_EQ(unread[0].error.message, "cannot list " + scratch / "a/b/c" + ": it is more than 2 folders deep");
}

/// Folders in folders, `depth` of them, with a file before and a file after each: "d/d/d/a", "d/d/d/z".
std::set<std::string> make_deep(const Folder& root, int depth) {
  std::set<std::string> files;
  std::string path;
  Folder at = Folder::open(root.path()).value();
  for (int i = 0; i < depth; ++i) {
    for (const std::string name : {"a", "z"}) {
      EXPECT_TRUE(replace_file(at, name, "x"));
      files.insert(path + name);
    }
    EXPECT_TRUE(at.make_folders("d"));
    at = at.subfolder("d").value();
    path += "d/";
  }
  return files;
}

TEST_P(Walk, GoesAThousandFoldersDeepWithFewDescriptors) {
  with_own_mounts([&] {
    mount_tmpfs(scratch.path());  // for its speed
    const std::set<std::string> expected = make_deep(folder(), 1000);
    const rlimit few{80, 80};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const auto found = walk({.max_depth = 2000});
    EXPECT_EQ(found.size(), expected.size());
    EXPECT_EQ(std::set(found.begin(), found.end()), expected);
    EXPECT_THAT(unread, IsEmpty());
    umount2(scratch.path().c_str(), MNT_DETACH);
  });
}

TEST_P(Walk, ComesBackToFarAncestorsOnTheDisksOwnFileSystem) {
  const std::set<std::string> expected = make_deep(folder(), 98);
  const auto found = walk();
  EXPECT_EQ(std::set(found.begin(), found.end()), expected);
  EXPECT_EQ(found.size(), expected.size());
}

TEST_P(Walk, GoesOnWhereAFarAncestorWasMovedAndSaysWhatItMissed) {
  make_deep(folder(), 98);
  bool moved = false;
  std::vector<Unreadable> missed;
  const auto done = folder().walk(
      {},
      [&](const Found& found) -> Result<bool> {
        if (!moved && std::ranges::count(found.path, '/') == 90) {
          std::filesystem::rename(scratch / "d", scratch / "moved");
          moved = true;
        }
        return true;
      },
      [&](const Unreadable& what) { missed.push_back(what); });
  EXPECT_TRUE(done);
  ASSERT_TRUE(moved);
  ASSERT_FALSE(missed.empty());
  EXPECT_EQ(missed.back().error.message, "cannot list the rest of " + scratch / "d" + ": it was moved meanwhile");
}

TEST_P(Walk, WhoTakesMayRemoveWhatItWasGiven) {
  for (int i = 0; i < 3000; ++i) scratch.write("d/" + std::string(40, 'n') + std::to_string(i), "");
  const Folder below = folder();
  int taken = 0;
  EXPECT_TRUE(below.walk({}, [&](const Found& found) -> Result<bool> {
    ++taken;
    EXPECT_EQ(::unlink((scratch / found.path).c_str()), 0);
    return true;
  }));
  EXPECT_EQ(taken, 3000);
  EXPECT_EQ(scratch.entries("d"), 0U);
}

TEST_P(Walk, AFolderReplacedByASymlinkMeanwhileIsNotEntered) {
  Scratch outside;
  outside.write("f", "x");
  scratch.write("d/f", "x");
  WalkOptions options;
  options.enter = [&](std::string_view) {  // between the listing and the opening
    std::filesystem::rename(scratch / "d", outside / "was");
    scratch.symlink(outside.path(), "d");
    return true;
  };
  EXPECT_THAT(walk(options), IsEmpty());
  EXPECT_THAT(unread, IsEmpty());
}

TEST_P(Walk, AFolderThatVanishesMeanwhileIsLeftOut) {
  scratch.write("d/f", "x");
  WalkOptions options;
  options.enter = [&](std::string_view) { return std::filesystem::remove_all(scratch / "d") > 0; };
  EXPECT_THAT(walk(options), IsEmpty());
  EXPECT_THAT(unread, IsEmpty());
}

}  // namespace
}  // namespace steward::files
