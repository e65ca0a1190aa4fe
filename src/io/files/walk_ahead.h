/// A walk that goes on while what it found is dealt with.
#pragma once
#include <cstddef>
#include <functional>
#include <vector>

#include "core/result.h"
#include "io/files/folder.h"

namespace steward::files {

/// What is done with a walk, and by whom.
struct WalkAhead {
  std::size_t batch = 500;  ///< How many files at a time.
  /// Called in the walk's thread: whether a file is of interest. Empty: all.
  std::function<bool(const Found&)> wanted{};
  /// Called in the caller's thread, with the files of a batch in the order of their paths: false to stop. It may remove
  /// the files, and move the values away.
  std::function<Result<bool>(std::vector<Found>& found)> take{};
  /// Called in the caller's thread.
  std::function<void(const Unreadable&)> unreadable{};
};

/// As Folder::walk, with the same promises, in a thread of its own (`options.enter` is called there) that is no more
/// than four batches ahead: memory does not grow with the number of files. What is handed over may have changed since
/// it was looked at, as ever.
Result<void> walk_ahead(const Folder& folder, const WalkOptions& options, const WalkAhead& with);

}  // namespace steward::files
