/// What PostgreSQL's pg_dump says of a database, as it streams by.
#pragma once
#include <chrono>
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
#include "jobs/backup/pg_archive.h"

namespace steward::backup {

/// How long a dump waits for tables that somebody changes the definition of, unless a policy says otherwise.
inline constexpr std::chrono::milliseconds usual_lock_wait{60'000};

/// One moment of a database.
struct SnapshotMark {
  std::string name{};          ///< For others to read it by, while the transaction that exported it goes on.
  std::string transactions{};  ///< That it sees: pg_current_snapshot().
  std::string lsn{};           ///< Of the write-ahead log, about then.
};
/// Of the open transaction, which has to be REPEATABLE READ (pg_export_snapshot()).
Result<SnapshotMark> export_snapshot(sql::Connection& connection);

/// A connection that keeps one moment of a database for others to read.
class Snapshot {
 public:
  static Result<Snapshot> take(const sql::Target& target);
  const SnapshotMark& mark() const { return mark_; }

 private:
  Snapshot(std::unique_ptr<sql::Connection> connection, sql::Transaction transaction, SnapshotMark mark)
      : connection_(std::move(connection)), transaction_(std::move(transaction)), mark_(std::move(mark)) {}
  std::unique_ptr<sql::Connection> connection_;
  sql::Transaction transaction_;
  SnapshotMark mark_;
};

/// What is asked of a server before anything is dumped. `size`: on its disk.
struct PostgresFacts {
  std::string shown{}, identity{}, version{}, encoding{};
  int major = 0;
  Bytes size{};
};
Result<PostgresFacts> postgres_facts(const sql::Target& target);

/// What is compared of a dump's contents, beside the rows.
std::vector<Definition> definitions_of(const Toc& toc);

/// What pg_dump writes before the first row, of a snapshot that somebody keeps. It waits for each lock so long at the
/// most, and holds none any more when this is over.
Result<Beginning> beginning_of_dump(const sql::Target& target, const Clients& clients, const std::string& snapshot,
                                    std::chrono::milliseconds most);

/// Dumps into `sink` (where there is one), frame by frame at the tables' beginnings, and gives what it has seen.
/// `snapshot`: a SnapshotMark's name; empty: pg_dump takes its own. `only`: these tables alone; empty: all.
/// `lock_wait`: how long it waits for a table that somebody keeps locked.
Result<Contents> dump_postgres(const sql::Target& target, const Clients& clients, const std::string& snapshot,
                               FramedSink* sink, std::span<const TableContents> only = {},
                               std::chrono::milliseconds lock_wait = usual_lock_wait);

/// Roles and tablespaces. True where the roles came without their passwords, which only a superuser may read.
Result<bool> dump_globals(const sql::Target& target, const Clients& clients, FramedSink& sink);

}  // namespace steward::backup
