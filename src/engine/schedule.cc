#include "engine/schedule.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/age.h"

namespace steward::engine {
namespace {
using namespace std::chrono;

/// FNV-1a: the same on every machine, unlike std::hash.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  // Its high bits are good, and a remainder takes the low ones.
  return hash ^ hash >> 32;
}

bool covers_day(const DailyWindow& daily, local_days day) {
  return (daily.weekdays >> weekday{day}.c_encoding() & 1) != 0;
}

/// "03:00 and 15:30" where minute and hour are numbers; empty otherwise.
std::string clock_words(std::string_view minute, std::string_view hour) {
  const auto is_number = [](std::string_view text) {
    return text.size() <= 2 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  };
  if (!is_number(minute) || !is_number(hour)) return {};
  return fmt::format("{:0>2}:{:0>2}", hour, minute);
}

std::vector<std::string> fields_of(const std::string& cron) {
  std::vector<std::string> fields;
  std::size_t begin = 0;
  for (std::size_t end = cron.find(' '); end != std::string::npos; end = cron.find(' ', begin)) {
    fields.push_back(cron.substr(begin, end - begin));
    begin = end + 1;
  }
  fields.push_back(cron.substr(begin));
  return fields;
}

/// "Monday" of "1" or "mon"; empty for anything that is not one day.
std::string_view day_name(std::string_view field) {
  constexpr std::array<std::string_view, 8> names{"Sunday",   "Monday", "Tuesday",  "Wednesday",
                                                  "Thursday", "Friday", "Saturday", "Sunday"};
  if (field.size() == 1 && field[0] >= '0' && field[0] <= '7')
    return names.at(static_cast<std::size_t>(field[0] - '0'));
  for (const std::string_view name : names)
    if (field.size() == 3 && (field[0] | 0x20) == (name[0] | 0x20) && (field[1] | 0x20) == name[1] &&
        (field[2] | 0x20) == name[2])
      return name;
  return {};
}

std::string cron_words(const std::string& cron) {
  if (cron.front() == '@') return cron.substr(1);
  const std::vector<std::string> f = fields_of(cron);
  const bool every_date = f[2] == "*" && f[3] == "*";
  if (every_date && f[4] == "*" && f[1] == "*") {
    if (f[0] == "*") return "every minute";
    if (f[0].starts_with("*/") && f[0].find(',') == std::string::npos)
      return fmt::format("every {} minutes of the hour", f[0].substr(2));
    if (f[0].find_first_not_of("0123456789") == std::string::npos) return fmt::format("every hour at minute {}", f[0]);
  }
  const std::string clock = clock_words(f[0], f[1]);
  if (clock.empty()) return {};
  if (every_date && f[4] == "*") return fmt::format("every day at {}", clock);
  if (every_date && (f[4] == "1-5" || f[4] == "mon-fri")) return fmt::format("Monday to Friday at {}", clock);
  if (every_date && !day_name(f[4]).empty()) return fmt::format("every {} at {}", day_name(f[4]), clock);
  if (f[3] == "*" && f[4] == "*" && f[2].find_first_not_of("0123456789") == std::string::npos)
    return fmt::format("on day {} of every month at {}", f[2], clock);
  return {};
}

}  // namespace

bool covers(const Blackout& blackout, const Zone& zone, Instant instant) {
  if (const auto* once = std::get_if<OneWindow>(&blackout.window)) return instant >= once->from && instant < once->to;
  const auto& daily = std::get<DailyWindow>(blackout.window);
  const LocalTime time = zone.local(instant).time;
  const auto today = floor<days>(time);
  const auto clock = time - today;
  if (daily.from < daily.to) return clock >= daily.from && clock < daily.to && covers_day(daily, today);
  return (clock >= daily.from && covers_day(daily, today)) || (clock < daily.to && covers_day(daily, today - days{1}));
}

Instant end_of(const Blackout& blackout, const Zone& zone, Instant instant) {
  if (const auto* once = std::get_if<OneWindow>(&blackout.window)) return once->to;
  const auto& daily = std::get<DailyWindow>(blackout.window);
  const LocalTime time = zone.local(instant).time;
  const auto today = floor<days>(time);
  const bool ends_tomorrow = daily.from >= daily.to && time - today >= daily.from;
  const Resolved end = zone.resolve(today + daily.to + days{ends_tomorrow ? 1 : 0});
  // Where clocks go back over the end, the window ends twice.
  return end.first > instant ? end.first : end.second;
}

seconds retry_delay(const Retries& retries, unsigned retry, std::string_view run) {
  seconds delay = retries.backoff;
  for (unsigned i = 1; i < retry && delay < retries.max_backoff; ++i) delay *= 2;
  delay = std::min(delay, retries.max_backoff);
  const seconds spread = delay / 2;
  return delay - spread / 2 + jitter_of(fmt::format("{} {}", run, retry), spread);
}

std::optional<Firing> next_tick(const Schedule& schedule, Instant after) {
  if (const auto* every = std::get_if<Every>(&schedule.timing))
    return Firing{.at = next_multiple(every->interval, after)};
  return next_firing(std::get<Cron>(schedule.timing), schedule.zone, schedule.dst, after);
}

Ticks latest_ticks(const Schedule& schedule, Instant after, Instant until, std::size_t most) {
  // From close by, and further back only while there are too few: a clock that was put forward by a year must not mean
  // a walk through a year of minutes.
  for (microseconds reach = 1h;; reach *= 8) {
    const bool whole = until - after <= reach;
    Ticks found;
    Instant from = whole ? after : until - reach;
    for (auto tick = next_tick(schedule, from); tick && tick->at <= until; tick = next_tick(schedule, tick->at))
      found.ticks.push_back(tick->at);
    if (!whole && found.ticks.size() < most) continue;
    if (found.ticks.size() > most) {
      found.more = true;
      found.ticks.erase(found.ticks.begin(), found.ticks.end() - static_cast<std::ptrdiff_t>(most));
    } else if (!whole) {
      const auto first = next_tick(schedule, after);
      found.more = first && first->at < found.ticks.front();
    }
    return found;
  }
}

seconds jitter_of(std::string_view job, seconds jitter) {
  return seconds{static_cast<std::int64_t>(hash_of(job) % (static_cast<std::uint64_t>(jitter.count()) + 1))};
}

std::string text_of(const Schedule& schedule) {
  if (const auto* every = std::get_if<Every>(&schedule.timing)) {
    const auto age = format_age(Age{microseconds{every->interval}});
    return "every " + (age.starts_with("1 ") ? age.substr(2) : age);
  }
  return std::get<Cron>(schedule.timing).text();
}

std::string words_of(const Schedule& schedule) {
  const auto* cron = std::get_if<Cron>(&schedule.timing);
  if (cron == nullptr) return text_of(schedule);
  const std::string words = cron_words(cron->text());
  return words.empty() ? cron->text() : words;
}

std::map<std::string, Schedule> built_in_schedules() {
  std::map<std::string, Schedule> schedules;
  const auto add = [&](const char* job, const char* cron) { schedules[job].timing = Cron::parse(cron).value(); };
  add("cleanup", "0 3 * * *");
  add("rotate-logs", "0 1 * * *");
  add("backup", "0 0 * * *");
  add("analyze-query-plans", "30 6 * * *");
  add("update-dependencies", "0 5 * * 1");
  add("rotate-secrets", "0 0 1 * *");
  schedules["rotate-secrets"].approval.required = true;
  return schedules;
}

}  // namespace steward::engine
