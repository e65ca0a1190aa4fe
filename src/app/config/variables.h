/// The built-in tasks, from environment variables alone.
#pragma once
#include "app/config/settings.h"

namespace steward::app {

/// The settings that variables give. bad_input names the variable.
Result<Settings> read_variables(const Environment& environment, const std::string& directory);

/// What variables say about steward itself, whether there is a file or not: state directory, ledger, environment's
/// name, the S3 settings that AWS's variables give. Fills those of `settings`, over what a file has put there.
Result<void> read_own_variables(const Environment& environment, const std::string& directory, Settings& settings);

/// Leaves off the tasks that STEWARD_DISABLE names.
Result<void> read_disabled(const Environment& environment, Settings& settings);

}  // namespace steward::app
