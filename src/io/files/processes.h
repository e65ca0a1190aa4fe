/// The processes of this machine, as /proc shows them to us.
#pragma once
#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/files/folder.h"

namespace steward::files {

/// "nginx (pid 812)"; "pid 812" where its name cannot be read.
std::string process_name(pid_t pid);

struct Holders {
  std::string first{};  ///< A process, other than this one, that has the file open or mapped; empty if none was seen.
  std::string blind_to{};  ///< Why not all could be seen; empty where they were, and an empty `first` means nobody.
};

/// The kernel's first PID namespace, as /proc/self/ns/pid names it (PROC_PID_INIT_INO, the same since Linux 3.8).
inline constexpr std::string_view first_pid_namespace = "pid:[4026531836]";

/// Who has the file behind `fd` open. All are seen only with CAP_SYS_PTRACE, in the PID namespace `outermost`, and
/// where nothing (a security module) shields a process even then.
Holders holders_of(int fd, std::string_view outermost = first_pid_namespace);

/// How other processes have a file open.
struct Writing {
  bool appends = false;     ///< One in append mode: its writes go to the end, wherever that is.
  bool overwrites = false;  ///< One at an offset of its own, or that has it mapped to be written.
  bool reads = false;       ///< One that only reads.
  std::string by{};         ///< The first that writes, else the first that reads.
};
struct Writings {
  std::vector<Writing> files{};  ///< Of each file, in the order given.
  std::string blind_to{};        ///< Why not all processes could be seen; empty where they were.
};

/// The same for many files at a time, in one walk over the processes; /proc/PID/fdinfo tells of append mode
/// (proc_pid_fdinfo(5)).
Writings writing_to(std::span<const FileInfo* const> files, std::string_view outermost = first_pid_namespace);

}  // namespace steward::files
