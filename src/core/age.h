/// Ages: how old something must be before a policy applies to it.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include "core/instant.h"
#include "core/result.h"

namespace steward {

/// Calendar months ("12 months"), or a fixed span ("30 days" = 30 x 24 h, "90m"). Always more than zero.
struct Age {
  std::variant<std::chrono::months, std::chrono::microseconds> span{};
  bool operator==(const Age&) const = default;
};

/// "30 days", "12 months", "1 year", "36h", "90m" (minutes), "2 weeks", "45 s". A month is written `month`, never `m`.
/// bad_input for zero, negatives, fractions, a missing or an unknown unit, and more than 1,000 years.
Result<Age> parse_age(std::string_view text);

/// As parse_age reads it: "12 months", "30 days", "90 minutes".
std::string format_age(const Age& age);

/// The same day and hour `age` earlier; the last day of the month where that day does not exist: 31 March - 1 month =
/// 28 February. What is strictly before it is older than `age`.
Instant before(Instant now, const Age& age);

}  // namespace steward
