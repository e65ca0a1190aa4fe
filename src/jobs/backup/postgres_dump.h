/// What PostgreSQL's pg_dump says of a database, as it streams by.
#pragma once
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/contents.h"
#include "jobs/backup/framed.h"

namespace steward::backup {

/// A connection that keeps one moment of a database for others to read (pg_export_snapshot()).
class Snapshot {
 public:
  static Result<Snapshot> take(const sql::Target& target);
  const std::string& name() const { return name_; }
  const std::string& transactions() const { return transactions_; }  ///< pg_current_snapshot()
  const std::string& lsn() const { return lsn_; }                    ///< Of the write-ahead log, about then.
  const std::string& identity() const { return connection_->identity(); }

 private:
  Snapshot(std::unique_ptr<sql::Connection> connection, sql::Transaction transaction)
      : connection_(std::move(connection)), transaction_(std::move(transaction)) {}
  std::unique_ptr<sql::Connection> connection_;
  sql::Transaction transaction_;
  std::string name_{}, transactions_{}, lsn_{};
};

/// What is asked of a server before anything is dumped. `size`: on its disk.
struct PostgresFacts {
  std::string shown{}, identity{}, version{}, encoding{};
  int major = 0;
  Bytes size{};
};
Result<PostgresFacts> postgres_facts(const sql::Target& target);

/// Dumps into `sink` (where there is one), frame by frame at the tables' beginnings, and gives what it has seen.
/// `snapshot`: of `Snapshot::name`; empty: pg_dump takes its own. `only`: these tables alone; empty: all.
Result<Contents> dump_postgres(const sql::Target& target, const Clients& clients, const std::string& snapshot,
                               FramedSink* sink, std::span<const TableContents> only = {});

/// Roles and tablespaces. True where the roles came without their passwords, which only a superuser may read.
Result<bool> dump_globals(const sql::Target& target, const Clients& clients, FramedSink& sink);

}  // namespace steward::backup
