/// The courier: carries what people are to be told of from the ledger's outbox to their channels.
///
///   collect -> decide (engine/notify/rules.h) -> dispatch -> take -> send -> delivered, or due again
///
/// Promises  - What the ledger knows of is told of, wherever a process died: each step is durable before the next
///             begins, and whoever comes next goes on from it. A process that dies after a message has arrived and
///             before that is written down has it sent once more, under the same id.
///           - Several couriers on one ledger, in daemons and at the ends of runs, do not send one message twice.
///           - Nothing else waits for it: a daemon's has a thread and a connection of its own.
///           - What is older than three days when it is first seen is not told of: nobody acts on it any more.
/// Threads   round() and work() have one; wake() and take() may come from any.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/instant.h"
#include "core/result.h"
#include "engine/notify/notifier.h"
#include "engine/schedule.h"
#include "engine/supervisor.h"
#include "io/files/folder.h"
#include "run/ledger/ledger.h"

namespace steward::engine {

class Courier {
 public:
  /// All that is referred to outlives it. `name` tells it apart in the ledger: "web-1:4711". `schedules`: by job, for
  /// whether a failure is followed by a retry.
  Courier(ledger::Ledger& ledger, const Clock& clock, const files::Folder& state, notify::Settings settings,
          std::map<std::string, Schedule> schedules, std::string name);

  /// How long the rest of a round may take; 0: it ends. Asked before each message, which takes no longer.
  using TimeLeft = std::function<std::chrono::milliseconds()>;
  /// Asked about once a second while a message is under way: whether to give it up.
  using GiveUp = std::function<bool()>;

  /// Sends all that is due and that there is time for. When to come again, at the latest; none where nothing waits.
  Result<std::optional<Instant>> round(const TimeLeft& time_left, const GiveUp& give_up = {});

  /// Round after round, until the stop is requested: after each wake(), when something is due, and at least every
  /// minute, since other processes write to the ledger, too. What goes wrong is said once. A message that is under way
  /// when the stop is requested has three more seconds.
  void work(const std::stop_token& stop, const Say& say);
  /// Something has happened.
  void wake();
  /// The configuration was read again: this counts from the next round of work() on.
  void take(notify::Settings settings, std::map<std::string, Schedule> schedules);

 private:
  Result<std::optional<Instant>> decide_all(Instant now);
  Result<void> send_due(const TimeLeft& time_left, const GiveUp& give_up);
  void take_up_changes();

  ledger::Ledger& ledger_;
  const Clock& clock_;
  const files::Folder& state_;
  std::unique_ptr<notify::Notifier> notifier_;
  std::map<std::string, Schedule> schedules_;
  std::string name_;
  std::mutex mutex_{};
  std::condition_variable_any changed_{};
  bool woken_ = false;
  struct Change {
    notify::Settings settings{};
    std::map<std::string, Schedule> schedules{};
  };
  std::optional<Change> change_{};
};

}  // namespace steward::engine
