/// The processes of this machine, as /proc shows them to us.
#pragma once
#include <sys/types.h>

#include <string>

namespace steward::files {

/// "nginx (pid 812)"; "pid 812" where its name cannot be read.
std::string process_name(pid_t pid);

struct Holders {
  std::string first{};  ///< A process, other than this one, that has the file open or mapped; empty if none was seen.
  std::string blind_to{};  ///< Why not all could be seen; empty where they were, and an empty `first` means nobody.
};

/// Who has the file behind `fd` open. All are seen only with CAP_SYS_PTRACE, in the first PID namespace.
Holders holders_of(int fd);

}  // namespace steward::files
