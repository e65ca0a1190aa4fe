/// Asking for a password, so that nobody sees it.
#pragma once
#include <string>

#include "core/result.h"
#include "core/secret.h"

namespace steward::app {

/// From a terminal twice, without an echo, with `prompt` before; else the first line of standard input. Never from an
/// argument, which every process on the machine can read. bad_input where the two differ, or nothing comes.
Result<Secret> ask_for_password(const std::string& prompt);

}  // namespace steward::app
