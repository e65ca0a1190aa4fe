#include "io/process/child.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "io/files/scratch.h"
#include "io/process/identity.h"

namespace steward::process {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A shell that runs a script, and writes to a file of the test's.
struct Children : testing::Test {
  Command shell(const std::string& script) {
    return {.arguments = {"/bin/sh", "-c", script}, .environment = {"PATH=/usr/bin:/bin"}, .output = output};
  }
  /// Waits for its end.
  Ended run(const Command& command) {
    const auto pid = start(command);
    EXPECT_TRUE(pid) << pid.error().message;
    return end_of(*pid);
  }
  static Ended end_of(pid_t pid) {
    const auto watch = watch_process(pid, started_ticks(pid));
    if (watch) {
      pollfd entry{.fd = watch->descriptor(), .events = POLLIN, .revents = 0};
      poll(&entry, 1, -1);
    }
    for (const Ended& ended : reap())
      if (ended.pid == pid) return ended;
    ADD_FAILURE() << "it was not reaped";
    return {};
  }
  std::string written() const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  files::Scratch scratch{};
  std::string path = scratch / "output";
  int output = open(path.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
};

TEST_F(Children, ItHasTheEnvironmentThatTheCommandNamesAndNoOther) {
  ::setenv("STEWARD_SECRET_OF_THE_TEST", "hunter2", 1);
  EXPECT_EQ(run(shell("env | sort")).exit_code, 0);
  EXPECT_THAT(written(), HasSubstr("PATH=/usr/bin:/bin"));
  EXPECT_THAT(written(), testing::Not(HasSubstr("hunter2")));
}

TEST_F(Children, ItHasNoDescriptorOfOursAndAClosedInput) {
  const int leak = ::dup(output);  // without O_CLOEXEC
  run(shell("ls /proc/self/fd | tr '\\n' ' '; cat; echo done"));
  ::close(leak);
  // 3 is that of ls itself.
  EXPECT_EQ(written(), "0 1 2 3 done\n");
}

TEST_F(Children, ItsSignalsAreAsIfWeHadNone) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  EXPECT_EQ(run(shell("kill -TERM $$; echo survived")).signal, SIGTERM);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(written(), "");
}

TEST_F(Children, ItIsTheLeaderOfASessionOfItsOwn) {
  run(shell("echo $$ $(ps -o sid= -p $$)"));
  std::istringstream words(written());
  int pid = 0, session = 0;
  words >> pid >> session;
  EXPECT_GT(pid, 0);
  EXPECT_EQ(pid, session);
}

TEST_F(Children, ItIsKinderThanWeAreWhereThatIsAskedFor) {
  const std::string wanted = std::to_string(std::min(19, getpriority(PRIO_PROCESS, 0) + 7));
  // It is made so when it has begun already: it waits until it is.
  Command command = shell("until [ \"$(nice)\" = " + wanted + " ]; do :; done; nice");
  command.nice = 7;
  run(command);
  EXPECT_EQ(written(), wanted + "\n");
}

TEST_F(Children, ItGetsNoMoreMemoryThanItsBound) {
  const std::string script = "dd if=/dev/zero of=/dev/null bs=180M count=1";
  EXPECT_EQ(run(shell(script)).exit_code, 0);
  // The bound is set from outside, just after the start: the shell waits until it is there.
  Command bounded = shell("until [ \"$(ulimit -d)\" = 65536 ]; do :; done; " + script);
  bounded.memory = Bytes{64 << 20};
  EXPECT_NE(run(bounded).exit_code, 0);
  EXPECT_THAT(written(), HasSubstr("memory exhausted"));
}

TEST_F(Children, ItWorksInTheFolderThatIsNamed) {
  Command command = shell("pwd");
  command.directory = scratch.path();
  run(command);
  EXPECT_EQ(written(), std::filesystem::canonical(scratch.path()).string() + "\n");
}

TEST_F(Children, HowItEndedIsToldInWords) {
  EXPECT_EQ(text_of(run(shell("exit 3"))), "exit code 3");
  EXPECT_EQ(text_of(run(shell("kill -KILL $$"))), "killed by SIGKILL");
}

TEST_F(Children, AProgramThatIsNotThereIsAnError) {
  const auto pid = start({.arguments = {scratch / "absent"}});
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().kind, Kind::not_found);
  EXPECT_THAT(pid.error().message, HasSubstr("absent"));
}

TEST_F(Children, AWatchSeesTheEndAndSendsNothingAfterwards) {
  const pid_t pid = start(shell("exec sleep 1000")).value();
  const auto watch = watch_process(pid, started_ticks(pid));
  ASSERT_TRUE(watch) << watch.error().message;
  EXPECT_FALSE(watch->has_ended());
  watch->send(SIGTERM);
  EXPECT_EQ(end_of(pid).signal, SIGTERM);
  EXPECT_TRUE(watch->has_ended());
  watch->send(SIGKILL, true);
}

TEST_F(Children, AChildThatHasEndedAlreadyIsWatchedUntilItIsAskedFor) {
  const pid_t pid = start(shell("exit 3")).value();
  while (started_ticks(pid) != 0) {
  }
  const auto watch = watch_child(pid);
  ASSERT_TRUE(watch) << watch.error().message;
  EXPECT_TRUE(watch->has_ended());
  EXPECT_EQ(end_of(pid).exit_code, 3);
  const auto gone = watch_child(pid);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, Kind::not_found);
}

TEST_F(Children, AGroupIsStoppedWhole) {
  const pid_t pid = start(shell("sleep 1000 & echo $!; exec sleep 1001")).value();
  const auto watch = watch_process(pid, started_ticks(pid));
  ASSERT_TRUE(watch);
  int inner = 0;
  while (inner == 0) {
    std::istringstream text(written());
    text >> inner;
  }
  watch->send(SIGKILL, true);
  EXPECT_EQ(end_of(pid).signal, SIGKILL);
  while (started_ticks(inner) != 0) {
  }
}

TEST_F(Children, AReusedPidIsNotWatched) {
  const pid_t pid = start(shell("exec sleep 1000")).value();
  const auto other = watch_process(pid, started_ticks(pid) + 1);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, Kind::not_found);
  watch_process(pid, started_ticks(pid)).value().send(SIGKILL);
  end_of(pid);
}

}  // namespace
}  // namespace steward::process
