#include "app/cli/await_runs.h"

#include "app/cli/signals.h"
#include "run/runner.h"

namespace steward::app {

Result<bool> await_runs(Session& session, Instant since) {
  constexpr int polls = 300;
  for (int i = 0; i < polls; ++i) {
    std::size_t behind = 0;
    for (const ledger::Run& run : TRY(session.ledger->runs({.status = ledger::Status::running, .limit = 100})))
      behind += run.heartbeat <= since && !is_gone(run, session.clock.now());
    if (behind == 0) return true;
    pause_briefly();
  }
  return false;
}

}  // namespace steward::app
