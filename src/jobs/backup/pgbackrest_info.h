/// What `pgbackrest info --output=json` says of a stanza, and what is decided from it. Pure.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/pgbackrest.h"

namespace steward::backup {

/// One backup of a stanza.
struct ClusterBackup {
  std::string label{};  ///< "20261130-012449F_20261130-012539D".
  std::string type{};   ///< "full", "diff" or "incr".
  Instant begun{}, ended{};
  Bytes cluster{};  ///< Of the whole cluster, on its server's disk.
  Bytes copied{};   ///< Of that, what this backup had to copy.
  Bytes stored{};   ///< And what that takes in the repository.
  std::string start_lsn{}, stop_lsn{};
  std::string start_wal{};  ///< The first segment of the log that it needs.
  unsigned repo = 0;
  int database = 0;            ///< Of `Stanza::systems`.
  bool has_bad_pages = false;  ///< Pages of the cluster had wrong checksums.
  std::vector<Proof> proofs{};
};

struct System {
  int id = 0;
  std::string identifier{}, version{};  ///< The cluster's system identifier; "15".
};

struct Stanza {
  std::string name{};
  int code = 0;
  std::string message{};                 ///< Of its status: "ok", "missing stanza path".
  std::vector<ClusterBackup> backups{};  ///< The oldest first.
  std::vector<System> systems{};
  std::string newest_wal{};  ///< In the archive.
  const System* system_of(const ClusterBackup& backup) const;
};

/// Of the JSON document. corrupt where it is none; not_found, unavailable as the stanza's status says.
Result<Stanza> stanza_from(std::string_view json, const std::string& name);

/// How a proof is kept with a backup, as annotations: "steward-read", "steward-restored" with the instant, and
/// "steward-bad" with the instant and what was found, which a proof without a fault takes away (an empty value).
std::vector<std::string> annotations_of(const Proof& proof);

/// Which type the next backup has, and why.
struct TypeChoice {
  std::string type{};
  std::string reason{};
};
TypeChoice type_of_next(const TypeRule& rule, std::span<const ClusterBackup> backups, Instant now);

/// As backups of any engine are listed and judged.
Backup as_backup(const ClusterBackup& backup, const Stanza& stanza, const std::string& version);

/// The one that `text` names: "latest", a label or a beginning of one, with or without the stanza and a / before it.
Result<ClusterBackup> find_cluster_backup(const Stanza& stanza, std::string_view text);

}  // namespace steward::backup
