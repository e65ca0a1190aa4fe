// approvals: what waits, and the answers

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "run/asking.h"
#include "run/plan.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

Result<json> detail(const Context& context, const std::string& run_id) {
  const ledger::Approval approval = TRY(context.ledger.approvals().approval(run_id));
  const ledger::Run run = TRY(context.ledger.run(approval.run));
  json document = app::document_of(approval);
  document["plan"] = nullptr;
  if (const auto plan = asked_plan(approval, run)) document["plan"] = to_json(*plan);
  return document;
}

Result<Response> approve(const Context& context, const Call& call) {
  const ledger::Approval approval = TRY(context.ledger.approvals().approval(call.parameter("run")));
  const bool break_glass = call.body.value("break_glass", false);
  if (break_glass) {
    TRY(reason_in(call.body, "break_glass"));
    if (call.who.role < ledger::Role::administrator)
      return fail(Kind::permission, "break_glass is for administrators", "Ask another approver.");
  }
  const bool alone = approval.four_eyes && TRY(has_one_approver(context.ledger));
  TRY(context.ledger.approvals().approve({.run = approval.run,
                                          .digest = call.body["digest"].get<std::string>(),
                                          .who = call.who.name,
                                          .reason = call.body.value("reason", std::string()),
                                          .at = call.now,
                                          .break_glass = break_glass,
                                          .alone = alone}));
  context.settings.changed();
  return answer(TRY(detail(context, approval.run)));
}

Result<Response> reject(const Context& context, const Call& call) {
  const std::string reason = TRY(reason_in(call.body, "a rejection"));
  const ledger::Approval approval = TRY(context.ledger.approvals().approval(call.parameter("run")));
  TRY(context.ledger.approvals().reject({.run = approval.run, .who = call.who.name, .reason = reason, .at = call.now}));
  return answer(TRY(detail(context, approval.run)));
}

}  // namespace

void add_approvals(Routes& routes, const Context& context) {
  const std::string base = std::string(root) + "/approvals";
  routes.add({.id = "listApprovals",
              .method = "GET",
              .path = base,
              .group = "approvals",
              .summary = "What waits for a person's verdict",
              .query = {{"job", text(1, 64), "Of this job alone"}, {"all", flag(), "Those that were answered, too"}},
              .answer = list_document("approvals", approval_schema())},
             [&context](const Call& call) -> Result<Response> {
               json all = json::array();
               const auto approvals = TRY(context.ledger.approvals().approvals(
                   {.job = call.query.value("job", std::string()), .waiting = !call.query.value("all", false)}));
               for (const ledger::Approval& approval : approvals) all.push_back(app::document_of(approval));
               return answer({{"approvals", all}});
             });
  routes.add(
      {.id = "getApproval",
       .method = "GET",
       .path = base + "/{run}",
       .group = "approvals",
       .summary = "One question, with the plan that is asked for",
       .answer = approval_detail_schema()},
      [&context](const Call& call) -> Result<Response> { return answer(TRY(detail(context, call.parameter("run")))); });
  routes.add(
      {.id = "approve",
       .method = "POST",
       .path = base + "/{run}",
       .group = "approvals",
       .summary = "Approve the plan of this digest: the run is queued. Another digest is 409",
       .access = Access::approve,
       .body = object({{"digest", text(8, 64)}, {"reason", text(0, 500), optional}, {"break_glass", flag(), optional}}),
       .answer = approval_detail_schema()},
      [&context](const Call& call) { return approve(context, call); });
  routes.add({.id = "reject",
              .method = "DELETE",
              .path = base + "/{run}",
              .group = "approvals",
              .summary = "Reject it: the run ends, and nothing of what waits is done",
              .access = Access::approve,
              .body = object({{"reason", text(1, 500)}}),
              .answer = approval_detail_schema()},
             [&context](const Call& call) { return reject(context, call); });
}

}  // namespace steward::api
