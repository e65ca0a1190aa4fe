/// A PostgreSQL dump in many objects, several of them at once: what comes before the rows, then one object for each
/// table. All of them one after another are an archive of pg_dump's custom format (pg_archive.h).
#pragma once
#include <chrono>
#include <cstddef>

#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/contents.h"
#include "jobs/backup/framed.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/postgres_dump.h"

namespace steward::backup {

struct ParallelDump {
  const sql::Target& database;
  const Clients& clients;
  std::size_t jobs = 1;  ///< So many tables at once, over as many connections.
  std::chrono::milliseconds lock_wait = usual_lock_wait;
  /// How one object goes up, but for its key and size. Its `check` and `progress` are called by one thread at a time.
  Upload upload;
};

/// Dumps, and reads each object back. `manifest` gets the snapshot, and each object that is in the store, also where
/// this fails. The first that fails ends all the others at once.
Result<Contents> dump_in_parallel(const ParallelDump& how, Manifest& manifest);

/// How much memory it takes at the most, of a database of this size. `in_parts`: whether the store takes objects in
/// parts, as S3 does, which are kept until they are there.
Bytes memory_of(std::size_t jobs, Bytes database, bool in_parts);

}  // namespace steward::backup
