#include "app/cli/signals.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

namespace steward::app {
namespace {

std::atomic<int> signalled{0};

extern "C" void on_signal(int number) {
  // The second time a person means it: what is under way is left for the next run, which finishes or undoes it.
  if (signalled.exchange(number) != 0) _exit(128 + number);
}

}  // namespace

void listen_for_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGXFSZ, &action, nullptr);  // a file over the limit is an error of that write
  sigaction(SIGPIPE, &action, nullptr);  // a reader that goes away must not end a run
}

Result<void> stop_requested() {
  if (signalled.load() == 0) return {};
  return fail(Kind::interrupted, "stopped by a signal", "Run it again to go on.");
}

void pause_briefly() { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

}  // namespace steward::app
