/// Text at the border between bytes and people: UTF-8, escapes, base64, the nearest name.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace steward {

/// Whether `bytes` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool is_utf8(std::string_view bytes);

/// What may be shown on a terminal: bytes that are not UTF-8, and control characters, as \xNN.
std::string printable(std::string_view bytes);

/// RFC 4648 base64, with padding.
std::string base64(std::string_view bytes);
/// Empty where `text` is not base64.
std::optional<std::string> from_base64(std::string_view text);

/// The one of `names` nearest to `word` by edit distance (Levenshtein), if near enough to be meant: at most a third of
/// its length, and 3.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> names);

/// " Did you mean \"NAME\"?", or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> names);

/// "a, b and c".
std::string join_and(std::span<const std::string> words);
/// "a, b or c".
std::string join_or(std::span<const std::string> words);

/// The parts between separators; "" gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);

std::string_view trim(std::string_view text);

}  // namespace steward
