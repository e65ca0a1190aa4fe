#include "core/cron.h"

#include <algorithm>

namespace steward {
namespace {
using namespace std::chrono;

bool has(std::uint64_t bits, unsigned value) { return (bits >> value & 1) != 0; }

/// Nothing is looked for after this: a schedule that is asked so far ahead is a mistake, and years have four digits.
constexpr Instant horizon{sys_days{year{2400} / 1 / 1}};

/// The time from one change of the offset to the next, seen as a clock on the wall: it goes evenly.
struct Stretch {
  Instant start{}, end{};
  seconds offset{};
  std::optional<OffsetChange> opens{}, closes{};  ///< The changes at its start and end.

  LocalTime local(Instant instant) const { return LocalTime{floor<seconds>(instant).time_since_epoch() + offset}; }
  Instant instant(LocalTime time) const { return Instant{time.time_since_epoch() - offset}; }
};

Stretch stretch_of(const Zone& zone, Instant instant) {
  Stretch stretch{.start = Instant::min(), .end = horizon, .offset = zone.local(instant).offset};
  stretch.opens = zone.last_change(instant);
  stretch.closes = zone.next_change(instant);
  if (stretch.opens) stretch.start = stretch.opens->at;
  if (stretch.closes) stretch.end = std::min(stretch.closes->at, horizon);
  return stretch;
}

// Debian's cron takes a jump of its wall clock for summer time where it is less than three hours ahead, or at most
// three hours back (cron.c, wakeupKind).
bool is_gap(const std::optional<OffsetChange>& change) {
  return change && change->after > change->before && change->after - change->before < 3h;
}
bool is_overlap(const std::optional<OffsetChange>& change) {
  return change && change->after < change->before && change->before - change->after <= 3h;
}

/// Whether `time` is shown in `stretch` and was shown, the first time, before its start; or will be again, after its
/// end.
bool is_second(const Stretch& stretch, LocalTime time) {
  return is_overlap(stretch.opens) &&
         time < stretch.local(stretch.start) + (stretch.opens->before - stretch.opens->after);
}
bool is_first(const Stretch& stretch, LocalTime time) {
  return is_overlap(stretch.closes) &&
         time >= stretch.local(stretch.closes->at) - (stretch.closes->before - stretch.closes->after);
}

/// The time before which a fixed time does not fire in `stretch`, and that from which on it does not.
LocalTime fixed_from(const Stretch& stretch, DstRule rule, LocalTime from) {
  if (rule.overlap != DstOverlap::first || !is_overlap(stretch.opens)) return from;
  return std::max(from, stretch.local(stretch.start) + (stretch.opens->before - stretch.opens->after));
}
LocalTime fixed_end(const Stretch& stretch, DstRule rule, LocalTime end) {
  if (rule.overlap != DstOverlap::second || !is_overlap(stretch.closes)) return end;
  return std::min(end, end - (stretch.closes->before - stretch.closes->after));
}

/// The firing in `stretch` strictly after `after`.
std::optional<Firing> firing_in(const Stretch& stretch, const Cron& cron, DstRule rule, Instant after) {
  if (stretch.start > after && !cron.is_wildcard() && rule.gap == DstGap::after && is_gap(stretch.opens)) {
    const LocalTime gap_end = stretch.local(stretch.start);
    const LocalTime gap_start = gap_end - (stretch.opens->after - stretch.opens->before);
    if (cron.first_match(gap_start, gap_end)) return Firing{.at = stretch.start, .dst = Firing::Dst::after_gap};
  }
  LocalTime from = after < stretch.start ? stretch.local(stretch.start) : stretch.local(after) + 1s;
  LocalTime end = stretch.local(stretch.end);
  if (!cron.is_wildcard()) {
    from = fixed_from(stretch, rule, from);
    end = fixed_end(stretch, rule, end);
  }
  const auto time = cron.first_match(from, end);
  if (!time) return {};
  const auto dst = is_second(stretch, *time)  ? Firing::Dst::second
                   : is_first(stretch, *time) ? Firing::Dst::first
                                              : Firing::Dst::none;
  return Firing{.at = stretch.instant(*time), .dst = dst};
}

}  // namespace

bool Cron::matches_day(local_days day) const {
  const year_month_day date{day};
  if (!has(months_, static_cast<unsigned>(date.month()))) return false;
  const bool of_month = has(days_, static_cast<unsigned>(date.day()));
  const bool of_week = has(weekdays_, weekday{day}.c_encoding());
  return either_day_ ? of_month || of_week : of_month && of_week;
}

bool Cron::matches(LocalTime time) const {
  const auto day = floor<days>(time);
  const hh_mm_ss clock{time - day};
  return has(minutes_, static_cast<unsigned>(clock.minutes().count())) &&
         has(hours_, static_cast<unsigned>(clock.hours().count())) && matches_day(day);
}

std::optional<LocalTime> Cron::first_match(LocalTime from, LocalTime end) const {
  from = ceil<minutes>(from);
  auto day = floor<days>(from);
  auto start = duration_cast<minutes>(from - day).count();
  for (; LocalTime{day} < end; start = 0) {
    if (!matches_day(day)) {
      const year_month_day date{day};
      // A month that does not match is passed over as one.
      day = has(months_, static_cast<unsigned>(date.month())) ? day + days{1}
                                                              : local_days{date.year() / date.month() / 1 + months{1}};
      continue;
    }
    for (auto minute = start; minute < 24 * 60; ++minute) {
      if (!has(hours_, static_cast<unsigned>(minute / 60))) {
        minute += 59 - minute % 60;
        continue;
      }
      if (!has(minutes_, static_cast<unsigned>(minute % 60))) continue;
      const LocalTime found = day + minutes{minute};
      if (found < end) return found;
      return {};
    }
    day += days{1};
  }
  return {};
}

std::optional<Firing> next_firing(const Cron& cron, const Zone& zone, DstRule rule, Instant after) {
  for (Instant in = after; in < horizon;) {
    const Stretch stretch = stretch_of(zone, in);
    if (auto firing = firing_in(stretch, cron, rule, after)) return firing;
    in = stretch.end;
  }
  return {};
}

Instant next_multiple(seconds interval, Instant after) {
  const auto whole = floor<seconds>(after).time_since_epoch();
  const auto past = whole % interval;
  return Instant{whole - past + (past < 0s ? 0s : interval)};
}

}  // namespace steward
