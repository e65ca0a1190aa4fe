/// The part of the ledger that schedulers work with: ticks and what became of each, runs that are to be started,
/// leases, pauses.
///
///   queued --launch--> queued (with a token) --take_over--> running --> ended
///
/// Promises  - A tick, which is a job and a moment, has one outcome for good, however many daemons write to the ledger;
///             and its run is entered in the same transaction, so that neither is there without the other.
///           - A queued run is taken over by one process: by that whose token was entered last. One that was started
///             before and comes late is told so, and has to leave without doing anything.
///           - A lease is one holder's at a time. Who shows an older term of it is refused every tick.
/// Threads   Any, as with the ledger.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/ledger.h"

namespace steward::ledger {

/// One due moment of a schedule, and what became of it.
struct Tick {
  std::string job{};
  Instant due{};
  std::string outcome{};           ///< "fired", or why not: "paused", "overlap", … (engine/scheduler.h).
  std::string reason{};            ///< In words, for people.
  std::optional<Instant> since{};  ///< Older ticks that this line stands for as well: the oldest.
  std::string run{};               ///< Of one that fired.
  Instant decided{};
  std::string daemon{};  ///< Who decided: "web-1:4711".
};

struct TickFilter {
  std::string job{};  ///< Empty: all.
  bool fired = true;  ///< With those that fired, or only those that did not.
  std::size_t limit = 50;
};

/// The right to decide, for as long as it is renewed.
struct Lease {
  std::string name{};
  std::string holder{};
  std::int64_t term = 0;  ///< Grows each time the lease goes to another holder.
};

/// How a lease stands.
struct LeaseState {
  Lease lease{};
  Instant until{};        ///< By the clock that take_lease goes by.
  bool in_force = false;  ///< `until` is to come, by that clock; else anybody may take it.
};

/// No start of a job until it is lifted or its end has come.
struct Pause {
  std::string id{};   ///< "p-4f2a91c0".
  std::string job{};  ///< "*": every job.
  std::string reason{};
  std::string who{};
  Instant made{};
  std::optional<Instant> until{};
  std::optional<Instant> lifted{};
  std::string lifted_by{};
};

/// What tells a request from all others.
struct RequestKey {
  std::string actor{};    ///< Whose it is: keys of others are others.
  std::string key{};      ///< As the client chose it.
  std::string request{};  ///< What was asked for, or its hash.
};

class Agenda {
 public:
  virtual ~Agenda() = default;

  /// Takes the lease, or renews it, for so long from now; by the clock of the ledger's server on PostgreSQL, by `now`
  /// on SQLite, where all that use it share one machine. None where another has it. A lease that runs on for longer
  /// than `length` was made under a clock that was wrong, and counts as over.
  virtual Result<std::optional<Lease>> take_lease(std::string_view name, std::string_view holder,
                                                  std::chrono::seconds length, Instant now) = 0;
  /// Gives it up, so that another need not wait for its end. Nothing where it is another's.
  virtual Result<void> give_up_lease(const Lease& lease) = 0;
  /// All leases that anybody has had and not given up, in force or not, by name.
  virtual Result<std::vector<LeaseState>> leases(Instant now) = 0;

  /// Enters what became of a tick, with the run where it fired, in one transaction. False, and nothing is entered,
  /// where the tick has its outcome already; but one that was "left" to another scheduler may still be "fired" by it.
  /// interrupted where `lease` (if given) is not that holder's, in that term, any more.
  virtual Result<bool> enter(const Tick& tick, const std::optional<Run>& queued, const std::optional<Lease>& lease) = 0;
  /// The last tick of each job that has an outcome.
  virtual Result<std::map<std::string, Instant>> last_ticks() = 0;
  /// Newest first.
  virtual Result<std::vector<Tick>> ticks(const TickFilter& filter) = 0;

  /// Enters a run that is to be started: its status is queued. False, and nothing is entered, where it is a retry of a
  /// run that has one already.
  virtual Result<bool> enqueue(const Run& run) = 0;
  /// The same for a request that may come twice, as after an answer that was lost: the run that it has, which is `run`
  /// the first time, and the one of then for two days. refused (code "request-reused") where the same key came with
  /// another request.
  virtual Result<std::string> enqueue_once(const Run& run, const RequestKey& key) = 0;
  /// Runs of schedulers that have not succeeded, ended at `since` or later, and have no retry, oldest first.
  virtual Result<std::vector<Run>> without_retry(Instant since) = 0;
  /// Those that are queued or running, oldest first.
  virtual Result<std::vector<Run>> open_runs() = 0;
  /// Notes that a process is being started for the queued run, under a new token. False where the run is not queued any
  /// more, or has another token than `before` (empty: none): somebody else has started one.
  virtual Result<bool> launch(std::string_view run, std::string_view before, std::string_view token,
                              const Process& launcher, Instant now) = 0;
  /// The queued run is this process's from now on, and runs, and its approval, if it was asked for one, is used; with
  /// an audit line "run.begin". False where it is not queued, or has another token. Takes process, started, version,
  /// environment and scope from `run`; trigger and actor only where Dagster carries it out: that run of Dagster's is
  /// the one to be looked at, and who has asked for an approval stands in the approval.
  virtual Result<bool> take_over(const Run& run, std::string_view token) = 0;

  /// Enters a pause, with an audit line "job.pause".
  virtual Result<void> add_pause(const Pause& pause) = 0;
  /// Ends it, with an audit line "job.resume". refused (code "lifted") where it is lifted already.
  virtual Result<void> lift_pause(std::string_view id, std::string_view who, Instant now) = 0;
  /// Those in force at `now`, or all that ever were.
  virtual Result<std::vector<Pause>> pauses(Instant now, bool all = false) = 0;
};

}  // namespace steward::ledger
