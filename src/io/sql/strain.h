/// What a PostgreSQL server feels of somebody who removes many rows: replicas that fall behind, write-ahead log that
/// waits to be archived, a vacuum that is at work on the same table, sessions that wait for our locks. Nothing for
/// SQLite.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql {

struct StrainLimits {
  std::chrono::seconds replica_lag{30};
  Bytes replica_behind = 256_MiB;
  std::uint32_t wal_files = 64;
};

/// Why one had better wait before the next batch on `table`: "the replica walreceiver is 48 MiB behind". Empty: nothing
/// is known against it. Replicas show themselves to members of pg_monitor alone; for others they are not there.
/// https://www.postgresql.org/docs/current/monitoring-stats.html
Result<std::optional<std::string>> strain(Connection& db, const TableInfo& table, const StrainLimits& limits);

/// The server process of the open transaction, for `waits_for`; 0 where there is no such thing.
Result<std::int64_t> backend_of(Connection& db);
/// Whether any session waits for a lock of this server process. Asked from another connection than its own.
Result<bool> waits_for(Connection& db, std::int64_t backend);

/// Whether this session may see replicas: a member of pg_monitor (or of pg_read_all_stats).
Result<bool> sees_replicas(Connection& db);

}  // namespace steward::sql
