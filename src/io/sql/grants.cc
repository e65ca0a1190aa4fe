#include "io/sql/grants.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/text.h"

namespace steward::sql {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Result<std::string> privilege_of(const Connection& db, const Right& right) {
  if (right.columns.empty()) return lower(right.privilege);
  std::vector<std::string> columns;
  for (const std::string& column : right.columns) columns.push_back(TRY(db.quote_identifier(column)));
  return fmt::format("{} ({})", lower(right.privilege), fmt::join(columns, ", "));
}

}  // namespace

std::string text_of(std::span<const Right> rights) {
  std::vector<std::string> parts;
  for (const Right& right : rights)
    parts.push_back(fmt::format("{} on {}.{}", right.privilege, right.schema, right.table));
  return join_and(parts);
}

Result<std::string> grants(const Connection& db, std::span<const Right> rights, std::string_view grantee) {
  std::vector<std::string> tables;
  std::map<std::string, std::vector<std::string>> privileges;
  for (const Right& right : rights) {
    const std::string table =
        fmt::format("{}.{}", TRY(db.quote_identifier(right.schema)), TRY(db.quote_identifier(right.table)));
    std::vector<std::string>& of_table = privileges[table];
    if (of_table.empty()) tables.push_back(table);
    const std::string privilege = TRY(privilege_of(db, right));
    if (std::ranges::find(of_table, privilege) == of_table.end()) of_table.push_back(privilege);
  }
  const std::string to = TRY(db.quote_identifier(grantee));
  std::string out;
  for (const std::string& table : tables)
    out +=
        fmt::format("{}grant {} on {} to {};", out.empty() ? "" : " ", fmt::join(privileges[table], ", "), table, to);
  return out;
}

Result<Error> rights_missing(Connection& db, std::span<const Right> missing) {
  if (db.dialect() == Dialect::sqlite)
    return Error{Kind::permission, fmt::format("the folder of {} cannot be written", db.shown()),
                 "Give this user write access to the file's folder: SQLite keeps its journal there.", "rights"};
  const std::string user = TRY(db.user());
  const std::string statements = TRY(grants(db, missing, user));
  return Error{Kind::permission, fmt::format("the user {} lacks {} in {}", user, text_of(missing), db.shown()),
               fmt::format("Run as the tables' owner: {}", statements), "rights"};
}

}  // namespace steward::sql
