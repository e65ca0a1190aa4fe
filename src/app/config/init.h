/// A configuration file to begin with.
#pragma once
#include <string>

#include "app/config/settings.h"

namespace steward::app {

/// The built-in tasks written out in YAML, with comments: with the values that the variables have now, where they have
/// any; a task whose variables are not set is commented out. `settings`: of variables alone. No secret is in it: where
/// the database's URL is, it says ${DATABASE_URL}.
std::string initial_file(const Settings& settings);

}  // namespace steward::app
