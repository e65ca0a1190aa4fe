/// The daemon: fires ticks when they are due, starts their runs, watches them, and goes on after whatever happened.
///
///   due tick -> verdict (engine/scheduler.h) -> ledger: the tick and its queued run, in one transaction
///            -> a child process takes the run over (engine/supervisor.h) -> its end, and where it is worth it a retry
///
/// Promises  - Each tick has one outcome in the ledger, with its reason, however many daemons share the ledger, and
///             whenever any of them is killed.
///           - Daemons that share a ledger on PostgreSQL take turns by a lease; one that was stopped and goes on finds
///             that its lease has gone, enters nothing, and waits for its turn. On SQLite one daemon alone may run.
///           - A ledger that does not answer stops nothing: what is decided is entered when it answers again.
///           - A start that is late, and a run that takes too long, are told of while they are so (engine/delays.h);
///             so is a backup that is too old (engine/freshness.h).
///           - It sleeps until the next due moment, and wakes when the clock is set.
/// Threads   serve() has one; wake() and the stop may come from any.
#pragma once
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "engine/delays.h"
#include "engine/freshness.h"
#include "engine/scheduler.h"
#include "engine/supervisor.h"
#include "io/files/folder.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/ledger/ledger.h"
#include "run/state.h"

namespace steward::engine {

/// What becomes of runs that are under way when the daemon is told to stop.
enum class Shutdown {
  leave,  ///< They go on, and the next daemon finds them.
  wait,   ///< It waits for their ends.
  stop    ///< They are cancelled, and it waits for that.
};

struct DaemonSettings {
  std::vector<ScheduledJob> jobs{};  ///< Without `decided`, which the ledger knows.
  std::string lease = "serve";       ///< Daemons for the same jobs have the same.
  bool shared = false;               ///< Whether the ledger is on a server, where other machines may use it.
  Shutdown shutdown = Shutdown::leave;
  ChildRules children{};
  /// The jobs as a changed configuration has them; none where it is not valid, which it has said. Called by serve().
  std::function<std::optional<std::vector<ScheduledJob>>()> reload{};
  /// Called in each round, at least every `beat_every`: what a watchdog wants to see.
  std::function<void()> beat{};
  std::chrono::microseconds beat_every{std::chrono::hours{1}};
  /// Called after each round: ticks, runs or approvals may have come to something.
  std::function<void()> looked{};
};

class Daemon {
 public:
  Daemon(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, DaemonSettings settings, Say say);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Works until the stop is requested. busy (code "serving") where another daemon of this state directory is at work.
  /// `ready` is called once, when it is.
  Result<void> serve(const std::stop_token& stop, const std::function<void()>& ready);
  /// Something may have changed: look now. Both may be called by a signal handler.
  void wake();
  /// And read the configuration again before.
  void request_reload();

 private:
  void look();
  Result<void> reload();
  Result<void> refresh_zones();
  Result<void> take_jobs(std::vector<ScheduledJob> jobs);
  Result<void> keep_lease();
  Result<void> take_up_schedules(const Situation& situation);
  Result<Situation> situation();
  Result<void> decide();
  Result<void> note_delays();
  Result<void> enter(const Verdict& verdict);
  Result<void> tend_approvals(Instant now);
  void wait(const std::stop_token& stop);
  Result<void> wind_up();
  void complain(const Error& error);

  ledger::Ledger& ledger_;
  const Clock& clock_;
  DaemonSettings settings_;
  Say say_;
  Supervisor supervisor_;
  Delays delays_;
  Staleness staleness_;
  std::string name_;                      ///< Of this daemon in the ledger: "web-1:4711".
  std::optional<Scheduler> scheduler_{};  ///< None while another daemon decides.
  std::optional<ledger::Lease> lease_{};
  std::chrono::microseconds lease_renewed_{};  ///< Monotonic.
  std::deque<Verdict> undelivered_{};          ///< Decided, and not yet in the ledger.
  std::string complained_{};                   ///< The last thing that was complained of: once is enough.
  std::optional<Instant> wake_at_{};
  std::chrono::microseconds zones_refreshed_;  ///< Monotonic.
  std::atomic<bool> reload_ = false;
  files::Handle woken_{}, timer_{};
};

}  // namespace steward::engine
