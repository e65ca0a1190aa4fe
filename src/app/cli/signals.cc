#include "app/cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <thread>

namespace steward::app {
namespace {

/// How long the end of a process waits for a server to take the cancel of its statement.
constexpr std::chrono::seconds patience{1};

std::atomic<int> finishing{0};

sigset_t awaited() {
  sigset_t signals{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

/// In a thread of its own: a server that does not answer must not keep a second signal waiting.
std::future<void> request_stop() {
  auto done = std::make_shared<std::promise<void>>();
  std::thread([done] {
    stop_of_process().request_stop();
    done->set_value();
  }).detach();
  return done->get_future();
}

[[noreturn]] void wait_for_signals() {
  const sigset_t signals = awaited();
  bool asked = false;
  while (true) {
    int number = 0;
    if (sigwait(&signals, &number) != 0) continue;
    // The second time a person means it: what is under way is left for the next run, which finishes or undoes it.
    if (asked) _exit(128 + number);
    asked = true;
    // Asked before: the command may be done with the stop, and with finishing, before this thread is on again.
    const bool finishes = finishing > 0;
    const std::future<void> cancelled = request_stop();
    if (finishes) continue;
    cancelled.wait_for(patience);
    _exit(128 + number);
  }
}

}  // namespace

void listen_for_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &action, nullptr);  // a file over the limit is an error of that write
  sigaction(SIGPIPE, &action, nullptr);  // a reader that goes away must not end a run
  const sigset_t signals = awaited();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // in every thread that is started from here on, too
  std::thread(wait_for_signals).detach();
}

std::stop_source& stop_of_process() {
  static auto* const source = new std::stop_source;  // never destroyed: the waiting thread outlives main
  return *source;
}

FinishBeforeLeaving::FinishBeforeLeaving() { ++finishing; }
FinishBeforeLeaving::~FinishBeforeLeaving() { --finishing; }

void pause_briefly() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

}  // namespace steward::app
