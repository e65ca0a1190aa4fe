/// What is to be expected of each job's schedule: when it fires next, or why it does not, and what became of its last
/// tick. What `status`, `schedule`, `healthcheck` and the API tell comes from here, so that they cannot differ.
///
///   const Outlooks found = TRY(outlooks(*ledger, state, jobs, shared, clock.now()));
///   found.jobs[0].standing   Standing::paused
///   found.jobs[0].reason     "paused until 2027-01-31T12:00:00Z: an index is being built"
///
/// It looks ahead with what is so at the moment: a pause or freeze that is set tomorrow is another matter.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "engine/keepers.h"
#include "engine/scheduler.h"
#include "run/ledger/agenda.h"
#include "run/ledger/ledger.h"
#include "run/state.h"

namespace steward::engine {

/// What will become of a job's next tick.
enum class Standing {
  scheduled,  ///< It fires.
  paused,
  frozen,
  blackout,
  waiting,         ///< A run of it waits for an approval, which each run needs.
  unkept,          ///< No daemon that is alive has it.
  off,             ///< Somebody said so.
  left,            ///< To cron or Dagster.
  not_configured,  ///< Its settings are absent.
};
std::string_view name_of(Standing standing);  ///< "not-configured", as in JSON.

struct Outlook {
  std::string job{};
  std::string schedule{}, words{};  ///< "0 3 * * *", "every day at 03:00".
  Zone zone{};
  Standing standing = Standing::scheduled;
  std::string reason{};           ///< In words; of what is scheduled: empty.
  std::optional<Instant> next{};  ///< The next tick. None where steward starts it never: off, left, not configured.
  std::optional<Instant>
      fires{};  ///< The first tick that fires, as far as can be known; where nothing is in its way: next.
  std::optional<Instant> starts{};     ///< That, and its jitter.
  std::optional<ledger::Tick> last{};  ///< The last tick that has its outcome.
  bool scheduled_here = false;         ///< It is steward's to start: configured, not off, not left.
  bool kept = false;                   ///< A daemon that is alive has it.
  bool started_by_others =
      false;  ///< Without a daemon, but somebody does start it: its last run is as recent as it should be.
};

/// A run that a process is at work on.
struct UnderWay {
  std::string job{}, run{};
  std::string concurrency{};  ///< The job's concurrency key.
};

/// What the ledger and the state directory know.
struct OutlookFacts {
  Instant now{};
  std::vector<ledger::Pause> pauses{};                        ///< In force.
  std::vector<ledger::Freeze> freezes{};                      ///< In force.
  std::map<std::string, std::string, std::less<>> waiting{};  ///< Jobs a run of which waits: which run.
  std::map<std::string, ledger::Tick, std::less<>> last{};    ///< The last tick of each job that has its outcome.
  std::map<std::string, ledger::Run, std::less<>> runs{};     ///< The last run of each whole job.
  /// None: nobody has looked, and it is taken for granted that somebody keeps the schedules.
  std::optional<std::vector<Keeper>> keepers{};
  std::vector<UnderWay> under_way{};  ///< For obstacle_elsewhere alone.
};

/// Pure.
Outlook outlook(const ScheduledJob& job, const OutlookFacts& facts);

/// What is in the way of a tick of another scheduler's, such as Dagster's, at `facts.now`; none: it is to start its
/// run. The same as of one of ours, but for what is the other's to say: whose the job is, jitter, and `overlap: queue`.
/// What fell into a blackout is not made up for, however late the other asks.
std::optional<Obstacle> obstacle_elsewhere(const ScheduledJob& job, const OutlookFacts& facts, Instant tick);

/// The tick that is `count` ticks back, so that so many have come at `now` or before; those in a blackout do not count.
/// None where there were fewer in ten years, or among the last thousand.
std::optional<Instant> ticks_back(const Schedule& schedule, Instant now, std::size_t count);

/// When the last pause or freeze that was about the job ended; none where there was none. `pauses` and `freezes`: also
/// those that are over.
std::optional<Instant> resumed(const ScheduledJob& job, const std::vector<ledger::Pause>& pauses,
                               const std::vector<ledger::Freeze>& freezes, Instant now);

struct Outlooks {
  std::vector<Outlook> jobs{};
  OutlookFacts facts{};
};
/// Reads the facts, and gives the outlook of each of these jobs. `shared`: as DaemonSettings::shared.
Result<Outlooks> outlooks(ledger::Ledger& ledger, const StateDirectory& state, const std::vector<ScheduledJob>& jobs,
                          bool shared, Instant now);

}  // namespace steward::engine
