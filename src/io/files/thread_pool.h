/// Threads that do one thing together and wait for each other (fork and join).
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace steward::files {

class ThreadPool {
 public:
  /// `threads` with the calling one among them: 1 has none of its own. They begin with the first `run`, block all
  /// signals, and end with this.
  explicit ThreadPool(unsigned threads) : size_(threads) {}
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  unsigned size() const { return size_; }
  /// Calls `work(n)` in every thread, n from 0 (the calling thread) to size() - 1, and returns when all have returned.
  /// Where no thread can be had, the calling one alone works. One `run` at a time.
  void run(const std::function<void(unsigned n)>& work);

 private:
  void begin();
  void serve(unsigned n);

  unsigned size_;
  std::vector<std::thread> threads_{};
  std::mutex mutex_{};
  std::condition_variable begun_{}, done_{};
  const std::function<void(unsigned)>* work_ = nullptr;
  std::uint64_t round_ = 0;  ///< Which call of `run` this is.
  std::size_t busy_ = 0;     ///< How many threads have not returned from it.
  bool ended_ = false;
};

}  // namespace steward::files
