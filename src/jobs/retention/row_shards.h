/// Old rows in shards: ranges of the primary key, cut where a sample of the rows that are to go says.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "core/result.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/table.h"
#include "run/job.h"

namespace steward::retention {

/// One shard, with the reason, where the database is SQLite, the table has no primary key, or whole partitions go.
Result<Split> split_rows(const Table& table, const Step& step, std::uint64_t count, const Holds& holds);

/// The lock of one shard of the table: others go on beside it; a run of the whole, and the same shard, do not.
Result<std::vector<std::unique_ptr<Lock>>> lock_shard_of_table(const RowRules& rules, const ShardOf& of);

}  // namespace steward::retention
