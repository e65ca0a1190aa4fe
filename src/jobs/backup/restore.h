/// Bringing a backup back: into an empty database, from the store straight into pg_restore.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/stored_object.h"
#include "run/job.h"

namespace steward::backup {

/// How a dump is given to pg_restore.
struct RestoreOptions {
  bool owners = true;       ///< Objects go to the roles that owned them, which have to be there; else to who restores.
  bool grants = true;       ///< Rights come back too; their roles have to be there.
  bool tablespaces = true;  ///< As they were; else in the default one.
  /// These alone ("signals" or "public.signals"), with what they need and what is theirs alone (restore_parts.h);
  /// empty: all.
  std::vector<std::string> tables{};
  bool with_needs = true;  ///< Of single tables also the types and functions that they need.
  int jobs = 1;            ///< So many processes load tables and make indexes at once.
  ReadOptions reading{};
};

/// refused (code "target-not-empty") where a PostgreSQL database has tables, views or sequences that belong to no
/// extension.
Result<void> expect_empty(const sql::Target& target);

/// Streams the dump into `target`. PostgreSQL alone. The value: what pg_restore failed with, where it was given what it
/// needed. corrupt: what was read is not what was written. On any failure it may be restored in part.
Result<std::optional<Error>> restore_dump(object::Store& store, const Manifest& manifest, const sql::Target& target,
                                          const Clients& clients, const RestoreOptions& options);

/// Roles, and tablespaces unless they are left out. Those that are there already stay as they are: what psql says of
/// them is no error.
Result<void> restore_globals(object::Store& store, const Manifest& manifest, const sql::Target& target,
                             const Clients& clients, const ReadOptions& reading, bool tablespaces = true);

/// SQLite: the file at `path`, which must not be there.
Result<void> restore_file(object::Store& store, const Manifest& manifest, const std::string& path,
                          const ReadOptions& reading);

/// What `backup restore` asks for.
struct RestoreRequest {
  object::StoreTarget store{};
  std::string backup{}, name{};  ///< As find_backup takes them.
  sql::Target to{};
  std::string clients{};       ///< Policy::clients.
  bool not_empty_too = false;  ///< Also into a database that has tables.
  bool compare = true;         ///< The restored database with the manifest: tables, rows and their content.
  bool globals = false;        ///< Roles and tablespaces first.
  RestoreOptions options{};
};

std::unique_ptr<Task> restore_backup(TaskInfo info, RestoreRequest request);

}  // namespace steward::backup
