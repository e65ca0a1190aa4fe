// channels, what was told to whom, and whether a channel works

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/api/result_schema.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "engine/notify/settings.h"
#include "run/ledger/outbox.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

/// Of what some job may tell it, at least.
json topics_of(const notify::Settings& settings, const notify::Channel& channel) {
  json topics = json::array();
  for (const notify::Topic topic : notify::topics) {
    bool wanted = false;
    for (const std::string& job : app::job_names()) wanted = wanted || settings.wants(channel, topic, job);
    if (wanted) topics.push_back(notify::name_of(topic));
  }
  return topics;
}

json channels(const notify::Settings& settings) {
  json all = json::array();
  for (const notify::Channel& channel : settings.channels)
    all.push_back({{"name", printable(channel.name)},
                   {"kind", notify::kind_of(channel)},
                   {"from", printable(channel.origin)},
                   {"unusable", channel.unusable.empty() ? json(nullptr) : json(printable(channel.unusable))},
                   {"topics", topics_of(settings, channel)}});
  return {{"channels", all}};
}

Result<Response> list_deliveries(const Context& context, const Call& call) {
  const std::vector<ledger::Delivery> found =
      TRY(context.ledger.outbox().deliveries({.channel = call.query.value("channel", std::string()),
                                              .open = call.query.value("open", false),
                                              .limit = call.query.value("limit", std::size_t{50})}));
  json all = json::array();
  for (const ledger::Delivery& delivery : found) all.push_back(app::document_of(delivery));
  return answer({{"deliveries", all}});
}

}  // namespace

void add_notifications(Routes& routes, const Context& context) {
  const std::string base = std::string(root) + "/notifications";
  routes.add({.id = "listDeliveries",
              .method = "GET",
              .path = base,
              .group = "notifications",
              .summary = "Messages to channels and what became of them, newest first, without their texts",
              .query = {{"channel", text(1, 100), "To this channel alone"},
                        {"open", flag(), "Only those that are neither sent nor given up"},
                        {"limit", integer(1, 500), "How many"}},
              .answer = list_document("deliveries", delivery_schema())},
             [&context](const Call& call) { return list_deliveries(context, call); });
  routes.add({.id = "listChannels",
              .method = "GET",
              .path = base + "/channels",
              .group = "notifications",
              .summary = "Who is told, and of what; no addresses, which may be secrets",
              .answer = list_document("channels", object({{"name", text()},
                                                          {"kind", text()},
                                                          {"from", text()},
                                                          {"unusable", or_null(text())},
                                                          {"topics", list_of(text())}}))},
             [&context](const Call&) -> Result<Response> {
               return answer(channels(context.settings.settings()->notifications));
             });
  routes.add({.id = "testChannel",
              .method = "POST",
              .path = base + "/test",
              .group = "notifications",
              .summary = "Send a message to a channel now; the operation's result says whether it arrived",
              .access = Access::operate,
              .body = object({{"channel", text(1, 100)}}),
              .status = 202,
              .answer = operation_schema(),
              .result = channel_test_schema(),
              .result_name = "ChannelTest"},
             [&context](const Call& call) -> Result<Response> {
               const auto channel = call.body["channel"].get<std::string>();
               const auto settings = context.settings.settings();
               if (settings->notifications.channel(channel) == nullptr)
                 return fail(Kind::not_found, "there is no channel \"" + printable(channel) + '"',
                             "The configuration's section `notifications` names them.");
               return answer(TRY(context.operations.start("notify-test", {"notify", "test", channel}, call.who.name)),
                             202);
             });
}

}  // namespace steward::api
