// notify: what was told to whom, and whether a channel works

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "engine/notify/notifier.h"
#include "run/ledger/outbox.h"

namespace steward::app {
using nlohmann::json;

Result<int> notify_list_command(const Output& output, const NotifyListCommand& command) {
  const Session session = TRY(open_session_saying(output));
  const std::vector<ledger::Delivery> deliveries = TRY(session.ledger->outbox().deliveries({.open = command.open}));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"WHEN", "CHANNEL", "WHAT", "JOB", "STATE", "TRIES", "LAST ERROR"}};
  for (const ledger::Delivery& delivery : deliveries) {
    list.push_back(document_of(delivery));
    rows.push_back({format_instant(std::chrono::floor<std::chrono::seconds>(delivery.made)),
                    printable(delivery.channel), delivery.topic, printable(delivery.job),
                    list.back()["state"].get<std::string>(), std::to_string(delivery.attempts),
                    printable(delivery.error)});
  }
  if (output.json)
    print_json({{"deliveries", list}});
  else if (deliveries.empty())
    print(command.open ? "Nothing waits to be sent.\n" : "Nothing was sent yet.\n");
  else
    print(table(rows, {5}));
  return 0;
}

Result<int> notify_test_command(const Output& output, const std::string& channel) {
  const Session session = TRY(open_session_saying(output));
  notify::Notifier notifier(session.settings.notifications);
  const ledger::Delivery delivery = TRY(notifier.test_delivery(channel, user_name(), session.clock.now()));
  const notify::Outcome outcome = notifier.send(delivery);
  if (output.json)
    print_json({{"channel", printable(channel)},
                {"arrived", outcome.arrived()},
                {"error", outcome.error.empty() ? json(nullptr) : json(printable(outcome.error))}});
  else if (outcome.arrived())
    print(fmt::format("{}: the message was taken. Is it where people look?\n", printable(channel)));
  else
    fmt::print(stderr, "steward: {}: {}\n", printable(channel), printable(outcome.error));
  return outcome.arrived() ? 0 : 1;
}

}  // namespace steward::app
