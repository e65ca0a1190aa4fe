/// Instants and clocks. Inside steward time is UTC; zones belong to cron and to display.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace steward {

/// A moment in UTC, in microseconds: the resolution and (about) the range of PostgreSQL's timestamptz. A file's time in
/// nanoseconds is floored, which leaves "strictly before a cutoff" unchanged for every cutoff of this resolution.
using Instant = std::chrono::sys_time<std::chrono::microseconds>;

/// Where the time comes from. Passed in, so that a test can hold it still.
struct Clock {
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
};

/// The machine's clock.
struct SystemClock final : Clock {
  Instant now() const override;
};

/// Stands still until told to move: `clock.time += 24h`.
struct FakeClock final : Clock {
  Instant now() const override { return time; }
  Instant time{};
};

/// RFC 3339 in UTC: "2026-11-23T01:00:00Z"; with a fraction only where there is one: "…:00.25Z".
std::string format_instant(Instant instant);

/// The compact form of names: "20261123T010000Z". Fractions are dropped.
std::string format_compact(Instant instant);

/// A date and time as it is written.
struct WrittenTime {
  Instant time{};      ///< With its offset; without one, as if it were UTC's.
  bool local = false;  ///< It has no offset.
};
/// Reads what `parse_instant` reads; in another zone than UTC what has no offset is read by core/zone.h.
std::optional<WrittenTime> parse_written(std::string_view text);

/// Reads an ISO 8601 / RFC 3339 date or date and time: "2026-11-23", "2026-11-23 01:00", "…T01:00:00.123456Z",
/// "…+01:00", "…+0100", "…+01". What has no offset is UTC. A date alone is its end (the first moment of the next day),
/// so that nothing written during that day counts as older than it is. Empty where the text is none of these.
std::optional<Instant> parse_instant(std::string_view text);

/// For people: "3 s", "12 min", "4 h 10 min", "3 days". Negative spans are shown as zero.
std::string format_span(std::chrono::microseconds span);

}  // namespace steward
