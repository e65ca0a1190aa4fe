/// A message, before it is put into the form of a channel (engine/notify/forms.h): a value that a delivery carries as
/// JSON. It never holds a secret.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/instant.h"
#include "core/result.h"

namespace steward::notify {

struct Message {
  std::string id{};  ///< The same for the same events on the same channel, whoever decides: "n-" and 24 hexadecimals.
  std::string topic{};        ///< "failed", …; "test"; "ping-start", "ping-success", "ping-fail".
  std::string environment{};  ///< Empty where it has no name.
  std::string job{};          ///< Empty where it is about several, or none.
  std::string run{};
  Instant at{};         ///< When what it tells of happened.
  std::string title{};  ///< One line, with environment and job: "production: backup failed, 3 times in a row".
  /// What, why, since when: one line each.
  std::vector<std::string> lines{};
  /// Text of programs (an error, a log): shown as it is, in a fixed width.
  std::string verbatim{};
  std::vector<std::pair<std::string, std::string>> facts{};  ///< Label and value: {"Run", "2026…"}.
  std::string command{};                                     ///< What to type: "steward runs log 2026…".
  std::string link{};                                        ///< Where to look or answer; empty without a public URL.
  std::string data = "{}";  ///< JSON, an object: the same for programs (docs/notifications.md).
};

std::string to_json_text(const Message& message);
/// corrupt where it is none.
Result<Message> message_from_json(const std::string& text);

}  // namespace steward::notify
