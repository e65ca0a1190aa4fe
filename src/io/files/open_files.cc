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

// NFS 4 refuses leases where its server gave no delegation, which looks as if somebody had the file open: see
// is_shared.

/// By a write lease, which is given only where nobody else has the file open. Empty where none can be had here.
std::optional<Use> by_lease(int fd) {
  // Who opens the file while the lease is there waits, and its holder is sent a signal: one that is ignored by default,
  // not SIGIO, which kills.
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return {};
  if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) return Use::nobody;
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

/// What a lease or a lock says, and how; no answer where neither can tell.
struct Direct {
  std::optional<Use> use{};
  std::string_view how{};
  PosixLock lock{};
};
Direct ask_directly(int fd, bool shared) {
  if (!shared) {
    if (const std::optional<Use> use = by_lease(fd)) return {use, "lease"};
  }
  if (has_flock(fd)) return {Use::somebody, "flock"};
  if (const PosixLock lock = posix_lock(fd); lock.held) return {Use::somebody, "fcntl lock", lock};
  return {};
}

UseAnswer by_proc(int fd, bool shared) {
  const Holders holders = holders_of(fd);
  if (!holders.first.empty()) return {Use::somebody, holders.first, "/proc"};
  if (shared) return {Use::unknown, "", "its file system is shared with other machines"};
  if (!holders.blind_to.empty()) return {Use::unknown, "", holders.blind_to};
  return {Use::nobody, "", "/proc"};
}

std::string name_of_user(int fd, const Direct& answer) {
  if (!answer.lock.held) return holders_of(fd).first;
  return answer.lock.by > 0 ? process_name(answer.lock.by) : "";
}

}  // namespace

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

Result<UseAnswer> who_uses(int fd) {
  if (fcntl(fd, F_GETFD) < 0) return failure(errno, "ask who uses", path_of(fd));
  const bool shared = is_shared(fd);
  const Direct answer = ask_directly(fd, shared);
  if (!answer.use) return by_proc(fd, shared);
  return UseAnswer{*answer.use, answer.use == Use::somebody ? name_of_user(fd, answer) : "", std::string(answer.how)};
}

Use use_of(int fd, bool shared) {
  const Direct answer = ask_directly(fd, shared);
  return answer.use ? *answer.use : by_proc(fd, shared).use;
}

}  // namespace steward::files
