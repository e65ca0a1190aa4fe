/// For tests alone: a folder that goes away again, child processes that do one thing, and what only root can set up.
///
/// A test that needs root fails where it is not root; it does not skip. Nothing here sleeps: processes wait for each
/// other through pipes.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>

#include "core/instant.h"

namespace steward::files {

/// A folder under /tmp that everyone may enter, removed at the end.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "steward-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    chmod(name.c_str(), 0755);
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name, std::ios::binary) << content;
  }
  void folder(const std::string& name) const { std::filesystem::create_directories(*this / name); }
  void symlink(const std::string& target, const std::string& name) const {
    std::filesystem::create_symlink(target, *this / name);
  }
  std::string read(const std::string& name) const {
    std::ifstream file(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool has(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(*this / name));
  }
  std::size_t entries(const std::string& name = "") const {
    const std::filesystem::directory_iterator all(*this / name);
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }

 private:
  std::string path_{};
};

/// Fails the test where it is not root.
inline void need_root() {
  ASSERT_EQ(geteuid(), 0U) << "this test needs root: run ./dev test as root, or in a container";
}

/// How a child ended: its exit code, or the signal that killed it as a negative number.
inline int wait_for(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1000;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Runs `body` in a child process. What it expects in vain fails this test.
inline void in_child(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  EXPECT_EQ(wait_for(child), 0) << "the child process failed: see above";
}

inline constexpr uid_t nobody = 65534;

/// As in_child, as a user with no rights but those of everyone.
inline void as_ordinary_user(const std::function<void()>& body) {
  need_root();
  in_child([&] {
    ASSERT_EQ(setresgid(nobody, nobody, nobody), 0);
    ASSERT_EQ(setresuid(nobody, nobody, nobody), 0);
    body();
  });
}

/// As in_child, in a mount namespace of its own: what `body` mounts, nobody else sees, and it is gone afterwards.
inline void with_own_mounts(const std::function<void()>& body) {
  need_root();
  in_child([&] {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    body();
  });
}

inline void mount_tmpfs(const std::string& path, const std::string& options = "") {
  ASSERT_EQ(mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()), 0) << path;
}

/// A process that does something, and then stays until this goes out of scope.
class Holder {
 public:
  /// Returns when `begin` has returned in the child. `begin` runs there after `enter_namespaces` (CLONE_NEWPID …).
  explicit Holder(const std::function<void()>& begin, int enter_namespaces = 0) {
    int ready[2], end[2];
    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(end, O_CLOEXEC) != 0) std::abort();
    child_ = fork();
    if (child_ == 0) {
      close(end[1]);
      close(ready[0]);
      stay(begin, enter_namespaces, ready[1], end[0]);
    }
    close(ready[1]);
    close(end[0]);
    char byte = 0;
    EXPECT_EQ(read(ready[0], &byte, 1), 1) << "the child process did not begin";
    close(ready[0]);
    end_ = end[1];
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() {
    close(end_);
    EXPECT_EQ(wait_for(child_), 0);
  }
  pid_t pid() const { return child_; }

 private:
  [[noreturn]] static void stay(const std::function<void()>& begin, int namespaces, int ready, int end) {
    if (namespaces != 0) {
      if (unshare(namespaces) != 0) _exit(2);
      if (const pid_t inner = fork(); inner != 0) _exit(wait_for(inner));  // a PID namespace begins with the next child
    }
    begin();
    char byte = 0;
    if (write(ready, "x", 1) != 1) _exit(3);
    _exit(read(end, &byte, 1) == 0 && !testing::Test::HasFailure() ? 0 : 4);
  }

  pid_t child_ = -1;
  int end_ = -1;
};

}  // namespace steward::files
