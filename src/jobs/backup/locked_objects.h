/// Whether the store keeps a backup's objects locked, as it was asked when they were written.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/store.h"
#include "jobs/backup/manifest.h"
#include "run/job.h"

namespace steward::backup {

/// What a look at the locks has found.
struct LockLook {
  std::optional<Error> lost{};      ///< One is not locked, and cannot be: the first, and why.
  std::optional<Error> not_seen{};  ///< Nobody knows: the key may not look, or there was no answer.
};

/// Looks at each of `keys` of the store. One that is not locked until `until` is locked now, which helps where a server
/// has forgotten it; then it is looked at again.
LockLook look_at_locks(const object::StoreTarget& store, const std::vector<std::string>& keys, Instant until);

/// Looks at the locks of all objects but the manifest, which says that they are locked only where they are. The value:
/// why they are not. Where nobody can know, the run's notes say so.
std::optional<Error> claim_lock(const object::StoreTarget& store, Manifest& manifest, RunContext& run);

/// Writes the manifest, if there is none or `replace`: from here on the backup exists. Then it looks at the manifest's
/// own lock; one that does not keep it is written again without a word of it, and the value is why.
Result<std::optional<Error>> seal(object::Store& store, const object::StoreTarget& target, Manifest& manifest,
                                  RunContext& run, bool replace = false);

/// What a task fails with whose backup is whole and not locked as was asked.
Error not_locked(const Manifest& manifest, const Error& lost);

}  // namespace steward::backup
