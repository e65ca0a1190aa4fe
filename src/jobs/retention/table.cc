#include "jobs/retention/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/text.h"
#include "core/zone.h"
#include "io/sql/grants.h"
#include "jobs/retention/conditions.h"
#include "jobs/retention/held_rows.h"
#include "jobs/retention/sql_list.h"
#include "run/runner.h"

namespace steward::retention {
namespace {

constexpr std::size_t samples_shown = 3;

std::string joined(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

const sql::Column* column_named(const sql::TableInfo& info, std::string_view name) {
  const auto it = std::ranges::find_if(info.columns, [&](const sql::Column& c) { return c.name == name; });
  return it == info.columns.end() ? nullptr : &*it;
}

/// An SQL literal.
std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + '\'';
}

/// Seconds or milliseconds from year 1 to 9999: beyond it is no moment that a database can show.
constexpr std::int64_t first_second = -62'135'596'800, last_second = 253'402'300'799;

/// The first whole unit that is not before the cutoff.
std::int64_t units_until(Instant cutoff, std::int64_t micros_in_unit) {
  const std::int64_t micros = cutoff.time_since_epoch().count();
  return micros / micros_in_unit + (micros % micros_in_unit > 0 ? 1 : 0);
}

}  // namespace

Result<Table> Table::open(const RowRules& rules) {
  Table table;
  table.db_ = TRY(sql::connect(rules.database));
  table.info_ = TRY(table.db_->describe(rules.table));
  table.name_ = full_name(*table.db_, table.info_);
  table.sql_name_ = TRY(sql::qualified(*table.db_, table.info_));
  table.parts_ = TRY(parts_of(*table.db_, table.info_));
  if (table.info_.kind != sql::TableKind::table && table.info_.kind != sql::TableKind::partitioned)
    return fail(Kind::bad_input, fmt::format("{} is a view or a foreign table, not a table", table.shown()),
                "Name the table that holds the rows.");
  TRY(table.set_age_column(rules));
  TRY(table.set_conditions(rules));
  table.references_ = TRY(table.db_->references_to(table.info_));
  TRY(table.add_references(rules));
  for (const sql::Reference& reference : table.references_)
    table.reference_sql_.push_back(TRY(refers_sql(*table.db_, reference)));
  table.referrers_ = TRY(open_referrers(*table.db_, table.info_, table.references_, rules));
  return table;
}

std::string Table::shown() const { return fmt::format("{} table {}", db_->shown(), name_); }

Result<const sql::Column*> Table::column(std::string_view name) const { return column_of(info_, shown(), name); }

Result<void> Table::set_age_column(const RowRules& rules) {
  const sql::Column* found = TRY(column(rules.age_column));
  age_column_ = rules.age_column;
  age_sql_ = "t." + TRY(quoted(age_column_));
  const bool postgres = db_->dialect() == sql::Dialect::postgres;
  if (rules.age_format != AgeFormat::by_type) {
    const bool seconds = rules.age_format == AgeFormat::epoch_seconds;
    const std::int64_t scale = seconds ? 1 : 1'000, micros = seconds ? 1'000'000 : 1'000;
    // Never NULL itself: what is no time is counted with `not`.
    const std::string sane = fmt::format("{} between {} and {}", age_sql_, first_second * scale, last_second * scale);
    is_time_ = postgres ? fmt::format("({} is not null and {})", age_sql_, sane)
                        : fmt::format("(typeof({}) in ('integer', 'real') and {})", age_sql_, sane);
    age_expression_ = postgres ? fmt::format("to_timestamp({} / {}.0)", age_sql_, scale)
                               : fmt::format("cast({} * {} as integer)", age_sql_, micros);
    before_ = [this_age = age_sql_, micros](Instant cutoff) {
      return this_age + " < " + sql::Fragment::of(units_until(cutoff, micros));
    };
    const bool number = !postgres || found->type == "integer" || found->type == "bigint" || found->type == "smallint";
    if (number) return {};
    return fail(
        Kind::bad_input,
        fmt::format("column \"{}\" of {} is of type {}, which is no whole number", age_column_, shown(), found->type),
        "An age_format of epoch is for columns of type integer or bigint.");
  }
  if (!postgres) {
    if (const auto zone = Zone::load(rules.time_zone); !zone) return std::unexpected(zone.error());
    age_expression_ = rules.time_zone == "UTC"
                          ? fmt::format("steward_instant({})", age_sql_)
                          : fmt::format("steward_instant({}, {})", age_sql_, literal(rules.time_zone));
    is_time_ = age_expression_ + " is not null";
    before_ = [expression = age_expression_](Instant cutoff) {
      return expression + " < " + sql::Fragment::of(std::int64_t{cutoff.time_since_epoch().count()});
    };
    return {};
  }
  age_expression_ = age_sql_;
  is_time_ = fmt::format("({0} is not null and isfinite({0}))", age_sql_);
  std::string after;  // what makes a timestamptz the column's own kind of time
  const bool zoned = found->type.starts_with("timestamp") && found->type.ends_with("with time zone") &&
                     !found->type.contains("without");
  if (found->type.starts_with("timestamp"))
    after = zoned ? "" : fmt::format(" at time zone {}", literal(rules.time_zone));
  else if (found->type == "date")  // a date is its end: the first moment of the next day
    after = fmt::format(" at time zone {} - interval '1 day'", literal(rules.time_zone));
  else
    return fail(
        Kind::bad_input,
        fmt::format("column \"{}\" of {} is of type {}, which is not a time", age_column_, shown(), found->type),
        found->type == "integer" || found->type == "bigint"
            ? "If it counts seconds or milliseconds since 1970, say so with age_format: epoch-seconds."
            : "Name a column of type timestamptz, timestamp or date.");
  // An index on the column answers this; but where clocks were put back, or forward, times on the wall are in another
  // order than the instants that they mean: those are compared as well.
  before_ = [age = age_sql_, after](Instant cutoff) {
    return age + " < (" + sql::Fragment::of(format_instant(cutoff)) + "::timestamptz" + after + ")";
  };
  if (zoned || rules.time_zone == "UTC") return {};
  const std::string end = found->type == "date" ? fmt::format("({} + 1)::timestamp", age_sql_) : age_sql_;
  age_expression_ = fmt::format("({} at time zone {})", end, literal(rules.time_zone));
  before_ = [first = before_, instant = age_expression_](Instant cutoff) {
    return first(cutoff) + " and case when " + first(cutoff) + " then " + instant + " < " +
           sql::Fragment::of(format_instant(cutoff)) + "::timestamptz else false end";
  };
  return {};
}

Result<sql::Fragment> Table::condition(const Where& where) const { return condition_sql(*db_, info_, shown(), where); }

Result<void> Table::set_conditions(const RowRules& rules) {
  for (const Where& where : rules.where) {
    where_.push_back(TRY(condition(where)));
    conditions_text_ += ", " + text_of(where);
  }
  for (const Where& where : rules.hold_when) {
    sql::Fragment when = TRY(condition(where));
    hold_when_.emplace_back("held by its column " + where.column, std::move(when));
    conditions_text_ += ", not " + text_of(where);
  }
  return {};
}

Result<void> Table::add_references(const RowRules& rules) {
  for (const ReferencedBy& by : rules.referenced_by) {
    const sql::TableInfo from = TRY(db_->describe(by.table));
    if (column_named(from, by.column) == nullptr)
      return fail(Kind::not_found, fmt::format("referenced_by: {} has no column \"{}\"", by.table, by.column));
    if (by.target.empty() && info_.primary_key.size() != 1)
      return fail(Kind::bad_input,
                  fmt::format("referenced_by: which column of {} does {}.{} mean?", name_, by.table, by.column),
                  "Name it with target.");
    const std::string target = by.target.empty() ? info_.primary_key.front() : by.target;
    TRY(column(target));
    sql::Reference reference{
        .schema = from.schema, .table = from.name, .columns = {by.column}, .target_columns = {target}};
    reference.indexed = TRY(db_->has_index_on(from, by.column));
    references_.push_back(std::move(reference));
  }
  return {};
}

Result<std::string> Table::key_list(std::string_view prefix) const {
  std::vector<std::string> parts;
  for (const std::string& column : info_.primary_key) parts.push_back(std::string(prefix) + TRY(quoted(column)));
  return joined(parts, ", ");
}

sql::Fragment Table::old(Instant cutoff) const {
  sql::Fragment out = "(" + is_time_ + " and ";
  out += before_(cutoff);
  for (const sql::Fragment& condition : where_) out += " and " + condition;
  return out + ")";
}

Result<void> Table::leave_out(std::span<const std::int64_t> partitions) {
  if (partitions.empty()) return {};
  const sql::Value oids = fmt::format("{{{}}}", fmt::join(partitions, ","));
  const sql::Rows leaves =
      TRY(db_->query("select coalesce(array_agg(coalesce(t.relid::oid, o)), '{}')::text from unnest($1::oid[]) o "
                     "left join lateral pg_partition_tree(o::regclass) t on true",
                     {&oids, 1}));
  where_.push_back("t.tableoid <> all(" + sql::Fragment::of(leaves.rows.at(0).at(0)) + "::oid[])");
  return {};
}

Result<void> Table::keep_to(const ShardRange& range) {
  const auto bound = [&](const char* compared, const ShardKey& key) -> Result<void> {
    if (key.size() != info_.primary_key.size())
      return fail(Kind::refused, fmt::format("{} has another primary key than when its shards were made", shown()),
                  "Hand out a fresh plan with `steward shards`.", "plan-outdated");
    // One comparison of rows: as the index of the key has them, and as they were cut.
    sql::Fragment condition = "(" + TRY(key_list("t.")) + ") " + compared + " (";
    for (std::size_t i = 0; i < key.size(); ++i) condition += (i > 0 ? ", " : "") + sql::Fragment::of(key[i]);
    where_.push_back(condition + ")");
    return {};
  };
  if (range.after) TRY(bound(">", *range.after));
  if (range.last) TRY(bound("<=", *range.last));
  return {};
}

Result<sql::Fragment> Table::removable(Instant cutoff, const Holds& holds) const {
  return old(cutoff) + " and " + TRY(free(holds));
}

std::string Table::filter_text() const {
  return fmt::format("{} < cutoff{}, not held{}", age_expression_, conditions_text_,
                     reference_filter(references_, referrers_));
}

std::optional<Instant> Table::age_of(const sql::Value& value) const {
  if (const auto* micros = std::get_if<std::int64_t>(&value)) return Instant{std::chrono::microseconds{*micros}};
  if (const auto* text = std::get_if<std::string>(&value)) return parse_instant(*text);
  return {};
}

/// Whether a reference keeps its row.
bool Table::keeps(std::size_t reference) const {
  return std::ranges::none_of(referrers_, [&](const Referrer& referrer) {
    const sql::Reference& one = references_[reference];
    return referrer.reference.schema == one.schema && referrer.reference.table == one.table &&
           referrer.reference.columns == one.columns && referrer.reference.target_columns == one.target_columns;
  });
}

Result<sql::Fragment> Table::free(const Holds& holds) const {
  const sql::Fragment covered = TRY(held_sql(*db_, info_, parts_, holds));
  sql::Fragment out = covered.text == "false" ? sql::Fragment("true") : "not " + covered;
  for (const auto& [reason, when] : hold_when_) out += " and not coalesce(" + when + ", false)";
  for (std::size_t i = 0; i < references_.size(); ++i)
    if (keeps(i)) out += " and not " + reference_sql_[i];
  for (const Referrer& referrer : referrers_)
    for (const auto& [when, reason] : TRY(keeping(*db_, referrer, holds))) out += " and not " + when;
  return out;
}

sql::Fragment Table::and_unreferenced() const {
  sql::Fragment out;
  for (std::size_t i = 0; i < references_.size(); ++i)
    if (!keeps(i)) out += " and not " + reference_sql_[i];
  return out;
}

Result<sql::Fragment> Table::verdict(const Holds& holds) const { return verdict(holds, /*strict=*/false); }
Result<sql::Fragment> Table::strict_verdict(const Holds& holds) const { return verdict(holds, /*strict=*/true); }

Result<sql::Fragment> Table::verdict(const Holds& holds, bool strict) const {
  const sql::Fragment covered = TRY(held_sql(*db_, info_, parts_, holds));
  sql::Fragment out = "case";
  if (covered.text != "false") out += " when " + covered + " then 'held'";
  for (const auto& [reason, when] : hold_when_) out += " when " + when + " then " + literal(reason);
  for (std::size_t i = 0; i < references_.size(); ++i)
    if (strict || keeps(i))
      out += " when " + reference_sql_[i] + " then " + literal("referenced by " + references_[i].table);
  for (const Referrer& referrer : referrers_)
    for (const auto& [when, reason] : TRY(keeping(*db_, referrer, holds)))
      out += " when " + when + " then " + literal(reason);
  return out.text == "case" ? sql::Fragment("''") : out + " else '' end";
}

sql::Fragment Table::with_keys(std::span<const sql::Row> keys) const { return rows_with_keys(*db_, info_, keys); }

Result<std::vector<sql::Row>> Table::there(std::span<const sql::Row> keys) const {
  std::vector<sql::Row> found;
  for (std::size_t begin = 0; begin < keys.size(); begin += keys_at_once()) {
    const auto some = keys.subspan(begin, std::min(keys_at_once(), keys.size() - begin));
    sql::Rows rows =
        TRY(sql::query(*db_, "select " + TRY(key_list("t.")) + " from " + sql_name_ + " t where " + with_keys(some)));
    std::ranges::move(rows.rows, std::back_inserter(found));
  }
  return found;
}

Result<Table::Survey> Table::survey(Instant cutoff, const Holds& holds) const {
  const sql::Fragment reason_of_each = TRY(verdict(holds));
  std::string sums, counts;
  for (std::size_t i = 0; i < referrers_.size(); ++i) {
    sums += fmt::format(", sum(n{})", i);
    counts += fmt::format(", {} as n{}", TRY(count_sql(*db_, referrers_[i])), i);
  }
  const sql::Rows rows =
      TRY(sql::query(*db_, "select v, count(*), min(a), max(a)" + sums + " from (select " + reason_of_each + " as v, " +
                               age_expression_ + " as a" + counts + " from " + sql_name_ + " t where " + old(cutoff) +
                               ") s group by v order by v"));
  Survey survey;
  survey.referring.resize(referrers_.size());
  for (const sql::Row& row : rows.rows) {
    const std::string reason = sql::to_text(row[0]);
    const auto count = static_cast<std::uint64_t>(sql::to_integer(row[1]));
    if (!reason.empty()) {
      survey.skips.add(reason, "", count);
      continue;
    }
    survey.planned = count;
    survey.oldest = age_of(row[2]);
    survey.newest = age_of(row[3]);
    for (std::size_t i = 0; i < referrers_.size(); ++i)
      survey.referring[i] = static_cast<std::uint64_t>(sql::to_integer(row[4 + i]));
  }
  TRY(count_ageless(survey.skips));
  return survey;
}

Result<void> Table::count_ageless(Skips& skips) const {
  sql::Fragment where = "not (" + is_time_ + ")";
  for (const sql::Fragment& condition : where_) where += " and " + condition;
  const sql::Rows rows =
      TRY(sql::query(*db_, "select case when " + age_sql_ + " is null then 1 else 0 end as n, count(*) from " +
                               sql_name_ + " t where " + where + " group by 1"));
  for (const sql::Row& row : rows.rows) {
    const bool null = sql::to_integer(row[0]) == 1;
    const std::string reason =
        null ? fmt::format("{} is NULL", age_column_) : fmt::format("{} is not a moment in time", age_column_);
    skips.add(reason, "", static_cast<std::uint64_t>(sql::to_integer(row[1])));
  }
  return {};
}

Result<std::uint64_t> Table::count_all() const {
  const sql::Rows rows = TRY(db_->query("select count(*) from " + sql_name_));
  return static_cast<std::uint64_t>(sql::to_integer(rows.rows.at(0).at(0)));
}

Result<std::vector<Sample>> Table::samples(Instant cutoff, const Holds& holds) const {
  const std::string key = info_.primary_key.empty() ? "'(a row without a key)'" : TRY(key_list("t."));
  const sql::Rows rows =
      TRY(sql::query(*db_, "select " + age_expression_ + " as a, " + key + " from " + sql_name_ + " t where " +
                               TRY(removable(cutoff, holds)) + fmt::format(" order by 1 limit {}", samples_shown)));
  std::vector<Sample> samples;
  for (const sql::Row& row : rows.rows) {
    std::vector<std::string> parts;
    for (std::size_t i = 1; i < row.size(); ++i) parts.push_back(printable(sql::to_text(row[i])));
    samples.push_back({.item = fmt::format("{} {}", info_.name, joined(parts, ",")), .at = age_of(row[0])});
  }
  return samples;
}

Result<std::vector<std::string>> Table::missing_indexes() const {
  std::vector<std::string> warnings;
  const bool postgres = db_->dialect() == sql::Dialect::postgres;
  const std::string create = postgres ? "create index concurrently" : "create index";
  const std::string name =
      postgres ? "" : fmt::format(" {}", TRY(quoted(fmt::format("{}_{}_idx", info_.name, age_column_))));
  // SQLite's ages are read by a function of steward's, which no index of the application answers.
  if (postgres && !TRY(db_->has_index_on(info_, age_column_)))
    warnings.push_back(fmt::format("no index begins with {}: finding old rows reads the whole table ({}{} on {} ({});)",
                                   age_column_, create, name, sql_name_, TRY(quoted(age_column_))));
  for (const sql::Reference& reference : references_) {
    if (reference.indexed) continue;
    std::vector<std::string> columns;
    for (const std::string& column : reference.columns) columns.push_back(TRY(quoted(column)));
    const std::string index_target =
        (postgres ? TRY(quoted(reference.schema)) + '.' : std::string{}) + TRY(quoted(reference.table));
    const std::string index =
        postgres
            ? ""
            : fmt::format(" {}", TRY(quoted(fmt::format("{}_{}_idx", reference.table, reference.columns.front()))));
    warnings.push_back(
        fmt::format("{} references {} without an index: each deleted row reads that whole table ({}{} on {} ({});)",
                    reference.table, info_.name, create, index, index_target, joined(columns, ", ")));
  }
  return warnings;
}

Result<void> Table::check_key() const {
  if (!info_.primary_key.empty()) return {};
  return fail(Kind::bad_input,
              fmt::format("{} has no primary key: an archived row could not be told from another", shown()),
              "Give it a primary key.");
}

std::vector<sql::Right> Table::rights(bool locks_rows) const {
  const auto right = [&](std::string privilege, std::vector<std::string> columns = {}) {
    return sql::Right{std::move(privilege), info_.schema, info_.name, std::move(columns)};
  };
  std::vector<sql::Right> rights{right("SELECT"), right("DELETE")};
  if (locks_rows || !references_.empty())
    rights.push_back(right("UPDATE", {info_.primary_key.empty() ? age_column_ : info_.primary_key.front()}));
  for (std::size_t i = 0; i < references_.size(); ++i)
    if (keeps(i)) rights.push_back({"SELECT", references_[i].schema, references_[i].table, references_[i].columns});
  for (const Referrer& referrer : referrers_) std::ranges::move(rights_on(referrer), std::back_inserter(rights));
  return rights;
}

Result<std::optional<Error>> Table::lacks(const std::vector<sql::Right>& rights) const {
  const std::vector<sql::Right> missing = TRY(db_->missing_rights(rights));
  if (missing.empty()) return std::nullopt;
  Error error = TRY(sql::rights_missing(*db_, missing));
  const bool blind = std::ranges::any_of(missing, [](const sql::Right& right) { return right.privilege == "SELECT"; });
  if (blind) return std::unexpected(std::move(error));
  return error;
}

Result<std::optional<Error>> Table::clock(Instant now) const {
  return clock_refusal(now, TRY(db_->server_time()), "the database");
}

}  // namespace steward::retention
