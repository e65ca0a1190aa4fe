/// Which backups stay. Pure.
///
/// The words are restic's, and mean what they mean there (restic.readthedocs.io, "Removing backup snapshots"): `last`
/// the newest n; `daily`, `weekly`, `monthly`, `yearly` the newest of each of the last n days (ISO weeks, months,
/// years) that have one; `within` all that are at most that much older than the newest. A backup that any of them
/// keeps, stays. Days are UTC's.
///
/// Beyond restic:
///   - A backup whose proof failed counts for none of them. It stays as long as a person may want to look at it.
///   - The newest backup that was restored without a fault stays, and so does the newest of all.
///   - Where the newest is stale, nothing goes: what is left may be all that there will be.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/age.h"
#include "core/instant.h"

namespace steward::backup {

struct Backup;  // manifest.h

struct Keep {
  unsigned last = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  std::optional<Age> within{};
  bool empty() const { return last + daily + weekly + monthly + yearly == 0 && !within; }
};
/// "last 3, daily 14, monthly 12".
std::string text_of(const Keep& keep);

/// How old the newest backup may be before nothing goes: a night, and two hours for those that take long.
inline constexpr std::chrono::hours stale_after{26};
/// How long a backup whose proof failed is kept.
inline constexpr std::chrono::hours bad_kept{24 * 14};

struct Verdict {
  bool stays = true;
  bool by_rule = false;  ///< A rule of `keep` keeps it.
  std::string reason{};  ///< "daily 3", "its proof failed", "no rule keeps it".
};
/// One for each of `backups`, which are one policy's, the oldest first.
std::vector<Verdict> decide(std::span<const Backup> backups, const Keep& keep, Instant now);

}  // namespace steward::backup
