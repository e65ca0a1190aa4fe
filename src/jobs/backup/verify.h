/// Proving a backup.
#pragma once
#include <span>
#include <string>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/store.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/stored_object.h"

namespace steward::backup {

struct VerifyOptions {
  Depth depth = Depth::bytes;
  std::string clients{};  ///< Policy::clients.
  std::string scratch{};  ///< Where a throwaway server or file is made; empty: scratch_folder().
  /// An empty database to restore into, instead of a throwaway server; what is restored there stays.
  std::string to{};
  /// `progress` hears of stored bytes as they are read, and often; an error of it ends the verification.
  ReadOptions reading{};
};

/// The programs that a backup is proved with, of its server or of a later one: a newer pg_dump may have made it.
/// not_found, with the package to install.
Result<Clients> clients_to_prove(const Manifest& manifest, std::span<const Clients> installed);

/// Reads, or restores and compares. A fault of the backup is in the proof; an error is of the verification itself (no
/// room, no server program, stopped), and says nothing of the backup.
Result<Proof> verify(object::Store& store, const Backup& backup, const VerifyOptions& options, const Clock& clock);

}  // namespace steward::backup
