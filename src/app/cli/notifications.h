/// Who carries messages here: a thread of the daemon, and each run that no daemon has started, at its end.
#pragma once
#include <memory>

#include "app/cli/session.h"
#include "core/result.h"
#include "engine/supervisor.h"

namespace steward::app {

/// Of a daemon: beside it, with a connection to the ledger of its own, until it goes.
class Notifications {
 public:
  /// None where no channel is configured. `session` and `say` outlive it.
  static Result<std::unique_ptr<Notifications>> start(const Session& session, engine::Say say);
  ~Notifications();
  Notifications(const Notifications&) = delete;
  Notifications& operator=(const Notifications&) = delete;
  void wake();

 private:
  struct Parts;
  explicit Notifications(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Delivers what waits, as far as it gets in a quarter of a minute; what is left is for the next run, or a daemon. What
/// goes wrong is said on standard error and changes nothing else.
void deliver_at_end(const Session& session);

}  // namespace steward::app
