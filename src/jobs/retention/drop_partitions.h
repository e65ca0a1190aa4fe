/// Drops whole partitions, so that a crash at any point leaves them where they were or gone.
///
///   PostgreSQL 14 and later, no DEFAULT partition, no other partition that is being detached:
///     mark -> DETACH CONCURRENTLY (FINALIZE where it was cut short) -> one transaction: lock, ask again, DROP
///   else
///     one transaction: lock, ask again, DETACH, DROP
///
/// The first way keeps nobody waiting: at no time does it ask for a lock that readers of the table would queue behind.
/// The mark is the partition's comment, written before it is detached: `steward: run RUN drops this partition of …`,
/// with what is needed to put it back. The next run puts back what it finds marked and detached (`recover_partitions`),
/// and plans afresh: holds and counts are asked again.
///
/// Promises  - Between its last question (counts, holds, references, and the caller's own) and the drop nobody writes
/// to
///             the partition: both are in one transaction that holds its lock.
///           - More rows than were planned, or one that may not go: the partition stays, or is put back, with the
///           reason.
///           - No wait for a lock that readers queue behind is longer than half a second; it is tried again a few
///           times,
///             and then left for the next run.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "core/result.h"
#include "jobs/retention/partitions.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/table.h"
#include "run/job.h"

namespace steward::retention {

/// One run's drops from one table.
class PartitionDrops {
 public:
  PartitionDrops(const Table& table, const RowRules& rules, Instant cutoff, RunContext& run)
      : table_(table), rules_(rules), cutoff_(cutoff), run_(run) {}

  /// Asked under the lock, beside holds and counts: why the partition has to stay all the same, or nothing.
  using Question = std::function<Result<std::string>(const Partition&)>;

  /// Whether it is gone. Where it is not, the reason is among the run's skips, with the partition's rows.
  Result<bool> drop(const Partition& partition, const Question& question = {});

 private:
  enum class End { dropped, stays, busy };
  struct Outcome {
    End end = End::stays;
    std::string reason{};
  };
  Result<bool> may_be_concurrent(const Partition& partition);
  Result<Outcome> at_once(const Partition& partition, const Question& question);
  Result<Outcome> in_two_steps(const Partition& partition, const Question& question);
  Result<Outcome> until_not_busy(const std::function<Result<Outcome>()>& attempt);
  Result<Outcome> ask_and_drop(const Partition& partition, const Question& question, bool attached);
  Result<std::string> why_not(const Partition& partition, const Holds& holds, const Question& question);
  Result<Outcome> nobody_lingers(const Partition& partition);
  Result<Outcome> detach(const Partition& partition);
  Result<void> mark(const Partition& partition);
  Result<void> undo(const Partition& partition) const;

  const Table& table_;
  const RowRules& rules_;
  Instant cutoff_;
  RunContext& run_;
  int tries_ = 5;
  std::uint64_t counted_ = 0;  ///< Rows of the partition that was asked about last.
};

/// Puts back what a run that died has marked, and says so in notes. Under the table's lock: no other run is at work on
/// it. A partition that cannot be put back yet (a transaction still sees it) stays marked, and is noted.
Result<void> recover_partitions(const RowPolicy& policy, RunContext& run);

}  // namespace steward::retention
