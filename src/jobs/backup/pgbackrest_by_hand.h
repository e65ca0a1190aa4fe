/// The commands that bring a cluster back with pgBackRest.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "jobs/backup/pgbackrest_info.h"

namespace steward::backup {

/// What is to be had again.
struct ClusterRestore {
  std::string label{};          ///< Of the backup that it begins with.
  std::optional<Instant> at{};  ///< Recovered to this moment; none: as far as the log reaches.
  std::string to{};             ///< The folder of the cluster; empty: where it was, whatever is still there.
};

/// One command, for a shell, to be given where the cluster is to be, with its server stopped.
std::string restore_command(const PgBackRest& policy, const ClusterRestore& what);

/// For those who have only the list: the newest moment, and any other (`$TIME`).
std::vector<std::string> by_hand(const PgBackRest& policy, const std::string& label);

/// The newest backup that ended before `at`. not_found where there is none.
Result<ClusterBackup> backup_before(const Stanza& stanza, Instant at);

}  // namespace steward::backup
