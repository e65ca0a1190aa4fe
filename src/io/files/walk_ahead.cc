#include "io/files/walk_ahead.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "io/files/thread_pool.h"

namespace steward::files {
namespace {

constexpr std::size_t most_batches = 4;
constexpr std::size_t most_unreadable = 100;  // in a batch

struct Batch {
  std::vector<Found> files{};
  std::vector<Unreadable> unreadable{};
};

/// Walks, and gives `pass_on` what it found: false from it stops the walk.
Result<void> walk_in_batches(const Folder& folder, const WalkOptions& options, const WalkAhead& with,
                             const std::function<Result<bool>(Batch)>& pass_on) {
  Batch batch;
  bool stopped = false;
  const auto full = [&]() -> Result<bool> {
    std::ranges::sort(batch.files, {}, &Found::path);
    stopped = !TRY(pass_on(std::exchange(batch, {})));
    return !stopped;
  };
  TRY(folder.walk(
      options,
      [&](const Found& found) -> Result<bool> {
        if (with.wanted && !with.wanted(found)) return true;
        batch.files.push_back(found);
        return batch.files.size() < with.batch && batch.unreadable.size() < most_unreadable ? Result<bool>(true)
                                                                                            : full();
      },
      [&](const Unreadable& what) { batch.unreadable.push_back(what); }));
  if (!stopped) TRY(full());
  return {};
}

Result<bool> deliver(Batch& batch, const WalkAhead& with) {
  if (with.unreadable)
    for (const Unreadable& what : batch.unreadable) with.unreadable(what);
  return batch.files.empty() ? Result<bool>(true) : with.take(batch.files);
}

/// What the walk has ready for the other thread.
class Ready {
 public:
  /// Waits while there is much. False where nobody wants any more.
  bool put(Batch batch) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || batches_.size() < most_batches; });
    if (closed_) return false;
    batches_.push_back(std::move(batch));
    changed_.notify_all();
    return true;
  }
  /// Nothing where there will be no more.
  std::optional<Batch> get() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !batches_.empty(); });
    if (batches_.empty()) return {};
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    changed_.notify_all();
    return batch;
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_{};
  std::condition_variable changed_{};
  std::deque<Batch> batches_{};
  bool closed_ = false;
};

}  // namespace

Result<void> walk_ahead(const Folder& folder, const WalkOptions& options, const WalkAhead& with) {
  Ready ready;
  Result<void> walked{};
  auto thread = quiet_thread([&] {
    walked = walk_in_batches(folder, options, with,
                             [&](Batch batch) -> Result<bool> { return ready.put(std::move(batch)); });
    ready.close();
  });
  if (!thread) return walk_in_batches(folder, options, with, [&](Batch batch) { return deliver(batch, with); });

  Result<bool> more = true;
  while (more && *more) {
    std::optional<Batch> batch = ready.get();
    if (!batch) break;
    more = deliver(*batch, with);
  }
  ready.close();
  thread->join();
  if (!more) return std::unexpected(std::move(more).error());
  return walked;
}

}  // namespace steward::files
