#include <linux/magic.h>
#include <sys/vfs.h>

#include <cerrno>

#include "io/files/failure.h"
#include "io/files/folder.h"

namespace steward::files {

Result<Durability> durability(const Folder& folder) {
  struct statfs found{};
  if (fstatfs(folder.fd(), &found) != 0) return failure(errno, "ask for the file system of", folder.path());
  switch (static_cast<unsigned long>(found.f_type)) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC: return Durability::memory;
    case OVERLAYFS_SUPER_MAGIC: return Durability::container_layer;
    default: return Durability::durable;
  }
}

}  // namespace steward::files
