#include "run/throttle.h"

#include <algorithm>

namespace steward {
namespace {

/// A smaller batch that works at less than this share of the larger one's rate is none the better for it.
constexpr double worthwhile = 0.6;

}  // namespace

BatchSize::BatchSize(std::uint64_t least, std::uint64_t most, std::chrono::milliseconds aim)
    : least_(std::min(least, most)), most_(most), size_(most), aim_(aim) {}

void BatchSize::took(std::uint64_t items, std::chrono::microseconds time, bool waited_for) {
  if (items == 0) return;
  const auto micros = static_cast<double>(std::max<std::int64_t>(time.count(), 1));
  const double rate = static_cast<double>(items) / micros;
  // Most of its time went into finding the rows, as without an index: smaller batches would find them ever again.
  const bool gained_nothing = items < last_items_ && rate < last_rate_ * worthwhile;
  if (gained_nothing && !waited_for) least_ = std::min(most_, last_items_);
  // What would have taken the time that is aimed at; of a batch that was not full, nothing can be told.
  const auto fitting = static_cast<std::uint64_t>(rate * static_cast<double>(aim_.count()));
  std::uint64_t next = std::min(items < size_ ? std::max(fitting, size_) : fitting, size_ + size_ / 4 + 1);
  if (waited_for) next = std::min(next, items / 2);
  last_items_ = items;
  last_rate_ = rate;
  size_ = std::clamp(next, least_, most_);
}

}  // namespace steward
