/// Starts queued runs as child processes of this program, and watches all runs that are under way, its own and those
/// that another daemon, or this one before its restart, has started.
///
///   queued --(a process is started)--> running --> ended --(worth a retry)--> queued again, as the next attempt
///
/// Promises  - A run that is queued begins once: its process takes it over in the ledger with a token that the launch
///             has entered before (run/ledger/agenda.h), and leaves at once where that is not the last one.
///           - A process that ends before it has taken its run over, as when the ledger's server is just being
///             restarted, is followed by another, up to three; a configuration that is wrong stays wrong.
///           - A run whose process is gone does not stay "running": on this machine it is seen at once, elsewhere when
///             its pulse has stood still for a minute of this process's own time, whatever the clocks say. It becomes
///             `interrupted`, or `cancelled` where that had been asked for, with the reason.
///           - A cancel that is not heeded within `grace` is followed by SIGKILL; so is the end of `max_runtime`.
///           - A retry is entered once, by whoever looks first, also after a crash between the end and the retry.
///           - An approved run of a job that is Dagster's to start is left to Dagster, whose sensor goes on with it.
///           - Children are not ours to take along: they go on when this process ends, and are found again.
/// Threads   One.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "engine/schedule.h"
#include "io/process/child.h"
#include "run/ledger/ledger.h"
#include "run/reporter.h"
#include "run/state.h"

namespace steward::engine {

/// What the daemon says of its work, a line each; `job` may be empty.
using Say = std::function<void(Level level, std::string_view job, std::string_view text)>;

/// How children are started.
struct ChildRules {
  std::string program{};                   ///< This program's absolute path.
  std::vector<std::string> environment{};  ///< "NAME=value": all that a child has, besides what names its run.
  std::string directory{};                 ///< That they work in.
  std::chrono::seconds grace{30};          ///< From a cancel to SIGKILL.
};

// What names its run to a child.
inline constexpr std::string_view run_variable = "STEWARD_RUN", launch_variable = "STEWARD_LAUNCH";

class Supervisor {
 public:
  Supervisor(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, ChildRules rules, Say say);

  /// Whose queued runs are started here, and by which rules. Runs of other jobs are watched all the same.
  void set_schedules(std::map<std::string, Schedule> schedules) { schedules_ = std::move(schedules); }

  const std::map<std::string, Schedule>& schedules() const { return schedules_; }

  /// One look at everything: ends what is gone, stops what has to stop, enters retries, starts what is queued and due.
  /// `monotonic`: a clock that nobody sets. `starting`: whether anything new may be started.
  Result<void> look(std::chrono::microseconds monotonic, bool starting);
  /// When to look again, at the latest, where nothing else happens before.
  std::chrono::microseconds next_look() const { return next_look_; }
  /// The first moment at which a queued run may start, of those that wait for one.
  std::optional<Instant> next_start() const { return next_start_; }
  /// Readable when a process has ended: then look.
  std::vector<int> descriptors() const;
  /// Jobs that are running or queued, as of the last look, once for each run.
  const std::vector<std::string>& busy() const { return busy_; }
  /// Processes on this machine that are watched.
  std::size_t watched() const;
  /// Asks all runs that this machine has to stop.
  Result<void> cancel_all(std::string_view who);

 private:
  /// What is known of a run under way, besides the ledger.
  struct Known {
    std::optional<process::Watch> watch{};
    pid_t pid = 0;  ///< Of our own child; 0 where it is not.
    std::string token{};
    int launches = 0;                                  ///< Of our own children for it,
    std::optional<std::chrono::microseconds> again{};  ///< and when the next one is due, where the last has died early.
    std::optional<Instant> pulse{};                    ///< As last seen in the ledger,
    std::chrono::microseconds pulse_seen{};            ///< and since when.
    std::optional<std::chrono::microseconds> asked{};  ///< SIGTERM was sent.
    bool killed = false;
  };

  void reap();
  Result<void> see_to(const ledger::Run& run, std::chrono::microseconds monotonic);
  Result<void> see_to_queued(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic);
  Result<bool> is_left_to_dagster(const ledger::Run& run) const;
  Result<void> see_to_running(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic);
  Result<void> stop_where_due(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic);
  bool is_silent(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic) const;
  bool is_to_be_launched_again(Known& known, std::chrono::microseconds monotonic) const;
  Result<void> launch(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic);
  Result<void> end(const ledger::Run& run, ledger::Status status, std::string reason);
  Result<void> enter_retries();
  std::string how_it_ended(const Known& known) const;

  ledger::Ledger& ledger_;
  const Clock& clock_;
  const StateDirectory& state_;
  ChildRules rules_;
  Say say_;
  std::map<std::string, Schedule> schedules_{};
  std::map<std::string, Known, std::less<>> known_{};  ///< By run.
  std::map<pid_t, process::Ended> ended_{};            ///< Reaped, and not yet told of.
  std::vector<std::string> busy_{};
  std::chrono::microseconds next_look_{};
  std::optional<Instant> next_start_{};
};

/// A run that ended longer ago is not tried again.
inline constexpr std::chrono::hours retries_looked_for{24};

/// Whether a run that has ended so is worth another attempt: it was interrupted, or a task of it failed with an error
/// that may pass (core/result.h).
bool is_worth_a_retry(const ledger::Run& run, const std::vector<ledger::TaskRecord>& tasks);

}  // namespace steward::engine
