/// The processes of this machine, as /proc shows them to us.
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>

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

}  // namespace steward::files
