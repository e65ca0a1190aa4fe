/// Files that a walk has found, asked about and removed many at a time.
///
///   FoundFiles files(folder);
///   const std::vector<Result<Standing>> what = files.remove(batch, 50ms);   // of batch[0], batch[1], … as far as it
///   came
///
/// Promises  - The folder of a file is reached from the root's handle, as everything in folder.h is: no symlink is
///             followed and nothing outside is reached. For the length of one call it is kept for the next files that
///             lie in it, which are reached by their bare names from that handle. The handle is the folder: what takes
///             its name meanwhile, a symlink or another folder, is not.
///           - A folder that is moved out of the root takes its files along unharmed, but for those of the call under
///             way, to which it is that folder still. So `remove` has a limit of time.
///           - `remove` removes a file alone that is still the one that was found, with the size and the mtime that it
///             had, and that nobody else has open or locked; the last look is the call before the removal.
///           - What is done does not depend on how many threads do it.
/// Does not  - make a removal durable: what comes back after a power loss is removed once more.
/// Threads   It uses some of its own; call it from one at a time.
#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/files/folder.h"
#include "io/files/thread_pool.h"

namespace steward::files {

/// How a file stands that was found.
enum class Standing {
  free,        ///< Nobody else has it open or locked.
  changed,     ///< Gone, or another file by now, or (where that is asked) written since.
  in_use,      ///< Somebody has it open or locked.
  unknown,     ///< Nobody can tell whether it is in use.
  unreadable,  ///< It cannot be opened, so that nobody can ask.
};

/// As many as there are processors, and no more than four: file systems let few at a time into a folder.
unsigned threads_for_files();

class FoundFiles {
 public:
  /// `root` is what the paths of the files are relative to; it has to stay for as long as this.
  explicit FoundFiles(const Folder& root, unsigned threads = threads_for_files());

  /// Whether anyone uses them now: of each, in four system calls where leases answer (see open_files.h).
  std::vector<Standing> look(std::span<const Found* const> files);

  /// Removes those that are `free` and still the same, and says of the others how they stand, or why they could not be
  /// removed (permission, unavailable). Whoever opens a file while it goes waits for that, and then has one without a
  /// name. Begins no more files once `at_most` is over: of those, at the end, there is no answer. At least one has one.
  std::vector<Result<Standing>> remove(std::span<const Found* const> files, std::chrono::milliseconds at_most);

 private:
  /// Calls `act` for 0, 1, … in all threads, each with a place of its own in the tree. Begins no more after `end`;
  /// returns how many were done, without a gap.
  template <class Act>
  std::size_t share_out(std::size_t count, std::optional<std::chrono::steady_clock::time_point> end, const Act& act);

  const Folder& root_;
  bool shared_;
  ThreadPool threads_;
};

}  // namespace steward::files
