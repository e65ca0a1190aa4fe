/// The commands that restore a backup without steward, with stock programs alone.
#pragma once
#include <string>
#include <vector>

#include "jobs/backup/manifest.h"

namespace steward::backup {

/// One a line. `store`: the URL of the store. `$TARGET` in them stands for the URL of an empty database.
std::vector<std::string> by_hand(const Manifest& manifest, const std::string& store);

}  // namespace steward::backup
