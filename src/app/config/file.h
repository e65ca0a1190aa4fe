/// Configuration files, read into settings.
#pragma once
#include "app/config/settings.h"

namespace steward::app {

/// Reads the files, later ones laid over earlier ones. All that is wrong is in `errors`.
Settings read_files(const std::vector<std::string>& files, const Environment& environment, const std::string& directory,
                    std::vector<Error>& errors);

}  // namespace steward::app
