/// The end of a run's log, for people.
#pragma once
#include <string>

#include "io/files/folder.h"

namespace steward::notify {

/// The last lines of runs/RUN/log.jsonl, without progress, at most 20 and 4 KiB: "03:00:12 error purge-signals: …".
/// Empty where there is no such log here.
std::string log_tail(const files::Folder& state, const std::string& run);

}  // namespace steward::notify
