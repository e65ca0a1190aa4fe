#include "jobs/retention/held_rows.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "jobs/retention/conditions.h"
#include "jobs/retention/sql_list.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

std::string shown(const sql::Connection& db, const sql::TableInfo& info) {
  return fmt::format("{} table {}", db.shown(), full_name(db, info));
}

std::string release_hint(const ledger::Hold& hold) {
  return fmt::format(
      "Nothing of this table is removed meanwhile. If the hold is no longer wanted: steward hold release {}.", hold.id);
}

/// All of the hold's conditions; a NULL in one of them is no.
Result<sql::Fragment> conditions_sql(const sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold) {
  const auto conditions = conditions_from_json(hold.condition);
  if (!conditions)
    return fail(Kind::refused,
                fmt::format("hold {} on {} has a condition that this steward cannot read", hold.id, shown(db, info)),
                "Use the steward that placed it, or a newer one. " + release_hint(hold), "hold-unreadable");
  std::vector<sql::Fragment> all;
  for (const Where& where : *conditions) {
    auto one = condition_sql(db, info, shown(db, info), where);
    if (!one)
      return fail(Kind::refused, fmt::format("hold {} cannot be honoured: {}", hold.id, one.error().message),
                  release_hint(hold), "hold-column");
    all.push_back(*std::move(one));
  }
  return "coalesce(" + sql::all_of(all) + ", false)";
}

sql::Fragment prefix_sql(const sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold) {
  const sql::Fragment key = sql::Fragment::of(hold.key) + (db.dialect() == sql::Dialect::postgres ? "::text" : "");
  return "substr(" + key_text_sql(db, info) + ", 1, length(" + key + ")) = " + key;
}

/// Which rows a hold covers that is not on one row alone.
Result<sql::Fragment> several_sql(const sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold) {
  const bool by_key = !hold.key.empty() && !info.primary_key.empty();
  if (hold.condition.empty()) return by_key ? prefix_sql(db, info, hold) : sql::Fragment("true");
  sql::Fragment out = TRY(conditions_sql(db, info, hold));
  return by_key ? "(" + out + " and " + prefix_sql(db, info, hold) + ")" : out;
}

bool is_on_one_row(const sql::TableInfo& info, const ledger::Hold& hold) {
  return hold.condition.empty() && !info.primary_key.empty() && !hold.prefix;
}

/// Which rows it covers where it names a part of the table.
Result<sql::Fragment> on_part_sql(const sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold,
                                  const Part& part) {
  const sql::Fragment which = is_on_one_row(info, hold)
                                  ? key_text_sql(db, info) + " = " + sql::Fragment::of(hold.key) + "::text"
                                  : TRY(several_sql(db, info, hold));
  return "(t.tableoid = any(" + sql::Fragment::of(part.oids) + "::oid[]) and " + which + ")";
}

/// The parts of a table, each with all that is below it.
constexpr std::string_view parts_below = R"(
with recursive
target as (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = $1 and c.relname = $2),
down as (select i.inhrelid as oid from pg_inherits i join target on i.inhparent = target.oid
         union select i.inhrelid from pg_inherits i join down on i.inhparent = down.oid),
below as (select oid as top, oid from down
          union select below.top, i.inhrelid from pg_inherits i join below on i.inhparent = below.oid)
select n.nspname, c.relname, array_agg(below.oid)::text
from below join pg_class c on c.oid = below.top join pg_namespace n on n.oid = c.relnamespace
group by n.nspname, c.relname)";

bool is_on(const sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold) {
  return hold.kind == "row" && names_table(hold.target, full_name(db, info));
}

}  // namespace

std::string full_name(const sql::Connection& db, const sql::TableInfo& info) {
  return db.dialect() == sql::Dialect::postgres ? info.schema + '.' + info.name : info.name;
}

std::string key_text_sql(const sql::Connection& db, const sql::TableInfo& info) {
  // quote_identifier cannot fail for a name that came from the catalogue
  std::vector<std::string> texts;
  for (const std::string& column : info.primary_key)
    texts.push_back(fmt::format("cast(t.{} as text)", *db.quote_identifier(column)));
  if (texts.size() == 1) return texts.front();
  // As manifest::key_text writes it: a JSON array of texts without spaces.
  if (db.dialect() == sql::Dialect::sqlite) return fmt::format("json_array({})", fmt::join(texts, ", "));
  for (std::string& text : texts) text = fmt::format("to_json({})::text", text);
  return fmt::format("('[' || {} || ']')", fmt::join(texts, " || ',' || "));
}

Result<std::vector<Part>> parts_of(sql::Connection& db, const sql::TableInfo& info) {
  std::vector<Part> parts;
  if (db.dialect() == sql::Dialect::sqlite || !info.has_children) return parts;
  const sql::Value names[] = {info.schema, info.name};
  for (const sql::Row& row : TRY(db.query(parts_below, names)).rows)
    parts.push_back({.name = sql::to_text(row[0]) + '.' + sql::to_text(row[1]), .oids = sql::to_text(row[2])});
  return parts;
}

Result<sql::Fragment> held_sql(const sql::Connection& db, const sql::TableInfo& info, std::span<const Part> parts,
                               const Holds& holds) {
  std::vector<sql::Fragment> any;
  // However many single rows are held, they are one parameter: a restore holds each row that it brings back.
  std::vector<sql::Row> exact;
  for (const ledger::Hold& hold : holds.list()) {
    for (const Part& part : parts)
      if (hold.kind == "row" && names_table(hold.target, part.name))
        any.push_back(TRY(on_part_sql(db, info, hold, part)));
    if (!is_on(db, info, hold)) continue;
    if (is_on_one_row(info, hold))
      exact.push_back({hold.key});
    else
      any.push_back(TRY(several_sql(db, info, hold)));
  }
  if (!exact.empty()) any.push_back(one_of_texts(db, key_text_sql(db, info), exact));
  return sql::any_of(any);
}

Result<void> check_hold(sql::Connection& db, const sql::TableInfo& info, const ledger::Hold& hold) {
  // Another key than a list of texts begins like no row of such a table: the hold would hold nothing.
  if (info.primary_key.size() > 1 && !hold.key.empty() && !hold.key.starts_with("[\""))
    return fail(
        Kind::bad_input,
        fmt::format("the key of {} has {} columns, and \"{}\" is none", shown(db, info), info.primary_key.size(),
                    printable(hold.key)),
        "Write it as a JSON list of texts without spaces: --key '[\"17\",\"3\"]'; with --prefix, its beginning.");
  if (hold.condition.empty()) return {};
  for (const Where& where : TRY(conditions_from_json(hold.condition))) {
    const sql::Fragment condition = TRY(condition_sql(db, info, shown(db, info), where));
    // Reads no row, and the database reads the value as the column's type all the same.
    const auto asked =
        sql::query(db, "select 1 from " + TRY(sql::qualified(db, info)) + " t where " + condition + " limit 0");
    if (asked) continue;
    if (asked.error().kind == Kind::unavailable || asked.error().kind == Kind::permission)
      return std::unexpected(asked.error());
    return fail(
        Kind::bad_input,
        fmt::format("{} cannot answer \"{}\": {}", shown(db, info), printable(text_of(where)), asked.error().message),
        "Look at the column's type.");
  }
  return {};
}

Result<RowKeepers> keepers_of_row(sql::Connection& db, const sql::TableInfo& info, std::string_view key,
                                  const Holds& holds, const std::vector<Where>& hold_when) {
  RowKeepers out;
  std::vector<Keeper> asked;
  std::vector<sql::Fragment> questions;
  const std::vector<Part> parts = TRY(parts_of(db, info));
  for (const ledger::Hold& hold : holds.list()) {
    for (const Part& part : parts)
      if (hold.kind == "row" && names_table(hold.target, part.name)) {
        questions.push_back(TRY(on_part_sql(db, info, hold, part)));
        asked.push_back({.hold = hold.id, .why = hold.reason});
      }
    if (!is_on(db, info, hold)) continue;
    const Keeper keeper{.hold = hold.id, .why = hold.reason};
    if (is_on_one_row(info, hold)) {
      if (hold.key == key) out.keepers.push_back(keeper);
    } else if (hold.condition.empty()) {
      if (info.primary_key.empty() || key.starts_with(hold.key)) out.keepers.push_back(keeper);
    } else {
      questions.push_back(TRY(several_sql(db, info, hold)));
      asked.push_back(keeper);
    }
  }
  for (const Where& where : hold_when) {
    questions.push_back(TRY(condition_sql(db, info, shown(db, info), where)));
    asked.push_back({.why = text_of(where)});
  }
  if (info.primary_key.empty()) return out;
  sql::Fragment select = "select 1";
  for (const sql::Fragment& question : questions) select += ", case when " + question + " then 1 else 0 end";
  select += " from " + TRY(sql::qualified(db, info)) + " t where " + key_text_sql(db, info) + " = " +
            sql::Fragment::of(std::string(key)) + (db.dialect() == sql::Dialect::postgres ? "::text" : "");
  const sql::Rows rows = TRY(sql::query(db, select));
  out.there = !rows.rows.empty();
  for (std::size_t i = 0; out.there && i < asked.size(); ++i)
    if (sql::to_integer(rows.rows.front()[i + 1]) == 1) out.keepers.push_back(asked[i]);
  return out;
}

}  // namespace steward::retention
