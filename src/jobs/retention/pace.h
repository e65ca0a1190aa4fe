/// The pace of removals from one table: how large a batch is, and when to wait.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"
#include "io/object/store.h"
#include "io/sql/connection.h"
#include "jobs/retention/retention.h"
#include "run/job.h"
#include "run/throttle.h"

namespace steward::retention {

/// Between two batches it asks the server, on a connection of its own and once a second at the most, what it feels
/// (io/sql/strain.h), and the disks that are written to for their room; and waits for as long as that is too much: each
/// wait is said with its reason, and their sum when the task ends. A server that does not say (no rights, SQLite) is
/// not waited for.
class Pace {
 public:
  /// Batches of `least` to `most` items, that many at first. `archive`: where they go before; it outlives this.
  Pace(const sql::Target& database, const sql::TableInfo& table, std::uint64_t least, std::uint64_t most,
       RunContext& run, object::Store* archive = nullptr);
  /// Says how long was waited in all, if at all.
  ~Pace();
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  /// How many items the next batch may have.
  std::uint64_t batch() const { return size_.now(); }
  /// A batch begins.
  void begin();
  /// Its statements have run in a transaction of `db` that is still open: looks whether anybody waits for its locks.
  Result<void> before_commit(sql::Connection& db);
  /// It is committed. Waits while the server feels too much; an error (interrupted) where the run is told to stop.
  Result<void> end(std::uint64_t items);

 private:
  sql::Connection* watcher();
  std::optional<std::string> strain();
  std::optional<std::string> shortage() const;

  sql::Target database_;
  sql::TableInfo table_;
  RunContext& run_;
  object::Store* archive_;
  BatchSize size_;
  std::unique_ptr<sql::Connection> watcher_{};
  bool unwatched_ = false;  ///< There is no watcher to be had.
  bool waited_for_ = false;
  std::chrono::steady_clock::time_point began_{}, asked_{};
  std::chrono::steady_clock::duration waited_{};
  std::uint64_t waits_ = 0;
};

}  // namespace steward::retention
