/// What the tasks of a stanza have in common.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "jobs/backup/clients.h"
#include "jobs/backup/pgbackrest_info.h"
#include "jobs/backup/pgbackrest_program.h"
#include "run/job.h"

namespace steward::backup {

/// What its info says now.
Result<Stanza> stanza_of(const PgBackRestProgram& program, const PgBackRest& policy);

/// In the cluster's database, where that is configured. pgBackRest has a lock of its own beside it (error 050).
Result<std::vector<std::unique_ptr<Lock>>> locks_of(const PgBackRest& policy);

/// PostgreSQL's server of a backup's major. not_found, with the package to install.
Result<Clients> server_programs(const Stanza& stanza, const ClusterBackup& backup, const std::string& folder);

struct ClusterProof {
  Proof proof{};
  std::string what{};                     ///< What was looked at: "2 databases, 41 tables with 1,204 rows".
  std::vector<std::string> warnings{};    ///< What is no fault of this backup.
  std::vector<std::string> bad_others{};  ///< Labels of other backups that are not whole.
};

/// Reads the whole repository (verify), and restores `backup` where `depth` says so. A fault of the backup is in the
/// proof, which is kept with it; an error is of the looking itself. `check` is asked often.
Result<ClusterProof> look_at(const PgBackRestProgram& program, const PgBackRest& policy, const Stanza& stanza,
                             const ClusterBackup& backup, Depth depth, const Clock& clock,
                             const std::function<Result<void>()>& check);

}  // namespace steward::backup
