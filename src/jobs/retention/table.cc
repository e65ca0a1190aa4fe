#include "jobs/retention/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "io/sql/grants.h"
#include "run/manifest/row_json.h"
#include "run/runner.h"

namespace steward::retention {
namespace {

constexpr std::size_t samples_shown = 3;

/// {"a","b"} as PostgreSQL's array input reads it.
std::string array_literal(std::span<const sql::Row> keys, std::size_t column) {
  std::string out = "{";
  for (const sql::Row& key : keys) {
    if (out.size() > 1) out += ',';
    if (sql::is_null(key[column])) {
      out += "NULL";
      continue;
    }
    out += '"';
    for (const char c : sql::to_text(key[column])) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

std::string joined(std::span<const std::string> parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

const sql::Column* column_named(const sql::TableInfo& info, std::string_view name) {
  const auto it = std::ranges::find_if(info.columns, [&](const sql::Column& c) { return c.name == name; });
  return it == info.columns.end() ? nullptr : &*it;
}

/// The first values of these rows as a JSON array of texts.
std::string json_list(std::span<const sql::Row> rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const sql::Row& row : rows) list.push_back(manifest::bytes_to_json(sql::to_text(row.front())));
  return list.dump();
}

}  // namespace

Result<Table> Table::open(const sql::Target& target, const std::string& name, const std::string& age_column) {
  Table table;
  table.db_ = TRY(sql::connect(target));
  table.info_ = TRY(table.db_->describe(name));
  const bool postgres = table.db_->dialect() == sql::Dialect::postgres;
  table.name_ = postgres ? table.info_.schema + '.' + table.info_.name : table.info_.name;
  table.sql_name_ = TRY(sql::qualified(*table.db_, table.info_));
  if (table.info_.kind != sql::TableKind::table && table.info_.kind != sql::TableKind::partitioned)
    return fail(Kind::bad_input, fmt::format("{} is a view or a foreign table, not a table", table.shown()),
                "Name the table that holds the rows.");
  TRY(table.set_age_column(age_column));
  table.references_ = TRY(table.db_->references_to(table.info_));
  table.reference_sql_ = TRY(table.reference_conditions());
  return table;
}

std::string Table::shown() const { return fmt::format("{} table {}", db_->shown(), name_); }

Result<void> Table::set_age_column(const std::string& column) {
  const sql::Column* found = column_named(info_, column);
  if (found == nullptr) {
    std::vector<std::string> names;
    for (const sql::Column& c : info_.columns) names.push_back(c.name);
    std::string hint = did_you_mean(column, names);
    if (hint.empty()) hint = fmt::format("Its columns are {}.", join_and(names));
    return fail(Kind::not_found, fmt::format("{} has no column \"{}\"", shown(), column), std::move(hint));
  }
  age_column_ = column;
  age_sql_ = "t." + TRY(quoted(column));
  if (db_->dialect() == sql::Dialect::sqlite) {
    age_expression_ = fmt::format("steward_instant({})", age_sql_);
    is_time_ = age_expression_ + " is not null";
    old_sql_ = age_expression_ + " < {}";
    return {};
  }
  age_expression_ = age_sql_;
  is_time_ = fmt::format("({0} is not null and isfinite({0}))", age_sql_);
  if (found->type.starts_with("timestamp") && found->type.ends_with("with time zone") &&
      !found->type.contains("without"))
    old_sql_ = age_sql_ + " < {}::timestamptz";
  else if (found->type.starts_with("timestamp"))
    old_sql_ = age_sql_ + " < ({}::timestamptz at time zone 'UTC')";
  else if (found->type == "date")  // a date is its end: the first moment of the next day
    old_sql_ = age_sql_ + " < (({}::timestamptz at time zone 'UTC') - interval '1 day')";
  else
    return fail(Kind::bad_input,
                fmt::format("column \"{}\" of {} is of type {}, which is not a time", column, shown(), found->type),
                "Name a column of type timestamptz, timestamp or date.");
  return {};
}

Result<std::string> Table::key_list(std::string_view prefix) const {
  std::vector<std::string> parts;
  for (const std::string& column : info_.primary_key) parts.push_back(std::string(prefix) + TRY(quoted(column)));
  return joined(parts, ", ");
}

Condition Table::old(Instant cutoff, int n) const {
  const std::string condition =
      fmt::format("({} and {})", is_time_, fmt::format(fmt::runtime(old_sql_), db_->placeholder(n)));
  if (db_->dialect() == sql::Dialect::sqlite) return {condition, {std::int64_t{cutoff.time_since_epoch().count()}}};
  return {condition, {format_instant(cutoff)}};
}

std::optional<Instant> Table::age_of(const sql::Value& value) const {
  if (const auto* micros = std::get_if<std::int64_t>(&value)) return Instant{std::chrono::microseconds{*micros}};
  if (const auto* text = std::get_if<std::string>(&value)) return parse_instant(*text);
  return {};
}

Result<std::vector<std::string>> Table::reference_conditions() const {
  std::vector<std::string> conditions;
  for (const sql::Reference& reference : references_) {
    std::vector<std::string> equal;
    for (std::size_t i = 0; i < reference.columns.size(); ++i)
      equal.push_back(
          fmt::format("r.{} = t.{}", TRY(quoted(reference.columns[i])), TRY(quoted(reference.target_columns[i]))));
    const std::string schema = reference.schema.empty() ? std::string{} : TRY(quoted(reference.schema)) + '.';
    conditions.push_back(fmt::format("exists (select 1 from {}{} r where {})", schema, TRY(quoted(reference.table)),
                                     joined(equal, " and ")));
  }
  return conditions;
}

std::string Table::key_text() const {
  // quote_identifier cannot fail for a name that came from the catalogue
  std::vector<std::string> texts;
  for (const std::string& column : info_.primary_key)
    texts.push_back(fmt::format("cast(t.{} as text)", *db_->quote_identifier(column)));
  if (texts.size() == 1) return texts.front();
  // As manifest::key_text writes it: a JSON array of texts without spaces.
  if (db_->dialect() == sql::Dialect::sqlite) return fmt::format("json_array({})", joined(texts, ", "));
  for (std::string& text : texts) text = fmt::format("to_json({})::text", text);
  return fmt::format("('[' || {} || ']')", joined(texts, " || ',' || "));
}

Condition Table::held(const Holds& holds, int n) const {
  std::vector<std::string> any;
  Condition condition;
  const bool postgres = db_->dialect() == sql::Dialect::postgres;
  const auto parameter = [&](std::string value) {
    condition.parameters.emplace_back(std::move(value));
    return db_->placeholder(n++) + (postgres ? "::text" : "");
  };
  // However many single rows are held, they are one parameter: a restore holds each row that it brings back.
  std::vector<sql::Row> exact;
  for (const ledger::Hold& hold : holds.list()) {
    if (hold.kind != "row" || !names_table(hold.target, name_)) continue;
    if (info_.primary_key.empty() || (hold.prefix && hold.key.empty())) {
      any.emplace_back("true");  // a hold on the whole table; or rows that cannot be told apart: all of them stay
    } else if (hold.prefix && info_.primary_key.size() == 1) {
      const std::string key = parameter(hold.key);
      any.push_back(fmt::format("substr({}, 1, length({})) = {}", key_text(), key, key));
    } else {
      exact.push_back({hold.key});
    }
  }
  if (!exact.empty() && postgres) {
    condition.parameters.emplace_back(array_literal(exact, 0));
    any.push_back(fmt::format("{} = any({}::text[])", key_text(), db_->placeholder(n++)));
  } else if (!exact.empty()) {
    any.push_back(fmt::format("{} in (select value from json_each({}))", key_text(), parameter(json_list(exact))));
  }
  condition.sql = any.empty() ? "false" : '(' + joined(any, " or ") + ')';
  return condition;
}

Condition Table::free(const Holds& holds, int n) const {
  Condition condition = held(holds, n);
  condition.sql = condition.sql == "false" ? "true" : "not " + condition.sql;
  for (const std::string& reference : reference_sql_) condition.sql += " and not " + reference;
  return condition;
}

Condition Table::verdict(const Holds& holds, int n) const {
  Condition condition = held(holds, n);
  std::string sql = "case";
  if (condition.sql != "false") sql += fmt::format(" when {} then 'held'", condition.sql);
  for (std::size_t i = 0; i < references_.size(); ++i) {
    std::string table = references_[i].table;
    for (std::size_t at = 0; (at = table.find('\'', at)) != std::string::npos; at += 2) table.insert(at, 1, '\'');
    sql += fmt::format(" when {} then 'referenced by {}'", reference_sql_[i], table);
  }
  condition.sql = sql == "case" ? "''" : sql + " else '' end";
  return condition;
}

Condition Table::with_keys(std::span<const sql::Row> keys, int n) const {
  Condition condition;
  std::vector<std::string> columns;
  for (const std::string& column : info_.primary_key) columns.push_back("t." + *db_->quote_identifier(column));
  if (keys.empty()) return {"false", {}};
  if (db_->dialect() == sql::Dialect::postgres) {
    std::vector<std::string> arrays;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      arrays.push_back(fmt::format("{}::{}[]", db_->placeholder(n++), column_named(info_, info_.primary_key[i])->type));
      condition.parameters.emplace_back(array_literal(keys, i));
    }
    condition.sql = columns.size() == 1 ? fmt::format("{} = any({})", columns[0], arrays[0])
                                        : fmt::format("({}) in (select * from unnest({}))", joined(columns, ", "),
                                                      joined(arrays, ", "));
    return condition;
  }
  std::vector<std::string> tuples;
  for (const sql::Row& key : keys) {
    std::vector<std::string> places;
    for (const sql::Value& value : key) {
      places.push_back(db_->placeholder(n++));
      condition.parameters.push_back(value);
    }
    tuples.push_back('(' + joined(places, ", ") + ')');
  }
  condition.sql = columns.size() == 1 ? fmt::format("{} in ({})", columns[0], joined(tuples, ", "))
                                      : fmt::format("({}) in (values {})", joined(columns, ", "), joined(tuples, ", "));
  return condition;
}

Result<Table::Survey> Table::survey(Instant cutoff, const Holds& holds) const {
  Condition where = old(cutoff, 1);
  Condition why = verdict(holds, 2);
  std::vector<sql::Value> parameters = where.parameters;
  parameters.insert(parameters.end(), why.parameters.begin(), why.parameters.end());
  const sql::Rows rows = TRY(db_->query(fmt::format("select v, count(*), min(a), max(a) from (select {} as v, {} as a "
                                                    "from {} t where {}) s group by v order by v",
                                                    why.sql, age_expression_, sql_name_, where.sql),
                                        parameters));
  Survey survey;
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
  }
  TRY(count_ageless(survey.skips));
  return survey;
}

Result<void> Table::count_ageless(Skips& skips) const {
  const sql::Rows rows = TRY(db_->query(
      fmt::format("select case when {0} is null then 1 else 0 end as n, count(*) from {1} t where not {2} group by 1",
                  age_sql_, sql_name_, '(' + is_time_ + ')')));
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
  Condition where = old(cutoff, 1);
  Condition may_go = free(holds, 2);
  std::vector<sql::Value> parameters = where.parameters;
  parameters.insert(parameters.end(), may_go.parameters.begin(), may_go.parameters.end());
  const std::string key = info_.primary_key.empty() ? "'(a row without a key)'" : TRY(key_list("t."));
  const sql::Rows rows =
      TRY(db_->query(fmt::format("select {} as a, {} from {} t where {} and {} order by 1 limit {}", age_expression_,
                                 key, sql_name_, where.sql, may_go.sql, samples_shown),
                     parameters));
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
  for (const sql::Reference& reference : references_)
    rights.push_back({"SELECT", reference.schema, reference.table, reference.columns});
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
