#include "io/files/open_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "io/files/scratch.h"
#include "io/files/system_calls.h"

namespace steward::files {
namespace {
using testing::ElementsAre;
using testing::EndsWith;

struct WhoUses : testing::Test {
  void SetUp() override {
    need_root();
    scratch.write("web.log", "line\n");
    path = scratch / "web.log";
  }
  UseAnswer ask() const {
    const Handle own = Folder::open(scratch.path())->open_for_reading("web.log").value();
    const auto answer = who_uses(own.fd());
    EXPECT_TRUE(answer);
    return answer.value_or(UseAnswer{});
  }
  /// The process that holds it, as it is told to people.
  static std::string told(const Holder& holder) { return "(pid " + std::to_string(holder.pid()) + ")"; }
  /// No lease from here on in this process: neither the owner of the file (which becomes another's), nor the
  /// capability.
  void without_leases() const {
    ASSERT_EQ(chown(path.c_str(), 1, 1), 0);
    drop(CAP_LEASE);
  }
  static void drop(unsigned capability) {
    struct {
      std::uint32_t version = _LINUX_CAPABILITY_VERSION_3;
      int pid = 0;
    } header;
    std::array<__user_cap_data_struct, 2> sets{};
    ASSERT_EQ(syscall(SYS_capget, &header, sets.data()), 0);
    sets[capability / 32].effective &= ~(1U << capability % 32);
    ASSERT_EQ(syscall(SYS_capset, &header, sets.data()), 0);
  }
  Scratch scratch{};
  std::string path{};
};

TEST_F(WhoUses, NobodyIsTheAnswerOfALease) {
  const UseAnswer answer = ask();
  EXPECT_EQ(answer.use, Use::nobody);
  EXPECT_EQ(answer.how, "lease");
  EXPECT_EQ(ask().use, Use::nobody) << "the lease went with the handle";
}

TEST_F(WhoUses, TheLeaseStaysUntilTheFileIsClosed) {
  Handle own = Folder::open(scratch.path())->open_for_reading("web.log").value();
  ASSERT_EQ(who_uses(own.fd())->use, Use::nobody);
  EXPECT_EQ(fcntl(own.fd(), F_GETLEASE), F_WRLCK);
  const auto others_open = [&] { return Handle(open(path.c_str(), O_RDONLY | O_NONBLOCK)).valid(); };
  EXPECT_FALSE(others_open()) << "it would wait for the lease";
  own = Handle();
  EXPECT_TRUE(others_open());
}

TEST_F(WhoUses, UseOfAnswersTheSameInTwoCallsWhereALeaseTells) {
  const auto calls = system_calls([&] {
    const Handle own(open(path.c_str(), O_RDONLY));
    EXPECT_EQ(use_of(own.fd(), false), Use::nobody);
  });
  EXPECT_THAT(of(calls, {SYS_openat, SYS_fcntl, SYS_flock, SYS_fstatfs}),
              ElementsAre(SYS_openat, SYS_fcntl, SYS_fcntl));
  const Holder other([&] { EXPECT_GE(open(path.c_str(), O_RDONLY), 0); });
  const Handle own(open(path.c_str(), O_RDONLY));
  EXPECT_EQ(use_of(own.fd(), false), Use::somebody);
  EXPECT_EQ(use_of(-1, false), Use::unknown);
}

TEST_F(WhoUses, ALeaseOfASharedFileSystemIsNotAskedFor) {
  in_child([&] {
    const Handle own = Folder::open(scratch.path())->open_for_reading("web.log").value();
    EXPECT_EQ(use_of(own.fd(), true), Use::unknown);
    EXPECT_EQ(fcntl(own.fd(), F_GETLEASE), F_UNLCK);
    EXPECT_FALSE(is_shared(own.fd()));
    EXPECT_TRUE(is_shared(-1)) << "where it cannot be told";
  });
}

TEST_F(WhoUses, NamesAWriterAReaderAndWhoMappedIt) {
  for (const int flags : {O_WRONLY | O_APPEND, O_RDONLY}) {
    const Holder other([&] { EXPECT_GE(open(path.c_str(), flags), 0); });
    const UseAnswer answer = ask();
    EXPECT_EQ(answer.use, Use::somebody);
    EXPECT_EQ(answer.how, "lease");
    EXPECT_THAT(answer.by, EndsWith(told(other)));
  }
  const Holder mapped([&] {
    const int fd = open(path.c_str(), O_RDONLY);
    EXPECT_NE(mmap(nullptr, 1, PROT_READ, MAP_SHARED, fd, 0), MAP_FAILED);
    close(fd);
  });
  EXPECT_EQ(ask().use, Use::somebody);
  EXPECT_THAT(ask().by, EndsWith(told(mapped)));
}

TEST_F(WhoUses, SeesIntoOtherPidNamespaces) {
  const Holder contained([&] { EXPECT_GE(open(path.c_str(), O_RDWR), 0); }, CLONE_NEWPID);
  EXPECT_EQ(ask().use, Use::somebody);
}

TEST_F(WhoUses, SeesOutOfAPidNamespaceByLease) {
  const Holder outside([&] { EXPECT_GE(open(path.c_str(), O_RDWR), 0); });
  const Holder asker(
      [&] {
        EXPECT_EQ(ask().use, Use::somebody);
        EXPECT_EQ(ask().how, "lease");
      },
      CLONE_NEWPID);
}

TEST_F(WhoUses, WithoutALeaseALockTells) {
  const auto locked_with = [&](const auto& lock, const std::string& how) {
    const Holder other([&] { lock(open(path.c_str(), O_RDWR)); });
    as_ordinary_user([&] {
      const UseAnswer answer = ask();
      EXPECT_EQ(answer.use, Use::somebody) << how;
      EXPECT_EQ(answer.how, how);
    });
  };
  locked_with([](int fd) { EXPECT_EQ(flock(fd, LOCK_SH), 0); }, "flock");
  locked_with([](int fd) { EXPECT_EQ(lockf(fd, F_LOCK, 0), 0); }, "fcntl lock");
}

TEST_F(WhoUses, NamesWhoHasALockOfFcntl) {
  const Holder other([&] {
    const int fd = open(path.c_str(), O_RDWR);
    EXPECT_EQ(lockf(fd, F_LOCK, 0), 0);
  });
  as_ordinary_user([&] { EXPECT_THAT(ask().by, EndsWith(told(other))); });
}

TEST_F(WhoUses, AskingLeavesNoLockBehind) {
  as_ordinary_user([&] {
    const Handle own = Folder::open(scratch.path())->open_for_reading("web.log").value();
    EXPECT_TRUE(who_uses(own.fd()));
    const Handle other(open(path.c_str(), O_RDONLY));
    EXPECT_EQ(flock(other.fd(), LOCK_EX | LOCK_NB), 0);
  });
}

TEST_F(WhoUses, WithoutALeaseProcTells) {
  in_child([&] {
    without_leases();
    const Holder other([&] { EXPECT_GE(open(path.c_str(), O_RDONLY), 0); });
    EXPECT_EQ(ask().use, Use::somebody);
    EXPECT_EQ(ask().how, "/proc");
    EXPECT_THAT(ask().by, EndsWith(told(other)));
  });
}

TEST_F(WhoUses, IsUnknownWithoutALeaseAndWithoutThoseRights) {
  in_child([&] {
    without_leases();
    drop(CAP_SYS_PTRACE);
    EXPECT_EQ(ask().use, Use::unknown);
    EXPECT_EQ(ask().how, "other users' processes cannot be looked into");
  });
  as_ordinary_user([&] { EXPECT_EQ(ask().use, Use::unknown); });
}

TEST_F(WhoUses, IsUnknownInAContainerWithoutALease) {
  const Holder asker(
      [&] {
        without_leases();
        EXPECT_EQ(ask().use, Use::unknown);
        EXPECT_EQ(ask().how, "processes outside of this container cannot be seen");
      },
      CLONE_NEWPID);
}

TEST_F(WhoUses, AnOrdinaryUserGetsALeaseOnItsOwnFile) {
  ASSERT_EQ(chown(path.c_str(), nobody, nobody), 0);
  as_ordinary_user([&] {
    EXPECT_EQ(ask().use, Use::nobody);
    EXPECT_EQ(ask().how, "lease");
  });
}

TEST_F(WhoUses, SomebodyWhoOpensItAtThatMomentIsNotHarmedAndDoesNotHarmUs) {
  std::fflush(nullptr);
  const pid_t opener = fork();
  if (opener == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) {
      const int fd = open(path.c_str(), O_RDONLY);
      if (fd < 0) _exit(1);
      close(fd);
    }
  }
  for (int i = 0; i < 300; ++i) static_cast<void>(ask());  // a lease that is broken sends a signal
  kill(opener, SIGKILL);
  EXPECT_EQ(wait_for(opener), -SIGKILL);
}

TEST_F(WhoUses, ABadDescriptorIsAnError) { EXPECT_FALSE(who_uses(-1)); }

}  // namespace
}  // namespace steward::files
