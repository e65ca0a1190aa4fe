#include "jobs/rotation/copies.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/digest.h"
#include "core/text.h"
#include "io/files/attributes.h"
#include "io/files/compression.h"
#include "jobs/rotation/logs.h"

namespace steward::rotation {
namespace {

// What is left free on a disk for whoever else writes there.
constexpr Bytes spare = 16_MiB;

/// The first bytes of a file, by offset: its handle's place stays as it is.
class Front final : public Source {
 public:
  Front(int fd, Bytes count) : fd_(fd), left_(count.count) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override {
    const std::size_t want = std::min<std::uint64_t>(buffer.size(), left_);
    if (want == 0) return std::size_t{0};
    ssize_t n = 0;
    do {
      n = ::pread(fd_, buffer.data(), want, static_cast<off_t>(at_));
    } while (n < 0 && errno == EINTR);
    if (n < 0) return fail(Kind::unavailable, fmt::format("cannot read a log: {}", strerror(errno)));
    at_ += static_cast<std::uint64_t>(n);
    left_ -= static_cast<std::uint64_t>(n);
    return static_cast<std::size_t>(n);
  }

 private:
  int fd_;
  std::uint64_t at_ = 0, left_;
};

struct HashSink final : Sink {
  Result<void> write(std::span<const std::byte> bytes) override {
    hash.update(bytes);
    return {};
  }
  Sha256 hash{};
};

files::Attributes attributes_of(const files::FileInfo& info) {
  return {.mode = info.mode & 07777U, .owner = info.owner, .group = info.group, .modified = info.modified};
}

files::Tick heard(RunContext& run) {
  return [&run](Bytes) { return run.checkpoint("rotate-logs: copying"); };
}

std::unexpected<Error> not_what_was_written(const files::Folder& archive) {
  return fail(Kind::corrupt, fmt::format("a copy in {} is not what was written", archive.path()),
              "The log is as it was. Look at the disk: dmesg, smartctl.");
}

/// Removes a temporary unless the copy succeeded.
class Discard {
 public:
  Discard(const files::Folder& folder, std::string path) : folder_(folder), path_(std::move(path)) {}
  Discard(const Discard&) = delete;
  Discard& operator=(const Discard&) = delete;
  ~Discard() {
    if (!path_.empty()) (void)folder_.unlink(path_, files::Durable::later);
  }
  void keep() { path_.clear(); }

 private:
  const files::Folder& folder_;
  std::string path_;
};

Result<void> check_room(const files::Folder& archive, Bytes needed) {
  const Bytes room = TRY(archive.room());
  if (room.count >= needed.count + spare.count) return {};
  return fail(Kind::unavailable,
              fmt::format("no room for a copy in {}: {} are needed, {} are free", archive.path(),
                          format_bytes(needed + spare), format_bytes(room)),
              "The log is as it was. Make room, keep fewer archives (keep, keep_bytes), or compress them.");
}

std::unique_ptr<files::Codec> compressor(Compression compression, Sink& next) {
  if (compression == Compression::gzip) return std::make_unique<files::GzipSink>(next);
  return std::make_unique<files::ZstdSink>(next);
}
std::unique_ptr<files::Codec> decompressor(Compression compression, Sink& next) {
  if (compression == Compression::gzip) return std::make_unique<files::GunzipSink>(next);
  return std::make_unique<files::UnzstdSink>(next);
}

}  // namespace

Result<Copy> copy_front(int log, const files::FileInfo& info, Bytes count, const files::Folder& archive,
                        std::string_view beside, RunContext& run) {
  TRY(check_room(archive, count));
  Copy copy;
  copy.file = TRY(archive.temporary_beside(beside));
  Discard discard(archive, copy.file.path);
  Front front(log, count);
  files::FileSink sink(copy.file.handle.fd());
  copy.what = TRY(files::copy(front, sink, heard(run)));
  if (copy.what.size != count)
    return fail(Kind::unavailable, "the log became shorter while it was copied",
                "Somebody else empties or rotates it: let one program do that.");
  files::give(copy.file.handle.fd(), attributes_of(info));
  TRY(files::sync_file(copy.file.handle.fd()));
  if (TRY(files::hash_on_disk(copy.file.handle.fd(), heard(run))).sha256 != copy.what.sha256)
    return not_what_was_written(archive);
  discard.keep();
  return copy;
}

Result<Copy> compressed(const files::Folder& archive, std::string_view path, Compression compression, RunContext& run) {
  const files::FileInfo info = TRY(archive.stat(path));
  TRY(check_room(archive, info.size));
  const files::Handle original = TRY(archive.open_for_reading(path));
  Copy copy;
  copy.file = TRY(archive.temporary_beside(path));
  Discard discard(archive, copy.file.path);
  files::FileSource source(original.fd());
  files::FileSink sink(copy.file.handle.fd());
  const auto codec = compressor(compression, sink);
  copy.what = TRY(files::copy(source, *codec, heard(run)));
  TRY(codec->finish());
  files::give(copy.file.handle.fd(), attributes_of(info));
  TRY(files::sync_file(copy.file.handle.fd()));
  ::posix_fadvise(copy.file.handle.fd(), 0, 0, POSIX_FADV_DONTNEED);  // what is checked is what the disk has
  if (::lseek(copy.file.handle.fd(), 0, SEEK_SET) != 0) return fail(Kind::bug, "a copy cannot be read from its start");
  HashSink hashed;
  const auto back = decompressor(compression, hashed);
  files::FileSource again(copy.file.handle.fd());
  TRY(files::copy(again, *back, heard(run)));
  TRY(back->finish());
  if (hashed.hash.finish_hex() != copy.what.sha256) return not_what_was_written(archive);
  discard.keep();
  return copy;
}

Result<std::optional<std::string>> hash_of_front(int file, Bytes count) {
  Front front(file, count);
  const files::Copied hashed = TRY(files::hash(front));
  if (hashed.size != count) return std::nullopt;
  return hashed.sha256;
}

}  // namespace steward::rotation
