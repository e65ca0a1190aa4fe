/// The directory store: an object is a file, its key the path below the folder.
///
///   - Written under a temporary name beside its place, fsynced, renamed, its folder fsynced. What a crash leaves is
///     named `.steward-tmp-…`; such names are neither listed nor reachable as keys.
///   - No symlink below the folder is followed, listed or removed; other mounts below it are not listed.
///   - Keys are paths: without empty, "." and ".." segments, no segment over 255 bytes, and no key that is another's
///     folder. `put` of others is bad_input; to `head` and `get` they are not there; their removal is a success.
///   - Folders stay when their last file goes: they may be the application's.
///   - A removal with conditions looks just before it acts (no file system has a conditional unlink).
#pragma once
#include <memory>

#include "core/result.h"
#include "io/object/store.h"

namespace steward::object {

/// As `open`, for "file:///folder".
Result<std::unique_ptr<Store>> open_directory(const StoreTarget& target);

}  // namespace steward::object
