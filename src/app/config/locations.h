/// Paths and stores as people write them, made absolute.
#pragma once
#include <string>

#include "core/result.h"

namespace steward::app {

/// `path` without empty, "." and ".." segments; a relative one is below `directory`.
std::string absolute(const std::string& path, const std::string& directory);

/// Whether `path` is `folder` or lies in it. For s3:// URLs too.
bool at_or_below(std::string_view path, std::string_view folder);

/// The URL of a store: s3://bucket/prefix, file:///folder, or a path; with `bare_is_bucket` a word alone is a bucket's
/// name. bad_input, whose message is only why ("it names no bucket"): the caller knows what it is called.
Result<std::string> store_url(const std::string& text, const std::string& directory, bool bare_is_bucket);

}  // namespace steward::app
