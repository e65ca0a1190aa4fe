#include "io/files/front.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "io/files/beneath.h"
#include "io/files/failure.h"

namespace steward::files {

bool has_cut(int fd) {
  struct statfs found{};
  if (fstatfs(fd, &found) != 0) return false;
  switch (static_cast<unsigned long>(found.f_type)) {
    case EXT4_SUPER_MAGIC:
    case XFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC: return true;
    default: return false;
  }
}

Bytes cuttable(int fd, Bytes size) {
  struct statfs found{};
  if (size.count == 0 || fstatfs(fd, &found) != 0 || found.f_bsize <= 0) return {};
  const auto block = static_cast<std::uint64_t>(found.f_bsize);
  return {(size.count - 1) / block * block};
}

Result<void> cut_front(int fd, Bytes count) {
  const auto length = static_cast<off_t>(count.count);
  if (retried([&] { return fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, length); }) != 0)
    return failure(errno, "cut the front of", path_of(fd), fd);
  if (retried([&] { return fsync(fd); }) != 0) return failure(errno, "sync", path_of(fd), fd);
  return {};
}

std::optional<std::uint64_t> place_of_front(int fd) {
  alignas(fiemap) std::array<unsigned char, sizeof(fiemap) + sizeof(fiemap_extent)> room{};
  fiemap question{};
  question.fm_length = 1;
  question.fm_flags = FIEMAP_FLAG_SYNC;
  question.fm_extent_count = 1;
  std::memcpy(room.data(), &question, sizeof question);
  if (ioctl(fd, FS_IOC_FIEMAP, room.data()) != 0) return {};
  fiemap answer{};
  fiemap_extent extent{};
  std::memcpy(&answer, room.data(), sizeof answer);
  std::memcpy(&extent, room.data() + sizeof answer, sizeof extent);
  constexpr std::uint32_t elsewhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DATA_INLINE;
  if (answer.fm_mapped_extents == 0 || (extent.fe_flags & elsewhere) != 0) return {};
  // An extent may begin before the file's front only where it has none there.
  return extent.fe_logical == 0 ? std::optional<std::uint64_t>(extent.fe_physical) : std::nullopt;
}

}  // namespace steward::files
