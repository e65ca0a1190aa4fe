#include "io/files/thread_pool.h"

#include <csignal>
#include <system_error>

namespace steward::files {

ThreadPool::~ThreadPool() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  begun_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(const std::function<void(unsigned)>& work) {
  if (threads_.empty()) begin();
  {
    const std::scoped_lock lock(mutex_);
    work_ = &work;
    busy_ = threads_.size();
    ++round_;
  }
  begun_.notify_all();
  work(0);
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return busy_ == 0; });
}

void ThreadPool::begin() {
  // Signals are for the thread that runs the task: they interrupt its calls, not those of others.
  sigset_t all{}, before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned n = 1; n < size_; ++n) {
    try {
      threads_.emplace_back([this, n] { serve(n); });
    } catch (const std::system_error&) {
      break;  // a limit of processes: those that there are do it
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadPool::serve(unsigned n) {
  for (std::uint64_t served = 0;;) {
    std::unique_lock lock(mutex_);
    begun_.wait(lock, [&] { return ended_ || round_ != served; });
    if (ended_) return;
    served = round_;
    const auto* work = work_;
    lock.unlock();
    (*work)(n);
    lock.lock();
    if (--busy_ == 0) done_.notify_one();
  }
}

}  // namespace steward::files
