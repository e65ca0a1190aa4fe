/// Folders that are the system's: no policy may remove files from them.
#pragma once
#include <string>

namespace steward::files {

/// Whether `path` (absolute) is `/`, `/home`, `/var/lib` or such itself, or lies in `/etc`, `/usr/lib`, `/proc` or the
/// like; also by way of symlinks.
bool is_system_folder(const std::string& path);

}  // namespace steward::files
