/// What errno means to a person: the one place of this room that makes errors from it.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"

namespace steward::files {

/// "no space left on device": errno's text as the middle of a sentence.
std::string errno_text(int code);

/// "cannot VERB PATH: WHY", with the kind that `code` means. `path` is shown as printable. Where rights are missing it
/// says who asks, and what `about` (a descriptor of the folder or file that forbade it, or -1) allows to whom.
std::unexpected<Error> failure(int code, std::string_view verb, std::string_view path, int about = -1);

/// The path behind a descriptor, for messages only.
std::string path_of(int fd);

}  // namespace steward::files
