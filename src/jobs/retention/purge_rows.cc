// Rows that go for good, in batches, each a transaction of its own that repeats the whole predicate.

#include <fmt/format.h>

#include <algorithm>

#include "jobs/retention/drop_partitions.h"
#include "jobs/retention/pace.h"
#include "jobs/retention/partitions.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/row_shards.h"
#include "jobs/retention/row_step.h"
#include "jobs/retention/table.h"

namespace steward::retention {
namespace {

/// How the rows of one table are picked and named in a batch.
enum class Way {
  ctid,   ///< PostgreSQL, a plain table: by physical place, the fastest.
  key,    ///< By primary key: partitioned or inherited tables, whose ctids are not unique.
  rowid,  ///< SQLite.
};

Result<Way> way_for(const Table& table) {
  const sql::TableInfo& info = table.info();
  if (table.db().dialect() == sql::Dialect::sqlite) return info.without_rowid ? Way::key : Way::rowid;
  if (info.kind == sql::TableKind::table && !info.has_children) return Way::ctid;
  if (!info.primary_key.empty()) return Way::key;
  return fail(Kind::bad_input,
              fmt::format("{} is partitioned and has no primary key: its rows cannot be told apart", table.shown()),
              "Give it a primary key, or name its partitions one by one.");
}

constexpr std::uint64_t least_in_batch = 100;
/// Fewer rows are not worth a word about their space.
constexpr std::uint64_t space_matters_from = 1'000;

std::string space_note(const std::string& age_column) {
  return fmt::format(
      "no space comes back to the system from rows: a vacuum makes it free for the table's next rows; "
      "pg_repack gives it back, and so do partitions by RANGE ({}), which are dropped whole",
      age_column);
}

std::uint64_t batch_size(const Table& table) { return table.db().dialect() == sql::Dialect::postgres ? 10'000 : 1'000; }

std::string strategy_text(Way way, std::uint64_t batch) {
  const char* by = way == Way::ctid ? "ctid" : way == Way::rowid ? "rowid" : "primary key";
  return fmt::format("delete in batches of up to {} by {}; no space comes back before a vacuum", format_count(batch),
                     by);
}

/// One batch: picks up to `limit` rows, deletes those that still are what the policy says, and gives both numbers.
class Batch {
 public:
  Batch(const Table& table, Way way, Instant cutoff, Pace& pace, RunContext& run)
      : table_(table), way_(way), cutoff_(cutoff), pace_(pace), run_(run) {}

  struct Outcome {
    std::uint64_t picked = 0, deleted = 0;
  };

  /// Tried again when a hold came in between, so that no hold is overtaken.
  Result<Outcome> carry_out(std::uint64_t limit) {
    if (!may_lock_) may_lock_ = TRY(may_lock());
    while (true) {
      const Holds holds = *TRY(run_.holds());
      sql::Transaction transaction = TRY(table_.db().begin());
      Result<Outcome> removed = remove(holds, limit);
      // Somebody holds one of these rows for longer than lock_timeout: from here on, go round such rows.
      if (!removed && removed.error().kind == Kind::busy && !skip_locked_ && *may_lock_) {
        skip_locked_ = true;
        TRY(transaction.rollback());
        continue;
      }
      const Outcome outcome = TRY(removed);
      TRY(pace_.before_commit(table_.db()));
      TRY(run_.checkpoint("purge-rows: before commit"));
      if (TRY(run_.holds())->generation() != holds.generation()) {
        TRY(transaction.rollback());
        continue;
      }
      TRY(transaction.commit());
      return outcome;
    }
  }

 private:
  Result<Outcome> remove(const Holds& holds, std::uint64_t limit) {
    const sql::Fragment predicate = TRY(table_.removable(cutoff_, holds));
    if ((skip_locked_ || !table_.references().empty()) && table_.db().dialect() == sql::Dialect::postgres)
      return locked(predicate, limit);

    const sql::Fragment pick = "select " + TRY(place("t.")) + " from " + table_.sql_name() + " t where " + predicate +
                               fmt::format(" limit {}", limit);
    sql::Fragment which;
    switch (way_) {
      case Way::ctid: which = "t.ctid = any(array(" + pick + "))"; break;
      case Way::rowid: which = "t.rowid in (" + pick + ")"; break;
      case Way::key: which = "(" + TRY(place("t.")) + ") in (" + pick + ")"; break;
    }
    const std::int64_t n = TRY(
        sql::execute(table_.db(), "delete from " + table_.sql_name() + " as t where " + which + " and " + predicate));
    return Outcome{static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(n)};
  }

  /// Where other rows may reference these: first the lock, which waits for who is just adding a reference and keeps out
  /// who would, then the question in a statement (and so a snapshot) of its own. One statement would miss a reference
  /// that was committed while it waited, and ON DELETE CASCADE would take it along.
  Result<Outcome> locked(const sql::Fragment& predicate, std::uint64_t limit) {
    const sql::Rows picked =
        TRY(sql::query(table_.db(), "select " + TRY(place("t.")) + " from " + table_.sql_name() + " t where " +
                                        predicate + fmt::format(" limit {} for update of t skip locked", limit)));
    if (picked.rows.empty()) return Outcome{};
    sql::Fragment which;
    if (way_ == Way::ctid) {
      std::string tids = "{";
      for (const sql::Row& row : picked.rows)
        tids += fmt::format("{}\"{}\"", tids.size() > 1 ? "," : "", sql::to_text(row[0]));
      which = "t.ctid = any(" + sql::Fragment::of(tids + "}") + "::tid[])";
    } else {
      which = table_.with_keys(picked.rows);
    }
    TRY(run_.checkpoint("purge-rows: locked"));
    const std::int64_t n = TRY(
        sql::execute(table_.db(), "delete from " + table_.sql_name() + " as t where " + which + " and " + predicate));
    return Outcome{picked.rows.size(), static_cast<std::uint64_t>(n)};
  }

  Result<std::string> place(std::string_view prefix) const {
    switch (way_) {
      case Way::ctid: return std::string(prefix) + "ctid";
      case Way::rowid: return std::string(prefix) + "rowid";
      case Way::key: return table_.key_list(prefix);
    }
    return fail(Kind::bug, "a way of deleting that is not known");
  }

  /// Going round rows that somebody else has locked is locking the others, which asks for a right that deleting does
  /// not.
  Result<bool> may_lock() {
    if (table_.db().dialect() != sql::Dialect::postgres) return false;
    return TRY(table_.db().missing_rights(table_.rights(/*locks_rows=*/true))).empty();
  }

  const Table& table_;
  Way way_;
  Instant cutoff_;
  Pace& pace_;
  RunContext& run_;
  std::optional<bool> may_lock_{};
  bool skip_locked_ = false;
};

class PurgeRows final : public Task {
 public:
  /// `of`: it is one shard alone.
  PurgeRows(TaskInfo info, RowPolicy policy, std::optional<ShardOf> of = {})
      : info_(std::move(info)), policy_(std::move(policy)), shard_(std::move(of)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    const Table table = TRY(open());
    Step step = TRY(row_step(table, policy_.rows.age, /*locks_rows=*/false, context));
    step.strategy = strategy_text(TRY(way_for(table)), batch_size(table));
    // A shard drops none: their rows are of all ranges.
    if (!shard_ && table.db().dialect() == sql::Dialect::postgres) {
      const PartitionPlan partitions = TRY(plan_partitions(table, policy_, step.cutoff, context.holds));
      step.strategy = TRY(enter_partitions(partitions, step, context)) + step.strategy;
      if (step.planned.items - partitions.rows() >= space_matters_from)
        step.notes.push_back(space_note(policy_.rows.age_column));
    }
    step.final = true;
    return step;
  }

  Result<Split> split(const Step& step, std::uint64_t count, PlanContext& context) const override {
    return split_rows(TRY(open()), step, count, context.holds);
  }
  std::unique_ptr<Task> shard(const ShardOf& of) const override {
    return std::make_unique<PurgeRows>(info_, policy_, of);
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    return shard_ ? lock_shard_of_table(policy_.rows, *shard_) : lock_table(policy_.rows);
  }

  /// What an earlier run left of a partition is finished by a run of the whole, which has the table for itself.
  Result<void> recover(RunContext& run) const override {
    return shard_ ? Result<void>{} : recover_partitions(policy_, run);
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    Table table = TRY(open());
    Pace pace(policy_.rows.database, table.info(), least_in_batch, batch_size(table), run);
    Batch batch(table, TRY(way_for(table)), step.cutoff, pace, run);
    std::uint64_t left = TRY(drop_partitions(table, step, pace, run));
    while (left > 0) {
      TRY(run.checkpoint("purge-rows: batch"));
      pace.begin();
      const auto outcome = TRY(batch.carry_out(std::min(left, pace.batch())));
      if (outcome.deleted > 0) run.done(outcome.deleted);
      TRY(pace.end(outcome.deleted));
      left -= std::min(left, outcome.deleted);
      if (outcome.deleted == 0) break;
    }
    if (left > 0) TRY(explain_rest(table, step, left, run));
    return {};
  }

 private:
  Result<Table> open() const {
    Table table = TRY(Table::open(policy_.rows));
    if (shard_) TRY(table.keep_to(shard_->range));
    return table;
  }

  /// How many rows are left to go one by one: those of partitions that stay are not among them.
  Result<std::uint64_t> drop_partitions(Table& table, const Step& step, Pace& pace, RunContext& run) const {
    const PlannedPartitions planned = TRY(planned_partitions(table, step, run));
    PartitionDrops drops(table, policy_.rows, step.cutoff, run);
    std::vector<std::int64_t> stay = planned.changed;
    for (const Partition& partition : planned.whole) {
      pace.begin();
      if (!TRY(drops.drop(partition))) stay.push_back(partition.oid);
      TRY(pace.end(0));
    }
    TRY(table.leave_out(stay));
    return step.planned.items - std::min(step.planned.items, planned.rows);
  }

  /// Fewer than planned went: says why, as far as the database can tell.
  static Result<void> explain_rest(const Table& table, const Step& step, std::uint64_t left, RunContext& run) {
    const Holds* holds = TRY(run.holds());
    const Table::Survey survey = TRY(table.survey(step.cutoff, *holds));
    const std::uint64_t stuck = std::min(left, survey.planned);
    run.skip("locked by another session, or kept by a trigger or rule", "", stuck);
    run.skip("gone or changed since it was planned", "", left - stuck);
    return {};
  }

  TaskInfo info_;
  RowPolicy policy_;
  std::optional<ShardOf> shard_;
};

}  // namespace

std::unique_ptr<Task> purge_rows(TaskInfo info, RowPolicy policy) {
  return std::make_unique<PurgeRows>(std::move(info), std::move(policy));
}

}  // namespace steward::retention
