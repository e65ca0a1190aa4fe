/// Plans that were handed out in shards, and how much of them each shard has taken on: in the ledger, since those who
/// carry them out may be on machines that share nothing else.
///
/// Promises  - All shards of a plan together take on no more than the plan has, whoever asks at the same moment.
///           - Entering a set a second time changes nothing.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "run/ledger/ledger.h"

namespace steward::ledger {

struct ShardSetRecord {
  std::string digest{};  ///< Of the plan.
  std::string job{}, task{};
  Instant made{};
  std::string made_by{};
  std::uint64_t ceiling = 0;  ///< The plan's items.
  std::string document{};     ///< JSON, run/shard.h.
};

/// A run of one shard.
struct ShardRun {
  Run run{};
  std::vector<TaskRecord> tasks{};  ///< None while it is under way, and where it was killed.
};

class Shards {
 public:
  virtual ~Shards() = default;

  /// With an audit line "shards.hand-out".
  virtual Result<void> enter(const ShardSetRecord& set) = 0;
  /// By a beginning of the plan's digest, of 8 digits or more. not_found; bad_input where it fits several.
  virtual Result<ShardSetRecord> set(std::string_view job, std::string_view task, std::string_view digest) = 0;
  /// Shard `number` holds `items`, what its earlier runs removed among them. What it has taken on counts for good, and
  /// only more than that is asked for anew. refused (code "plan-outdated") where all together would be more than the
  /// plan has.
  virtual Result<void> take_on(std::string_view digest, std::uint64_t number, std::uint64_t items) = 0;
  /// All runs of the plan's shards, oldest first.
  virtual Result<std::vector<ShardRun>> runs(std::string_view digest) = 0;
  /// Removes sets that were made before; how many.
  virtual Result<std::uint64_t> forget(Instant before) = 0;
};

}  // namespace steward::ledger
