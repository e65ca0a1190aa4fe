/// Copies in an archive: of a log's beginning, and compressed ones; each checked as it lies on the disk before it has
/// its name.
#pragma once
#include <optional>
#include <string>

#include "io/files/copy.h"
#include "io/files/folder.h"
#include "jobs/rotation/rotation.h"
#include "run/job.h"

namespace steward::rotation {

/// A copy that is whole and durable, and has no name yet.
struct Copy {
  files::Folder::Temporary file{};
  files::Copied what{};  ///< Size and hash of the bytes before they were compressed.
};

/// The first `count` bytes of `log`, with the owner, mode and times of `info`. unavailable where there is no room for
/// it, before a byte is written, or where the log is shorter; corrupt where the disk does not give back what was
/// written. What it began is removed again where it fails.
Result<Copy> copy_front(int log, const files::FileInfo& info, Bytes count, const files::Folder& archive,
                        std::string_view beside, RunContext& run);

/// The file compressed (`compression` is not none), and decompressed again to check it.
Result<Copy> compressed(const files::Folder& archive, std::string_view path, Compression compression, RunContext& run);

/// The hash of the file's first `count` bytes; empty where it has fewer.
Result<std::optional<std::string>> hash_of_front(int file, Bytes count);

}  // namespace steward::rotation
