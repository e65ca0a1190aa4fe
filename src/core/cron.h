/// Cron expressions, and the moments at which they fire in a time zone.
///
///   const Cron nightly = TRY(Cron::parse("30 2 * * *"));
///   next_firing(nightly, berlin, {}, after);       // 2026-03-29T01:00:00Z: 02:30 does not exist that day; right after
///   the gap
///
/// Five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12 or jan-dec), day of week (0-7 or sun-sat,
/// 0 and 7 are Sunday). Each is `*`, a number, a range `a-b`, a range or `*` with a step `/n`, or a list of these with
/// commas; or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually for all five.
///
/// Days      Day of month and day of week are a union: `0 0 13 * 5` is each 13th and each Friday. Where one of them
///           starts with `*` they are an intersection: `0 0 */2 * 1` is Mondays with an odd date.
/// DST       As Debian's cron has it. A job with a fixed time (neither minute nor hour starts with `*`) fires right
/// after a
///           gap that has swallowed its time, and in an overlap once, the first time; DstRule changes that. Any other
///           job follows the clock on the wall as it goes: nothing in the gap, and through the overlap twice.
///           A gap of three hours or more, or an overlap of more, is no summer time (Samoa left out a day): nothing is
///           made up for, and nothing is left out.
/// Errors    bad_input: which field, what is wrong with it, and how to write it. An expression that can never fire is
/// one.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "core/zone.h"

namespace steward {

class Cron {
 public:
  static Result<Cron> parse(std::string_view text);

  /// As it was written, with single spaces: two of the same text are the same.
  const std::string& text() const { return text_; }
  /// Whether minute or hour starts with `*`: it follows the clock through gaps and overlaps.
  bool is_wildcard() const { return wildcard_; }
  /// Whether it fires when a clock shows `time` (seconds aside).
  bool matches(LocalTime time) const;
  /// The first minute that matches, at or after `from` and before `end`.
  std::optional<LocalTime> first_match(LocalTime from, LocalTime end) const;

  bool operator==(const Cron& other) const { return text_ == other.text_; }

 private:
  Cron() = default;
  bool matches_day(std::chrono::local_days day) const;

  std::string text_{};
  // One bit for each value.
  std::uint64_t minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;
  bool wildcard_ = false;
  bool either_day_ = false;  ///< Day of month and day of week are a union.
};

/// What becomes of a fixed time that a gap has swallowed.
enum class DstGap {
  after,  ///< It fires when the gap ends.
  skip    ///< It does not fire.
};
/// When a fixed time that comes twice fires.
enum class DstOverlap { first, second, both };

struct DstRule {
  DstGap gap = DstGap::after;
  DstOverlap overlap = DstOverlap::first;
  bool operator==(const DstRule&) const = default;
};

/// One firing, and whether a change of the clocks has to do with it.
struct Firing {
  enum class Dst {
    none,
    after_gap,  ///< Its own time does not exist on that day.
    first,      ///< Its time comes twice, and this is the first.
    second      ///< This is the second.
  };
  Instant at{};
  Dst dst = Dst::none;
  bool operator==(const Firing&) const = default;
};

/// The first firing strictly after `after`. None only where there is none in the next forty years and more.
std::optional<Firing> next_firing(const Cron& cron, const Zone& zone, DstRule rule, Instant after);

/// The first multiple of `interval`, counted from 1970-01-01T00:00Z, strictly after `after`: every 6 hours is 00:00,
/// 06:00, 12:00 and 18:00 UTC, on each machine and after each restart. No change of clocks moves it.
Instant next_multiple(std::chrono::seconds interval, Instant after);

}  // namespace steward
