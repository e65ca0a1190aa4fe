/// What a signal means: a run stops after the item or batch at hand, everything else stops at once.
#pragma once
#include <stop_token>

#include "core/result.h"

namespace steward::app {

/// From now on SIGINT and SIGTERM are waited for by a thread of their own. The first one requests a stop, which cancels
/// the statements that run on connections that carry `stop_of_process()`, and then ends the process with 128 + its
/// number; while a `FinishBeforeLeaving` lives it leaves that to the command. A second signal
/// always ends it at once, and the next run finishes or undoes what was left. A reader that goes away and a file over
/// its limit are errors of the write, and end nothing. Call it before any other thread is started.
void listen_for_signals();

/// Requested by a signal; a run also requests it when it is cancelled.
std::stop_source& stop_of_process();

/// While it lives, a signal lets the item or batch at hand be finished or rolled back, and recorded.
class FinishBeforeLeaving {
 public:
  FinishBeforeLeaving();
  ~FinishBeforeLeaving();
  FinishBeforeLeaving(const FinishBeforeLeaving&) = delete;
  FinishBeforeLeaving& operator=(const FinishBeforeLeaving&) = delete;
};

/// A tenth of a second, between two looks at something that another process does.
void pause_briefly();

}  // namespace steward::app
