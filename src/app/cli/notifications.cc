#include "app/cli/notifications.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "core/text.h"
#include "engine/courier.h"
#include "engine/keepers.h"
#include "io/process/identity.h"

namespace steward::app {
namespace {

bool is_configured(const Settings& settings) {
  return !settings.notifications.channels.empty() || !settings.notifications.pings.empty();
}

Result<std::unique_ptr<ledger::Ledger>> ledger_for_messages(const Session& session, std::chrono::seconds patience,
                                                            std::stop_token stop = {}) {
  const std::string& url = session.settings.ledger_url;
  return ledger::open(
      {.url = url.empty() ? session.state.ledger_url() : url, .patience = patience, .stop = std::move(stop)});
}

std::string courier_name() { return fmt::format("{}:{}", process::host_name(), ::getpid()); }

}  // namespace

struct Notifications::Parts {
  Parts(std::unique_ptr<ledger::Ledger> own, const Session& session, const Settings& settings)
      : ledger(std::move(own)),
        courier(*ledger, session.clock, session.state.folder(), settings.notifications, settings.schedules,
                courier_name()) {}

  std::unique_ptr<ledger::Ledger> ledger;
  engine::Courier courier;
  std::jthread thread{};  ///< Ends before what it works with.
};

Notifications::Notifications(const Session& session, engine::Say say) : session_(session), say_(std::move(say)) {}
Notifications::~Notifications() = default;

void Notifications::wake() {
  if (parts_) parts_->courier.wake();
}

Result<void> Notifications::take(const Settings& settings) {
  if (!is_configured(settings)) {
    parts_.reset();
    return {};
  }
  if (parts_) {
    parts_->courier.take(settings.notifications, settings.schedules);
    return {};
  }
  auto parts =
      std::make_unique<Parts>(TRY(ledger_for_messages(session_, TellingTime{}.with_ledger)), session_, settings);
  parts->thread =
      std::jthread([&courier = parts->courier, say = say_](const std::stop_token& stop) { courier.work(stop, say); });
  parts_ = std::move(parts);
  return {};
}

namespace {

/// Requests a stop at that moment, unless it has gone before.
class Deadline {
 public:
  explicit Deadline(std::chrono::steady_clock::time_point end)
      : thread_([this, end](const std::stop_token& gone) {
          std::unique_lock lock(mutex_);
          never_.wait_until(lock, gone, end, [] { return false; });
          if (!gone.stop_requested()) over_.request_stop();
        }) {}
  std::stop_token token() const { return over_.get_token(); }

 private:
  std::stop_source over_{};
  std::mutex mutex_{};
  std::condition_variable_any never_{};
  std::jthread thread_;  ///< Ends before what it works with.
};

/// A daemon that is alive, has this state directory, and tells people.
Result<bool> is_left_to_a_daemon(const Session& session, ledger::Ledger& ledger) {
  const std::vector<engine::Keeper> alive =
      TRY(engine::keepers(ledger, session.state, session.settings.ledger_is_shared(), session.clock.now()));
  return std::ranges::any_of(alive, [](const engine::Keeper& keeper) { return keeper.here && keeper.tells; });
}

Result<void> deliver(const Session& session, const TellingTime& time) {
  const auto end = std::chrono::steady_clock::now() + time.longest;
  const Deadline deadline(end);
  const std::unique_ptr<ledger::Ledger> ledger = TRY(ledger_for_messages(session, time.with_ledger, deadline.token()));
  if (TRY(is_left_to_a_daemon(session, *ledger))) return {};
  engine::Courier courier(*ledger, session.clock, session.state.folder(), session.settings.notifications,
                          session.settings.schedules, courier_name());
  TRY(courier.round([last = end - time.with_ledger] {
    return std::chrono::floor<std::chrono::milliseconds>(last - std::chrono::steady_clock::now());
  }));
  return {};
}

}  // namespace

void deliver_at_end(const Session& session, const TellingTime& time) {
  if (!is_configured(session.settings)) return;
  if (const auto done = deliver(session, time); !done)
    fmt::print(stderr, "steward: notifications wait: {}\n", printable(done.error().message));
}

}  // namespace steward::app
