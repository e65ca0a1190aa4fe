/// Forecasts: whether what waits for a task is getting less, and when it is gone.
///
/// A task whose window is too short for what comes is not seen from any single run: each does its share, and the rest
/// waits. What tells is the row of its runs. Each had planned so much and did so much; what one left and what the next
/// one planned differ by what came meanwhile.
///
///   planned 9,000  did 5,000  left 4,000      a day later
///   planned 9,500  did 5,000  left 4,500      5,500 came, 5,000 went: losing ground
///
/// Only runs of the same target, filter and age are compared, and only as far back as each left something: before
/// that, what went in a night was all that there was, and says nothing of how much could have gone.
#pragma once
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/plan.h"

namespace steward {

/// What an earlier run had to do, and did.
struct PastRun {
  Instant started{};
  Amount planned{}, done{};
  /// What waited when it ended.
  Amount left() const;
};

/// So many runs that left something, over so long, are a trend. One bad night is none.
inline constexpr std::size_t runs_for_trend = 3;
inline constexpr std::chrono::hours span_for_trend{12};

/// The verdict, with its reason. Pure. `past`: comparable runs, newest first.
Forecast forecast(const Amount& backlog, std::span<const PastRun> past);

/// The runs of a task that are comparable with `like`, or with the newest of them where that is null, newest first.
/// Those in which it could not be planned are passed over.
Result<std::vector<PastRun>> past_runs(ledger::Ledger& ledger, std::string_view job, std::string_view task,
                                       const Step* like = nullptr);

}  // namespace steward
