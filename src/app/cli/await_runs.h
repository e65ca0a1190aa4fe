/// Waiting for runs that are under way.
#pragma once
#include "app/cli/session.h"
#include "core/instant.h"
#include "core/result.h"

namespace steward::app {

/// Waits until every run that is under way has seen what was entered in the ledger before `since`, a hold or a freeze:
/// a run looks before each commit and at least every second, and shows its pulse when it does. false where one has not
/// within half a minute; it does before its next removal.
Result<bool> await_runs(Session& session, Instant since);

}  // namespace steward::app
