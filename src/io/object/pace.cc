#include "io/object/pace.h"

#include <algorithm>
#include <utility>

namespace steward::object {

Pace::Turn Pace::enter(Patience& patience) {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return under_way_ < static_cast<unsigned>(limit_); });
    if (std::chrono::steady_clock::now() >= pause_until_) break;
    changed_.wait_until(lock, pause_until_);
  }
  ++under_way_;
  patience.cuts = cuts_;
  return Turn(*this);
}

void Pace::leave() {
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
  }
  changed_.notify_one();
}

void Pace::succeeded() {
  const std::lock_guard lock(mutex_);
  ++successes_;
  cuts_in_a_row_ = 0;
  const double before = limit_;
  limit_ = std::min<double>(most_, limit_ + 1 / limit_);
  if (static_cast<unsigned>(limit_) > static_cast<unsigned>(before)) changed_.notify_one();
}

bool Pace::slow_down(Patience& patience, std::string words) {
  const std::lock_guard lock(mutex_);
  words_ = std::move(words);
  // Those that were under way together are one sign, not many.
  if (patience.cuts == cuts_) {
    ++cuts_;
    limit_ = std::max(1.0, limit_ / 2);
    const auto pause = backoff_ * (std::int64_t{1} << std::min(cuts_in_a_row_, 20));
    pause_until_ = std::chrono::steady_clock::now() + std::min(pause, longest_pause_);
    ++cuts_in_a_row_;
  }
  patience.in_vain = successes_ == patience.successes ? patience.in_vain + 1 : 1;
  patience.successes = successes_;
  return patience.in_vain < most_in_vain;
}

std::optional<std::string> Pace::words() const {
  const std::lock_guard lock(mutex_);
  return words_;
}

unsigned Pace::limit() const {
  const std::lock_guard lock(mutex_);
  return static_cast<unsigned>(limit_);
}

}  // namespace steward::object
