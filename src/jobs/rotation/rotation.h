/// Log rotation: the job `rotate-logs`.
///
/// Two tasks for each policy. `NAME` takes each log of a folder to `archive/LOG.20261123T010000Z` beside it;
/// `NAME.archive` removes archives that are older than they are to be kept.
///
///   logs/web.log                               being written; 3 MiB
///   logs/archive/web.log.20261123T010000Z      rotated at that moment: its age is its suffix, not its mtime
///   logs/archive/web.log.20261122T010000Z.zst  and compressed, once nobody had it open any more
///
/// A log goes in one of four ways (decide.h says which, and why):
///   rename        its name is moved. Whoever has it open writes on into the archive until it opens the log anew.
///   cut           its front is copied, checked, and taken off in place (io/files/front.h), under a writer that
///                 appends: no line is lost, none is there twice. The cut falls on a block of the file system, so a
///                 line may begin in one archive and end in the next.
///   copytruncate  it is copied, and emptied: what is written in the moment between is lost. The moment is measured.
///   move          to an archive on another file system: copied, checked, removed; only where nobody has it open.
///
/// Promises  - But for copytruncate, which says so, no line is lost and none is there twice, also where it is killed
///             anywhere (record.h). A copy is checked as it lies on the disk before the original is touched.
///           - No archive is overwritten, none is rotated again, and none is compressed or removed while anyone has it
///             open or nobody can tell.
///           - Owner, mode and times of a log are those of its archive.
///           - Empty logs, symlinks, logs with several names (hard links) and logs that a hold covers are left.
/// Does not  - remove what is under a name that is none of its own, nor enter other mounts.
/// Errors    not_found: there is no such folder. permission, unavailable (a full disk): the log is as it was.
/// See also  docs/log-rotation.md
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/age.h"
#include "core/bytes.h"
#include "run/job.h"

namespace steward::rotation {

/// How a log that somebody has open is to be rotated.
enum class Writer {
  automatic,  ///< As decide.h finds best.
  rename,
  cut,
  copytruncate,
};

enum class Compression { none, gzip, zstd };
/// "", ".gz" or ".zst".
std::string_view suffix_of(Compression compression);

/// How the program that writes is told to open its logs anew: a signal to the process that a file names, or a command.
struct Reopen {
  std::string pid_file{};  ///< Absolute.
  int signal = 0;
  std::vector<std::string> command{};  ///< Without a shell. The first is an absolute path.
};
/// "SIGUSR1 to the process in /run/nginx.pid".
std::string text_of(const Reopen& reopen);

/// Which logs, whereto, and for how long.
struct Policy {
  std::string folder{};                     ///< Absolute.
  std::vector<std::string> names{"*.log"};  ///< Globs for the base name.
  bool subfolders = false;                  ///< Also those in folders below, but for the archive.
  std::string archive{};                    ///< Absolute; empty: `archive` in the folder.
  Writer writer = Writer::automatic;
  std::optional<Reopen> reopen{};
  Compression compression = Compression::none;
  bool create = false;              ///< An empty log takes the place of one that was renamed, with its owner and mode.
  Bytes min_size{};                 ///< Smaller ones are left.
  std::optional<Bytes> max_size{};  ///< Larger ones are not spared by `again_after`.
  std::chrono::seconds again_after = std::chrono::minutes{5};  ///< A log that was rotated within it is left.
  Age keep{std::chrono::microseconds{std::chrono::days{7}}};
  std::optional<std::uint64_t> keep_count{};  ///< Of each log no more archives than this.
  std::optional<Bytes> keep_bytes{};          ///< Of all archives no more than this; the oldest go first.

  std::string archive_folder() const { return archive.empty() ? folder + "/archive" : archive; }
};

/// `again`: also what was rotated just now.
std::unique_ptr<Task> rotate_logs(TaskInfo info, Policy policy, bool again);
std::unique_ptr<Task> expire_archives(TaskInfo info, Policy policy);

}  // namespace steward::rotation
