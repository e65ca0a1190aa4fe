#include "core/bytes.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

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

Result<Bytes> parse_bytes(std::string_view text) {
  const auto wrong = [&] {
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a size", text), "Write it like 512, 64 KiB or 1.5 GiB.");
  };
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || value < 0 || !std::isfinite(value)) return wrong();
  std::string unit;
  for (const char* c = end; c != text.data() + text.size(); ++c)
    if (*c != ' ') unit += static_cast<char>(std::toupper(static_cast<unsigned char>(*c)));
  if (unit.empty()) unit = "B";
  for (std::size_t i = 0; i < units.size(); ++i) {
    const char letter = units[i][0];
    const bool matches =
        i == 0 ? unit == "B"
               : unit == std::string{letter} || unit == std::string{letter} + "B" || unit == std::string{letter} + "IB";
    if (!matches) continue;
    const double bytes = std::round(value * std::pow(1024.0, static_cast<double>(i)));
    if (bytes >= 18446744073709551615.0) return wrong();
    return Bytes{static_cast<std::uint64_t>(bytes)};
  }
  return wrong();
}

std::string format_count(std::uint64_t n) {
  std::string digits = fmt::format("{}", n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

}  // namespace steward
