/// What a signal means to a run: stop after the item or batch at hand.
#pragma once
#include "core/result.h"

namespace steward::app {

/// SIGINT and SIGTERM ask to stop; the second one stops at once, and the next run finishes or undoes what was left. A
/// reader that goes away and a file over its limit are errors of the write, and end nothing.
void listen_for_signals();

/// An error (interrupted) once one came.
Result<void> stop_requested();

/// A tenth of a second, between two looks at something that another process does.
void pause_briefly();

}  // namespace steward::app
