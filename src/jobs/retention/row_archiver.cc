#include "jobs/retention/row_archiver.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/digest.h"
#include "io/files/compression.h"
#include "io/files/copy.h"
#include "jobs/retention/archive_files.h"
#include "jobs/retention/archived_rows.h"
#include "run/manifest/row_json.h"

namespace steward::retention {

using manifest::Item;
using manifest::State;

namespace {

constexpr std::size_t bytes_in_segment = 16U << 20;

void add_line(Sha256& hash, const std::string& line) { hash.update(line + '\n'); }

}  // namespace

/// A batch of rows in memory: what goes into one segment.
struct RowArchiver::Segment {
  std::vector<sql::Row> keys{};
  std::vector<std::string> order{};            ///< The keys' texts, as the rows were read.
  std::map<std::string, std::string> lines{};  ///< By key text: the row.
  ReferringRows::ByKey referring{};            ///< Likewise: what refers to it.
  std::string text{};                          ///< All lines, compressed.

  std::span<const manifest::Referring> referring_of(const std::string& key) const {
    const auto found = referring.find(key);
    return found == referring.end() ? std::span<const manifest::Referring>{} : found->second;
  }
  Result<std::string> compressed() const;
};

Result<std::string> RowArchiver::Segment::compressed() const {
  StringSink out;
  files::ZstdSink zstd(out);
  for (const std::string& key : order) {
    const std::string line = manifest::segment_line(lines.at(key), referring_of(key)) + '\n';
    TRY(zstd.write(std::as_bytes(std::span(line))));
  }
  TRY(zstd.finish());
  return std::move(out.text);
}

RowArchiver::RowArchiver(const Table& table, manifest::Archive& archive, std::string folder, manifest::Writer& writer,
                         ReferringRows& referring, Instant cutoff, RunContext& run)
    : table_(table),
      archive_(archive),
      folder_(std::move(folder)),
      writer_(writer),
      referring_(referring),
      cutoff_(cutoff),
      run_(run),
      columns_(column_names(table)) {}

Result<std::uint64_t> RowArchiver::segment(std::uint64_t limit, std::uint64_t number, std::uint64_t& taken) {
  const Holds* holds = TRY(run_.holds());
  Segment segment = TRY(read("select " + TRY(column_list(table_)) + " from " + table_.sql_name() + " t where " +
                             TRY(table_.removable(cutoff_, *holds)) + fmt::format(" limit {}", limit)));
  TRY(add_referring(segment));
  taken = segment.keys.size();
  if (segment.keys.empty()) return 0;
  segment.text = TRY(segment.compressed());
  Item item = TRY(write(segment, number));
  const std::uint64_t gone = TRY(remove(item, segment));
  TRY(step(item, State::row_gone));
  return gone;
}

Result<std::uint64_t> RowArchiver::again(const Item& archived, std::uint64_t limit, std::uint64_t& number) {
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

Result<bool> RowArchiver::partition(const Partition& partition, PartitionDrops& drops, std::uint64_t& number) {
  std::vector<Item> items;
  Sha256 hash;
  for (Segment segment = TRY(read(TRY(page(partition, {})))); !segment.keys.empty();
       segment = TRY(read(TRY(page(partition, segment.keys.back()))))) {
    for (const std::string& key : segment.order) add_line(hash, segment.lines.at(key));
    segment.text = TRY(segment.compressed());
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

Result<std::uint64_t> RowArchiver::remove(Item& item, const Segment& segment) {
  std::uint64_t gone = 0;
  const std::span<const sql::Row> keys = segment.keys;
  for (std::size_t begin = 0; begin < keys.size(); begin += table_.keys_at_once()) {
    const auto some = keys.subspan(begin, std::min(table_.keys_at_once(), keys.size() - begin));
    gone += TRY(remove_some(item, some, segment));
  }
  return gone;
}

Result<void> RowArchiver::step(Item& item, State state) {
  TRY(run_.checkpoint(fmt::format("archive-rows: {} done", manifest::name_of(state))));
  item.state = state;
  TRY(writer_.record(std::span<const Item>(&item, 1)));
  return run_.checkpoint(fmt::format("archive-rows: {} recorded", manifest::name_of(state)));
}

Result<sql::Fragment> RowArchiver::page(const Partition& partition, const sql::Row& behind) const {
  const std::string keys = TRY(table_.key_list("t."));
  sql::Fragment select = "select " + TRY(column_list(table_)) + " from " + partition.sql_name + " t";
  for (std::size_t i = 0; i < behind.size(); ++i)
    select += (i == 0 ? " where (" + keys + ") > (" : std::string(", ")) + sql::Fragment::of(behind[i]);
  if (!behind.empty()) select += ")";
  return select + fmt::format(" order by {} limit {}", keys, rows_in_segment);
}

Result<std::string> RowArchiver::hash_of(const Partition& partition) const {
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

Result<Item> RowArchiver::write(const Segment& segment, std::uint64_t number) {
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

Result<RowArchiver::Segment> RowArchiver::read(const sql::Fragment& select) {
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

Result<RowArchiver::Segment> RowArchiver::read_again(const Item& archived, std::uint64_t limit, const Holds& holds,
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

Result<void> RowArchiver::add_referring(Segment& segment) {
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

Result<void> RowArchiver::copy(Item& item, const Segment& segment) {
  StringSource source(segment.text);
  TRY(archive_.store().put(item.copy, source, {.only_if_absent = true, .size = Bytes{segment.text.size()}}));
  item.made = true;
  item.sha256 = sha256_hex(segment.text);
  item.size = Bytes{segment.text.size()};
  return {};
}

Result<std::uint64_t> RowArchiver::remove_some(Item& item, std::span<const sql::Row> keys, const Segment& segment) {
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

Result<std::vector<sql::Row>> RowArchiver::lock_same(std::span<const sql::Row> keys, const Segment& segment,
                                                     const Holds& holds, std::vector<std::string>& kept) {
  const bool postgres = table_.db().dialect() == sql::Dialect::postgres;
  const sql::Rows rows =
      TRY(sql::query(table_.db(), "select " + TRY(column_list(table_)) + " from " + table_.sql_name() + " t where " +
                                      table_.with_keys(keys) + (postgres ? " for update of t" : "")));
  TRY(referring_.lock(keys));
  const sql::Rows may_go =
      TRY(sql::query(table_.db(), "select " + TRY(table_.key_list("t.")) + " from " + table_.sql_name() + " t where " +
                                      table_.with_keys(keys) + " and " + TRY(table_.removable(cutoff_, holds))));
  std::map<std::string, bool> allowed;
  for (const sql::Row& row : may_go.rows) allowed[manifest::key_text(row)] = true;
  ReferringRows::ByKey refers = TRY(referring_.find(keys));
  std::vector<sql::Row> same;
  for (const sql::Row& row : rows.rows) {
    sql::Row key = key_of(table_, row);
    const std::string text = manifest::key_text(key);
    const auto line = segment.lines.find(text);
    const bool equal = line != segment.lines.end() && manifest::row_to_json(columns_, row).dump() == line->second;
    const bool recorded = referring_.as_recorded(segment.referring_of(text), refers[text]);
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

Result<std::uint64_t> RowArchiver::delete_rows(const std::vector<sql::Row>& keys, const Segment& segment,
                                               const Holds& holds) {
  std::vector<const manifest::Referring*> refer;
  for (const sql::Row& key : keys)
    for (const manifest::Referring& one : segment.referring_of(manifest::key_text(key))) refer.push_back(&one);
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

}  // namespace steward::retention
