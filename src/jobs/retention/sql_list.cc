#include "jobs/retention/sql_list.h"

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

}  // namespace steward::retention
