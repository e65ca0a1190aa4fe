/// Backups by pgBackRest: the whole cluster, with its write-ahead log, so that any moment since can be had again.
///
/// pgBackRest is installed and configured by whoever runs the database (https://pgbackrest.org): its stanza, its
/// repositories and their retention are in its own file. steward drives it under the same schedule, ledger,
/// notifications and dashboard as a dump. Up to three tasks for each policy: `NAME` makes a backup, `NAME.proof` has it
/// checked, read and restored, `NAME.expire` lets go what pgBackRest's retention does not keep.
///
/// Promises  - A backup removes nothing: it runs with --no-expire-auto, and what goes is the other task's, which a
///             freeze and holds stop.
///           - What pgBackRest says is told: its warnings as notes of the run, its error with its number and its hints.
///             What it finds and does not fail for (verify ends well where files are broken) fails the proof.
///           - No secret is handed over: all of them are in its own file, or in PGBACKREST_… variables.
///           - A proof by restore starts a server on the newest backup in a folder of its own, with archiving off,
///             recovers it to its consistent state and reads each row of each table.
/// Errors    not_found: no pgBackRest, no such stanza. permission: it has to run as a user that this process may not
///           become. busy: another pgBackRest works on the stanza. unavailable: it failed.
/// See also  docs/backup.md
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/age.h"
#include "io/sql/connection.h"
#include "jobs/backup/backup.h"
#include "run/job.h"

namespace steward::backup {

/// When a backup is a full or a differential one; else it is incremental, as pgBackRest's own default is.
struct TypeRule {
  std::optional<Age> full{};          ///< Where the last full one is older.
  std::optional<Age> differential{};  ///< Where the last full or differential one is older.
};

/// One stanza, and how pgBackRest is called for it.
struct PgBackRest {
  std::string stanza{};
  std::string config{};   ///< Its file; empty: its own default.
  unsigned repo = 0;      ///< Of several repositories; 0: pgBackRest's choice.
  std::string user{};     ///< To run as; empty: as root the user postgres, else as this process.
  std::string clients{};  ///< The folder of PostgreSQL's programs, for a proof by restore; empty: looked for.
  TypeRule type{};
  std::optional<sql::Target> database{};  ///< Of the cluster, to be asked how its archiving goes.
  std::optional<ProofRule> proof{};
  std::stop_token stop{};
};

/// "pgbackrest:app": how the stanza is called beside stores.
std::string shown(const PgBackRest& policy);

std::unique_ptr<Task> back_up_cluster(TaskInfo info, PgBackRest policy);
/// Checks, reads all of the repository, and restores the newest backup where `policy.proof->depth` says so. What was
/// found is kept with the backup, as annotations.
std::unique_ptr<Task> prove_cluster(TaskInfo info, PgBackRest policy);
/// pgBackRest's own `expire`, by the retention in its own file; without one nothing goes.
std::unique_ptr<Task> expire_cluster(TaskInfo info, PgBackRest policy);

}  // namespace steward::backup
