#include "core/fold.h"

#include <algorithm>

namespace steward {

bool contains_fold(std::string_view text, std::string_view part) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return part.empty() || !std::ranges::search(text, part, {}, lower, lower).empty();
}

}  // namespace steward
