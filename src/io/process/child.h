/// Child processes: started, watched, stopped, asked how they ended.
///
///   const pid_t pid = TRY(start({.arguments = {"/usr/bin/steward", "run", "cleanup"}, .environment = {"PATH=/bin"}}));
///   const Watch watch = TRY(watch_child(pid));
///   poll watch.descriptor() …                       // readable once it has ended
///   for (const Ended& ended : reap()) …             // how, where it was our own child
///
/// Promises  - A child has nothing of ours but what the command names: no descriptor, no signal mask, no handler, an
///             environment of its own, a closed standard input (/dev/null), and a session of its own, so that what is
///             typed at our terminal does not reach it.
///           - A signal goes to the process that is watched, and never to another that has got its pid since.
///           - Its output goes to a file, and not through us: it lives on when we are gone.
/// Errors    not_found: there is no such program, or no such process any more. permission, unavailable as the system
///           says.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "io/files/folder.h"

namespace steward::process {

struct Command {
  std::vector<std::string> arguments{};    ///< The first is the program's absolute path.
  std::vector<std::string> environment{};  ///< "NAME=value": all of it.
  std::string directory{};                 ///< To work in; empty: ours.
  int input = -1;                          ///< Standard input. -1: /dev/null.
  int output = -1;                         ///< Standard output and error: open for appending, or a pipe. -1: /dev/null.
  int errors = -1;                         ///< Standard error, where it goes elsewhere than the output.
  /// Of what it may reserve for its data, stacks of threads and all (RLIMIT_DATA, setrlimit(2)); beyond it, it gets no
  /// more. None: as ours.
  std::optional<Bytes> memory{};
  int nice = 0;  ///< Added to ours; 1 to 19 is kinder to others, also with the disk.
};
/// Its pid. It is in the process table until `reap` has asked for it.
Result<pid_t> start(const Command& command);

/// A process that is watched, our own child or not.
class Watch {
 public:
  int descriptor() const { return handle_.fd(); }  ///< Readable once it has ended (pidfd_open(2)).
  bool has_ended() const;
  /// To the process; `group`: and to all of its process group. Nothing where it has ended.
  void send(int signal, bool group = false) const;

 private:
  friend Result<Watch> watch_process(pid_t pid, std::int64_t started_ticks);
  friend Result<Watch> watch_child(pid_t pid);
  Watch(files::Handle handle, pid_t pid) : handle_(std::move(handle)), pid_(pid) {}
  files::Handle handle_;
  pid_t pid_;
};
/// not_found where no process has that pid and start.
Result<Watch> watch_process(pid_t pid, std::int64_t started_ticks);
/// A child of ours that `reap` has not asked for, however soon it has ended: until then its pid is nobody else's.
Result<Watch> watch_child(pid_t pid);

/// How a child ended.
struct Ended {
  pid_t pid = 0;
  int exit_code = 0;  ///< Where no signal ended it.
  int signal = 0;     ///< 0: it ended by itself.
};
/// "exit code 2", "killed by SIGKILL".
std::string text_of(const Ended& ended);
/// Takes all children that have ended out of the process table; as process 1 also those of others that died.
std::vector<Ended> reap();

}  // namespace steward::process
