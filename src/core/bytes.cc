#include "core/bytes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/text.h"

namespace steward {
namespace {
constexpr std::array<std::string_view, 7> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
}

std::string format_bytes(Bytes size) {
  if (size.count < 1024) return fmt::format("{} B", size.count);
  double value = static_cast<double>(size.count);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  if (value < 9.995) return fmt::format("{:.2g} {}", std::round(value * 10) / 10, units[unit]);
  return fmt::format("{:.0f} {}", value, units[unit]);
}

namespace {

/// The power of 1,024 that `unit` (in capitals) stands for: "", "B", "K", "KB", "KIB" …
std::optional<unsigned> power_of(std::string_view unit) {
  if (unit.empty()) return 0;
  for (unsigned i = 0; i < units.size(); ++i) {
    const std::string_view letter = units[i].substr(0, 1);
    if (!unit.starts_with(letter)) continue;
    const std::string_view rest = unit.substr(1);
    if (rest.empty() || (i > 0 && (rest == "B" || rest == "IB"))) return i;
  }
  return {};
}

/// A whole number times 1,024 to the `power`: exact, which a double is not above 2^53.
std::optional<std::uint64_t> whole(std::string_view number, unsigned power) {
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), n);
  if (ec != std::errc{} || end != number.data() + number.size() || n > (~std::uint64_t{0} >> (10 * power))) return {};
  return n << (10 * power);
}

std::optional<std::uint64_t> fraction(std::string_view number, unsigned power) {
  double value = 0;
  const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (ec != std::errc{} || end != number.data() + number.size()) return {};
  const double bytes = std::round(std::ldexp(value, static_cast<int>(10 * power)));
  if (bytes >= 18446744073709551615.0) return {};
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  const std::size_t number_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, number_end);
  std::string unit(trim(text.substr(number_end)));
  std::ranges::transform(unit, unit.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto power = power_of(unit);
  std::optional<std::uint64_t> count;
  if (power) count = number.contains('.') ? fraction(number, *power) : whole(number, *power);
  if (!count)
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a size", text), "Write it like 512, 64 KiB or 1.5 GiB.");
  return Bytes{*count};
}

std::string format_count(std::uint64_t n) {
  std::string digits = fmt::format("{}", n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

}  // namespace steward
