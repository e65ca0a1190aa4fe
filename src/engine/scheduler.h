/// The scheduler: which ticks are due, and what becomes of each. No threads, no clock of its own, no I/O: whoever
/// drives it hands in what is so, writes each verdict down, starts what fires, and calls again at `wake()` or when
/// something has changed (a run has ended, a pause was lifted, the clock was set).
///
///   Scheduler scheduler(jobs, {.now = clock.now(), .monotonic = monotonic()});
///   for (const Verdict& verdict : scheduler.decide(situation)) ledger.enter(verdict);  // and start where it says fire
///   sleep_until(scheduler.wake(situation));
///
/// Promises  - Each tick gets one verdict, in the order of ticks for a job, with its reason. What has one never gets
///             another: not when the clock is set back, nor after a restart that hands in what was decided last.
///           - A clock put forward by a year does not fire a year of ticks: missed ones are made up for as the schedule
///             says, at most `missed_limit` of them; the older are told of in one verdict.
///           - Time is a heap: 10,000 schedules cost next to nothing while none is due.
/// Missed    A tick that is noticed more than a minute late. What is made up for begins five minutes after it was
///           noticed (the machine has just started, or woken up), and up to a minute later by a hash of the job's name.
/// Clock     Set back by less than a day: a job waits until its last tick has passed again. By more, the clock had been
///           wrong: ticks count from now on, and those that fired under the wrong date do not fire again.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/age.h"
#include "engine/schedule.h"

namespace steward::engine {

/// A task whose work has to be made anew all the time: a backup, whose newest may not be too old (engine/freshness.h).
struct Watched {
  std::string task{};
  std::string what = "backup";       ///< That it makes, in a word for people: "backup", "copy".
  std::string proof{};               ///< The task that proves what it makes, or what proofs by hand are entered as.
  std::optional<Age> proof_every{};  ///< How often that task is to prove one; none: there is no such task.
  /// It is of several databases (jobs/backup/several.h): each has tasks of its own below its name, which the ledger
  /// knows.
  bool of_several = false;
  std::chrono::hours stale_after{};
};

struct ScheduledJob {
  std::string name{};
  Schedule schedule{};
  bool configured = true;
  std::string off_by{};  ///< Not empty: left off, and who said so: "STEWARD_DISABLE".
  bool removes = true;   ///< Whether a freeze is about it.
  /// Its last tick that has a verdict, under this very schedule. None: it is new, or has another schedule now, and
  /// nothing was missed.
  std::optional<Instant> decided{};
  std::vector<Watched> watched{};  ///< Those of its tasks that are configured and not off.
};

enum class Outcome {
  fire,
  paused,
  frozen,
  overlap,  ///< It still runs, or its concurrency key is taken.
  blackout,
  missed,
  not_configured,
  off,
  left,    ///< To cron or Dagster.
  waiting  ///< An earlier run of it waits for an approval, which each run needs.
};
std::string_view name_of(Outcome outcome);  ///< "not-configured", as the ledger and JSON have it.

/// Why something does not fire: the outcome, and in words.
struct Obstacle {
  Outcome outcome = Outcome::fire;
  std::string reason{};
  std::optional<Instant> until{};  ///< Where that is known.
};
/// What keeps a job from ever being started here, whatever its schedule: it is not configured, off, or another's.
std::optional<Obstacle> standing_obstacle(const ScheduledJob& job);
/// "paused until 2027-01-31T12:00:00Z by ada: an index is being built".
std::string words_of(const Pause& pause);

struct Verdict {
  std::string job{};
  Instant tick{};
  Outcome outcome = Outcome::fire;
  std::string reason{};  ///< "backup is running (concurrency key database)"; of one that fires on time: empty.
  /// Where older ticks are told of with this one: the oldest.
  std::optional<Instant> since{};
  bool made_up = false;  ///< It fires late, because it was missed.
};

/// A tick that is due and has no verdict yet: it waits for another run's end, or to be made up for.
struct WaitingTick {
  std::string job{};
  Instant due{};
};

/// What is so at a moment.
struct Situation {
  Instant now{};
  std::chrono::microseconds monotonic{};  ///< A clock that nobody sets, and that stands still while the machine sleeps.
  std::multiset<std::string, std::less<>> running{};          ///< Jobs that run, or wait to be started.
  std::map<std::string, Pause, std::less<>> paused{};         ///< Besides those of the configuration.
  std::optional<std::string> frozen{};                        ///< Why nothing may be removed.
  std::map<std::string, std::string, std::less<>> waiting{};  ///< Jobs a run of which waits for an approval: which run.
};

class Scheduler {
 public:
  Scheduler(std::vector<ScheduledJob> jobs, const Situation& situation);

  /// What becomes of the ticks that are due, oldest first; of one moment, in the order of the jobs' names. Jobs that
  /// fire count as running for those after them.
  std::vector<Verdict> decide(const Situation& situation);
  /// When to call again, at the latest; none where there is nothing to wait for but a change of the situation.
  std::optional<Instant> wake(const Situation& situation) const;

  /// What waits, as of the last decide().
  std::vector<WaitingTick> waiting() const;

  /// Other jobs or schedules, as after a reload, or after a zone was refreshed: what was decided of a job stays, and
  /// what waits of it.
  void replace(std::vector<ScheduledJob> jobs, const Situation& situation);

 private:
  /// A tick without a verdict whose time has come: it waits for another run's end, or to be made up for.
  struct Waiting {
    Instant tick{};
    std::chrono::microseconds not_before{};  ///< Monotonic.
    bool missed = false;
  };
  struct State {
    ScheduledJob job{};
    Instant decided{};              ///< Ticks up to here have their verdicts.
    std::deque<Waiting> waiting{};  ///< Ticks after `decided`, oldest first.
    std::optional<Instant> next{};  ///< The first tick after all of these.
    std::set<Instant> fired{};      ///< The latest that fired: what must not fire again after a wrong date.
    std::uint64_t entry = 0;        ///< The one of its entries in the heap that counts.
    Instant last() const { return waiting.empty() ? decided : waiting.back().tick; }
  };
  struct Due {
    Instant at{};  ///< Tick and jitter.
    std::size_t job = 0;
    std::uint64_t entry = 0;
    bool operator>(const Due& other) const { return std::tie(at, job) > std::tie(other.at, other.job); }
  };
  /// What a call of decide() works on.
  struct Round;

  void take_in(std::vector<ScheduledJob> jobs);
  void arm(std::size_t index);
  void undo_future(std::size_t index, Instant now);
  void take_tick(std::size_t index, Round& round);
  void take_missed(std::size_t index, Instant until, Round& round);
  void settle(std::size_t index, Round& round);
  void settle_all(Round& round, bool queued_alone);
  std::optional<Verdict> verdict_of(const State& state, const Waiting& waiting, const Round& round) const;
  std::optional<Verdict> standing_of(const State& state, Instant tick) const;
  std::string busy_with(const State& state, const Round& round) const;
  std::string why_missed(const State& state, Instant tick, const Round& round) const;

  std::vector<State> jobs_{};
  std::priority_queue<Due, std::vector<Due>, std::greater<>> heap_{};
  std::set<std::size_t> waiting_{};                         ///< Jobs that have something waiting.
  std::map<std::string, std::string, std::less<>> keys_{};  ///< Concurrency keys by job.
  std::uint64_t entries_ = 0;
  Instant started_{};
  Instant seen_{};  ///< The clocks of the last call.
  std::chrono::microseconds seen_monotonic_{};
};

}  // namespace steward::engine
