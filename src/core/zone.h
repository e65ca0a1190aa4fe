/// Time zones by their IANA names, from the system's database: what a clock on the wall shows at an instant, which
/// instants a time on that clock means, and when the offset changes next.
///
///   const Zone berlin = TRY(Zone::load("Europe/Berlin"));
///   berlin.local(now);                                        // 2026-03-29T03:00, +02:00, CEST
///   berlin.resolve(local_days{2026y / 3 / 29} + 2h + 30min);  // gap: no clock shows 02:30 that day
///   if (berlin.refresh()) …                                   // the database was updated
///
/// Promises  - A zone is a value: it never changes, and copies are cheap. What a daemon holds for months it
///             refreshes.
///           - Years after the last one that is written out follow the zone's rule (the footer of RFC 8536), with
///             databases of the slim form too.
/// Database  TZDIR where it is set, else /usr/share/zoneinfo. UTC needs no database.
/// Errors    bad_input: there is no such zone (the message names the nearest), or it cannot be used.
///           unavailable: there is no database here.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"

namespace steward {

/// A time as a clock on the wall shows it, in some zone.
using LocalTime = std::chrono::local_seconds;

/// What the clock on the wall shows at an instant.
struct LocalView {
  LocalTime time{};               ///< Fractions of a second are dropped.
  std::chrono::seconds offset{};  ///< From UTC: an hour east of it is 3600.
  std::string abbreviation{};     ///< "CEST", or "-03" where a zone has no letters.
};

/// What a time on the wall means.
struct Resolved {
  enum class Kind {
    unique,  ///< One instant: `first` and `second` are the same.
    gap,     ///< None: clocks were put forward over it. Both are the instant of the change, where the gap ends.
    overlap  ///< Two: clocks were put back, and showed it at `first` and again at `second`.
  };
  Kind kind = Kind::unique;
  Instant first{}, second{};
};

/// A change of the offset: "clocks are put forward by an hour".
struct OffsetChange {
  Instant at{};                            ///< The first instant with the new offset.
  std::chrono::seconds before{}, after{};  ///< The offsets.
};

class Zone {
 public:
  /// UTC.
  Zone();
  /// The zone of `name`, as the database has it now: "Europe/Berlin".
  static Result<Zone> load(std::string_view name);

  const std::string& name() const;
  /// Whether the database still says the same; false where its file was replaced, or taken away.
  bool is_current() const;
  /// Loads it anew where the database has changed; whether it did. Where that cannot be read, what is known stays.
  bool refresh();

  LocalView local(Instant instant) const;
  Resolved resolve(LocalTime time) const;
  /// The first change strictly after `after`; none where the offset stays, or after the year 2400.
  std::optional<OffsetChange> next_change(Instant after) const;
  /// The last change at or before `until`; none where there is none.
  std::optional<OffsetChange> last_change(Instant until) const;

 private:
  struct Rules;
  explicit Zone(std::shared_ptr<const Rules> rules);
  std::shared_ptr<const Rules> rules_;
};

/// The instant that a time on the wall means, as PostgreSQL's `at time zone` has it: of the two of an overlap the
/// later, and in a gap the one that the clock would have shown had it not been put forward, which is the later one,
/// too. So nothing is ever older than it may be.
Instant later_of(const Zone& zone, LocalTime time);
/// Reads as `parse_instant` does (core/instant.h), but what has no offset, a date's end among it, is a time in `zone`.
std::optional<Instant> parse_instant(std::string_view text, const Zone& zone);

/// "+02:00", "-03:30", "+00:00".
std::string format_offset(std::chrono::seconds offset);
/// "2026-03-29T03:00:00+02:00": RFC 3339, as the clock in `zone` shows it.
std::string format_local(Instant instant, const Zone& zone);

}  // namespace steward
