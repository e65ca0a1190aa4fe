#include "io/sql/strain.h"

#include <fmt/format.h>

namespace steward::sql {
namespace {

// The lag in time stands still where a replica applies nothing at all; the distance in bytes does not.
constexpr std::string_view replicas = R"(
select coalesce(nullif(application_name, ''), client_addr::text, 'of no name'),
       coalesce(extract(epoch from replay_lag), 0)::bigint,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint
from pg_stat_replication where state in ('streaming', 'catchup') and replay_lsn is not null)";

// How many files lie between the last one archived and the one that is written; only where archiving is on. A file's
// name is timeline, log and segment in hexadecimal, 8 digits each; a segment is what wal_segment_size says.
constexpr std::string_view waiting_wal = R"(
with archiver as (select last_archived_wal as name from pg_stat_archiver
                  where current_setting('archive_mode') <> 'off' and last_archived_wal ~ '^[0-9A-F]{24}$'),
     size as (select pg_size_bytes(current_setting('wal_segment_size'))::numeric as bytes)
select greatest(0, floor(pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') / size.bytes)
                   - (('x' || substr(name, 9, 8))::bit(32)::bigint * (4294967296 / size.bytes)
                      + ('x' || substr(name, 17, 8))::bit(32)::bigint) - 1)::bigint
from archiver, size where not pg_is_in_recovery())";

constexpr std::string_view vacuums = R"(
select count(*) from pg_stat_progress_vacuum v join pg_class c on c.oid = v.relid
join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2)";

Result<std::optional<std::string>> replica_strain(Connection& db, const StrainLimits& limits) {
  const Rows rows = TRY(db.query(replicas));
  for (const Row& row : rows.rows) {
    const std::int64_t seconds = to_integer(row[1]), bytes = to_integer(row[2]);
    if (bytes > static_cast<std::int64_t>(limits.replica_behind.count))
      return fmt::format("the replica {} is {} behind", to_text(row[0]),
                         format_bytes(Bytes{static_cast<std::uint64_t>(bytes)}));
    if (seconds > limits.replica_lag.count())
      return fmt::format("the replica {} is {} s behind", to_text(row[0]), seconds);
  }
  return std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> strain(Connection& db, const TableInfo& table, const StrainLimits& limits) {
  if (db.dialect() == Dialect::sqlite) return std::nullopt;
  if (auto reason = TRY(replica_strain(db, limits))) return reason;
  const Rows wal = TRY(db.query(waiting_wal));
  if (!wal.rows.empty() && to_integer(wal.rows[0][0]) > limits.wal_files)
    return fmt::format("{} files of write-ahead log wait to be archived", to_integer(wal.rows[0][0]));
  const std::vector<Value> names{table.schema, table.name};
  if (to_integer(TRY(db.query(vacuums, names)).rows.at(0).at(0)) > 0)
    return fmt::format("{}.{} is being vacuumed", table.schema, table.name);
  return std::nullopt;
}

Result<std::int64_t> backend_of(Connection& db) {
  if (db.dialect() == Dialect::sqlite) return 0;
  return to_integer(TRY(db.query("select pg_backend_pid()")).rows.at(0).at(0));
}

Result<bool> waits_for(Connection& db, std::int64_t backend) {
  if (db.dialect() == Dialect::sqlite || backend == 0) return false;
  const Value pid = backend;
  const Rows rows =
      TRY(db.query("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and $1::integer = "
                   "any(pg_blocking_pids(pid)))",
                   {&pid, 1}));
  return to_text(rows.rows.at(0).at(0)) == "t";
}

Result<bool> sees_replicas(Connection& db) {
  if (db.dialect() == Dialect::sqlite) return true;
  return to_text(TRY(db.query("select pg_has_role('pg_read_all_stats', 'usage')")).rows.at(0).at(0)) == "t";
}

}  // namespace steward::sql
