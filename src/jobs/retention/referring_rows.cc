#include "jobs/retention/referring_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/sql_list.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Referring;

/// What refers to the rows of one batch, in all.
constexpr std::uint64_t rows_at_once = 10'000;

/// The columns of a referring row that are recorded: all where it goes, else its key and those that refer.
std::vector<std::string> recorded_columns(const Referrer& referrer) {
  std::vector<std::string> names;
  if (referrer.becomes == OnReference::archive_too) {
    for (const sql::Column& column : referrer.info.columns) names.push_back(column.name);
    return names;
  }
  names = referrer.info.primary_key;
  names.insert(names.end(), referrer.reference.columns.begin(), referrer.reference.columns.end());
  return names;
}

Result<std::string> listed(const sql::Connection& db, std::span<const std::string> columns) {
  std::string list;
  for (const std::string& name : columns) list += (list.empty() ? "t." : ", t.") + TRY(db.quote_identifier(name));
  return list;
}

Result<sql::Row> key_of(const Referring& one) {
  const ArchivedRow row = TRY(archived_row(one.row));
  return row.values_of(one.key_columns);
}

}  // namespace

Result<void> enter_consequences(const Table& table, std::span<const std::uint64_t> referring,
                                std::uint64_t count_all_from, Step& step) {
  for (std::size_t i = 0; i < table.referrers().size(); ++i) {
    const Referrer& referrer = table.referrers()[i];
    const bool go = referrer.becomes == OnReference::archive_too;
    Consequence one{.target = referrer.shown(), .what = std::string(name_of(referrer.becomes)), .rows = referring[i]};
    if (go && one.rows >= count_all_from) {
      const sql::Rows all = TRY(table.db().query("select count(*) from " + referrer.sql_name));
      one.population = static_cast<std::uint64_t>(sql::to_integer(all.rows.at(0).at(0)));
    }
    const std::string columns = printable(fmt::format("{}", fmt::join(referrer.reference.columns, ", ")));
    if (one.rows > 0)
      step.notes.push_back(
          fmt::format("{} row{} of {} refer{} to these by {}: {}", format_count(one.rows), one.rows == 1 ? "" : "s",
                      printable(referrer.name), one.rows == 1 ? "s" : "", columns,
                      go ? "archived and deleted with them" : "set to NULL, and set back by a restore"));
    step.consequences.push_back(std::move(one));
  }
  return {};
}

std::vector<std::string> ReferringRows::tables(const Table& table) {
  std::set<std::string> names;
  for (const Referrer& referrer : table.referrers()) names.insert(referrer.name);
  return {names.begin(), names.end()};
}

ReferringRows::ReferringRows(const Table& table, const Step& step, RunContext& run) : table_(table), run_(run) {
  for (const Consequence& one : step.consequences) left_[one.target] += one.rows;
}

/// from (the rows with these keys: k0, k1, … their keys, v0, v1, … what is referred to) p join the referrer's t
Result<sql::Fragment> ReferringRows::joined(const Referrer& referrer, std::span<const sql::Row> keys) const {
  const sql::Connection& db = table_.db();
  std::string parents, on;
  const std::vector<std::string>& key = table_.info().primary_key;
  for (std::size_t i = 0; i < key.size(); ++i)
    parents += fmt::format("{}t.{} as k{}", i > 0 ? ", " : "", TRY(db.quote_identifier(key[i])), i);
  for (std::size_t i = 0; i < referrer.reference.columns.size(); ++i) {
    parents += fmt::format(", t.{} as v{}", TRY(db.quote_identifier(referrer.reference.target_columns[i])), i);
    on +=
        fmt::format("{}t.{} = p.v{}", i > 0 ? " and " : "", TRY(db.quote_identifier(referrer.reference.columns[i])), i);
  }
  return " from (select " + parents + " from " + table_.sql_name() + " t where " + table_.with_keys(keys) +
         ") p join " + referrer.sql_name + " t on " + on;
}

Result<std::size_t> ReferringRows::fit(std::span<const sql::Row> keys) const {
  if (!any()) return keys.size();
  std::map<std::string, std::uint64_t> counts;
  std::string listed_keys;
  for (std::size_t i = 0; i < table_.info().primary_key.size(); ++i)
    listed_keys += fmt::format("{}p.k{}", i > 0 ? ", " : "", i);
  for (std::size_t begin = 0; begin < keys.size(); begin += table_.keys_at_once())
    for (const Referrer& referrer : table_.referrers()) {
      const auto some = keys.subspan(begin, std::min(table_.keys_at_once(), keys.size() - begin));
      const sql::Rows rows = TRY(sql::query(
          table_.db(), "select count(*), " + listed_keys + TRY(joined(referrer, some)) + " group by " + listed_keys));
      for (const sql::Row& row : rows.rows)
        counts[manifest::key_text(std::span(row).subspan(1))] += static_cast<std::uint64_t>(sql::to_integer(row[0]));
    }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto count = counts.find(manifest::key_text(keys[i]));
    if (count != counts.end()) sum += count->second;
    if (sum > rows_at_once && i > 0) return i;
  }
  return keys.size();
}

Result<ReferringRows::ByKey> ReferringRows::find(std::span<const sql::Row> keys) const {
  ByKey found;
  for (std::size_t begin = 0; begin < keys.size(); begin += table_.keys_at_once())
    for (const Referrer& referrer : table_.referrers())
      TRY(find_in(referrer, keys.subspan(begin, std::min(table_.keys_at_once(), keys.size() - begin)), found));
  for (auto& [key, referring] : found) std::ranges::sort(referring);
  return found;
}

Result<void> ReferringRows::find_in(const Referrer& referrer, std::span<const sql::Row> keys, ByKey& found) const {
  const std::vector<std::string> columns = recorded_columns(referrer);
  const std::size_t of_key = table_.info().primary_key.size();
  std::string select = "select ";
  for (std::size_t i = 0; i < of_key; ++i) select += fmt::format("p.k{}, ", i);
  select += TRY(listed(table_.db(), columns));
  const sql::Rows rows = TRY(sql::query(table_.db(), select + TRY(joined(referrer, keys))));
  for (const sql::Row& row : rows.rows) {
    const sql::Row values(row.begin() + static_cast<std::ptrdiff_t>(of_key), row.end());
    found[manifest::key_text(std::span(row).first(of_key))].push_back(
        {.table = referrer.name,
         .key_columns = referrer.info.primary_key,
         .columns = referrer.reference.columns,
         .went = referrer.becomes == OnReference::archive_too,
         .row = manifest::row_to_json(columns, values).dump()});
  }
  return {};
}

const Referrer* ReferringRows::referrer_of(const Referring& one) const {
  const auto it = std::ranges::find_if(table_.referrers(), [&](const Referrer& referrer) {
    return referrer.name == one.table && referrer.reference.columns == one.columns;
  });
  return it == table_.referrers().end() ? nullptr : &*it;
}

bool ReferringRows::take(std::span<const Referring> referring) {
  Counts wanted;
  for (const Referring& one : referring) ++wanted[referrer_of(one)->shown()];
  for (const auto& [target, rows] : wanted)
    if (left_[target] < rows) return false;
  for (const auto& [target, rows] : wanted) left_[target] -= rows;
  return true;
}

void ReferringRows::give_back(std::span<const Referring> referring) {
  for (const Referring& one : referring) ++left_[referrer_of(one)->shown()];
}

Result<void> ReferringRows::lock(std::span<const sql::Row> keys) {
  carried_out_.clear();
  if (!any() || table_.db().dialect() == sql::Dialect::sqlite) return {};
  locked_.emplace();
  for (const Referrer& referrer : table_.referrers()) {
    const std::vector<std::string>& key = referrer.info.primary_key;
    const sql::Rows rows =
        TRY(sql::query(table_.db(), "select " + TRY(listed(table_.db(), key)) + TRY(joined(referrer, keys)) +
                                        " for update of t skip locked"));
    for (const sql::Row& row : rows.rows) locked_->insert(referrer.name + ' ' + manifest::key_text(row));
  }
  return {};
}

bool ReferringRows::as_recorded(std::span<const Referring> recorded, std::span<const Referring> now) const {
  if (!std::ranges::equal(recorded, now)) return false;
  return !locked_ || std::ranges::all_of(now, [&](const Referring& one) {
    const auto key = key_text_of(one);
    return key && locked_->contains(one.table + ' ' + *key);
  });
}

Result<void> ReferringRows::carry_out(std::span<const Referring* const> recorded) {
  std::set<std::string> seen;  // a row may refer to several that go, by one column or by two
  for (const Referrer& referrer : table_.referrers()) {
    const std::string of_table =
        referrer.becomes == OnReference::archive_too ? referrer.name : referrer.shown() + " of " + referrer.name;
    std::vector<sql::Row> keys;
    for (const Referring* one : recorded) {
      if (referrer_of(*one) != &referrer) continue;
      sql::Row key = TRY(key_of(*one));
      if (seen.insert(of_table + ' ' + manifest::key_text(key)).second) keys.push_back(std::move(key));
    }
    TRY(change(referrer, keys));
  }
  return {};
}

Result<void> ReferringRows::change(const Referrer& referrer, std::span<const sql::Row> keys) {
  const bool go = referrer.becomes == OnReference::archive_too;
  std::string what = "delete from " + referrer.sql_name + " as t";
  if (!go) {
    what = "update " + referrer.sql_name + " as t set ";
    for (std::size_t i = 0; i < referrer.reference.columns.size(); ++i)
      what += (i > 0 ? ", " : "") + TRY(table_.db().quote_identifier(referrer.reference.columns[i])) + " = null";
  }
  const std::size_t at_once = table_.keys_at_once();
  for (std::size_t begin = 0; begin < keys.size(); begin += at_once) {
    const auto some = keys.subspan(begin, std::min(at_once, keys.size() - begin));
    const std::int64_t changed =
        TRY(sql::execute(table_.db(), what + " where " + rows_with_keys(table_.db(), referrer.info, some)));
    if (static_cast<std::size_t>(changed) != some.size())
      return fail(Kind::refused,
                  fmt::format("{} of {} locked rows of {} could not be {}: a trigger or rule keeps them",
                              some.size() - static_cast<std::size_t>(changed), some.size(), printable(referrer.name),
                              go ? "deleted" : "set to NULL"),
                  "Nothing of this batch was removed. Look at that table's triggers, or let it keep what it refers to.",
                  "kept-by-trigger");
  }
  carried_out_[referrer.shown()] += keys.size();
  return {};
}

void ReferringRows::done() {
  for (const auto& [target, rows] : carried_out_) touched_[target] += rows;
  carried_out_.clear();
}

void ReferringRows::note() const {
  for (const Referrer& referrer : table_.referrers()) {
    const auto touched = touched_.find(referrer.shown());
    if (touched == touched_.end() || touched->second == 0) continue;
    const std::uint64_t rows = touched->second;
    run_.note(Level::info,
              fmt::format("{} row{} of {} {}", format_count(rows), rows == 1 ? "" : "s", referrer.shown(),
                          referrer.becomes == OnReference::archive_too ? "archived and deleted too" : "set to NULL"));
  }
}

}  // namespace steward::retention
