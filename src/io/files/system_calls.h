/// For tests alone: the system calls that a piece of code makes, and the same code killed at each of them.
///
///   const auto calls = system_calls([&] { replace_file(folder, "a", "new"); });
///   EXPECT_THAT(of(calls, {SYS_write, SYS_fsync, SYS_renameat}), ElementsAre(SYS_write, SYS_fsync, SYS_renameat, …));
///   for (std::size_t n = 0; n < calls.size(); ++n) { killed_at(n, …); /* what is left? */ }
#pragma once
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <functional>
#include <limits>
#include <vector>

namespace steward::files {

/// Runs `body` in a child process and kills it (SIGKILL) as it enters its call number `n`, before that has any effect.
/// Returns the calls that it entered.
inline std::vector<long> killed_at(std::size_t n, const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  std::vector<long> calls;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSTOPPED(status)) << "ptrace is not allowed here";
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  while (WIFSTOPPED(status)) {
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      __ptrace_syscall_info info{};
      ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info);
      if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        if (calls.size() == n) kill(child, SIGKILL);
        calls.push_back(static_cast<long>(info.entry.nr));
      }
    }
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    if (waitpid(child, &status, 0) != child) break;
  }
  const bool undisturbed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  EXPECT_TRUE(undisturbed || calls.size() > n) << "what was to be killed failed by itself";
  return calls;
}

/// Those that `body` makes when nobody disturbs it.
inline std::vector<long> system_calls(const std::function<void()>& body) {
  return killed_at(std::numeric_limits<std::size_t>::max(), body);
}

/// Only the `wanted` ones of `calls`, in their order.
inline std::vector<long> of(std::vector<long> calls, const std::vector<long>& wanted) {
  std::erase_if(calls, [&](long call) { return std::ranges::find(wanted, call) == wanted.end(); });
  return calls;
}

}  // namespace steward::files
