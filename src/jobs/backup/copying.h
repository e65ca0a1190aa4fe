/// Copies of backups in a second store: which, and how one gets there.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/store.h"
#include "jobs/backup/keep.h"
#include "jobs/backup/manifest.h"

namespace steward::backup {

/// Which of the backups `here` go to the second store, where `there` are: the good ones that are newer than the newest
/// there, as far as its rules would keep them. Positions in `here`, the oldest first. Pure.
std::vector<std::size_t> to_copy(std::span<const Backup> here, std::span<const Backup> there, const Keep& keep,
                                 Instant now);

/// Whose copy there was found bad, and which is good here: their copies are made again. Positions in `here`. Pure.
std::vector<std::size_t> to_repair(std::span<const Backup> here, std::span<const Backup> there);

/// One object from store to store, streamed; its hash compared on the way, and again as it is read back there. corrupt:
/// it is not what the manifest says. One that lies there already, of a run that was cut off, is only read back.
/// `check` is asked often. True where it was written now.
struct ObjectCopy {
  object::Store& from;
  object::Store& to;
  std::string folder{};
  std::optional<Instant> locked_until{};
  std::function<Result<void>(Bytes more)> check{};
  bool replace = false;  ///< What lies there.
};
Result<bool> copy_object(const ObjectCopy& how, const StoredObject& object);

/// Writes it anew where what lies there is not what the manifest says, or nothing. True where it was written.
Result<bool> repair_object(const ObjectCopy& how, const StoredObject& object);

}  // namespace steward::backup
