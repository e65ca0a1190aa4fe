/// Delays: starts that are late, and runs that take too long. They are entered as events while they are so
/// (run/ledger/outbox.h), for people who can still do something about it.
///
///   late              a tick has been due for longer than `start_grace`, and its run has not begun: it waits for
///                     another run's end, to be made up for, or for a daemon that was not there. Once for each tick.
///   running-too-long  a run has been at work for longer than `expected_runtime`; where the schedule says none, for
///                     longer than is usual(). Once for each run.
///
/// Promises  - Each is entered once, whoever looks, and however often: the ledger knows its key.
///           - A tick that is late is told of also where every daemon was gone meanwhile, and where its run begins at
///             the very moment at which one comes back, if look() comes before the run is started.
/// Not told  Retries, which wait on purpose; runs that go on after an approval. Runs that nobody has scheduled are
///           never late. Nothing is usual of a run of single tasks.
/// Threads   One.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "engine/schedule.h"
#include "engine/scheduler.h"
#include "run/ledger/ledger.h"
#include "run/ledger/outbox.h"

namespace steward::engine {

class Delays {
 public:
  /// `ledger` outlives it.
  explicit Delays(ledger::Ledger& ledger) : ledger_(ledger) {}

  /// Enters what is late or takes too long at `now`. `open`: the runs that are queued or running. `waiting`: ticks that
  /// have no verdict yet. Jobs without a schedule are passed over.
  Result<void> look(std::span<const ledger::Run> open, std::span<const WaitingTick> waiting,
                    const std::map<std::string, Schedule>& schedules, Instant now);
  /// When something of what the last look has seen will be late or take too long; none where nothing will.
  std::optional<Instant> next() const { return next_; }

 private:
  Result<void> see_to_start(const std::string& job, const std::string& run, Instant due, const Schedule& schedule,
                            Instant now);
  Result<void> see_to_end(const ledger::Run& run, const Schedule& schedule, Instant now);
  Result<std::optional<std::chrono::microseconds>> usual_limit(const ledger::Run& run);
  Result<void> enter(ledger::Event event);

  ledger::Ledger& ledger_;
  std::set<std::string> entered_{}, entered_before_{};                       ///< Keys, of this look and of the last.
  std::map<std::string, std::optional<std::chrono::microseconds>> usual_{};  ///< By run.
  std::optional<Instant> next_{};
};

/// What a run usually takes at the most, from the newest successes of the whole job: three times their median, and ten
/// minutes at the least. None where there are fewer than three: nothing is usual yet.
std::optional<std::chrono::microseconds> usual(std::span<const ledger::Run> successes);

/// Nothing is looked up, and nothing told, of a run that has taken less.
inline constexpr std::chrono::minutes least_usual{10};

}  // namespace steward::engine
