#include <fmt/format.h>

#include "core/text.h"
#include "io/sql/connection.h"
#include "io/sql/database_url.h"
#include "io/sql/postgres.h"
#include "io/sql/sqlite.h"
#include "io/sql/statement_error.h"

namespace steward::sql {

Transaction::~Transaction() {
  if (connection_ != nullptr) (void)connection_->end(false);
}

Result<void> Transaction::commit() {
  if (connection_ == nullptr) return fail(Kind::bug, "a transaction was ended twice");
  return std::exchange(connection_, nullptr)->end(true);
}

Result<void> Transaction::rollback() {
  if (connection_ == nullptr) return fail(Kind::bug, "a transaction was ended twice");
  return std::exchange(connection_, nullptr)->end(false);
}

Result<std::string> qualified(const Connection& connection, const TableInfo& table) {
  const std::string schema = TRY(connection.quote_identifier(table.schema));
  const std::string name = TRY(connection.quote_identifier(table.name));
  return schema + "." + name;
}

std::unexpected<Error> statement_failed(Kind kind, std::string_view statement, std::string_view database,
                                        std::string_view why, std::string_view hint) {
  constexpr std::size_t enough = 80;
  std::string shown;
  for (const char c : trim(statement.substr(0, enough))) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space) shown += c;
    if (space && !shown.ends_with(' ')) shown += ' ';
  }
  shown = printable(shown);
  if (statement.size() > enough) shown += "…";
  return fail(kind, fmt::format("cannot run \"{}\" on {}: {}", shown, database, why), std::string(hint));
}

Result<void> not_stopped(const Target& target, std::string_view database) {
  if (!target.stop.stop_requested()) return {};
  return fail(Kind::interrupted, fmt::format("told to stop: nothing more is asked of {}", database));
}

Result<std::unique_ptr<Connection>> connect(const Target& target, std::vector<std::string>* notes) {
  const DatabaseUrl url = TRY(parse_database_url(target.url));
  if (notes != nullptr) notes->insert(notes->end(), url.notes.begin(), url.notes.end());
  return url.dialect == Dialect::sqlite ? connect_sqlite(url, target) : connect_postgres(url, target);
}

}  // namespace steward::sql
