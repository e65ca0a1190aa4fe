/// Globs, as people know them from the shell, for the base name of a path.
#pragma once
#include <string_view>

namespace steward {

/// Whether the whole of `name` matches `pattern`: `*` any run (also empty, also a leading dot), `?` one byte,
/// `[a-z0-9]` and
/// `[!a-z]` one byte of a set, `\x` that character. Byte by byte, in time proportional to the two lengths' product at
/// the worst.
bool glob_matches(std::string_view pattern, std::string_view name);

}  // namespace steward
