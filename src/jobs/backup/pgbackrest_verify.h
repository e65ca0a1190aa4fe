/// What `pgbackrest verify --output=text --verbose` reports. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace steward::backup {

struct VerifyReport {
  /// "ok" or "error"; it ends well with both.
  std::string status{};
  /// Each backup by its label, and what is wrong with it; empty where nothing is.
  std::vector<std::pair<std::string, std::string>> backups{};
  /// What is wrong with the write-ahead log, one a line.
  std::vector<std::string> log_faults{};
};

/// corrupt where it is no such report, unavailable where it says that it could not read the repository: then nothing
/// was verified, however it ended.
Result<VerifyReport> verify_report(std::string_view text);

/// From lines of its log, in their order: "archiveId: 15-1, wal start: …, wal stop: …", one for each stretch of the
/// log that has no gap.
class LogStretches {
 public:
  /// What is missing before this stretch, for a person; nothing where it is the first, or of another timeline.
  std::optional<std::string> gap_before(std::string_view line);

 private:
  std::string archive_{}, stop_{};
};

}  // namespace steward::backup
