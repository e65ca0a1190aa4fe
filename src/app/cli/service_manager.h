/// What systemd wants to hear of a service of `Type=notify` (sd_notify(3), whose protocol is a line to a socket).
#pragma once
#include <chrono>
#include <optional>
#include <string_view>

namespace steward::app {

/// Sends it to the socket that NOTIFY_SOCKET names: "READY=1", "STOPPING=1", "WATCHDOG=1". Nothing where there is none.
void tell_service_manager(std::string_view state);

/// How often "WATCHDOG=1" has to come: half of what WATCHDOG_USEC says. None where nobody watches this process.
std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace steward::app
