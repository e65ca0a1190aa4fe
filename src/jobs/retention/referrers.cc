#include "jobs/retention/referrers.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "jobs/retention/conditions.h"
#include "jobs/retention/held_rows.h"

namespace steward::retention {
namespace {

/// More than these of one row are not recorded with it.
constexpr std::uint64_t at_most = 10'000;

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// r."a" = t."b" and …, of a reference's columns and what they mean.
Result<std::string> equal(const sql::Connection& db, const sql::Reference& reference) {
  std::string out;
  for (std::size_t i = 0; i < reference.columns.size(); ++i)
    out += fmt::format("{}r.{} = t.{}", i > 0 ? " and " : "", TRY(db.quote_identifier(reference.columns[i])),
                       TRY(db.quote_identifier(reference.target_columns[i])));
  return out;
}

Result<std::string> table_of(const sql::Connection& db, const sql::Reference& reference) {
  const std::string schema = reference.schema.empty() ? "" : TRY(db.quote_identifier(reference.schema)) + '.';
  return schema + TRY(db.quote_identifier(reference.table));
}

std::string full_name_of(const sql::Connection& db, const sql::Reference& reference) {
  return db.dialect() == sql::Dialect::postgres ? reference.schema + '.' + reference.table : reference.table;
}

const sql::Column* column_in(const sql::TableInfo& info, const std::string& name) {
  const auto it = std::ranges::find_if(info.columns, [&](const sql::Column& column) { return column.name == name; });
  return it == info.columns.end() ? nullptr : &*it;
}

std::string keep_hint(const Referrer& referrer) {
  return fmt::format("Let what refers from there keep its rows: references: {{tables: {{{}: keep}}}}.",
                     printable(referrer.info.name));
}

/// Why these columns cannot be set to NULL; empty: they can.
std::string not_to_be_null(const Referrer& referrer) {
  for (const std::string& name : referrer.reference.columns) {
    const std::string shown = printable(fmt::format("{}.{}", referrer.name, name));
    const sql::Column* column = column_in(referrer.info, name);
    if (has(referrer.info.primary_key, name))
      return fmt::format("{} is of its primary key: it cannot be set to NULL", shown);
    if (column == nullptr || column->not_null) return fmt::format("{} is NOT NULL: it cannot be set to NULL", shown);
    if (column->generated) return fmt::format("{} is generated: it cannot be set to NULL", shown);
    for (const sql::Reference& other : referrer.referring)
      if (has(other.target_columns, name))
        return fmt::format("{} is referred to by {}: it cannot be set to NULL", shown, printable(other.table));
  }
  return {};
}

Result<void> check(const Referrer& referrer, const sql::TableInfo& target, const RowRules& rules) {
  const auto refused = [&](std::string why) {
    return fail(Kind::bad_input, "references: " + std::move(why), keep_hint(referrer));
  };
  const std::string name = printable(referrer.name);
  if (referrer.info.schema == target.schema && referrer.info.name == target.name)
    return refused(fmt::format("{} refers to itself: such rows can only be kept", name));
  if (referrer.info.kind != sql::TableKind::table && referrer.info.kind != sql::TableKind::partitioned)
    return refused(fmt::format("{} is a view or a foreign table: its rows are not changed", name));
  if (referrer.info.kind == sql::TableKind::table && referrer.info.has_children)
    return refused(fmt::format("other tables inherit from {}: its rows cannot be told apart", name));
  if (referrer.info.primary_key.empty())
    return refused(fmt::format("{} has no primary key: which of its rows referred could not be recorded", name));
  if (referrer.becomes == OnReference::set_null) {
    const std::string why = not_to_be_null(referrer);
    return why.empty() ? Result<void>{} : refused(why);
  }
  for (const Neighbour& neighbour : rules.neighbours)
    if (neighbour.with_files && names_table(neighbour.table, referrer.name))
      return refused(fmt::format("rows of {} name files ({}): they cannot go along", name, neighbour.task));
  return {};
}

/// A table that is named, and refers to nothing here, is a mistake.
Result<void> check_names(const sql::Connection& db, const std::string& target,
                         const std::vector<sql::Reference>& references, const ReferenceRules& rules) {
  for (const auto& [table, becomes] : rules.tables) {
    std::vector<std::string> names;
    for (const sql::Reference& reference : references) names.push_back(full_name_of(db, reference));
    if (std::ranges::any_of(names, [&](const std::string& name) { return names_table(table, name); })) continue;
    std::string hint = did_you_mean(table, names);
    if (hint.empty() && !names.empty()) hint = fmt::format("These do: {}.", join_and(names));
    return fail(Kind::not_found, fmt::format("references: no column of {} refers to {}", printable(table), target),
                std::move(hint));
  }
  return {};
}

Result<Referrer> open(sql::Connection& db, const sql::Reference& reference, OnReference becomes,
                      const RowRules& rules) {
  Referrer referrer{.reference = reference, .becomes = becomes, .name = full_name_of(db, reference)};
  referrer.info = TRY(db.describe(referrer.name));
  if (referrer.info.name != reference.table)
    return fail(Kind::bad_input, fmt::format("references: {} names another table first", printable(referrer.name)),
                "Let what refers from there keep its rows.");
  referrer.sql_name = TRY(sql::qualified(db, referrer.info));
  referrer.parts = TRY(parts_of(db, referrer.info));
  referrer.referring = TRY(db.references_to(referrer.info));
  for (const Neighbour& neighbour : rules.neighbours)
    if (names_table(neighbour.table, referrer.name))
      referrer.hold_when.insert(referrer.hold_when.end(), neighbour.hold_when.begin(), neighbour.hold_when.end());
  return referrer;
}

/// A row `t` of the referrer's table that may not be touched.
Result<sql::Fragment> held(const sql::Connection& db, const Referrer& referrer, const Holds& holds) {
  std::vector<sql::Fragment> any;
  if (sql::Fragment by_hold = TRY(held_sql(db, referrer.info, referrer.parts, holds)); by_hold.text != "false")
    any.push_back(std::move(by_hold));
  for (const Where& where : referrer.hold_when) {
    const sql::Fragment when = TRY(condition_sql(db, referrer.info, referrer.name, where));
    any.push_back("coalesce(" + when + ", false)");
  }
  return any.empty() ? sql::Fragment() : sql::any_of(any);
}

/// Whether some row of the referrer's table that refers to the row `t` meets a condition, which is on rows called `t`.
Result<sql::Fragment> some_meet(const sql::Connection& db, const Referrer& referrer, const sql::Fragment& condition) {
  std::string columns;
  for (const std::string& name : referrer.reference.columns)
    columns += (columns.empty() ? "t." : ", t.") + TRY(db.quote_identifier(name));
  return "exists (select 1 from (select " + columns + " from " + referrer.sql_name + " t where " + condition +
         ") r where " + TRY(equal(db, referrer.reference)) + ")";
}

}  // namespace

bool ReferenceRules::keep_all() const {
  return others == OnReference::keep &&
         std::ranges::all_of(tables, [](const auto& one) { return one.second == OnReference::keep; });
}

std::string Referrer::shown() const {
  return printable(fmt::format("{} ({})", name, fmt::join(reference.columns, ", ")));
}

std::string_view name_of(OnReference becomes) {
  switch (becomes) {
    case OnReference::keep: return "keep";
    case OnReference::set_null: return "set-null";
    case OnReference::archive_too: return "archive-too";
  }
  return "?";
}

OnReference on_reference(const ReferenceRules& rules, const std::string& full_name) {
  for (const auto& [table, becomes] : rules.tables)
    if (names_table(table, full_name)) return becomes;
  return rules.others;
}

Result<std::vector<Referrer>> open_referrers(sql::Connection& db, const sql::TableInfo& target,
                                             const std::vector<sql::Reference>& references, const RowRules& rules) {
  std::vector<Referrer> all;
  TRY(check_names(db, printable(full_name(db, target)), references, rules.references));
  for (const sql::Reference& reference : references) {
    const OnReference becomes = on_reference(rules.references, full_name_of(db, reference));
    const bool known = std::ranges::any_of(all, [&](const Referrer& other) {
      return other.reference.schema == reference.schema && other.reference.table == reference.table &&
             other.reference.columns == reference.columns && other.reference.target_columns == reference.target_columns;
    });
    if (becomes == OnReference::keep || known) continue;
    Referrer referrer = TRY(open(db, reference, becomes, rules));
    TRY(check(referrer, target, rules));
    all.push_back(std::move(referrer));
  }
  return all;
}

Result<std::string> refers_sql(const sql::Connection& db, const sql::Reference& reference) {
  return fmt::format("exists (select 1 from {} r where {})", TRY(table_of(db, reference)), TRY(equal(db, reference)));
}

Result<std::string> count_sql(const sql::Connection& db, const Referrer& referrer) {
  return fmt::format("(select count(*) from {} r where {})", referrer.sql_name, TRY(equal(db, referrer.reference)));
}

Result<std::vector<std::pair<sql::Fragment, std::string>>> keeping(const sql::Connection& db, const Referrer& referrer,
                                                                   const Holds& holds) {
  std::vector<std::pair<sql::Fragment, std::string>> out;
  const std::string by = "referenced by " + referrer.info.name;
  if (const sql::Fragment condition = TRY(held(db, referrer, holds)); !condition.empty())
    out.emplace_back(TRY(some_meet(db, referrer, condition)), by + ", which is held");
  if (referrer.becomes == OnReference::archive_too) {
    std::vector<sql::Fragment> any;
    for (const sql::Reference& other : referrer.referring) any.emplace_back(TRY(refers_sql(db, other)));
    if (!any.empty())
      out.emplace_back(TRY(some_meet(db, referrer, sql::any_of(any))), by + ", which is referenced itself");
  }
  out.emplace_back(fmt::format("(select count(*) from (select 1 from {} r where {} limit {}) n) > {}",
                               referrer.sql_name, TRY(equal(db, referrer.reference)), at_most + 1, at_most),
                   fmt::format("{} more than {} times", by, format_count(at_most)));
  return out;
}

std::string referrers_text(const std::vector<Referrer>& referrers) {
  std::vector<std::string> parts;
  for (const Referrer& referrer : referrers) {
    const std::string columns = fmt::format("{}", fmt::join(referrer.reference.columns, ", "));
    parts.push_back(printable(referrer.becomes == OnReference::set_null
                                  ? fmt::format("set {} of {} to NULL", columns, referrer.name)
                                  : fmt::format("delete rows of {} that refer by {}", referrer.name, columns)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string reference_filter(const std::vector<sql::Reference>& references, const std::vector<Referrer>& referrers) {
  if (references.empty()) return {};
  std::vector<std::string> parts;
  for (const Referrer& referrer : referrers)
    parts.push_back(fmt::format("{}: {}", referrer.shown(), name_of(referrer.becomes)));
  if (parts.empty()) return ", not referenced";
  return fmt::format(", not referenced but by {}", fmt::join(parts, ", "));
}

std::vector<sql::Right> rights_on(const Referrer& referrer) {
  const auto right = [&](std::string privilege, std::vector<std::string> columns, bool of_each = false) {
    return sql::Right{std::move(privilege), referrer.info.schema, referrer.info.name, std::move(columns), of_each};
  };
  std::vector<sql::Right> rights;
  if (referrer.becomes == OnReference::archive_too) {
    rights = {right("SELECT", {}), right("DELETE", {}), right("UPDATE", {referrer.info.primary_key.front()})};
    for (const sql::Reference& other : referrer.referring)
      rights.push_back({"SELECT", other.schema, other.table, other.columns});
    return rights;
  }
  std::vector<std::string> read = referrer.info.primary_key;
  std::vector<std::string> more = referrer.reference.columns;
  for (const Where& where : referrer.hold_when) more.push_back(where.column);
  for (const std::string& column : more)
    if (!has(read, column)) read.push_back(column);
  rights.push_back(right("SELECT", std::move(read)));
  rights.push_back(right("UPDATE", referrer.reference.columns, /*of_each=*/true));
  return rights;
}

}  // namespace steward::retention
