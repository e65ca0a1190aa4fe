#include "io/files/open_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/processes.h"

namespace steward::files {
namespace {

/// Whether other machines may have the file open, or the server answers for leases as it likes (NFS 4 refuses them
/// where it gave no delegation, which looks as if somebody had the file open).
bool is_shared(int fd) {
  struct statfs found{};
  if (fstatfs(fd, &found) != 0) return true;
  switch (static_cast<unsigned long>(found.f_type)) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case V9FS_MAGIC:
    case AFS_SUPER_MAGIC:
    case CODA_SUPER_MAGIC:
    case OCFS2_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC: return true;
    default: return false;
  }
}

/// By a write lease, which is given only where nobody else has the file open. Empty where none can be had here.
std::optional<Use> by_lease(int fd) {
  // Who opens the file while the lease is there waits, and its holder is sent a signal: one that is ignored by default,
  // not SIGIO, which kills.
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return {};
  if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return Use::nobody;
  }
  if (errno == EAGAIN) return Use::somebody;
  return {};
}

bool has_flock(int fd) {
  if (retried([&] { return flock(fd, LOCK_EX | LOCK_NB); }) == 0) {
    flock(fd, LOCK_UN);
    return false;
  }
  return errno == EWOULDBLOCK;
}

/// The lock of fcntl and lockf. For a lock of an open file description the process is not known.
struct PosixLock {
  bool held = false;
  pid_t by = -1;
};
PosixLock posix_lock(int fd) {
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return {};
  return {true, lock.l_pid};
}

UseAnswer somebody(int fd, std::string_view how) { return {Use::somebody, holders_of(fd).first, std::string(how)}; }

}  // namespace

Result<UseAnswer> who_uses(int fd) {
  if (fcntl(fd, F_GETFD) < 0) return failure(errno, "ask who uses", path_of(fd));
  const bool shared = is_shared(fd);
  if (!shared) {
    const std::optional<Use> answer = by_lease(fd);
    if (answer == Use::nobody) return UseAnswer{Use::nobody, "", "lease"};
    if (answer == Use::somebody) return somebody(fd, "lease");
  }
  if (has_flock(fd)) return somebody(fd, "flock");
  if (const PosixLock lock = posix_lock(fd); lock.held)
    return UseAnswer{Use::somebody, lock.by > 0 ? process_name(lock.by) : "", "fcntl lock"};

  const Holders holders = holders_of(fd);
  if (!holders.first.empty()) return UseAnswer{Use::somebody, holders.first, "/proc"};
  if (shared) return UseAnswer{Use::unknown, "", "its file system is shared with other machines"};
  if (!holders.blind_to.empty()) return UseAnswer{Use::unknown, "", holders.blind_to};
  return UseAnswer{Use::nobody, "", "/proc"};
}

}  // namespace steward::files
