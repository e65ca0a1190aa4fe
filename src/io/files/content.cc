// What is in a file: reading, writing, making it durable, replacing it whole.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.h"
#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/folder.h"

namespace steward::files {
namespace {

Result<void> fill(const Handle& file, std::string_view content, std::uint32_t mode) {
  if (fchmod(file.fd(), mode) != 0) return failure(errno, "set the mode of", path_of(file.fd()), file.fd());
  TRY(FileSink(file.fd()).write(std::as_bytes(std::span(content))));
  return sync_file(file.fd());
}

}  // namespace

Result<std::size_t> FileSource::read(std::span<std::byte> buffer) {
  const ssize_t n = retried([&] { return ::read(fd_, buffer.data(), buffer.size()); });
  if (n < 0) return failure(errno, "read", path_of(fd_), fd_);
  return static_cast<std::size_t>(n);
}

Result<void> FileSink::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = retried([&] { return ::write(fd_, bytes.data(), bytes.size()); });
    if (n < 0) return failure(errno, "write", path_of(fd_), fd_);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<void> sync_file(int fd) {
  // Once, whatever it answers: after an error the kernel forgets what it could not write, and a second call lies.
  if (retried([&] { return fsync(fd); }) != 0) return failure(errno, "sync", path_of(fd), fd);
  return {};
}

Result<void> replace_file(const Folder& folder, std::string_view path, std::string_view content, std::uint32_t mode) {
  const Folder::Temporary temporary = TRY(folder.temporary_beside(path));
  Result<void> done = fill(temporary.handle, content, mode);
  if (done) done = folder.rename(temporary.path, path, true);
  if (!done) static_cast<void>(folder.unlink(temporary.path));  // the first error is the one to tell
  return done;
}

Result<std::string> read_file(const Folder& folder, std::string_view path, Bytes limit) {
  const Handle file = TRY(folder.open_for_reading(path));
  FileSource source(file.fd());
  std::string text;
  std::string piece(std::size_t{64} * 1024, '\0');
  while (const std::size_t n = TRY(source.read(std::as_writable_bytes(std::span(piece))))) {
    text.append(piece, 0, n);
    if (text.size() > limit.count)
      return fail(
          Kind::refused,
          fmt::format("cannot read {}: it is larger than {}", printable(path_of(file.fd())), format_bytes(limit)), "",
          "too-large");
  }
  return text;
}

}  // namespace steward::files
