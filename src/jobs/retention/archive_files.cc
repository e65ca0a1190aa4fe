// Carrying rows with their files to the archive, batch by batch.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "jobs/retention/archive_files.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/pace.h"
#include "jobs/retention/referring_rows.h"
#include "jobs/retention/row_step.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;
using manifest::State;

constexpr std::size_t rows_in_batch = 100;

/// One row on its way.
struct Moving {
  Item item{};
  sql::Row key{};
  Location location{};
};

class Archiver {
 public:
  Archiver(const FileRowParts& parts, const Table& table, SourceFiles& files, manifest::Archive& archive,
           manifest::Writer& writer, SourceRemoval& removal, ReferringRows& referring, Instant cutoff, RunContext& run)
      : parts_(parts),
        table_(table),
        files_(files),
        archive_(archive),
        writer_(writer),
        removal_(removal),
        referring_(referring),
        cutoff_(cutoff),
        run_(run),
        columns_(column_names(table)) {}

  Result<void> batch(std::span<const PlannedRow> planned) {
    std::vector<sql::Row> keys;
    for (const PlannedRow& row : planned) keys.push_back(row.key);
    for (std::size_t begin = 0; begin < keys.size();) {
      const std::size_t some = TRY(referring_.fit(std::span<const sql::Row>(keys).subspan(begin)));
      TRY(part(planned.subspan(begin, some)));
      begin += some;
    }
    return {};
  }

 private:
  Result<void> part(std::span<const PlannedRow> planned) {
    std::vector<Moving> batch = TRY(read(planned));
    TRY(record(batch, State::planned, State::planned));
    for (Moving& moving : batch) TRY(copy(moving));
    TRY(record(batch, State::planned, State::copied));
    for (Moving& moving : batch) TRY(verify(moving));
    TRY(record(batch, State::copied, State::verified));
    TRY(remove_rows(batch));
    TRY(recorded(batch, State::row_gone));
    std::vector<Item*> gone;
    for (Moving& moving : batch)
      if (moving.item.state == State::row_gone) gone.push_back(&moving.item);
    TRY(removal_.remove(gone));
    TRY(run_.checkpoint("archive-files: sources done"));
    TRY(writer_.record(std::span<Item* const>(gone)));
    for (const Item* item : gone) run_.done(1, item->size);
    return run_.checkpoint("archive-files: batch done");
  }

  /// Those still in `from` are in `to` now: recorded, with a place to stop on both sides.
  Result<void> record(std::vector<Moving>& batch, State from, State to) {
    for (Moving& moving : batch)
      if (moving.item.state == from) moving.item.state = to;
    return recorded(batch, to);
  }

  Result<void> recorded(std::vector<Moving>& batch, State state) {
    TRY(run_.checkpoint(fmt::format("archive-files: {} done", manifest::name_of(state))));
    std::vector<Item*> items;
    for (Moving& moving : batch)
      if (moving.item.state == state ||
          (moving.item.state == State::undone && !std::exchange(undone_recorded_[moving.item.number], true)))
        items.push_back(&moving.item);
    TRY(writer_.record(std::span<Item* const>(items)));
    return run_.checkpoint(fmt::format("archive-files: {} recorded", manifest::name_of(state)));
  }

  /// Reads the planned rows afresh and leaves out, with the reason, what is no longer as planned.
  Result<std::vector<Moving>> read(std::span<const PlannedRow> planned) {
    std::vector<sql::Row> keys;
    std::map<std::string, const PlannedRow*> by_key;
    for (const PlannedRow& row : planned) {
      keys.push_back(row.key);
      by_key[manifest::key_text(row.key)] = &row;
    }
    const Holds* holds = TRY(run_.holds());
    const sql::Rows rows =
        TRY(sql::query(table_.db(), "select " + TRY(column_list(table_)) + ", " + table_.age_expression() + ", " +
                                        TRY(table_.verdict(*holds)) + " from " + table_.sql_name() + " t where " +
                                        table_.with_keys(keys) + " and " + table_.old(cutoff_) + " order by " +
                                        TRY(table_.key_list("t."))));
    run_.skip("gone or changed since it was planned", "", planned.size() - rows.rows.size());
    std::vector<Moving> batch;
    for (const sql::Row& row : rows.rows) TRY(take(row, by_key, *holds, batch));
    TRY(add_referring(batch));
    return batch;
  }

  /// What refers to the rows is recorded with them, before anything is done.
  Result<void> add_referring(std::vector<Moving>& batch) {
    if (!referring_.any()) return {};
    std::vector<sql::Row> keys;
    for (const Moving& moving : batch) keys.push_back(moving.key);
    ReferringRows::ByKey found = TRY(referring_.find(keys));
    std::erase_if(batch, [&](Moving& moving) {
      std::vector<manifest::Referring>& of_row = found[moving.item.key];
      const bool covered = referring_.take(of_row);
      if (!covered) run_.skip(refers_more, moving.item.key);
      moving.item.referring = std::move(of_row);
      return !covered;
    });
    return {};
  }

  Result<void> take(const sql::Row& row, const std::map<std::string, const PlannedRow*>& planned, const Holds& holds,
                    std::vector<Moving>& batch) {
    const std::size_t columns = columns_.size();
    const sql::Row values(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(columns));
    Moving moving{.key = key_of(table_, values)};
    const std::string key = manifest::key_text(moving.key);
    const std::string stored = stored_file(values);
    if (stored != planned.at(key)->file) {
      run_.skip("gone or changed since it was planned", key);
      return {};
    }
    moving.location = files_.locate(stored);
    const std::string address = files_.address(moving.location);
    FileRowFacts facts{.kept_by_database = sql::to_text(row[columns + 1]),
                       .place = moving.location.place,
                       .goes_without = planned.at(key)->missing};
    facts.file_held = moving.location.place == Place::file
                          ? holds.covers_file(address)
                          : holds.covers_object("s3://" + moving.location.bucket, moving.location.key);
    const Seen seen = TRY(files_.look(moving.location));
    facts.seen = seen.as;
    if (const auto reason = keep_reason(facts)) {
      run_.skip(*reason, key);
      return {};
    }
    const std::string at = format_instant(table_.age_of(row[columns]).value_or(cutoff_));
    moving.item = {
        .number = ++number_, .key = key, .row = manifest::row_to_json(columns_, values).dump(), .source = address};
    moving.item.missing = seen.as == Seen::As::missing;
    if (!moving.item.missing)
      moving.item.copy = copy_key(archive_folder(parts_.policy.archive, table_),
                                  fmt::format("{}/{}", at.substr(0, 4), at.substr(5, 2)), key, base_name(address));
    batch.push_back(std::move(moving));
    return {};
  }

  std::string stored_file(const sql::Row& values) const {
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (columns_[i] == parts_.policy.file_column)
        return sql::is_null(values[i]) ? std::string{} : sql::to_text(values[i]);
    return {};
  }

  void undo(Item& item, const std::string& reason) {
    item.state = State::undone;
    item.reason = reason;
    run_.skip(reason, item.key);
  }

  Result<void> copy(Moving& moving) {
    if (moving.item.missing) return {};
    TRY(run_.checkpoint("archive-files: copy"));
    const auto copied = files_.copy(moving.location, moving.item.copy, archive_.store(),
                                    [&] { return run_.checkpoint("archive-files: copying"); });
    if (!copied && copied.error().kind == Kind::not_found) {
      undo(moving.item, "file missing");
      return {};
    }
    if (!copied && copied.error().code == "changed") {
      undo(moving.item, "file changed while it was copied");
      return {};
    }
    if (!copied && (copied.error().kind == Kind::permission || copied.error().code == "outside") &&
        !archive_is_at_fault(copied.error())) {
      undo(moving.item, "file cannot be read");
      run_.note(Level::warning, copied.error().message);
      return {};
    }
    const CopiedFile done = TRY(copied);
    moving.item.copy = done.copy;
    moving.item.sha256 = done.sha256;
    moving.item.size = done.size;
    moving.item.made = done.made;
    if (done.info) {
      moving.item.mode = done.info->mode & 07777;
      moving.item.owner = done.info->owner;
      moving.item.group = done.info->group;
      moving.item.modified = done.info->modified;
    }
    return {};
  }

  /// A right that is missing in the cold storage is missing for all items: it ends the task.
  bool archive_is_at_fault(const Error& error) const {
    const std::string_view shown = archive_.shown();
    const std::string_view place = shown.starts_with("file://") ? shown.substr(7) : shown;
    return error.message.contains(place);
  }

  Result<void> verify(Moving& moving) {
    if (moving.item.state != State::copied || moving.item.missing) return {};
    TRY(run_.checkpoint("archive-files: verify"));
    return verify_copy(archive_.store(), moving.item);
  }

  Result<void> remove_rows(std::vector<Moving>& batch) {
    std::map<std::string, Moving*> verified;
    std::vector<sql::Row> keys;
    for (Moving& moving : batch) {
      if (moving.item.state != State::verified) continue;
      verified[moving.item.key] = &moving;
      keys.push_back(moving.key);
    }
    std::map<std::string, std::string> kept;  // by key, the reason
    while (!keys.empty()) {
      const Holds holds = *TRY(run_.holds());
      sql::Transaction transaction = TRY(table_.db().begin());
      std::map<std::string, std::string> kept_now;
      const std::vector<sql::Row> same = TRY(lock_same(keys, verified, holds, kept_now));
      const std::vector<std::string> gone =
          same.empty() ? std::vector<std::string>{} : TRY(delete_rows(same, verified, holds));
      TRY(run_.checkpoint("archive-files: before commit"));
      if (TRY(run_.holds())->generation() != holds.generation() || !TRY(left_alone(same, gone, verified, keys, kept))) {
        TRY(transaction.rollback());
        continue;
      }
      TRY(transaction.commit());
      referring_.done();
      kept.merge(kept_now);
      for (const std::string& key : gone) verified.at(key)->item.state = State::row_gone;
      break;
    }
    for (auto& [key, moving] : verified)
      if (moving->item.state != State::row_gone)
        TRY(leave(*moving, kept.contains(key) ? kept.at(key) : "gone or changed since it was planned"));
    return {};
  }

  /// Whether what refers to rows that were not deleted after all is as it was. Where not, those rows are not tried
  /// again.
  Result<bool> left_alone(const std::vector<sql::Row>& same, const std::vector<std::string>& gone,
                          const std::map<std::string, Moving*>& verified, std::vector<sql::Row>& keys,
                          std::map<std::string, std::string>& kept) {
    std::set<std::string> stay;
    for (const sql::Row& key : same)
      if (const std::string text = manifest::key_text(key);
          !verified.at(text)->item.referring.empty() && std::ranges::find(gone, text) == gone.end())
        stay.insert(text);
    std::erase_if(keys, [&](const sql::Row& key) { return stay.contains(manifest::key_text(key)); });
    for (const std::string& key : stay) kept[key] = "referenced anew, or kept by a trigger or rule";
    return stay.empty();
  }

  /// The row stays: its copy is tidied, unless it lay there before this run.
  Result<void> leave(Moving& moving, const std::string& reason) {
    undo(moving.item, reason);
    if (!moving.item.made) return {};
    return archive_.store().remove({.key = moving.item.copy});
  }

  /// Locks the rows; gives the keys of those that are still what was recorded, and may go.
  Result<std::vector<sql::Row>> lock_same(const std::vector<sql::Row>& keys,
                                          const std::map<std::string, Moving*>& verified, const Holds& holds,
                                          std::map<std::string, std::string>& kept) {
    const bool postgres = table_.db().dialect() == sql::Dialect::postgres;
    TRY(sql::query(table_.db(), "select 1 from " + table_.sql_name() + " t where " + table_.with_keys(keys) +
                                    (postgres ? " for update of t" : "")));
    TRY(referring_.lock(keys));
    // Locked: who was adding a reference has finished, and nobody adds one now. So ask in a statement of its own.
    const sql::Rows rows = TRY(sql::query(
        table_.db(), "select " + TRY(column_list(table_)) + ", " + TRY(table_.verdict(holds)) + " from " +
                         table_.sql_name() + " t where " + table_.with_keys(keys) + " and " + table_.old(cutoff_)));
    ReferringRows::ByKey refers = TRY(referring_.find(keys));
    std::vector<sql::Row> same;
    for (const sql::Row& row : rows.rows) {
      const sql::Row values(row.begin(), row.end() - 1);
      sql::Row key = key_of(table_, values);
      const std::string text = manifest::key_text(key);
      const Moving& moving = *verified.at(text);
      const bool file_held = (moving.location.place == Place::file
                                  ? holds.covers_file(moving.item.source)
                                  : holds.covers_object("s3://" + moving.location.bucket, moving.location.key))
                                 .has_value();
      if (const std::string reason = file_held ? "held" : sql::to_text(row.back()); !reason.empty())
        kept[text] = reason;
      else if (moving.item.missing && TRY(files_.look(moving.location)).as != Seen::As::missing)
        kept[text] = "its file has come back";
      else if (!referring_.as_recorded(moving.item.referring, refers[text]))
        kept[text] = refers_otherwise;
      else if (manifest::row_to_json(columns_, values).dump() == nlohmann::json::parse(moving.item.row).dump())
        same.push_back(std::move(key));
    }
    return same;
  }

  Result<std::vector<std::string>> delete_rows(const std::vector<sql::Row>& keys,
                                               const std::map<std::string, Moving*>& verified, const Holds& holds) {
    std::vector<const manifest::Referring*> refer;
    for (const sql::Row& key : keys)
      for (const manifest::Referring& one : verified.at(manifest::key_text(key))->item.referring) refer.push_back(&one);
    TRY(referring_.carry_out(refer));
    const sql::Rows gone =
        TRY(sql::query(table_.db(), "delete from " + table_.sql_name() + " as t where " + table_.with_keys(keys) +
                                        " and " + TRY(table_.removable(cutoff_, holds)) + table_.and_unreferenced() +
                                        " returning " + TRY(table_.key_list())));
    std::vector<std::string> texts;
    for (const sql::Row& key : gone.rows) texts.push_back(manifest::key_text(key));
    return texts;
  }

  const FileRowParts& parts_;
  const Table& table_;
  SourceFiles& files_;
  manifest::Archive& archive_;
  manifest::Writer& writer_;
  SourceRemoval& removal_;
  ReferringRows& referring_;
  Instant cutoff_;
  RunContext& run_;
  std::vector<std::string> columns_;
  std::uint64_t number_ = 0;
  std::map<std::uint64_t, bool> undone_recorded_{};
};

class ArchiveFileRows final : public Task {
 public:
  ArchiveFileRows(TaskInfo info, FileRowPolicy policy, OutOfReach out_of_reach)
      : info_(std::move(info)), policy_(std::move(policy)), out_of_reach_(std::move(out_of_reach)) {}
  const TaskInfo& info() const override { return info_; }
  Result<Step> plan(PlanContext& context) const override { return plan_file_rows(parts(), context); }
  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_table(policy_.rows); }
  Result<void> recover(RunContext& run) const override { return recover_file_rows(parts(), run); }
  Result<void> execute(const Step& step, RunContext& run) const override {
    return step.planned.items == 0 ? Result<void>{} : archive_planned_rows(parts(), step, run);
  }

 private:
  FileRowParts parts() const { return {info_, policy_, out_of_reach_}; }
  TaskInfo info_;
  FileRowPolicy policy_;
  OutOfReach out_of_reach_;
};

}  // namespace

Result<void> archive_planned_rows(const FileRowParts& parts, const Step& step, RunContext& run) {
  const FileRowPolicy& policy = parts.policy;
  const Table table = TRY(Table::open(policy.rows));
  TRY(table.check_key());
  SourceFiles files = TRY(SourceFiles::open(policy.root, policy.s3, policy.urls));
  manifest::Archive archive =
      TRY(manifest::Archive::open(policy.archive.store, run.ledger(), run.clock(), run.environment()));
  Needs needs = TRY(Needs::open(parts.out_of_reach.needed, ""));
  manifest::Writer writer = manifest::Writer::begin(archive.store(), archive_folder(policy.archive, table),
                                                    {.run = run.run(),
                                                     .task = parts.info.name,
                                                     .archive = archive.id(),
                                                     .environment = run.environment(),
                                                     .database = table.db().shown(),
                                                     .database_id = table.db().identity(),
                                                     .table = table.name(),
                                                     .key_columns = table.info().primary_key,
                                                     .file_column = policy.file_column,
                                                     .final_state = "source_gone",
                                                     .referring = ReferringRows::tables(table),
                                                     .began = run.clock().now()});
  SourceRemoval removal(files, needs, run, run.run());
  ReferringRows referring(table, step, run);
  Archiver archiver(parts, table, files, archive, writer, removal, referring, step.cutoff, run);
  Pace pace(policy.rows.database, table.info(), rows_in_batch, rows_in_batch, run, &archive.store());
  std::vector<PlannedRow> batch;
  TRY(each_item(run.state(), step.items, [&](std::string_view line) -> Result<bool> {
    batch.push_back(TRY(planned_row(line)));
    if (batch.size() < rows_in_batch) return true;
    pace.begin();
    TRY(archiver.batch(batch));
    TRY(pace.end(batch.size()));
    batch.clear();
    return true;
  }));
  if (!batch.empty()) TRY(archiver.batch(batch));
  referring.note();
  return writer.finish(run.state());
}

std::unique_ptr<Task> archive_file_rows(TaskInfo info, FileRowPolicy policy, OutOfReach out_of_reach) {
  return std::make_unique<ArchiveFileRows>(std::move(info), std::move(policy), std::move(out_of_reach));
}

}  // namespace steward::retention
