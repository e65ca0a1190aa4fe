/// Partitions whose rows are all old: they go as a whole (drop_partitions.h), and their space comes back at once.
///
/// A partition is whole where
///   - its table is partitioned by RANGE of the policy's age column and nothing else, at whatever level of a tree;
///   - the largest value that its upper bound lets in is old, so that no row in it can be young: the DEFAULT partition
///     and one up to MAXVALUE never are;
///   - each row in it may go: none is held, referenced, or without a readable age;
///   - deleting its rows would do nothing beyond that: no trigger or rule on DELETE, no publication that sends deletes;
///   - nothing else depends on it (views, foreign keys to it alone), no part of it is a foreign table, and this user
///     owns it and the table that it belongs to.
/// All others go row by row, and the plan says why.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "jobs/retention/table.h"
#include "run/holds.h"
#include "run/job.h"

namespace steward::retention {

/// A partition, or a tree of partitions under one.
struct Partition {
  std::int64_t oid = 0;
  std::int64_t parent_oid = 0;
  std::string name{}, parent{};          ///< "public.events_2026_01", for people,
  std::string sql_name{}, parent_sql{};  ///< and quoted, for statements.
  std::optional<std::string> from{};     ///< Its bounds as the server writes them; none: MINVALUE, MAXVALUE.
  std::optional<std::string> to{};
  std::uint64_t rows = 0;  ///< All of them may go. As they were counted for the plan: a ceiling.
  Bytes size{};            ///< With indexes and TOAST.
};

/// What goes as a whole, and why others do not.
struct PartitionPlan {
  std::vector<Partition> whole{};    ///< From the oldest on.
  std::vector<std::string> notes{};  ///< For the step: why partitions go row by row, and what would change that.
  std::uint64_t rows() const;
  Bytes size() const;
};

/// Looks at the table's partitions; nothing where it has none, or `rules` leave partitions alone. Counts the rows of
/// each old partition.
Result<PartitionPlan> plan_partitions(const Table& table, const RowPolicy& policy, Instant cutoff, const Holds& holds);

/// Enters them into the step: bytes, samples, notes, the item list beside the plan (a line for each partition), and
/// what is to be said in front of the strategy for rows, "drop 2 whole partitions (…), 40 rows: ". Empty where nothing
/// goes as a whole.
Result<std::string> enter_partitions(const PartitionPlan& partitions, Step& step, PlanContext& context);

/// The planned partitions of a step.
struct PlannedPartitions {
  std::vector<Partition> whole{};  ///< Still what they were planned as, but for their rows: dropping asks about them.
  std::vector<std::int64_t> changed{};  ///< The oids of others; why is among the run's skips.
  std::uint64_t rows = 0;               ///< Of both, as planned.
};
Result<PlannedPartitions> planned_partitions(const Table& table, const Step& step, RunContext& run);

/// Rows of a partition by what keeps them, "" for those that may go: the question before a drop, with the whole
/// predicate of a removal.
struct RowVerdicts {
  std::uint64_t free = 0;
  std::uint64_t kept = 0;
  std::string reason{};  ///< Of the first that stays.
};
Result<RowVerdicts> row_verdicts(const Table& table, const Partition& partition, Instant cutoff, const Holds& holds);

/// The bounds out of `FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`, of one column; nothing for other texts.
struct Bounds {
  std::optional<std::string> from{}, to{};
  bool operator==(const Bounds&) const = default;
};
std::optional<Bounds> bounds_in(std::string_view text);

}  // namespace steward::retention
