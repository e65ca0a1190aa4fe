/// Threads that do one thing together and wait for each other (fork and join), and how this room begins a thread.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace steward::files {

/// A thread that blocks all signals: they are for the one that began it, whose calls they interrupt. None where no more
/// can be had.
std::optional<std::thread> quiet_thread(std::function<void()> work);

class ThreadPool {
 public:
  /// `threads` with the calling one among them: 1 has none of its own. They begin with the first `run` and end
  /// with this.
  explicit ThreadPool(unsigned threads) : size_(threads) {}
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  /// Calls `work` in the calling thread and in each other one that gets to it meanwhile; returns when all who began
  /// have returned. A thread that the processors have no room for is not waited for: so `work` shares out what there is
  /// to do, and returns when nothing of it is left. One `run` at a time.
  void run(const std::function<void()>& work);

 private:
  void begin();
  void serve();

  unsigned size_;
  std::vector<std::thread> threads_{};
  std::mutex mutex_{};
  std::condition_variable begun_{}, done_{};
  const std::function<void()>* work_ = nullptr;  ///< None between two calls of `run`.
  std::uint64_t round_ = 0;                      ///< Which call of `run` this is.
  std::size_t busy_ = 0;                         ///< How many threads have begun with it, and not returned.
  bool ended_ = false;
};

}  // namespace steward::files
