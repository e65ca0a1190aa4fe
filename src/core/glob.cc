#include "core/glob.h"

#include <cstddef>

namespace steward {
namespace {

/// The end of the set that begins at `pattern[at]` == '[' (one past its ']'), or 0 where it is never closed.
std::size_t set_end(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;  // a first ']' is a member
  while (i < pattern.size() && pattern[i] != ']') ++i;
  return i < pattern.size() ? i + 1 : 0;
}

bool set_has(std::string_view set, char c) {  // set: the text between the brackets
  bool negated = false;
  if (!set.empty() && (set.front() == '!' || set.front() == '^')) {
    negated = true;
    set.remove_prefix(1);
  }
  bool found = false;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const auto low = static_cast<unsigned char>(set[i]);
    if (i + 2 < set.size() && set[i + 1] == '-') {
      const auto high = static_cast<unsigned char>(set[i + 2]);
      found = found || (low <= static_cast<unsigned char>(c) && static_cast<unsigned char>(c) <= high);
      i += 2;
    } else {
      found = found || set[i] == c;
    }
  }
  return found != negated;
}

/// The length of the pattern's element at `p` if it matches `c`, else 0.
std::size_t element(std::string_view pattern, std::size_t p, char c) {
  switch (pattern[p]) {
    case '?': return 1;
    case '[':
      if (const std::size_t end = set_end(pattern, p); end != 0)
        return set_has(pattern.substr(p + 1, end - p - 2), c) ? end - p : 0;
      return c == '[' ? 1 : 0;
    case '\\':
      if (p + 1 < pattern.size()) return pattern[p + 1] == c ? 2 : 0;
      [[fallthrough]];
    default: return pattern[p] == c ? 1 : 0;
  }
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0;
  std::size_t star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
      continue;
    }
    if (p < pattern.size()) {
      if (const std::size_t length = element(pattern, p, name[n]); length != 0) {
        p += length;
        ++n;
        continue;
      }
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;  // let the last star take one byte more
    n = ++resume;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace steward
