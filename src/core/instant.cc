#include "core/instant.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace steward {
namespace {

/// Reads exactly `width` digits from the front of `text`.
std::optional<int> digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return {};
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return {};
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

/// "Z", "+01:00", "-0530", "+01". Empty where it is something else.
std::optional<std::chrono::minutes> offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes{0};
  const bool minus = text.starts_with('-');
  if (!minus && !text.starts_with('+')) return {};
  text.remove_prefix(1);
  const auto hours = digits(text, 2);
  if (!hours) return {};
  int minutes = 0;
  if (!text.empty()) {
    take(text, ':');
    const auto m = digits(text, 2);
    if (!m) return {};
    minutes = *m;
    // PostgreSQL shows seconds for the local mean times of long ago: "+00:19:32". They are below a minute: dropped.
    if (take(text, ':') && !digits(text, 2)) return {};
  }
  if (!text.empty() || *hours > 15 || minutes > 59) return {};
  const std::chrono::minutes total{*hours * 60 + minutes};
  return minus ? -total : total;
}

}  // namespace

Instant SystemClock::now() const {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::string format_instant(Instant instant) {
  const auto day = std::chrono::floor<std::chrono::days>(instant);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{instant - day};
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 time.hours().count(), time.minutes().count(), time.seconds().count());
  if (const auto fraction = time.subseconds().count(); fraction != 0) {
    std::string fraction_digits = fmt::format("{:06}", fraction);
    fraction_digits.erase(fraction_digits.find_last_not_of('0') + 1);
    text += '.' + fraction_digits;
  }
  return text + 'Z';
}

std::string format_compact(Instant instant) {
  std::string text = format_instant(std::chrono::floor<std::chrono::seconds>(instant));
  std::erase(text, '-');
  std::erase(text, ':');
  return text;
}

std::optional<Instant> parse_instant(std::string_view text) {
  const auto written = parse_written(text);
  return written ? std::optional(written->time) : std::nullopt;
}

std::optional<WrittenTime> parse_written(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  const auto year = digits(text, 4);
  if (!year || !take(text, '-')) return {};
  const auto month = digits(text, 2);
  if (!month || !take(text, '-')) return {};
  const auto day = digits(text, 2);
  if (!day) return {};
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return {};
  const Instant midnight{std::chrono::sys_days{date}};
  if (text.empty()) return WrittenTime{.time = midnight + std::chrono::days{1}, .local = true};

  if (text.front() != 'T' && text.front() != 't' && text.front() != ' ') return {};
  text.remove_prefix(1);
  const auto hour = digits(text, 2);
  if (!hour || !take(text, ':')) return {};
  const auto minute = digits(text, 2);
  if (!minute) return {};
  int second = 0;
  std::int64_t micros = 0;
  if (take(text, ':')) {
    const auto s = digits(text, 2);
    if (!s) return {};
    second = *s;
    if (take(text, '.') || take(text, ',')) {
      std::int64_t scale = 100'000;
      if (text.empty() || !std::isdigit(static_cast<unsigned char>(text.front()))) return {};
      while (!text.empty() && std::isdigit(static_cast<unsigned char>(text.front()))) {
        micros += (text.front() - '0') * scale;
        scale /= 10;
        text.remove_prefix(1);
      }
    }
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  const bool local = text.empty();
  const auto shift = local ? std::optional(std::chrono::minutes{0}) : offset(text);
  if (!shift || *hour > 24 || *minute > 59 || second > 60 || (*hour == 24 && (*minute > 0 || second > 0))) return {};
  const Instant time = midnight + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
                       std::chrono::seconds{second} + std::chrono::microseconds{micros} - *shift;
  return WrittenTime{.time = time, .local = local};
}

std::string format_span(std::chrono::microseconds span) {
  using namespace std::chrono;
  const auto s = std::max<std::int64_t>(0, duration_cast<seconds>(span).count());
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600)
    return s % 60 == 0 || s >= 600 ? fmt::format("{} min", s / 60) : fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 172'800) {
    const auto minutes = (s % 3600) / 60;
    return minutes == 0 ? fmt::format("{} h", s / 3600) : fmt::format("{} h {} min", s / 3600, minutes);
  }
  return fmt::format("{} days", s / 86400);
}

}  // namespace steward
