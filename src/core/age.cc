#include "core/age.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <optional>

namespace steward {
namespace {
using namespace std::chrono;

struct Unit {
  std::string_view name;
  std::array<std::string_view, 4> also;
  std::optional<months> calendar;
  microseconds fixed;
};

const std::array units{
    Unit{"year", {"years", "y", "yr", ""}, months{12}, {}},
    Unit{"month", {"months", "mon", "", ""}, months{1}, {}},
    Unit{"week", {"weeks", "w", "", ""}, {}, weeks{1}},
    Unit{"day", {"days", "d", "", ""}, {}, days{1}},
    Unit{"hour", {"hours", "h", "hr", ""}, {}, hours{1}},
    Unit{"minute", {"minutes", "m", "min", "mins"}, {}, minutes{1}},
    Unit{"second", {"seconds", "s", "sec", "secs"}, {}, seconds{1}},
};

constexpr auto longest = days{365'250};
constexpr std::int64_t most_months = 12'000;

std::unexpected<Error> wrong(std::string_view text, std::string_view why) {
  return fail(Kind::bad_input, fmt::format("\"{}\" is not an age: {}", text, why),
              "Write it like 30 days, 12 months or 90m, with a whole number above zero.");
}

}  // namespace

Result<Age> parse_age(std::string_view text) {
  std::string_view rest = text;
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  while (!rest.empty() && rest.back() == ' ') rest.remove_suffix(1);
  if (rest.empty()) return wrong(text, "it is empty");
  if (rest.front() == '-') return wrong(text, "it is negative");
  std::int64_t n = 0;
  const auto [end, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), n);
  if (ec == std::errc::result_out_of_range) return wrong(text, "it is too long");
  if (ec != std::errc{}) return wrong(text, "it does not begin with a number");
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (!rest.empty() && (rest.front() == '.' || rest.front() == ',')) return wrong(text, "it has a fraction");
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (n == 0) return wrong(text, "it is zero");
  if (rest.empty()) return wrong(text, "it has no unit");
  std::string unit;
  for (const char c : rest) unit += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const Unit& u : units) {
    bool matches = unit == u.name;
    for (const auto also : u.also) matches = matches || (!also.empty() && unit == also);
    if (!matches) continue;
    if (u.calendar) {
      if (n > most_months / u.calendar->count()) return wrong(text, "it is over 1,000 years");
      return Age{months{n * u.calendar->count()}};
    }
    if (n > duration_cast<microseconds>(longest).count() / u.fixed.count())
      return wrong(text, "it is over 1,000 years");
    return Age{microseconds{n * u.fixed.count()}};
  }
  return wrong(text, fmt::format("\"{}\" is no unit of time", rest));
}

std::string format_age(const Age& age) {
  const auto plural = [](std::int64_t n, std::string_view unit) {
    return fmt::format("{} {}{}", n, unit, n == 1 ? "" : "s");
  };
  if (const auto* m = std::get_if<months>(&age.span)) {
    const bool whole_years = m->count() % 12 == 0 && m->count() > 12;  // of one year people say 12 months
    return whole_years ? plural(m->count() / 12, "year") : plural(m->count(), "month");
  }
  const auto span = std::get<microseconds>(age.span);
  for (const Unit& u : units)
    if (!u.calendar && u.name != "week" && span.count() % u.fixed.count() == 0)
      return plural(span.count() / u.fixed.count(), u.name);
  return plural(span.count(), "microsecond");
}

Instant before(Instant now, const Age& age) {
  if (const auto* fixed = std::get_if<microseconds>(&age.span)) return now - *fixed;
  const auto day = floor<days>(now);
  auto date = year_month_day{day} - std::get<months>(age.span);
  if (!date.ok()) date = date.year() / date.month() / last;
  return sys_days{date} + (now - day);
}

}  // namespace steward
