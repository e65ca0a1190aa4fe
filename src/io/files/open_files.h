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

/// Whether other machines may have files open on the file system behind `fd`, or its server answers for leases as it
/// likes: no lease is asked for there. True where it cannot be told. The same for every file of one mount.
bool is_shared(int fd);

/// Asks about the file behind `fd` (opened read-only by us; our own handle does not count, provided it is the only
/// one). First fcntl(F_SETLEASE, F_WRLCK), which fails with EAGAIN where anyone else has the file open, whatever
/// container they are in (needs the owner of the file or CAP_LEASE, and a file system that has leases). Then a lock:
/// flock and POSIX locks (F_OFD_GETLK). Then /proc/*/fd, which is trusted for "nobody" only with rights over all
/// processes (CAP_SYS_PTRACE; uid 0 alone is not enough) in the first PID namespace. Where none can tell: unknown,
/// which callers treat as open.
///
/// A lease that was given stays until `fd` is closed: whoever opens the file meanwhile waits for that. Close it soon.
Result<UseAnswer> who_uses(int fd);

/// The same question without the names, at two system calls where a lease answers. `shared` as `is_shared` says.
/// unknown for a bad descriptor.
Use use_of(int fd, bool shared);

}  // namespace steward::files
