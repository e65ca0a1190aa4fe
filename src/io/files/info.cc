#include "io/files/info.h"

#include <sys/sysmacros.h>

#include <limits>

namespace steward::files {
namespace {

FileType type_of(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return FileType::regular;
    case S_IFDIR: return FileType::folder;
    case S_IFLNK: return FileType::symlink;
    default: return FileType::other;
  }
}

/// seconds * scale + part, or the nearest there is: some file systems keep times far outside of what fits.
std::int64_t ticks(std::int64_t seconds, std::int64_t scale, std::int64_t part) {
  std::int64_t out = 0;
  if (!__builtin_mul_overflow(seconds, scale, &out) && !__builtin_add_overflow(out, part, &out)) return out;
  return seconds < 0 ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
}

void set_times(FileInfo& info, std::int64_t m_s, std::int64_t m_ns, std::int64_t c_s, std::int64_t c_ns) {
  // The kernel's nanoseconds count up from the second, also before 1970: dividing them is flooring the whole.
  info.modified = Instant{std::chrono::microseconds{ticks(m_s, 1'000'000, m_ns / 1'000)}};
  info.modified_ns = ticks(m_s, 1'000'000'000, m_ns);
  info.changed_ns = ticks(c_s, 1'000'000'000, c_ns);
}

}  // namespace

FileInfo info_from(const struct stat& found) {
  FileInfo info{.type = type_of(found.st_mode),
                .size = {static_cast<std::uint64_t>(found.st_size)},
                .device = found.st_dev,
                .inode = found.st_ino,
                .links = found.st_nlink,
                .mode = found.st_mode & 07777U,
                .owner = found.st_uid,
                .group = found.st_gid};
  set_times(info, found.st_mtim.tv_sec, found.st_mtim.tv_nsec, found.st_ctim.tv_sec, found.st_ctim.tv_nsec);
  return info;
}

FileInfo info_from(const struct statx& found) {
  FileInfo info{.type = type_of(found.stx_mode),
                .size = {found.stx_size},
                .device = makedev(found.stx_dev_major, found.stx_dev_minor),
                .inode = found.stx_ino,
                .links = found.stx_nlink,
                .mode = found.stx_mode & 07777U,
                .owner = found.stx_uid,
                .group = found.stx_gid};
  set_times(info, found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec, found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec);
  return info;
}

}  // namespace steward::files
