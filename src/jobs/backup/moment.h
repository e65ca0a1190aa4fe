/// One moment of a PostgreSQL database, seen by several connections at once, and what there is to copy out of it.
///
///   list the tables -> lock them, each by the connection that will copy it -> export a snapshot, see it in all
///   connections -> let pg_dump say, of that snapshot, what comes before the rows
///
/// Promises  - Each table is locked (ACCESS SHARE) before the snapshot is taken: a TRUNCATE or a new definition can
///             come before it or after all was copied, never between. One that is made just then is locked when it is
///             copied, as pg_dump does it.
///           - No connection waits for a lock later on: somebody who waits to change a table could otherwise make two
///             of them wait for one another.
/// Errors    busy: tables' definitions are being changed, again and again. Of pg_dump, as it says. As sql::connect.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/postgres_dump.h"

namespace steward::backup {

/// A block that is to be copied out: of a table, or of large objects.
struct DumpPart {
  std::size_t entry = 0;    ///< Position in the table of contents.
  std::uint64_t size = 0;   ///< On the server's disk, about.
  std::size_t session = 0;  ///< Which connection copies it.
  std::string condition{};  ///< "WHERE …": of an extension's configuration table.
};

class Moment {
 public:
  /// `sessions`: at least one. `check` is asked between attempts, for which there is `lock_wait` in all.
  static Result<Moment> take(const sql::Target& target, const Clients& clients, std::size_t sessions,
                             const std::function<Result<void>()>& check,
                             std::chrono::milliseconds lock_wait = usual_lock_wait);

  const SnapshotMark& mark() const { return mark_; }
  const Beginning& beginning() const { return beginning_; }
  /// In the order of the table of contents.
  const std::vector<DumpPart>& parts() const { return parts_; }
  const TocEntry& entry_of(const DumpPart& part) const { return beginning_.toc.entries[part.entry]; }

  std::size_t sessions() const { return sessions_.size(); }
  /// With settings as pg_dump makes them, in a transaction that sees the moment.
  sql::Connection& session(std::size_t i) { return *sessions_[i].connection; }
  /// Lets go of what a session has locked: it is not used any more.
  void leave(std::size_t i) { (void)sessions_[i].transaction->rollback(); }

 private:
  struct Session {
    std::unique_ptr<sql::Connection> connection{};
    std::optional<sql::Transaction> transaction{};
  };
  struct Table;
  Moment() = default;
  static Result<Moment> attempt(const sql::Target& target, const Clients& clients, std::size_t sessions,
                                std::chrono::milliseconds lock_wait);
  static Result<std::vector<Table>> tables_of(sql::Connection& connection);
  Result<void> lock(const std::vector<Table>& tables);
  Result<void> see();
  Result<void> settle();
  Result<void> find_parts(const std::vector<Table>& tables);

  std::vector<Session> sessions_{};
  SnapshotMark mark_{};
  Beginning beginning_{};
  std::vector<DumpPart> parts_{};
};

}  // namespace steward::backup
