/// The logs of a folder, found and decided on: the plan and the run go over them alike.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "io/files/found_files.h"
#include "io/files/walk_ahead.h"
#include "jobs/rotation/decide.h"
#include "run/holds.h"

namespace steward::rotation {

/// One log, and what becomes of it.
struct JudgedLog {
  files::Found file{};
  LogFile log{};
  Decision decision{};
};

class Logs {
 public:
  /// `archive`: none where there is no such folder yet. Both have to stay for as long as this.
  static Result<std::unique_ptr<Logs>> open(const Policy& policy, const files::Folder& folder,
                                            const files::Folder* archive, bool again, Instant now);

  /// In batches, in no promised order; `take` returns false to stop. `holds` is asked for once for each batch.
  Result<void> go_over(const std::function<Result<const Holds*>()>& holds,
                       const std::function<Result<bool>(std::vector<JudgedLog>&)>& take,
                       const std::function<void(const files::Unreadable&)>& unreadable);

  const Ground& ground() const { return ground_; }
  /// Archives that are to be compressed and are not.
  std::uint64_t uncompressed() const { return uncompressed_; }

 private:
  Logs(const Policy& policy, const files::Folder& folder) : policy_(policy), folder_(folder), files_(folder) {}
  Result<void> look_at_archive(const files::Folder& archive, Instant now);
  bool enters(std::string_view folder) const;
  bool is_log(const files::Found& found) const;
  Result<std::vector<JudgedLog>> judged(std::vector<files::Found>& found, const Holds& holds);
  void find_users(std::vector<JudgedLog>& batch);

  const Policy& policy_;
  const files::Folder& folder_;
  files::FoundFiles files_;
  Ground ground_{};
  std::set<std::string> just_rotated_{};  ///< Few: what was archived within minutes.
  std::uint64_t uncompressed_ = 0;
};

/// "logs/web.log" -> "logs", "web.log"; the folder is empty where there is none.
std::string_view parent_of(std::string_view path);
std::string_view base_of(std::string_view path);

}  // namespace steward::rotation
