// Rows that are evidence: each batch is written to the archive as one segment (JSON lines, zstd), read back, recorded,
// and only then deleted, row by row equal to what was written. A whole partition likewise, in as many segments as it
// takes: it is dropped if it is, in the transaction that drops it, to the letter what was written.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/digest.h"
#include "io/files/compression.h"
#include "io/files/copy.h"
#include "jobs/retention/archive_files.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/drop_partitions.h"
#include "jobs/retention/pace.h"
#include "jobs/retention/partitions.h"
#include "jobs/retention/recovery.h"
#include "jobs/retention/referring_rows.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/returned_rows.h"
#include "jobs/retention/row_step.h"
#include "jobs/retention/table.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;
using manifest::State;

constexpr std::uint64_t rows_in_segment = 5'000;
constexpr std::size_t bytes_in_segment = 16U << 20;

/// A batch of rows in memory: what goes into one segment.
struct Segment {
  std::vector<sql::Row> keys{};
  std::vector<std::string> order{};            ///< The keys' texts, as the rows were read.
  std::map<std::string, std::string> lines{};  ///< By key text: the row.
  ReferringRows::ByKey referring{};            ///< Likewise: what refers to it.
  std::string text{};                          ///< All lines, compressed.
  Bytes size{};
};

std::span<const manifest::Referring> referring_of(const Segment& segment, const std::string& key) {
  const auto found = segment.referring.find(key);
  return found == segment.referring.end() ? std::span<const manifest::Referring>{} : found->second;
}

Result<std::string> compressed(const Segment& segment) {
  StringSink out;
  files::ZstdSink zstd(out);
  for (const std::string& key : segment.order) {
    const std::string line = manifest::segment_line(segment.lines.at(key), referring_of(segment, key)) + '\n';
    TRY(zstd.write(std::as_bytes(std::span(line))));
  }
  TRY(zstd.finish());
  return std::move(out.text);
}

void add_line(Sha256& hash, const std::string& line) { hash.update(line + '\n'); }

/// Writes, verifies, deletes and records segments, one after another.
class Archiver {
 public:
  Archiver(const Table& table, manifest::Archive& archive, std::string folder, manifest::Writer& writer,
           ReferringRows& referring, Instant cutoff, RunContext& run)
      : table_(table),
        archive_(archive),
        folder_(std::move(folder)),
        writer_(writer),
        referring_(referring),
        cutoff_(cutoff),
        run_(run),
        columns_(column_names(table)) {}

  /// One segment of up to `limit` rows; how many rows went. 0 where none was left to take.
  Result<std::uint64_t> segment(std::uint64_t limit, std::uint64_t number, std::uint64_t& taken) {
    const Holds* holds = TRY(run_.holds());
    Segment segment = TRY(read("select " + TRY(column_list(table_)) + " from " + table_.sql_name() + " t where " +
                               TRY(table_.removable(cutoff_, *holds)) + fmt::format(" limit {}", limit)));
    TRY(add_referring(segment));
    taken = segment.keys.size();
    if (segment.keys.empty()) return 0;
    segment.text = TRY(compressed(segment));
    Item item = TRY(write(segment, number));
    const std::uint64_t gone = TRY(remove(item, segment));
    TRY(step(item, State::row_gone));
    return gone;
  }

  /// Rows of a segment that is in the archive already, and that are back as they were, go without a second copy: this
  /// run's manifest names that segment, too. How many went; `number` grows where there were any.
  Result<std::uint64_t> again(const Item& archived, std::uint64_t limit, std::uint64_t& number) {
    const Holds* holds = TRY(run_.holds());
    Item item{.number = number,
              .key = archived.key,
              .copy = archived.copy,
              .sha256 = archived.sha256,
              .size = archived.size,
              .rows = archived.rows};
    const Segment segment = TRY(read_again(archived, limit, *holds, item.kept));
    if (segment.keys.empty()) return 0;
    ++number;
    TRY(step(item, State::planned));
    TRY(step(item, State::copied));
    TRY(verify_copy(archive_.store(), item));
    TRY(step(item, State::verified));
    const std::uint64_t gone = TRY(remove(item, segment));
    if (gone == 0) item.reason = "its rows stay";
    TRY(step(item, gone == 0 ? State::undone : State::row_gone));
    return gone;
  }

  /// Writes and verifies a whole partition, and drops it. Whether it is gone: else its segments are undone. `number` is
  /// of the next segment.
  Result<bool> partition(const Partition& partition, PartitionDrops& drops, std::uint64_t& number) {
    std::vector<Item> items;
    Sha256 hash;
    for (Segment segment = TRY(read(TRY(page(partition, {})))); !segment.keys.empty();
         segment = TRY(read(TRY(page(partition, segment.keys.back()))))) {
      for (const std::string& key : segment.order) add_line(hash, segment.lines.at(key));
      segment.text = TRY(compressed(segment));
      items.push_back(TRY(write(segment, number++)));
    }
    const std::string written = hash.finish_hex();
    const bool gone = TRY(drops.drop(partition, [&](const Partition& now) -> Result<std::string> {
      return TRY(hash_of(now)) == written ? "" : "it has changed since it was archived";
    }));
    TRY(run_.checkpoint("archive-rows: partition done"));
    for (Item& item : items) {
      item.state = gone ? State::row_gone : State::undone;
      if (gone) continue;
      item.reason = "its partition stays";
      TRY(archive_.store().remove({.key = item.copy}));
    }
    TRY(writer_.record(std::span<const Item>(items)));
    TRY(run_.checkpoint("archive-rows: partition recorded"));
    return gone;
  }

  /// Deletes what of these rows is still as archived, old, free and there. Those that stay are noted in the item.
  Result<std::uint64_t> remove(Item& item, const Segment& segment) {
    std::uint64_t gone = 0;
    const std::span<const sql::Row> keys = segment.keys;
    for (std::size_t begin = 0; begin < keys.size(); begin += table_.keys_at_once()) {
      const auto some = keys.subspan(begin, std::min(table_.keys_at_once(), keys.size() - begin));
      gone += TRY(remove_some(item, some, segment));
    }
    return gone;
  }

 private:
  Result<void> step(Item& item, State state) {
    TRY(run_.checkpoint(fmt::format("archive-rows: {} done", manifest::name_of(state))));
    item.state = state;
    TRY(writer_.record(std::span<const Item>(&item, 1)));
    return run_.checkpoint(fmt::format("archive-rows: {} recorded", manifest::name_of(state)));
  }

  /// The next rows of a partition in the order of their keys, behind the row with this key.
  Result<sql::Fragment> page(const Partition& partition, const sql::Row& behind) const {
    const std::string keys = TRY(table_.key_list("t."));
    sql::Fragment select = "select " + TRY(column_list(table_)) + " from " + partition.sql_name + " t";
    for (std::size_t i = 0; i < behind.size(); ++i)
      select += (i == 0 ? " where (" + keys + ") > (" : std::string(", ")) + sql::Fragment::of(behind[i]);
    if (!behind.empty()) select += ")";
    return select + fmt::format(" order by {} limit {}", keys, rows_in_segment);
  }

  Result<std::string> hash_of(const Partition& partition) const {
    Sha256 hash;
    TRY(sql::stream(table_.db(),
                    "select " + TRY(column_list(table_)) + " from " + partition.sql_name + " t order by " +
                        TRY(table_.key_list("t.")),
                    [&](const sql::Row& row) -> Result<bool> {
                      add_line(hash, manifest::row_to_json(columns_, row).dump());
                      return true;
                    }));
    return hash.finish_hex();
  }

  /// One segment, from planned to verified.
  Result<Item> write(const Segment& segment, std::uint64_t number) {
    const std::string month = format_instant(cutoff_).substr(0, 7);
    Item item{.number = number, .key = manifest::key_text(segment.keys.front())};
    item.copy = fmt::format("{}/{}/{}-{:06}.jsonl.zst", folder_,
                            fmt::format("{}/{}", month.substr(0, 4), month.substr(5)), run_.run(), number);
    item.rows = segment.keys.size();
    TRY(step(item, State::planned));
    TRY(copy(item, segment));
    TRY(step(item, State::copied));
    TRY(verify_copy(archive_.store(), item));
    TRY(step(item, State::verified));
    return item;
  }

  Result<Segment> read(const sql::Fragment& select) {
    Segment segment;
    std::size_t bytes = 0;
    TRY(sql::stream(table_.db(), select, [&](const sql::Row& row) -> Result<bool> {
      segment.keys.push_back(key_of(table_, row));
      const std::string key = manifest::key_text(segment.keys.back());
      std::string line = manifest::row_to_json(columns_, row).dump();
      bytes += line.size();
      segment.lines[key] = std::move(line);
      segment.order.push_back(key);
      return bytes < bytes_in_segment;
    }));
    return segment;
  }

  /// Up to `limit` rows of an archived segment that are in the table to the letter, and may go. `others`: the keys of
  /// those that are there and are not among them.
  Result<Segment> read_again(const Item& archived, std::uint64_t limit, const Holds& holds,
                             std::vector<std::string>& others) {
    std::vector<sql::Row> keys;
    std::map<std::string, std::string> lines;
    ReferringRows::ByKey referring;
    TRY(each_archived_row(archive_.store(), archived, [&](const ArchivedRow& row) -> Result<bool> {
      keys.push_back(TRY(row.values_of(table_.info().primary_key)));
      const std::string key = manifest::key_text(keys.back());
      lines[key] = manifest::row_to_json(row.columns, row.values).dump();
      if (!row.referring.empty()) referring[key] = row.referring;
      return true;
    }));
    Segment segment;
    for (std::size_t begin = 0; begin < keys.size(); begin += table_.keys_at_once()) {
      const auto some = std::span(keys).subspan(begin, std::min(table_.keys_at_once(), keys.size() - begin));
      for (const sql::Row& key : TRY(table_.there(some))) others.push_back(manifest::key_text(key));
      TRY(sql::stream(table_.db(),
                      "select " + TRY(column_list(table_)) + " from " + table_.sql_name() + " t where " +
                          table_.with_keys(some) + " and " + TRY(table_.removable(cutoff_, holds)),
                      [&](const sql::Row& row) -> Result<bool> {
                        const std::string key = manifest::key_text(key_of(table_, row));
                        if (manifest::row_to_json(columns_, row).dump() != lines[key]) return true;
                        if (segment.keys.size() == limit || !referring_.take(referring[key])) return true;
                        segment.keys.push_back(key_of(table_, row));
                        segment.order.push_back(key);
                        segment.lines[key] = lines[key];
                        if (!referring[key].empty()) segment.referring[key] = referring[key];
                        return true;
                      }));
    }
    std::erase_if(others, [&](const std::string& key) { return segment.lines.contains(key); });
    return segment;
  }

  /// What refers to the rows lies with them. Where it is too much, or more than was planned, the segment ends before.
  Result<void> add_referring(Segment& segment) {
    if (!referring_.any()) return {};
    const auto cut = [&](std::size_t rows) {
      segment.keys.resize(rows);
      segment.order.resize(rows);
    };
    cut(TRY(referring_.fit(segment.keys)));
    ReferringRows::ByKey found = TRY(referring_.find(segment.keys));
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < segment.order.size(); ++i) {
      const std::string& key = segment.order[i];
      std::vector<manifest::Referring>& of_row = found[key];
      bytes += segment.lines.at(key).size();
      for (const manifest::Referring& one : of_row) bytes += one.row.size();
      if (bytes > bytes_in_segment && i > 0) return cut(i), Result<void>{};
      if (!referring_.take(of_row)) {
        run_.skip(refers_more, key);
        return cut(i), Result<void>{};
      }
      if (!of_row.empty()) segment.referring.emplace(key, std::move(of_row));
    }
    return {};
  }

  Result<void> copy(Item& item, const Segment& segment) {
    StringSource source(segment.text);
    TRY(archive_.store().put(item.copy, source, {.only_if_absent = true, .size = Bytes{segment.text.size()}}));
    item.made = true;
    item.sha256 = sha256_hex(segment.text);
    item.size = Bytes{segment.text.size()};
    return {};
  }

  Result<std::uint64_t> remove_some(Item& item, std::span<const sql::Row> keys, const Segment& segment) {
    while (true) {
      const Holds holds = *TRY(run_.holds());
      sql::Transaction transaction = TRY(table_.db().begin());
      std::vector<std::string> kept;
      const std::vector<sql::Row> same = TRY(lock_same(keys, segment, holds, kept));
      const std::uint64_t gone = same.empty() ? 0 : TRY(delete_rows(same, segment, holds));
      TRY(run_.checkpoint("archive-rows: before commit"));
      if (TRY(run_.holds())->generation() != holds.generation()) {
        TRY(transaction.rollback());
        continue;
      }
      TRY(transaction.commit());
      referring_.done();
      item.kept.insert(item.kept.end(), kept.begin(), kept.end());
      for (const std::string& key : kept)
        if (const auto of_row = segment.referring.find(key); of_row != segment.referring.end())
          referring_.give_back(of_row->second);
      return gone;
    }
  }

  /// Locks the rows and gives the keys of those that still are, to the letter, what the archive has.
  Result<std::vector<sql::Row>> lock_same(std::span<const sql::Row> keys, const Segment& segment, const Holds& holds,
                                          std::vector<std::string>& kept) {
    const bool postgres = table_.db().dialect() == sql::Dialect::postgres;
    const sql::Rows rows =
        TRY(sql::query(table_.db(), "select " + TRY(column_list(table_)) + " from " + table_.sql_name() + " t where " +
                                        table_.with_keys(keys) + (postgres ? " for update of t" : "")));
    TRY(referring_.lock(keys));
    const sql::Rows may_go = TRY(sql::query(table_.db(), "select " + TRY(table_.key_list("t.")) + " from " +
                                                             table_.sql_name() + " t where " + table_.with_keys(keys) +
                                                             " and " + TRY(table_.removable(cutoff_, holds))));
    std::map<std::string, bool> allowed;
    for (const sql::Row& row : may_go.rows) allowed[manifest::key_text(row)] = true;
    ReferringRows::ByKey refers = TRY(referring_.find(keys));
    std::vector<sql::Row> same;
    for (const sql::Row& row : rows.rows) {
      sql::Row key = key_of(table_, row);
      const std::string text = manifest::key_text(key);
      const auto line = segment.lines.find(text);
      const bool equal = line != segment.lines.end() && manifest::row_to_json(columns_, row).dump() == line->second;
      const bool recorded = referring_.as_recorded(referring_of(segment, text), refers[text]);
      if (equal && recorded && allowed.contains(text)) {
        same.push_back(std::move(key));
        continue;
      }
      kept.push_back(text);
      run_.skip(!equal                    ? "changed since it was archived"
                : !allowed.contains(text) ? "held, referenced or no longer old since it was planned"
                                          : refers_otherwise,
                text);
    }
    return same;
  }

  Result<std::uint64_t> delete_rows(const std::vector<sql::Row>& keys, const Segment& segment, const Holds& holds) {
    std::vector<const manifest::Referring*> refer;
    for (const sql::Row& key : keys)
      for (const manifest::Referring& one : referring_of(segment, manifest::key_text(key))) refer.push_back(&one);
    TRY(referring_.carry_out(refer));
    const std::int64_t n =
        TRY(sql::execute(table_.db(), "delete from " + table_.sql_name() + " as t where " + table_.with_keys(keys) +
                                          " and " + TRY(table_.removable(cutoff_, holds)) + table_.and_unreferenced()));
    if (static_cast<std::size_t>(n) != keys.size())
      return fail(Kind::refused,
                  fmt::format("{} of {} locked rows of {} could not be deleted: a trigger or rule keeps them",
                              keys.size() - static_cast<std::size_t>(n), keys.size(), table_.shown()),
                  "Nothing of this batch was removed. Look at the table's triggers, or turn this task off.",
                  "kept-by-trigger");
    return static_cast<std::uint64_t>(n);
  }

  const Table& table_;
  manifest::Archive& archive_;
  std::string folder_;
  manifest::Writer& writer_;
  ReferringRows& referring_;
  Instant cutoff_;
  RunContext& run_;
  std::vector<std::string> columns_;
};

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
    Archiver archiver(table, archive, archive_folder(*policy_.archive, table), writer, referring, step.cutoff, run);
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
  Result<std::uint64_t> drop_partitions(Table& table, Archiver& archiver, const Step& step, std::uint64_t& number,
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
