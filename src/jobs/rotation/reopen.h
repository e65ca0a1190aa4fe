/// Telling a program to open its logs anew.
#pragma once
#include "core/result.h"
#include "jobs/rotation/rotation.h"
#include "run/job.h"

namespace steward::rotation {

/// Sends the signal, or runs the command and waits for its end, at most 30 s. not_found: no pid file, or no such
/// process; unavailable: the command failed, or did not end (it is stopped then).
Result<void> ask_to_reopen(const Reopen& reopen);

}  // namespace steward::rotation
