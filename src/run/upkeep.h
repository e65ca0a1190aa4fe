/// Upkeep of the state directory: what steward forgets of its own work, and when.
///
///   runs/RUN/log.jsonl           after 90 days; and the oldest days first where all logs together pass 2 GiB
///   plans/…                      saved plans and their item lists: after 13 months
///   manifests/RUN/TASK.jsonl     lists of what purges removed: after 13 months
///   the ledger                   of runs older than 13 months the plan and the progress; never the run, its tasks, its
///                                outcome, nor a line of the audit trail; and what people were told of before (the
///                                outbox), but no message that is still to be sent
///
/// Promises  - Nothing of a run that is under way or waits for approval goes: its log, its lists, its plan and item
///             lists.
///           - What is planned goes and nothing newer; a file's age is its mtime.
///           - Killed anywhere, the next time goes on. Two at once do no harm.
/// Does not  - touch the archive, or anything else in the state directory.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/state.h"

namespace steward {

struct UpkeepRules {
  std::chrono::days logs{90};
  Bytes logs_together = 2_GiB;
  std::chrono::months rest{13};
};

/// What goes of one part of the state directory: files that were last written before the cutoff.
struct UpkeepPart {
  std::string name{};    ///< "run logs"
  std::string folder{};  ///< "runs"
  Instant cutoff{};
  std::uint64_t files = 0;
  Bytes bytes{};
};
struct Upkeep {
  std::vector<UpkeepPart> parts{};
  Instant runs_before{};     ///< Runs that began before lose their plan and progress, and events of before go.
  std::uint64_t runs = 0;    ///< How many have any.
  std::uint64_t events = 0;  ///< How many there are (run/ledger/outbox.h).
  bool nothing() const;
};

/// What would go now. Reads alone.
Result<Upkeep> plan_upkeep(const StateDirectory& state, ledger::Ledger& ledger, Instant now,
                           const UpkeepRules& rules = {});
/// Removes what the plan covers, enters an audit line "state.tidy" where that was anything, and gives what went.
Result<Upkeep> carry_out(const Upkeep& upkeep, const StateDirectory& state, ledger::Ledger& ledger, const Clock& clock,
                         const std::string& who);

/// How large each part of the state directory is, in bytes on the disk's books.
struct StateSizes {
  Bytes ledger{}, logs{}, plans{}, lists{}, other{};
};
Result<StateSizes> state_sizes(const StateDirectory& state);

}  // namespace steward
