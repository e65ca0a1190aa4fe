#include "io/files/folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "io/files/scratch.h"

namespace steward::files {
namespace {
using namespace std::chrono_literals;

/// From here on, `call` answers `code` in this process.
void forbid(unsigned call, unsigned code) {
  std::array<sock_filter, 4> filter{
      {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
  const sock_fprog program{filter.size(), filter.data()};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/// Each promise, on both ways of resolving a path.
struct FolderContract : testing::TestWithParam<Calls> {
  Folder folder() const { return Folder::open(scratch.path(), GetParam()).value(); }
  Scratch scratch{};
};
INSTANTIATE_TEST_SUITE_P(Files, FolderContract, testing::Values(Calls::best, Calls::portable),
                         [](const auto& way) { return way.param == Calls::best ? "best" : "portable"; });

void expect_error(const Error& error, Kind kind, std::string_view code, std::string_view message) {
  EXPECT_EQ(error.kind, kind) << error.message;
  EXPECT_EQ(error.code, code) << error.message;
  EXPECT_EQ(error.message, message);
}

TEST_P(FolderContract, ItsOwnPathMayBeASymlinkAndIsShownResolved) {
  scratch.folder("real");
  scratch.symlink("real", "link");
  EXPECT_EQ(Folder::open(scratch / "link", GetParam())->path(), scratch / "real");
}

TEST_P(FolderContract, OpeningWhatIsNotAFolderSaysSo) {
  scratch.write("file", "x");
  expect_error(Folder::open(scratch / "none").error(), Kind::not_found, "",
               "cannot open folder " + scratch / "none" + ": there is no such file or folder");
  expect_error(Folder::open(scratch / "file").error(), Kind::refused, "not-a-folder",
               "cannot open folder " + scratch / "file" + ": it is not a folder");
  EXPECT_EQ(Folder::open("").error().kind, Kind::bad_input);
}

TEST_P(FolderContract, CreateMakesParentsForThisUserAloneAndIsContentWithWhatIsThere) {
  const auto made = Folder::create(scratch / "a/b/c/", GetParam());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->path(), scratch / "a/b/c");
  EXPECT_EQ(made->info()->mode, 0700U);
  EXPECT_TRUE(Folder::create(scratch / "a/b/c", GetParam()));
  EXPECT_TRUE(Folder::create(scratch / "a/../d/./e", GetParam()));
  EXPECT_TRUE(scratch.has("d/e"));
}

TEST_P(FolderContract, CreateFollowsASymlinkThatIsThereButMakesNothingBehindOneThatLeadsNowhere) {
  scratch.folder("real");
  scratch.symlink("real", "link");
  scratch.symlink("nowhere", "dangling");
  EXPECT_TRUE(Folder::create(scratch / "link/a", GetParam()));
  EXPECT_TRUE(scratch.has("real/a"));
  EXPECT_EQ(Folder::create(scratch / "dangling/a", GetParam()).error().kind, Kind::not_found);
  EXPECT_FALSE(scratch.has("nowhere"));
  scratch.write("file", "x");
  EXPECT_EQ(Folder::create(scratch / "file/a", GetParam()).error().kind, Kind::refused);
}

TEST_P(FolderContract, TakesNoPathThatIsNotPlainlyBelow) {
  scratch.write("a/b", "x");
  const std::string nul("a\0b", 3);
  for (const std::string& path :
       {std::string(""), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("./a"),
        std::string("a/./b"), std::string(".."), std::string("a/../a"), std::string("a/.."), nul}) {
    EXPECT_EQ(folder().stat(path).error().kind, Kind::bad_input) << path;
    EXPECT_EQ(folder().open_for_reading(path).error().kind, Kind::bad_input) << path;
    EXPECT_EQ(folder().unlink(path).error().kind, Kind::bad_input) << path;
    EXPECT_EQ(folder().rename("a/b", path, true).error().kind, Kind::bad_input) << path;
    EXPECT_EQ(folder().temporary_beside(path).error().kind, Kind::bad_input) << path;
    EXPECT_EQ(folder().make_folders(path).error().kind, Kind::bad_input) << path;
  }
  EXPECT_EQ(folder().stat("a/../a").error().message,
            "\"a/../a\" is not a path below a folder: it has a segment \"..\"");
  EXPECT_TRUE(folder().stat("a/b"));
  scratch.write("..a", "dots within a name are fine");
  EXPECT_TRUE(folder().stat("..a"));
}

TEST_P(FolderContract, StatTellsTypeSizeRightsAndTimesAndDoesNotFollowTheEnd) {
  scratch.write("f", "12345");
  scratch.symlink("f", "link");
  mkfifo((scratch / "fifo").c_str(), 0600);
  const auto file = folder().stat("f");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->type, FileType::regular);
  EXPECT_EQ(file->size, 5_B);
  EXPECT_EQ(file->links, 1U);
  EXPECT_EQ(file->owner, geteuid());
  EXPECT_EQ(folder().stat("link")->type, FileType::symlink);
  EXPECT_EQ(folder().stat("fifo")->type, FileType::other);
  EXPECT_EQ(folder().info()->type, FileType::folder);
  EXPECT_EQ(folder().stat("none").error().kind, Kind::not_found);
  EXPECT_EQ(folder().stat("f/below").error().kind, Kind::not_found);
}

struct TimeCase {
  std::string name;
  timespec time;
  std::int64_t microseconds;
};
struct Times : testing::TestWithParam<TimeCase> {};
TEST_P(Times, AreFlooredToMicroseconds) {
  const Scratch scratch;
  scratch.write("f", "");
  const timespec times[] = {GetParam().time, GetParam().time};
  ASSERT_EQ(utimensat(AT_FDCWD, (scratch / "f").c_str(), times, 0), 0);
  const auto info = Folder::open(scratch.path())->stat("f");
  EXPECT_EQ(info->modified.time_since_epoch().count(), GetParam().microseconds);
}
INSTANTIATE_TEST_SUITE_P(
    Files, Times,
    testing::Values(TimeCase{"epoch", {0, 0}, 0},
                    TimeCase{"just_before_a_cutoff", {1'700'000'000, 999'999'999}, 1'700'000'000'999'999},
                    TimeCase{"before_1970", {-2, 999'999'999}, -1'000'001}),
    [](const auto& c) { return c.param.name; });

TEST(Times, OfAnotherAgeAreCutOffNotWrappedAround) {
  with_own_mounts([] {
    const Scratch scratch;  // a tmpfs keeps any time
    mount_tmpfs(scratch.path());
    scratch.write("far", "");
    const timespec times[] = {{1'000'000'000'000'000, 0}, {1'000'000'000'000'000, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, (scratch / "far").c_str(), times, 0), 0);
    EXPECT_GT(Folder::open(scratch.path())->stat("far")->modified, SystemClock{}.now());
    EXPECT_EQ(umount2(scratch.path().c_str(), MNT_DETACH), 0);
  });
}

TEST_P(FolderContract, FollowsNoSymlinkBelowNeitherOnTheWayNorAtTheEnd) {
  Scratch outside;
  outside.write("secret", "secret");
  scratch.folder("in");
  scratch.symlink(outside.path(), "in/out");
  scratch.symlink(outside / "secret", "in/file");
  scratch.symlink("in", "inside");
  scratch.write("in/own", "own");
  const auto refused = [&](const auto& result, const std::string& what) {
    ASSERT_FALSE(result) << what;
    EXPECT_EQ(result.error().kind, Kind::refused) << what << ": " << result.error().message;
    EXPECT_EQ(result.error().code, "outside") << what << ": " << result.error().message;
  };
  for (const std::string path : {"in/out/secret", "in/file", "inside/own"})
    refused(folder().open_for_reading(path), "read " + path);
  for (const std::string path : {"in/out/secret", "inside/own"}) {
    refused(folder().stat(path), "stat " + path);
    refused(folder().unlink(path), "unlink " + path);
    refused(folder().rename(path, "in/b", false), "rename from " + path);
    refused(folder().rename("in/own", path, true), "rename to " + path);
    refused(folder().temporary_beside(path), "temporary " + path);
    refused(folder().make_folders(path), "make " + path);
  }
  refused(folder().subfolder("in/out"), "subfolder");
  refused(folder().sync("inside"), "sync");
  refused(folder().make_folders("in/out"), "make");
  EXPECT_EQ(outside.read("secret"), "secret");
  EXPECT_EQ(outside.entries(), 1U);
  EXPECT_EQ(folder().stat("in/out/secret").error().message,
            "cannot look at " + scratch / "in/out/secret" + ": a symlink is on the way");
}

TEST_P(FolderContract, ASymlinkSwappedInMeanwhileLeadsNowhere) {
  Scratch outside;
  outside.write("f", "outside");
  scratch.write("a/f", "inside");
  scratch.symlink(outside.path(), "b");
  std::fflush(nullptr);
  const pid_t swapper = fork();
  if (swapper == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true)
      syscall(SYS_renameat2, AT_FDCWD, (scratch / "a").c_str(), AT_FDCWD, (scratch / "b").c_str(), RENAME_EXCHANGE);
  }
  const Folder below = folder();
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (const auto content = read_file(below, "a/f", 1_KiB)) {
      EXPECT_EQ(*content, "inside");
      ++read;
    } else {
      EXPECT_EQ(content.error().code, "outside") << content.error().message;
    }
    if (HasFailure()) break;
  }
  kill(swapper, SIGKILL);
  EXPECT_EQ(wait_for(swapper), -SIGKILL);
  EXPECT_GT(read, 0);
  EXPECT_EQ(outside.read("f"), "outside");
}

TEST_P(FolderContract, ReadsRegularFilesOnlyAndAFifoDoesNotHang) {
  scratch.write("f", "content");
  scratch.folder("d");
  ASSERT_EQ(mkfifo((scratch / "x.log").c_str(), 0600), 0);
  const Handle socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "%s/s", scratch.path().c_str());
  ASSERT_EQ(bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(folder().open_for_reading("f"));
  expect_error(folder().open_for_reading("x.log").error(), Kind::refused, "not-a-file",
               "cannot read " + scratch / "x.log" + ": it is not a regular file");
  EXPECT_EQ(folder().open_for_reading("s").error().code, "not-a-file");
  EXPECT_EQ(folder().open_for_reading("d").error().code, "folder");
  EXPECT_EQ(folder().open_for_reading("none").error().kind, Kind::not_found);
}

TEST_P(FolderContract, SubfolderKeepsThePromisesBelowItself) {
  scratch.write("a/b/f", "x");
  const auto below = folder().subfolder("a/b");
  ASSERT_TRUE(below);
  EXPECT_EQ(below->path(), scratch / "a/b");
  EXPECT_TRUE(below->stat("f"));
  EXPECT_EQ(below->stat("../b/f").error().kind, Kind::bad_input);
  EXPECT_EQ(folder().subfolder("a/b/f").error().code, "not-a-folder");
  EXPECT_EQ(folder().subfolder("a/none").error().kind, Kind::not_found);
}

TEST_P(FolderContract, StaysWithItsFolderWhenThatIsRenamed) {
  scratch.write("a/f", "x");
  const auto below = folder().subfolder("a");
  std::filesystem::rename(scratch / "a", scratch / "b");
  EXPECT_TRUE(below->stat("f"));
}

TEST_P(FolderContract, MakesFoldersAndIsContentWithThoseThatAreThere) {
  EXPECT_TRUE(folder().make_folders("2024/11/x"));
  EXPECT_TRUE(folder().make_folders("2024/11/x"));
  EXPECT_TRUE(folder().make_folders("2024/11/y"));
  EXPECT_EQ(folder().stat("2024/11")->mode, 0700U);
  scratch.write("file", "x");
  EXPECT_EQ(folder().make_folders("file").error().code, "not-a-folder");
  EXPECT_FALSE(folder().make_folders("file/below"));
  EXPECT_EQ(scratch.read("file"), "x");
}

TEST_P(FolderContract, NamesAreBytes) {
  for (const std::string name : {"caf\xe9", "\xff\xfe", "new\nline", " ", "\x01", "ключ", "a\\b", "*"}) {
    scratch.write("d/" + name, name);
    EXPECT_EQ(read_file(folder(), "d/" + name, 1_KiB).value(), name);
  }
  EXPECT_EQ(folder().stat("caf\xe9").error().message,
            "cannot look at " + scratch / "caf\\xe9" + ": there is no such file or folder");
}

TEST_P(FolderContract, ANameThatIsTooLongIsBadInput) {
  const std::string longest(255, 'n');
  scratch.write(longest, "x");
  EXPECT_TRUE(folder().stat(longest));
  EXPECT_EQ(folder().stat(longest + "n").error().kind, Kind::bad_input);
  EXPECT_TRUE(folder().temporary_beside(longest));  // its own name is short
}

TEST_P(FolderContract, APathMayBeLongerThanTheKernelTakesInOnePiece) {
  std::string path;
  for (int i = 0; i < 30; ++i) path += std::string(200, 'd') + "/";
  path.pop_back();
  ASSERT_TRUE(folder().make_folders(path));
  ASSERT_TRUE(replace_file(folder(), path + "/f", "deep"));
  EXPECT_EQ(read_file(folder(), path + "/f", 1_KiB).value(), "deep");
  EXPECT_TRUE(folder().unlink(path + "/f"));
}

TEST_P(FolderContract, WhereRightsAreMissingItSaysWhoAsksAndWhatIsAllowed) {
  scratch.write("closed/f", "x");
  scratch.write("secret", "x");
  chmod((scratch / "closed").c_str(), 0700);
  chmod((scratch / "secret").c_str(), 0600);
  as_ordinary_user([&] {
    const auto read = folder().open_for_reading("secret");
    ASSERT_FALSE(read);
    expect_error(read.error(), Kind::permission, "",
                 "cannot read " + scratch / "secret" + ": permission denied (this is uid 65534; " + scratch / "secret" +
                     " is 0600, owned by 0)");
    EXPECT_EQ(read.error().hint, "Give this user access to the file " + scratch / "secret" + ", or run as its owner.");
    EXPECT_EQ(folder().stat("closed/f").error().kind, Kind::permission);
    const auto removed = folder().unlink("secret");
    ASSERT_FALSE(removed);
    expect_error(removed.error(), Kind::permission, "",
                 "cannot remove " + scratch / "secret" + ": permission denied (this is uid 65534; " + scratch.path() +
                     " is 0755, owned by 0)");
    EXPECT_EQ(folder().subfolder("closed").error().kind, Kind::permission);
    EXPECT_EQ(folder().make_folders("new").error().kind, Kind::permission);
    EXPECT_EQ(folder().temporary_beside("new").error().kind, Kind::permission);
    EXPECT_EQ(folder().rename("secret", "other", false).error().kind, Kind::permission);
    EXPECT_EQ(Folder::open(scratch / "closed").error().kind, Kind::permission);
    EXPECT_EQ(Folder::create(scratch / "new").error().kind, Kind::permission);
  });
}

TEST_P(FolderContract, AReadOnlyFileSystemIsAMatterOfRights) {
  scratch.write("f", "x");
  with_own_mounts([&] {
    const std::string path = scratch.path();
    ASSERT_EQ(mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
    expect_error(folder().unlink("f").error(), Kind::permission, "",
                 "cannot remove " + scratch / "f" + ": its file system is read-only");
  });
}

TEST(Folder, FallsBackByItselfWhereTheKernelRefusesTheNewCalls) {
  for (const unsigned code : {ENOSYS, EPERM, E2BIG}) {
    const Scratch scratch;
    scratch.write("a/f", "x");
    scratch.symlink("a", "link");
    in_child([&] {
      forbid(SYS_openat2, code);
      forbid(SYS_renameat2, ENOSYS);
      const Folder folder = Folder::open(scratch.path()).value();
      EXPECT_EQ(read_file(folder, "a/f", 1_KiB).value(), "x");
      EXPECT_EQ(folder.stat("link/f").error().code, "outside");
      EXPECT_TRUE(folder.rename("a/f", "a/g", false));
      int found = 0;
      EXPECT_TRUE(folder.walk({}, [&](const Found&) -> Result<bool> { return ++found > 0; }));
      EXPECT_EQ(found, 1);
    });
    EXPECT_TRUE(scratch.has("a/g"));
  }
}

TEST(Folder, RunsOutOfDescriptorsWithAHint) {
  const Scratch scratch;
  scratch.write("f", "x");
  in_child([&] {
    const Folder folder = Folder::open(scratch.path()).value();
    const rlimit none{static_cast<rlim_t>(folder.fd()) + 1, static_cast<rlim_t>(folder.fd()) + 1};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto read = folder.open_for_reading("f");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, Kind::unavailable);
    EXPECT_EQ(read.error().message, "cannot read " + scratch / "f" + ": too many open files");
    EXPECT_EQ(read.error().hint, "Raise the limit of open files (ulimit -n).");
  });
}

TEST(Folder, TellsTheRoomOnItsFileSystem) {
  with_own_mounts([] {
    const Scratch scratch;
    mount_tmpfs(scratch.path(), "size=1m");
    const auto room = Folder::open(scratch.path())->room();
    ASSERT_TRUE(room);
    EXPECT_GT(*room, 512_KiB);
    EXPECT_LE(*room, 1_MiB);
    EXPECT_EQ(umount2(scratch.path().c_str(), MNT_DETACH), 0);
  });
}

TEST(Durability, TmpfsIsMemoryOverlayfsIsAContainersLayerTheRestIsDurable) {
  with_own_mounts([] {
    const Scratch scratch;
    scratch.folder("memory");
    mount_tmpfs(scratch / "memory");
    scratch.folder("memory/lower");
    scratch.folder("memory/upper");
    scratch.folder("memory/work");
    scratch.folder("merged");
    const std::string options = "lowerdir=" + scratch / "memory/lower" + ",upperdir=" + scratch / "memory/upper" +
                                ",workdir=" + scratch / "memory/work";
    EXPECT_EQ(durability(*Folder::open(scratch / "memory")).value(), Durability::memory);
    ASSERT_EQ(mount("overlay", (scratch / "merged").c_str(), "overlay", 0, options.c_str()), 0);
    EXPECT_EQ(durability(*Folder::open(scratch / "merged")).value(), Durability::container_layer);
    EXPECT_EQ(durability(*Folder::open("/proc")).value(), Durability::durable);
    EXPECT_EQ(umount2((scratch / "merged").c_str(), MNT_DETACH), 0);
    EXPECT_EQ(umount2((scratch / "memory").c_str(), MNT_DETACH), 0);
  });
}

}  // namespace
}  // namespace steward::files
