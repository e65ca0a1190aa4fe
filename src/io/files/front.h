/// The front of a file that somebody goes on writing to: taken off in place, without the writer's knowing.
///
/// fallocate(2) with FALLOC_FL_COLLAPSE_RANGE removes whole blocks from a file and moves the rest to its beginning, in
/// one act under the inode's lock: a writer in append mode (O_APPEND) writes on at the new end. ext4, xfs and f2fs have
/// it. A writer that keeps an offset of its own would leave a hole there: ask io/files/processes.h first.
#pragma once
#include <cstdint>
#include <optional>

#include "core/bytes.h"
#include "core/result.h"

namespace steward::files {

/// Whether the file system behind `fd` is of a kind that can do it. For a container's layer it cannot be told
/// beforehand, and the answer is yes.
bool has_cut(int fd);

/// How much of the front of a file of `size` can go: whole blocks of its file system, and never all of it.
Bytes cuttable(int fd, Bytes size);

/// Takes the first `count` bytes off, as `cuttable` gives them. `fd` is open for writing. unavailable where the file
/// system cannot, or there is no block behind it; then nothing has changed. Durable when it returns.
Result<void> cut_front(int fd, Bytes count);

/// Where on its device the file's first block lies (FS_IOC_FIEMAP): once the front is cut, it is another block that is
/// the first. Empty where the file system does not say.
std::optional<std::uint64_t> place_of_front(int fd);

}  // namespace steward::files
