/// Backups: the job `backup`.
///
/// Up to five tasks for each policy: `NAME` dumps a database into a store, `NAME.proof` proves the newest backup every
/// week or so, `NAME.expire` removes those that no rule keeps, `NAME.copy` copies what is new into a second store, and
/// `NAME.copy-expire` removes what is old there. What lies in the store afterwards:
///
///   app/20261129T000000Z-4f2a91/dump.pgc.zst         pg_dump's custom format, uncompressed, in frames of zstd; or
///   app/20261129T000000Z-4f2a91/dump-000000.pgc.zst  … in many objects, an archive of that format one after another
///   app/20261129T000000Z-4f2a91/globals.sql.zst      roles and tablespaces, which belong to no database
///   app/20261129T000000Z-4f2a91/contents.jsonl.zst   each table, how many rows it has, and the hash of them
///   app/20261129T000000Z-4f2a91/manifest.json        written last, and only where none is: the backup exists now
///   app/20261129T000000Z-4f2a91/proof-….json         what a verification found
///
/// Promises  - What has no manifest is no backup: an upload that was cut off never looks like one.
///           - A dump streams: through this process's constant memory into the store, and never over the local disk.
///             (SQLite's goes over a copy in the state directory, which its backup interface needs.)
///           - Every object is read back and hashed before the manifest is written. `verify` with depth `restore` does
///             what alone proves a backup: restores it, and compares tables, rows and their content.
///           - The pg_dump that runs is never older than the server.
///           - Restoring needs no steward: the manifest says the commands (docs/emergency-restore.md).
/// Errors    not_found: no such database, no pg_dump. unavailable: the database or the store does not answer, pg_dump
///           failed. Nothing is left of a backup that failed but what the store would not let be removed; the next run
///           tidies it when it is a day old.
/// See also  docs/backup.md
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/object/store.h"
#include "io/sql/connection.h"
#include "jobs/backup/keep.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/postgres_dump.h"
#include "run/job.h"

namespace steward::backup {

/// How backups are proved beside being made.
struct ProofRule {
  Depth depth = Depth::restore;
  Age every{std::chrono::microseconds{std::chrono::days{7}}};
  std::optional<Bytes> largest{};  ///< Databases that are larger on their server are not restored.
};

/// Copies of its own in a second store.
struct CopyRule {
  object::StoreTarget store{};
  Keep keep{};                         ///< There; empty: nothing is removed.
  std::chrono::microseconds locked{};  ///< As the policy's.
};

/// How a PostgreSQL dump lies in its store. Either is pg_dump's custom format.
enum class Format {
  custom,     ///< One object, by one pg_dump.
  directory,  ///< An object for each table, several at once, of one snapshot (parallel_dump.h).
};
/// Each table costs the server a processor while it is copied: two leave room on all but the smallest ones.
inline constexpr std::size_t default_jobs = 2, most_jobs = 32;

/// Which databases of a server a policy is for, where it is for several (several.h).
struct Selection {
  std::vector<std::string> names{};   ///< Globs; "all" alone: each.
  std::vector<std::string> except{};  ///< Globs, of those that are left out.
};

/// The policy that this one is a part of: it is of one of several databases.
struct PartOf {
  std::string name{};    ///< Of the policy.
  sql::Target server{};  ///< Where its lock is, one for all of them.
};

/// What is backed up, and whereto.
struct Policy {
  sql::Target database{};  ///< Not through a pooler of transactions.
  object::StoreTarget store{};
  std::string name{};               ///< Of the folder in the store: the database's name. One segment.
  int level = 3;                    ///< zstd's, 1 to 19.
  bool globals = true;              ///< PostgreSQL: also roles and tablespaces.
  Format format = Format::custom;   ///< PostgreSQL's alone.
  std::size_t jobs = default_jobs;  ///< Format::directory: so many tables at once.
  std::chrono::milliseconds lock_wait = usual_lock_wait;  ///< For tables that somebody keeps locked.
  std::string clients{};                                  ///< The folder of pg_dump; empty: looked for (clients.h).
  std::string steward{};                                  ///< This program's version, for the manifest.
  std::vector<std::string> recipients{};  ///< Public keys of age; not empty: all but the manifest is encrypted to them.
  std::string identity{};                 ///< The file of a secret key of age, where this machine may read backups.
  std::optional<ProofRule> proof{};       ///< None: what is made is not proved.
  Keep keep{};                            ///< Empty: nothing is removed.
  std::optional<CopyRule> copy{};         ///< None: there is no second store.
  std::chrono::microseconds locked{};     ///< S3's object lock: so long nobody can remove a backup. 0: none.
  std::optional<PartOf> part_of{};
};

/// The lock that keeps two runs of this policy apart.
Result<std::vector<std::unique_ptr<Lock>>> lock_policy(const Policy& policy);

std::unique_ptr<Task> back_up(TaskInfo info, Policy policy);
/// Proves the newest backup, where none was within `policy.proof->every`. A fault fails the task, and is kept beside
/// the backup, which counts for nothing from then on.
std::unique_ptr<Task> prove_backup(TaskInfo info, Policy policy);
/// Copies whole backups that are newer than those in the second store, object by object, each read back there and
/// hashed; the manifest last.
std::unique_ptr<Task> copy_backups(TaskInfo info, Policy policy);
/// Removes what `policy.keep` does not keep (keep.h).
std::unique_ptr<Task> expire_backups(TaskInfo info, Policy policy);

}  // namespace steward::backup
