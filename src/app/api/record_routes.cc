// audit, configuration, events, metrics, and the API's own description

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "core/url.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

Result<Response> list_audit(const Context& context, const Call& call) {
  const auto limit = call.query.value("limit", std::size_t{50});
  std::vector<ledger::AuditLine> lines =
      TRY(context.ledger.audit_lines(limit + 1, call.query.value("before", std::int64_t{0})));
  const bool more = lines.size() > limit;
  if (more) lines.pop_back();
  json all = json::array();
  for (const ledger::AuditLine& line : lines) all.push_back(app::document_of(line));
  return answer({{"lines", all}, {"next", more ? json(std::to_string(lines.back().number)) : json(nullptr)}});
}

Response configuration(const app::Settings& settings) {
  json all = json::array();
  for (const app::Shown& shown : settings.shown)
    all.push_back({{"name", shown.name},
                   {"value", shown.value.empty() ? json(nullptr) : json(printable(shown.value))},
                   {"from", shown.origin},
                   {"what", shown.what}});
  return answer({{"settings", all}, {"notes", settings.notes}});
}

/// Where one is: what a person looks at before pressing anything.
json about(const Context& context) {
  const auto settings = context.settings.settings();
  json targets = json::array();
  for (const auto& [name, database] : settings->databases)
    targets.push_back({{"what", "database"}, {"where", printable(masked(database.url))}});
  for (const object::StoreTarget& archive : settings->archives)
    targets.push_back({{"what", "archive"}, {"where", printable(masked(archive.url))}});
  for (const app::Shown& shown : settings->shown)
    if (!shown.value.empty() && (shown.name == "S3_BUCKET" || shown.name == "LOG_DIR"))
      targets.push_back({{"what", shown.name == "LOG_DIR" ? "logs" : "bucket"}, {"where", printable(shown.value)}});
  return {
      {"version", context.settings.version}, {"environment", printable(settings->environment)}, {"targets", targets}};
}

}  // namespace

void add_records(Routes& routes, const Context& context) {
  const std::string base(root);
  routes.add({.id = "listAudit",
              .method = "GET",
              .path = base + "/audit",
              .group = "records",
              .summary = "The audit trail, newest first; each line's hash covers the one before",
              .query = {{"limit", integer(1, 500), "How many"},
                        {"before", integer(1, INT64_MAX), "What `next` of the page before says"}},
              .answer = page_document("lines", audit_schema())},
             [&context](const Call& call) { return list_audit(context, call); });
  routes.add({.id = "about",
              .method = "GET",
              .path = base + "/about",
              .group = "records",
              .summary = "Which steward this is, and on what it works",
              .answer = object({{"version", text()},
                                {"environment", text()},
                                {"targets", list_of(object({{"what", text()}, {"where", text()}}))}})},
             [&context](const Call&) -> Result<Response> { return answer(about(context)); });
  routes.add(
      {.id = "getConfiguration",
       .method = "GET",
       .path = base + "/configuration",
       .group = "records",
       .summary = "Each setting in force and where it comes from, secrets masked",
       .access = Access::operate,
       .answer = object(
           {{"settings",
             list_of(object({{"name", text()}, {"value", or_null(text())}, {"from", text()}, {"what", text()}}))},
            {"notes", list_of(text())}})},
      [&context](const Call&) -> Result<Response> { return configuration(*context.settings.settings()); });
  routes.add({.id = "events",
              .method = "GET",
              .path = base + "/events",
              .group = "records",
              .summary = "What happens, as server-sent events; Last-Event-ID goes on behind an event",
              .answer = text(),
              .type = "text/event-stream"},
             [&context](const Call&) -> Result<Response> {
               return Response{.headers = {{"Content-Type", "text/event-stream"}},
                               .events = TRY(context.feed.source())};
             });
  routes.add({.id = "metrics",
              .method = "GET",
              .path = "/metrics",
              .group = "records",
              .summary = "For Prometheus (docs/metrics.md)",
              .access = context.settings.open_metrics ? Access::anyone : Access::view,
              .answer = text(),
              .type = "text/plain"},
             [&context](const Call&) -> Result<Response> {
               return Response{.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                               .body = TRY(context.settings.metrics(context.ledger))};
             });
}

}  // namespace steward::api
