#include "core/conduit.h"

#include <algorithm>
#include <chrono>

namespace steward {
namespace {

/// Small writes are gathered into pieces of this size.
constexpr std::size_t piece_size = std::size_t{256} << 10;

constexpr std::chrono::seconds look_every{1};

}  // namespace

Result<void> Conduit::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return abandoned_ || waiting_ < capacity_; });
    if (abandoned_) return std::unexpected(*abandoned_);
    if (pieces_.empty() || pieces_.back().size() >= piece_size) {
      pieces_.emplace_back();
      pieces_.back().reserve(piece_size);
    }
    std::vector<std::byte>& piece = pieces_.back();
    const auto part = bytes.first(std::min(bytes.size(), piece_size - piece.size()));
    piece.insert(piece.end(), part.begin(), part.end());
    const bool was_empty = waiting_ == 0;
    waiting_ += part.size();
    bytes = bytes.subspan(part.size());
    lock.unlock();
    if (was_empty) changed_.notify_all();
  }
  return {};
}

Result<std::size_t> Conduit::read(std::span<std::byte> buffer) {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, look_every, [&] { return ended_ || waiting_ > 0; }))
    if (while_waiting_) TRY(while_waiting_());
  if (failed_) return std::unexpected(*failed_);
  if (waiting_ == 0) return 0;
  const std::vector<std::byte>& piece = pieces_.front();
  const std::size_t n = std::min(buffer.size(), piece.size() - taken_);
  std::copy_n(piece.begin() + static_cast<std::ptrdiff_t>(taken_), n, buffer.begin());
  taken_ += n;
  const bool was_full = waiting_ >= capacity_;
  waiting_ -= n;
  if (taken_ == piece.size()) {
    pieces_.pop_front();
    taken_ = 0;
  }
  lock.unlock();
  if (was_full) changed_.notify_all();
  return n;
}

void Conduit::end(Result<void> how) {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (!how) failed_ = how.error();
  changed_.notify_all();
}

void Conduit::abandon(Error why) {
  const std::lock_guard lock(mutex_);
  abandoned_ = std::move(why);
  changed_.notify_all();
}

}  // namespace steward
