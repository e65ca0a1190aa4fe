/// How fast work may be, by what the target feels.
#pragma once
#include <chrono>
#include <cstdint>

#include "core/bytes.h"

namespace steward {

/// The limits, and their defaults.
struct ThrottleRules {
  /// What a batch is to take. A batch's locks are held for so long at the most, and its rows' dead versions are so
  /// many.
  std::chrono::milliseconds batch{250};
  std::chrono::seconds replica_lag{30};  ///< A replica that has applied what is older than this is waited for,
  Bytes replica_behind = 256_MiB;        ///< or one that has still so much write-ahead log to apply.
  std::uint32_t wal_files = 64;          ///< So many files of write-ahead log may wait to be archived (16 MiB each).
  /// Less room than this where the archive or the state directory lies is waited for. 0: not asked for; what a full
  /// disk stops then fails, and nothing is lost.
  Bytes free_disk{};
  bool full_speed = false;  ///< No limit holds: for a window in which nobody minds.
};

/// How many items the next batch has: towards the time that a batch is to take, between `least` and `most`. It grows by
/// a quarter at the most, and shrinks at once to what would have fitted; by half where somebody waited for its locks.
/// Where smaller batches turn out to take as long as larger ones, as where no index finds the rows, it goes back and
/// stays.
class BatchSize {
 public:
  BatchSize(std::uint64_t least, std::uint64_t most, std::chrono::milliseconds aim);
  std::uint64_t now() const { return size_; }
  /// A batch of `items` took so long; `waited_for`: other sessions waited for its locks.
  void took(std::uint64_t items, std::chrono::microseconds time, bool waited_for);

 private:
  std::uint64_t least_, most_, size_;
  std::chrono::microseconds aim_;
  std::uint64_t last_items_ = 0;
  double last_rate_ = 0;  ///< Items a microsecond.
};

}  // namespace steward
