#include "jobs/backup/restored_cluster.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "core/text.h"
#include "io/sql/connection.h"

namespace steward::backup {
namespace {

constexpr std::size_t most_faults = 5;

std::uint64_t count_in(const sql::Value& value) { return std::strtoull(sql::to_text(value).c_str(), nullptr, 10); }

class Reader {
 public:
  Reader(const ThrowawayServer& server, const std::function<Result<void>()>& check) : server_(server), check_(check) {}

  Result<ReadThrough> read(const std::string& lsn) {
    const auto connection = TRY(sql::connect(server_.target("postgres")));
    const sql::Value place = lsn;
    const sql::Rows state =
        TRY(connection->query("select (select system_identifier::text from pg_control_system()), "
                              "(not pg_is_in_recovery() and pg_current_wal_lsn() >= $1::pg_lsn)::text",
                              {&place, 1}));
    out_.identifier = sql::to_text(state.rows.at(0).at(0));
    out_.is_consistent = sql::to_text(state.rows.at(0).at(1)) == "true";
    const sql::Rows databases =
        TRY(connection->query("select datname from pg_database where datallowconn order by datname"));
    for (const sql::Row& row : databases.rows) TRY(database(sql::to_text(row.at(0))));
    return std::move(out_);
  }

 private:
  Result<void> database(const std::string& name) {
    auto connection = sql::connect(server_.target(name));
    if (!connection) {
      fault(printable(name), connection.error());
      return {};
    }
    ++out_.databases;
    const auto tables =
        (*connection)
            ->query(
                "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = "
                "c.relnamespace where c.relkind in ('r', 'm') and c.relpersistence <> 't' order by 1, 2");
    if (!tables) {
      fault(printable(name), tables.error());
      return {};
    }
    for (const sql::Row& row : tables->rows) {
      TRY(check_());
      TRY(table(**connection, name, sql::to_text(row.at(0)), sql::to_text(row.at(1))));
    }
    return {};
  }

  Result<void> table(sql::Connection& connection, const std::string& database, const std::string& schema,
                     const std::string& table) {
    const std::string name = TRY(connection.quote_identifier(schema)) + '.' + TRY(connection.quote_identifier(table));
    // As text, so that values that are kept apart are fetched and unpacked.
    const auto rows =
        connection.query(fmt::format("select count(*), sum(length(steward_row::text)) from only {} steward_row", name));
    if (!rows) {
      fault(printable(fmt::format("{} in {}", name, database)), rows.error());
      return {};
    }
    // The catalogue's own are read, and not told of: they are in every database.
    if (schema == "pg_catalog" || schema == "information_schema" || schema == "pg_toast") return {};
    ++out_.tables;
    out_.rows += count_in(rows->rows.at(0).at(0));
    return {};
  }

  void fault(const std::string& what, const Error& error) {
    if (out_.faults.size() < most_faults) out_.faults.push_back(fmt::format("{}: {}", what, error.message));
  }

  const ThrowawayServer& server_;
  const std::function<Result<void>()>& check_;
  ReadThrough out_{};
};

}  // namespace

Result<ReadThrough> read_through(const ThrowawayServer& server, const std::string& lsn,
                                 const std::function<Result<void>()>& check) {
  return Reader(server, check).read(lsn);
}

}  // namespace steward::backup
