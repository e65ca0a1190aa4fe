/// Bytes from a Source to a Sink, hashed on the way; and the hash of a file as it lies on the disk.
#pragma once
#include <functional>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "core/stream.h"
#include "io/files/folder.h"

namespace steward::files {

struct Copied {
  Bytes size{};
  std::string sha256{};  ///< 64 hexadecimal digits.
};

/// Called now and then with the bytes so far; an error from it ends the copy with that error.
using Tick = std::function<Result<void>(Bytes so_far)>;

/// In pieces of 1 MiB: constant memory.
Result<Copied> copy(Source& from, Sink& to, const Tick& tick = {});
/// Only hashes.
Result<Copied> hash(Source& from, const Tick& tick = {});
/// Hashes what the disk has: drops the file's pages first (fdatasync, POSIX_FADV_DONTNEED) and asks for none to stay.
/// Where a file system does not honour it, the page cache answers.
Result<Copied> hash_on_disk(int fd, const Tick& tick = {});

}  // namespace steward::files
