/// The one place where a task removes files of a folder: at most as many as were planned, each on the list of what was
/// removed first, with the holds asked for before every round, and each the file that was found, with nobody who has it
/// open (io/files/found_files.h).
#pragma once
#include <string>
#include <vector>

#include "core/result.h"
#include "io/files/found_files.h"
#include "run/job.h"
#include "run/manifest/removed_list.h"

namespace steward::manifest {

/// A file that a task means to remove, or why it stays.
struct RemovableFile {
  files::Found file{};
  std::string path{};    ///< Absolute.
  std::string reason{};  ///< Why it stays; empty: it goes, unless somebody uses it.
};

/// The plan of a removal: counts what would go in the step, and what stays among its skips.
class RemovalPlan {
 public:
  /// `folder` and `step` have to stay for as long as this.
  RemovalPlan(const files::Folder& folder, Step& step) : step_(step), files_(folder) {}
  /// Those that somebody uses stay, too.
  void take(std::vector<RemovableFile>& batch);
  void unreadable(const files::Unreadable& what) { skips_.add("cannot be read", what.path); }
  /// Behind the last of them.
  void end() { step_.skipped = skips_.list(); }

 private:
  void keep_used(std::vector<RemovableFile>& batch);
  void add(const RemovableFile& one);

  Step& step_;
  files::FoundFiles files_;
  Skips skips_{};
};

class FileRemoval {
 public:
  /// `folder` and `step` have to stay for as long as this.
  FileRemoval(const Step& step, const std::string& task, const files::Folder& folder, RunContext& run);
  /// Removes those that have no reason to stay. False once as many are gone as were planned: what is beyond that waits
  /// for the next plan.
  Result<bool> take(std::vector<RemovableFile>& batch);
  /// Says what stayed because somebody uses it, beyond what the plan counted already.
  Result<void> end();

 private:
  Result<void> remove(std::span<const RemovableFile> some);
  Result<void> count(const RemovableFile& one, const Result<files::Standing>& answer);
  void stays(const RemovableFile& one, std::string_view reason);

  const Step& step_;
  RunContext& run_;
  RemovedList list_;
  files::FoundFiles files_;
  std::uint64_t left_;
  Skips in_use_{};
};

}  // namespace steward::manifest
