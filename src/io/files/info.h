/// What the kernel knows about a file, as our value.
#pragma once
#include <sys/stat.h>

#include "io/files/folder.h"

namespace steward::files {

FileInfo info_from(const struct stat& found);
FileInfo info_from(const struct statx& found);

}  // namespace steward::files
