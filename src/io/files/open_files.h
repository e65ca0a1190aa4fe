/// Whether anyone has a file open.
#pragma once
#include <string>

#include "core/result.h"
#include "io/files/folder.h"

namespace steward::files {

enum class Use { nobody, somebody, unknown };

struct UseAnswer {
  Use use = Use::unknown;
  std::string by{};   ///< For people, where known: "nginx (pid 812)".
  std::string how{};  ///< How it was found: "lease", "flock", "/proc", or why it is not known.
};

/// Asks about the file behind `fd` (opened read-only by us; our own handle does not count, provided it is the only
/// one). First fcntl(F_SETLEASE, F_WRLCK), which fails with EAGAIN where anyone else has the file open, whatever
/// container they are in (needs the owner of the file or CAP_LEASE, and a file system that has leases); the lease is
/// given back at once. Then a lock: flock and POSIX locks (F_OFD_GETLK). Then /proc/*/fd, which is trusted for "nobody"
/// only with rights over all processes (CAP_SYS_PTRACE; uid 0 alone is not enough) in the first PID namespace. Where
/// none can tell: unknown, which callers treat as open.
Result<UseAnswer> who_uses(int fd);

}  // namespace steward::files
