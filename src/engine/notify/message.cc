#include "engine/notify/message.h"

#include <nlohmann/json.hpp>

namespace steward::notify {
using nlohmann::ordered_json;

std::string to_json_text(const Message& message) {
  ordered_json facts = ordered_json::array();
  for (const auto& [label, value] : message.facts) facts.push_back({label, value});
  const ordered_json document{
      {"id", message.id},          {"topic", message.topic},     {"environment", message.environment},
      {"job", message.job},        {"run", message.run},         {"at", format_instant(message.at)},
      {"title", message.title},    {"lines", message.lines},     {"verbatim", message.verbatim},
      {"facts", std::move(facts)}, {"command", message.command}, {"link", message.link},
      {"data", message.data}};
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<Message> message_from_json(const std::string& text) {
  const ordered_json document = ordered_json::parse(text, nullptr, false);
  Message out;
  try {
    out.id = document.at("id").get<std::string>();
    out.topic = document.at("topic").get<std::string>();
    out.environment = document.at("environment").get<std::string>();
    out.job = document.at("job").get<std::string>();
    out.run = document.at("run").get<std::string>();
    out.at = parse_instant(document.at("at").get<std::string>()).value_or(Instant{});
    out.title = document.at("title").get<std::string>();
    out.lines = document.at("lines").get<std::vector<std::string>>();
    out.verbatim = document.at("verbatim").get<std::string>();
    for (const ordered_json& fact : document.at("facts"))
      out.facts.emplace_back(fact.at(0).get<std::string>(), fact.at(1).get<std::string>());
    out.command = document.at("command").get<std::string>();
    out.link = document.at("link").get<std::string>();
    out.data = document.at("data").get<std::string>();
  } catch (const ordered_json::exception&) {
    return fail(Kind::corrupt, "the message in the ledger is none that this program knows");
  }
  return out;
}

}  // namespace steward::notify
