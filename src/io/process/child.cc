#include "io/process/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "io/process/identity.h"

namespace steward::process {
namespace {

Kind kind_of(int error) {
  if (error == ENOENT || error == ESRCH) return Kind::not_found;
  return error == EACCES || error == EPERM ? Kind::permission : Kind::unavailable;
}

std::unexpected<Error> cannot(std::string_view what, int error) {
  return fail(kind_of(error), fmt::format("cannot {}: {}", what, std::strerror(error)));
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));  // posix_spawn changes nothing
  out.push_back(nullptr);
  return out;
}

/// What posix_spawn does between fork and exec.
class Preparation {
 public:
  Preparation() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~Preparation() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;

  /// An errno, or 0.
  int set(const Command& command) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error =
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (error == 0) error = posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0) error = connect(STDIN_FILENO, command.input, O_RDONLY);
    if (error == 0) error = connect(STDOUT_FILENO, command.output, O_WRONLY);
    if (error == 0) error = connect(STDERR_FILENO, command.errors >= 0 ? command.errors : command.output, O_WRONLY);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    if (error == 0 && !command.directory.empty())
      error = posix_spawn_file_actions_addchdir_np(&actions, command.directory.c_str());
    return error;
  }

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};

 private:
  int connect(int stream, int descriptor, int mode) {
    return descriptor >= 0 ? posix_spawn_file_actions_adddup2(&actions, descriptor, stream)
                           : posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", mode, 0);
  }
};

// ioprio_set(2): glibc has no wrapper. Class best effort, lowest of its eight levels.
constexpr int ioprio_who_process = 1;
constexpr int ioprio_best_effort_lowest = (2 << 13) | 7;

/// A child that is not made kinder runs all the same: that is no reason to leave a backup undone.
void be_kind(pid_t pid, int nice) {
  if (nice == 0) return;
  errno = 0;
  const int ours = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) setpriority(PRIO_PROCESS, static_cast<id_t>(pid), ours + nice);
  if (nice > 0) syscall(SYS_ioprio_set, ioprio_who_process, pid, ioprio_best_effort_lowest);
}

/// Before it has done anything worth the name: its own start takes a few MiB.
void bound_memory(pid_t pid, const std::optional<Bytes>& memory) {
  if (!memory) return;
  const rlimit limit{.rlim_cur = memory->count, .rlim_max = memory->count};
  prlimit(pid, RLIMIT_DATA, &limit, nullptr);
}

}  // namespace

Result<pid_t> start(const Command& command) {
  Preparation preparation;
  if (const int error = preparation.set(command); error != 0) return cannot("prepare a process", error);
  const std::vector<char*> arguments = pointers(command.arguments);
  const std::vector<char*> environment = pointers(command.environment);
  pid_t pid = 0;
  if (const int error = posix_spawn(&pid, arguments[0], &preparation.actions, &preparation.attributes, arguments.data(),
                                    environment.data());
      error != 0)
    return cannot(fmt::format("start {}", command.arguments.front()), error);
  bound_memory(pid, command.memory);
  be_kind(pid, command.nice);
  return pid;
}

Result<Watch> watch_child(pid_t pid) {
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (descriptor < 0) return cannot(fmt::format("watch process {}", pid), errno);
  return Watch(files::Handle(descriptor), pid);
}

Result<Watch> watch_process(pid_t pid, std::int64_t its_start) {
  Watch watch = TRY(watch_child(pid));
  // Looked at after the descriptor is open: from here on the pid cannot be another process's unseen.
  if (its_start == 0 || started_ticks(pid) != its_start)
    return fail(Kind::not_found, fmt::format("process {} has ended", pid));
  return watch;
}

bool Watch::has_ended() const {
  pollfd entry{.fd = descriptor(), .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) > 0;
}

void Watch::send(int signal, bool group) const {
  if (has_ended()) return;
  if (group) ::kill(-pid_, signal);
  syscall(SYS_pidfd_send_signal, descriptor(), signal, nullptr, 0);
}

std::string text_of(const Ended& ended) {
  if (ended.signal == 0) return fmt::format("exit code {}", ended.exit_code);
  const char* name = sigabbrev_np(ended.signal);
  return name != nullptr ? fmt::format("killed by SIG{}", name) : fmt::format("killed by signal {}", ended.signal);
}

std::vector<Ended> reap() {
  std::vector<Ended> out;
  int status = 0;
  while (true) {
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return out;
    if (WIFEXITED(status)) out.push_back({.pid = pid, .exit_code = WEXITSTATUS(status)});
    if (WIFSIGNALED(status)) out.push_back({.pid = pid, .signal = WTERMSIG(status)});
  }
}

}  // namespace steward::process
