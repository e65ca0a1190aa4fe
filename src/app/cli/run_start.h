/// What names a run, where that is not for `steward run` to make up: an approved run, and a tick of another scheduler.
#pragma once
#include <string>

#include "app/cli/session.h"
#include "core/result.h"

namespace steward::app {

/// What has started this process, as ledger::Run has it: what STEWARD_TRIGGER says, else "hand" at a terminal and
/// "script" without one.
std::string trigger_of_process();

/// A run that is in the ledger already, and this process as the one that carries it out.
struct RunStart {
  std::string id{}, launch{};
};

/// Takes up a run that was approved, in the place of a daemon. refused (code "approval-decided") where it is not
/// approved, or not any more; busy where a process was started for it.
Result<RunStart> start_of_approved(const Session& session, const std::string& job, const std::string& name);

/// Enters the tick of another scheduler as fired, with a run that this process carries out. `by` and `actor`: as in
/// ledger::Run. bad_input where `text` is no moment, or one to come; refused (code "tick-fired") where the tick has its
/// outcome.
Result<RunStart> start_of_tick(const Session& session, const std::string& job, const std::string& text,
                               const std::string& by, const std::string& actor);

}  // namespace steward::app
