#include "jobs/backup/sqlite_dump.h"

#include <fmt/format.h>

namespace steward::backup {
namespace {

void append(std::string& row, const sql::Value& value) {
  // The type keeps 1 and '1' apart, the length 'ab' 'c' and 'a' 'bc'.
  const std::string text = std::holds_alternative<sql::Blob>(value) ? std::get<sql::Blob>(value).bytes : to_text(value);
  row += fmt::format("{}:{}:", value.index(), text.size());
  row += text;
}

Result<Tally> rows_of(sql::Connection& connection, const std::string& table, bool has_rowid) {
  const std::string quoted = TRY(connection.quote_identifier(table));
  Tally tally;
  std::string row;
  TRY(connection.stream(fmt::format("select {}* from {}", has_rowid ? "rowid, " : "", quoted), {},
                        [&](const sql::Row& values) -> Result<bool> {
                          row.clear();
                          for (const sql::Value& value : values) append(row, value);
                          tally.add(std::as_bytes(std::span(row)));
                          return true;
                        }));
  return tally;
}

}  // namespace

Result<Contents> sqlite_contents(const sql::Target& target) {
  sql::Target reading = target;
  reading.read_only = true;
  const auto connection = TRY(sql::connect(reading));
  Contents contents;
  const sql::Rows things =
      TRY(connection->query("select type, name, coalesce(sql, '') from sqlite_schema order by type, name"));
  for (const sql::Row& thing : things.rows)
    contents.definitions.push_back({.kind = sql::to_text(thing[0]),
                                    .schema = {},
                                    .name = sql::to_text(thing[1]),
                                    .value = sql::to_text(thing[2])});
  // Virtual tables keep their content in "shadow" ones.
  const sql::Rows tables = TRY(connection->query(
      "select name, wr from pragma_table_list where schema = 'main' and type in ('table', 'shadow') and name <> "
      "'sqlite_schema' order by name"));
  for (const sql::Row& table : tables.rows) {
    const std::string name = sql::to_text(table[0]);
    const Tally rows = TRY(rows_of(*connection, name, sql::to_integer(table[1]) == 0));
    contents.tables.push_back({.schema = {}, .name = name, .rows = rows});
  }
  return contents;
}

}  // namespace steward::backup
