#include "io/files/copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "core/digest.h"
#include "io/files/beneath.h"
#include "io/files/failure.h"

namespace steward::files {
namespace {

constexpr std::size_t piece_size = std::size_t{1} << 20;

/// Reads what lies on the disk, at its own place, and lets no page of it stay.
class DiskSource final : public Source {
 public:
  explicit DiskSource(int fd) : fd_(fd) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    const ssize_t n = retried([&] { return pread(fd_, buffer.data(), buffer.size(), at_); });
    if (n < 0) return failure(errno, "read", path_of(fd_), fd_);
    posix_fadvise(fd_, at_, n, POSIX_FADV_DONTNEED);  // an advice: where it is not taken, nothing is wrong
    at_ += n;
    return static_cast<std::size_t>(n);
  }

 private:
  int fd_;
  off_t at_ = 0;
};

/// Takes everything, keeps nothing.
struct NoSink final : Sink {
  Result<void> write(std::span<const std::byte>) override { return {}; }
};

}  // namespace

Result<Copied> copy(Source& from, Sink& to, const Tick& tick) {
  std::vector<std::byte> piece(piece_size);
  Sha256 sha256;
  Copied copied;
  while (const std::size_t n = TRY(from.read(piece))) {
    const std::span<const std::byte> got(piece.data(), n);
    sha256.update(got);
    TRY(to.write(got));
    copied.size += Bytes{n};
    if (tick) TRY(tick(copied.size));
  }
  copied.sha256 = sha256.finish_hex();
  return copied;
}

Result<Copied> hash(Source& from, const Tick& tick) {
  NoSink nowhere;
  return copy(from, nowhere, tick);
}

Result<Copied> hash_on_disk(int fd, const Tick& tick) {
  // Pages that are not yet written cannot be dropped.
  if (retried([&] { return fdatasync(fd); }) != 0) return failure(errno, "sync", path_of(fd), fd);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  DiskSource disk(fd);
  return hash(disk, tick);
}

}  // namespace steward::files
