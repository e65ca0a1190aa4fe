/// Search as people type it.
#pragma once
#include <string_view>

namespace steward {

/// Whether `part` stands in `text`, where ASCII letters are the same in either case. The empty part does.
bool contains_fold(std::string_view text, std::string_view part);

}  // namespace steward
