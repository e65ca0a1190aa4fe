/// What a run's process writes to its standard output and error: STATE/runs/RUN/output.log.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/files/folder.h"
#include "run/state.h"

namespace steward::engine {

/// Open for appending; made (0600) where it is absent.
Result<files::Handle> open_output(const StateDirectory& state, std::string_view run);

/// ": " and what it said last, printable, for a message: the last error of this program, without its hint, or else the
/// last line that is not empty. Nothing where there is none.
std::string last_words(const StateDirectory& state, std::string_view run);

/// Keeps its first and last half MiB where it is longer than one, with a line between them that says what is left out.
/// To be called when the process has ended.
void shorten_output(const StateDirectory& state, std::string_view run);

}  // namespace steward::engine
