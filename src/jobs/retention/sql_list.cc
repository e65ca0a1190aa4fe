#include "jobs/retention/sql_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

/// The first values of these rows as a JSON array of texts.
std::string json_list(std::span<const sql::Row> rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const sql::Row& row : rows) list.push_back(manifest::bytes_to_json(sql::to_text(row.front())));
  return list.dump();
}

}  // namespace

std::string array_literal(std::span<const sql::Row> rows, std::size_t column) {
  std::string out = "{";
  for (const sql::Row& row : rows) {
    if (out.size() > 1) out += ',';
    if (sql::is_null(row[column])) {
      out += "NULL";
      continue;
    }
    out += '"';
    for (const char c : sql::to_text(row[column])) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  return out + '}';
}

sql::Fragment one_of_texts(const sql::Connection& db, const std::string& expression, std::span<const sql::Row> texts) {
  if (db.dialect() == sql::Dialect::postgres)
    return expression + " = any(" + sql::Fragment::of(array_literal(texts, 0)) + "::text[])";
  return expression + " in (select value from json_each(" + sql::Fragment::of(json_list(texts)) + "))";
}

sql::Fragment rows_with_keys(const sql::Connection& db, const sql::TableInfo& info, std::span<const sql::Row> keys) {
  if (keys.empty()) return "false";
  std::vector<std::string> columns;
  for (const std::string& column : info.primary_key) columns.push_back("t." + *db.quote_identifier(column));
  const bool one = columns.size() == 1;
  sql::Fragment out = one ? columns[0] : fmt::format("({})", fmt::join(columns, ", "));
  if (db.dialect() == sql::Dialect::postgres) {
    out += one ? " = any(" : " in (select * from unnest(";
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto column = std::ranges::find(info.columns, info.primary_key[i], &sql::Column::name);
      out += (i > 0 ? ", " : "") + sql::Fragment::of(array_literal(keys, i)) + "::" + column->type + "[]";
    }
    return out + (one ? ")" : "))");
  }
  out += one ? " in (" : " in (values ";
  for (std::size_t i = 0; i < keys.size(); ++i) {
    out += i > 0 ? ", " : "";
    for (std::size_t c = 0; c < keys[i].size(); ++c)
      out += (c > 0 ? ", " : one ? "" : "(") + sql::Fragment::of(keys[i][c]);
    if (!one) out += ")";
  }
  return out + ")";
}

}  // namespace steward::retention
