/// Writes rows of a table to an archive in segments, verifies them, deletes them and records them, one segment after
/// another.
///
/// Promises  - A row is deleted only in a transaction that has locked it and found it, and what refers to it, to the
///             letter what the segment has: which was read back before, and recorded.
///           - A partition is dropped only if it is, in the transaction that drops it, to the letter what was written.
///           - It can be killed anywhere: `ArchiveRows::recover` reads off the manifest what was left.
/// Errors    of the store and the database; refused `kept-by-trigger`: rows that stay although they were deleted.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/retention/drop_partitions.h"
#include "jobs/retention/referring_rows.h"
#include "jobs/retention/table.h"
#include "run/context.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

inline constexpr std::uint64_t rows_in_segment = 5'000;

class RowArchiver {
 public:
  /// All that it is given outlives it. `folder`: of the table, in the archive's store.
  RowArchiver(const Table& table, manifest::Archive& archive, std::string folder, manifest::Writer& writer,
              ReferringRows& referring, Instant cutoff, RunContext& run);

  /// One segment of up to `limit` rows; how many rows went. 0 where none was left to take.
  Result<std::uint64_t> segment(std::uint64_t limit, std::uint64_t number, std::uint64_t& taken);
  /// Rows of a segment that is in the archive already, and that are back as they were, go without a second copy: this
  /// run's manifest names that segment, too. How many went; `number` grows where there were any.
  Result<std::uint64_t> again(const manifest::Item& archived, std::uint64_t limit, std::uint64_t& number);
  /// Writes and verifies a whole partition, and drops it. Whether it is gone: else its segments are undone. `number` is
  /// of the next segment.
  Result<bool> partition(const Partition& partition, PartitionDrops& drops, std::uint64_t& number);

 private:
  struct Segment;

  /// Deletes what of these rows is still as archived, old, free and there. Those that stay are noted in the item.
  Result<std::uint64_t> remove(manifest::Item& item, const Segment& segment);
  Result<void> step(manifest::Item& item, manifest::State state);
  /// The next rows of a partition in the order of their keys, behind the row with this key.
  Result<sql::Fragment> page(const Partition& partition, const sql::Row& behind) const;
  Result<std::string> hash_of(const Partition& partition) const;
  /// One segment, from planned to verified.
  Result<manifest::Item> write(const Segment& segment, std::uint64_t number);
  Result<Segment> read(const sql::Fragment& select);
  /// Up to `limit` rows of an archived segment that are in the table to the letter, and may go. `others`: the keys of
  /// those that are there and are not among them.
  Result<Segment> read_again(const manifest::Item& archived, std::uint64_t limit, const Holds& holds,
                             std::vector<std::string>& others);
  /// What refers to the rows lies with them. Where it is too much, or more than was planned, the segment ends before.
  Result<void> add_referring(Segment& segment);
  Result<void> copy(manifest::Item& item, const Segment& segment);
  Result<std::uint64_t> remove_some(manifest::Item& item, std::span<const sql::Row> keys, const Segment& segment);
  /// Locks the rows and gives the keys of those that still are, to the letter, what the archive has.
  Result<std::vector<sql::Row>> lock_same(std::span<const sql::Row> keys, const Segment& segment, const Holds& holds,
                                          std::vector<std::string>& kept);
  Result<std::uint64_t> delete_rows(const std::vector<sql::Row>& keys, const Segment& segment, const Holds& holds);

  const Table& table_;
  manifest::Archive& archive_;
  std::string folder_;
  manifest::Writer& writer_;
  ReferringRows& referring_;
  Instant cutoff_;
  RunContext& run_;
  std::vector<std::string> columns_;
};

}  // namespace steward::retention
