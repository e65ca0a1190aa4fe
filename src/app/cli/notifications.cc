#include "app/cli/notifications.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "core/text.h"
#include "engine/courier.h"
#include "io/process/identity.h"

namespace steward::app {
namespace {

constexpr std::chrono::seconds longest_at_end{15};

bool is_configured(const Settings& settings) {
  return !settings.notifications.channels.empty() || !settings.notifications.pings.empty();
}

std::string courier_name() { return fmt::format("{}:{}", process::host_name(), ::getpid()); }

}  // namespace

struct Notifications::Parts {
  Parts(std::unique_ptr<ledger::Ledger> own, const Session& session)
      : ledger(std::move(own)),
        courier(*ledger, session.clock, session.state.folder(), session.settings.notifications,
                session.settings.schedules, courier_name()) {}

  std::unique_ptr<ledger::Ledger> ledger;
  engine::Courier courier;
  std::jthread thread{};  ///< Ends before what it works with.
};

Notifications::Notifications(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Notifications::~Notifications() = default;
void Notifications::wake() { parts_->courier.wake(); }

Result<std::unique_ptr<Notifications>> Notifications::start(const Session& session, engine::Say say) {
  if (!is_configured(session.settings)) return nullptr;
  const std::string url =
      session.settings.ledger_url.empty() ? session.state.ledger_url() : session.settings.ledger_url;
  auto parts = std::make_unique<Parts>(TRY(ledger::open({.url = url})), session);
  parts->thread = std::jthread(
      [&courier = parts->courier, say = std::move(say)](const std::stop_token& stop) { courier.work(stop, say); });
  return std::unique_ptr<Notifications>(new Notifications(std::move(parts)));
}

void deliver_at_end(const Session& session) {
  if (!is_configured(session.settings)) return;
  engine::Courier courier(*session.ledger, session.clock, session.state.folder(), session.settings.notifications,
                          session.settings.schedules, courier_name());
  const auto end = std::chrono::steady_clock::now() + longest_at_end;
  const auto done = courier.round(
      [&] { return std::chrono::floor<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()); });
  if (!done) fmt::print(stderr, "steward: notifications wait: {}\n", printable(done.error().message));
}

}  // namespace steward::app
