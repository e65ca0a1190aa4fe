#include "io/files/thread_pool.h"

#include <csignal>
#include <system_error>
#include <utility>

namespace steward::files {

std::optional<std::thread> quiet_thread(std::function<void()> work) {
  sigset_t all{}, before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::optional<std::thread> thread;
  try {
    thread.emplace(std::move(work));
  } catch (const std::system_error&) {  // a limit of processes
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

ThreadPool::~ThreadPool() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  begun_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(const std::function<void()>& work) {
  if (threads_.empty()) begin();
  {
    const std::scoped_lock lock(mutex_);
    work_ = &work;
    ++round_;
  }
  begun_.notify_all();
  work();
  std::unique_lock lock(mutex_);
  work_ = nullptr;
  done_.wait(lock, [&] { return busy_ == 0; });
}

void ThreadPool::begin() {
  for (unsigned n = 1; n < size_; ++n)
    if (auto thread = quiet_thread([this] { serve(); })) threads_.push_back(*std::move(thread));
}

void ThreadPool::serve() {
  std::unique_lock lock(mutex_);
  for (std::uint64_t served = 0;;) {
    begun_.wait(lock, [&] { return ended_ || (work_ != nullptr && round_ != served); });
    if (ended_) return;
    served = round_;
    ++busy_;
    const auto* work = work_;
    lock.unlock();
    (*work)();
    lock.lock();
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace steward::files
