/// Who carries messages here: a thread of the daemon, and each run that no daemon has started, at its end.
#pragma once
#include <chrono>
#include <memory>

#include "app/cli/session.h"
#include "core/result.h"
#include "engine/supervisor.h"

namespace steward::app {

/// Of a daemon: beside it, with a connection to the ledger of its own, until it goes. Where no channel is configured
/// there is neither a thread nor a connection.
class Notifications {
 public:
  /// `session` outlives it.
  Notifications(const Session& session, engine::Say say);
  /// Ends within five seconds: a message that is under way then is for whoever comes next.
  ~Notifications();
  Notifications(const Notifications&) = delete;
  Notifications& operator=(const Notifications&) = delete;

  /// Goes by these settings from here on. The error of a ledger that cannot be opened; then nobody is told, until the
  /// next call.
  Result<void> take(const Settings& settings);
  /// Whether it has a channel to tell anybody by.
  bool tells() const { return parts_ != nullptr; }
  void wake();

 private:
  struct Parts;
  const Session& session_;
  engine::Say say_;
  std::unique_ptr<Parts> parts_;
};

/// How long telling may keep a run that is done.
struct TellingTime {
  std::chrono::milliseconds longest{
      15'000};  ///< All of it, with a ledger that is locked and a receiver that is silent.
  /// One wait for a ledger that somebody has locked. As long before `longest` the last message is given up, so that
  /// what has become of it can still be noted.
  std::chrono::seconds with_ledger{3};
};

/// Delivers what waits, as far as it gets in that time; what is left is for the next run, or a daemon. Leaves it to a
/// daemon of this state directory that tells people, where one is alive. What goes wrong is said on standard error and
/// changes nothing else.
void deliver_at_end(const Session& session, const TellingTime& time = {});

}  // namespace steward::app
