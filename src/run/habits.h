/// What the runs of a task have in common: how much they usually do, and what stays each time, why and since when.
/// A single run tells neither.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/instant.h"
#include "run/ledger/ledger.h"
#include "run/plan.h"

namespace steward {

/// How many runs are looked at; and in so many in a row something has to have stayed before it is told of.
inline constexpr std::size_t runs_for_habits = 30, runs_for_usual = 7, runs_for_staying = 3;

/// The median of what the last runs did that succeeded, of items and of bytes; none where there were none. Pure.
/// `past`: newest first.
std::optional<Amount> usual(std::span<const ledger::PastTask> past);

/// Something that the last runs have left where it was, each for the same reason.
struct Staying {
  Skip skip{};           ///< As the newest of them has it.
  std::size_t runs = 0;  ///< In so many in a row, as far as they were looked at.
  Instant since{};       ///< The first of these.
};
/// The reasons of the newest run that stood in `runs_for_staying` in a row, itself among them. Runs in which the task
/// came to no plan say nothing, and are passed over. Pure. `past`: newest first.
std::vector<Staying> staying(std::span<const ledger::PastTask> past);

}  // namespace steward
