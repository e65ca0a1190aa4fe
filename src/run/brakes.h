/// Brakes: what stops a run that would remove far more than it ever did.
#pragma once
#include <optional>
#include <span>

#include "core/result.h"
#include "run/plan.h"

namespace steward {

/// The limits, and their defaults.
struct Brakes {
  std::uint64_t from = 1'000;        ///< Fewer items than this never trip a brake.
  double share = 0.9;                ///< Of the target's items: more than this is refused.
  double times_median = 5;           ///< More than this many times the median of earlier runs is refused,
  std::size_t runs_for_median = 10;  ///< once there are this many.
};

/// The refusal (code "brake-share" or "brake-median"), or nothing; also for rows of other tables that would go along.
/// Pure. `earlier`: items removed by earlier runs, any
/// order.
std::optional<Error> brake(const Brakes& brakes, const Step& step, std::span<const std::uint64_t> earlier);

}  // namespace steward
