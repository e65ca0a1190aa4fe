// Rows that are evidence: each batch is written to the archive as one segment (JSON lines, zstd), read back, recorded,
// and only then deleted, row by row equal to what was written. A whole partition likewise, in as many segments as it
// takes: it is dropped if it is, in the transaction that drops it, to the letter what was written.

#include <fmt/format.h>

#include <algorithm>

#include "jobs/retention/archive_files.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/drop_partitions.h"
#include "jobs/retention/pace.h"
#include "jobs/retention/partitions.h"
#include "jobs/retention/recovery.h"
#include "jobs/retention/referring_rows.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/returned_rows.h"
#include "jobs/retention/row_archiver.h"
#include "jobs/retention/row_step.h"
#include "jobs/retention/table.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;
using manifest::State;

class ArchiveRows final : public Task {
 public:
  ArchiveRows(TaskInfo info, RowPolicy policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    const Table table = TRY(open_table());
    Step step = TRY(row_step(table, policy_.rows.age, /*locks_rows=*/true, context));
    const std::string others = referrers_text(table.referrers());
    const std::vector<ReturnedSegment> returned = TRY(returned_segments(table, policy_, step.cutoff, context.holds));
    std::uint64_t known = 0;
    for (const ReturnedSegment& one : returned) known += one.rows;
    if (known > 0)
      step.notes.push_back(fmt::format(
          "{} of these rows were archived before, and are back as after a restored database: they go, and what is "
          "still as it was is not archived a second time",
          format_count(known)));
    step.strategy =
        fmt::format("write to {} in segments of {} rows (JSON lines, zstd), verify, then {}{}delete",
                    policy_.archive->store.url, format_count(rows_in_segment), others, others.empty() ? "" : ", ");
    if (table.db().dialect() == sql::Dialect::postgres) {
      const PartitionPlan partitions = TRY(plan_partitions(table, policy_, step.cutoff, context.holds));
      const std::string whole = TRY(enter_partitions(partitions, step, context));
      if (!whole.empty()) step.strategy = "archive and " + whole + step.strategy;
    }
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_table(policy_.rows); }

  Result<void> recover(RunContext& run) const override {
    // First: whether the rows of a partition are there decides what becomes of its segments.
    TRY(recover_partitions(policy_, run));
    const Table table = TRY(open_table());
    manifest::Archive archive = TRY(open_archive(run));
    return recover_manifests(
        archive.store(), archive_folder(*policy_.archive, table), info_.name, table.db().identity(), run,
        [&](const manifest::Header& header, std::vector<Item>& open, manifest::Writer&) -> Result<void> {
          for (Item& item : open) TRY(settle(table, archive, header, item));
          return {};
        });
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    if (step.planned.items == 0 && step.items.empty()) return {};
    Table table = TRY(open_table());
    manifest::Archive archive = TRY(open_archive(run));
    // First: what this run archives is not back.
    const std::vector<ReturnedSegment> returned =
        TRY(returned_segments(table, policy_, step.cutoff, *TRY(run.holds())));
    manifest::Writer writer = manifest::Writer::begin(archive.store(), archive_folder(*policy_.archive, table),
                                                      header(table, archive, step.cutoff, run));
    ReferringRows referring(table, step, run);
    RowArchiver archiver(table, archive, archive_folder(*policy_.archive, table), writer, referring, step.cutoff, run);
    // A segment is what it is, whatever it takes; the pace is between them.
    Pace pace(policy_.rows.database, table.info(), rows_in_segment, rows_in_segment, run, &archive.store());
    std::uint64_t number = 1;
    std::uint64_t left = TRY(drop_partitions(table, archiver, step, number, pace, run));
    for (const ReturnedSegment& one : returned) {
      if (left == 0) break;
      pace.begin();
      const std::uint64_t gone = TRY(archiver.again(one.item, left, number));
      if (gone > 0) run.done(gone);
      TRY(pace.end(gone));
      left -= std::min(left, gone);
    }
    for (; left > 0; ++number) {
      std::uint64_t taken = 0;
      pace.begin();
      const std::uint64_t gone = TRY(archiver.segment(std::min(left, rows_in_segment), number, taken));
      if (gone > 0) run.done(gone);
      TRY(pace.end(gone));
      left -= std::min(left, gone);
      // A batch of which nothing went would be picked again and again: what stays has its reason among the skips.
      if (taken == 0 || gone == 0) break;
    }
    referring.note();
    return writer.finish(run.state());
  }

 private:
  /// How many rows are left to go by segments: those of partitions that stay are not among them.
  Result<std::uint64_t> drop_partitions(Table& table, RowArchiver& archiver, const Step& step, std::uint64_t& number,
                                        Pace& pace, RunContext& run) const {
    const PlannedPartitions planned = TRY(planned_partitions(table, step, run));
    PartitionDrops drops(table, policy_.rows, step.cutoff, run);
    std::vector<std::int64_t> stay = planned.changed;
    for (const Partition& partition : planned.whole) {
      pace.begin();
      if (!TRY(archiver.partition(partition, drops, number))) stay.push_back(partition.oid);
      TRY(pace.end(0));
    }
    TRY(table.leave_out(stay));
    return step.planned.items - std::min(step.planned.items, planned.rows);
  }

  Result<Table> open_table() const {
    Table table = TRY(Table::open(policy_.rows));
    TRY(table.check_key());
    return table;
  }

  Result<manifest::Archive> open_archive(RunContext& run) const {
    return manifest::Archive::open(policy_.archive->store, run.ledger(), run.clock(), run.environment());
  }

  manifest::Header header(const Table& table, const manifest::Archive& archive, Instant cutoff,
                          const RunContext& run) const {
    return {.run = run.run(),
            .task = info_.name,
            .archive = archive.id(),
            .environment = run.environment(),
            .database = table.db().shown(),
            .database_id = table.db().identity(),
            .table = table.name(),
            .key_columns = table.info().primary_key,
            .final_state = "row_gone",
            .referring = ReferringRows::tables(table),
            .began = run.clock().now(),
            .cutoff = cutoff};
  }

  /// A segment whose rows are all in the database still is undone: they are planned again. One of whose rows some are
  /// gone is what they have left behind; those that are there still are noted as kept.
  static Result<void> settle(const Table& table, manifest::Archive& archive, const manifest::Header& header,
                             Item& item) {
    // Its name holds the run's id: no other manifest names it. One that an earlier run wrote stays.
    const auto undo = [&]() -> Result<void> {
      item.state = State::undone;
      item.reason = "interrupted";
      const bool is_own = item.copy.substr(item.copy.rfind('/') + 1).starts_with(header.run + '-');
      return is_own ? archive.store().remove({.key = item.copy}) : Result<void>{};
    };
    if (item.state != State::verified) return undo();  // nothing was deleted before it was verified
    std::vector<sql::Row> keys;
    TRY(each_archived_row(archive.store(), item, [&](const ArchivedRow& row) -> Result<bool> {
      keys.push_back(TRY(row.values_of(table.info().primary_key)));
      return true;
    }));
    std::vector<std::string> there;
    for (const sql::Row& key : TRY(table.there(keys))) there.push_back(manifest::key_text(key));
    if (there.size() == keys.size()) return undo();
    item.state = State::row_gone;
    item.kept = std::move(there);
    return {};
  }

  TaskInfo info_;
  RowPolicy policy_;
};

}  // namespace

std::unique_ptr<Task> archive_rows(TaskInfo info, RowPolicy policy) {
  return std::make_unique<ArchiveRows>(std::move(info), std::move(policy));
}

}  // namespace steward::retention
