// holds and freezes

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/documents/documents.h"
#include "core/random.h"
#include "core/text.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

/// What a hold covers, as the command line takes it.
std::vector<Member> covers() {
  return {{"table", text(1, 200), optional},
          {"key", text(0, 1000), optional},
          {"path", text(1, 4096), optional},
          {"object", text(1, 2048), optional}};
}

/// "--table mockups --key 17": what looks like a flag is none, since it stands behind "=".
std::vector<std::string> flags_of(const json& body, std::vector<std::string> out) {
  for (const char* name : {"table", "key", "path", "object", "reason", "until"})
    if (body.contains(name) && body[name].is_string())
      out.push_back(fmt::format("--{}={}", name, body[name].get<std::string>()));
  for (const json& where : body.value("where", json::array()))
    out.push_back(fmt::format("--where={}", where.get<std::string>()));
  if (body.value("prefix", false)) out.emplace_back("--prefix");
  return out;
}

/// It asks databases and waits for runs to take notice of it: a process does that.
Result<Response> add_hold(const Context& context, const Call& call) {
  TRY(reason_in(call.body, "a hold"));
  TRY(until_in(call.body, call.now));
  return answer(TRY(context.operations.start("hold-add", flags_of(call.body, {"hold", "add"}), call.who.name)), 202);
}

Result<Response> add_freeze(const Context& context, const Call& call) {
  const ledger::Freeze freeze{.id = "f-" + random_hex(4),
                              .reason = TRY(reason_in(call.body, "a freeze")),
                              .who = call.who.name,
                              .made = call.now,
                              .until = TRY(until_in(call.body, call.now))};
  TRY(context.ledger.add_freeze(freeze));
  context.settings.changed();
  return answer(app::document_of(freeze), 201);
}

}  // namespace

void add_safeguards(Routes& routes, const Context& context) {
  const std::string base(root);
  routes.add({.id = "listHolds",
              .method = "GET",
              .path = base + "/holds",
              .group = "safeguards",
              .summary = "What nothing may remove",
              .query = {{"all", flag(), "Those that are over, too"}},
              .answer = list_document("holds", hold_schema())},
             [&context](const Call& call) -> Result<Response> {
               json all = json::array();
               const auto holds = TRY(context.ledger.holds(call.now, call.query.value("all", false)));
               for (const ledger::Hold& hold : holds) all.push_back(app::document_of(hold));
               return answer({{"holds", all}});
             });
  std::vector<Member> members = covers();
  members.push_back({"where", list_of(text(1, 500), 20), optional});
  members.push_back({"prefix", flag(), optional});
  const Schema tested = object(members);
  members.push_back({"reason", text(1, 500)});
  members.push_back({"until", or_null(instant()), optional});
  routes.add({.id = "addHold",
              .method = "POST",
              .path = base + "/holds",
              .group = "safeguards",
              .summary = "Hold rows, files or objects; the operation's result is the hold",
              .access = Access::operate,
              .body = object(members),
              .status = 202,
              .answer = operation_schema()},
             [&context](const Call& call) { return add_hold(context, call); });
  routes.add({.id = "testHold",
              .method = "POST",
              .path = base + "/holds/test",
              .group = "safeguards",
              .summary = "Which holds and rules keep a row, a file or an object",
              .body = tested,
              .status = 202,
              .answer = operation_schema()},
             [&context](const Call& call) -> Result<Response> {
               return answer(
                   TRY(context.operations.start("hold-test", flags_of(call.body, {"hold", "test"}), call.who.name)),
                   202);
             });
  routes.add(
      {.id = "releaseHold",
       .method = "DELETE",
       .path = base + "/holds/{hold}",
       .group = "safeguards",
       .summary = "Release a hold, in the ledger and beside the archive",
       .access = Access::approve,
       .status = 202,
       .answer = operation_schema()},
      [&context](const Call& call) -> Result<Response> {
        const auto holds = TRY(context.ledger.holds(call.now, true));
        if (std::ranges::find(holds, call.parameter("hold"), &ledger::Hold::id) == holds.end())
          return fail(Kind::not_found, fmt::format("there is no hold \"{}\"", printable(call.parameter("hold"))));
        return answer(
            TRY(context.operations.start("hold-release", {"hold", "release", call.parameter("hold")}, call.who.name)),
            202);
      });
  routes.add({.id = "listFreezes",
              .method = "GET",
              .path = base + "/freezes",
              .group = "safeguards",
              .summary = "Whether anything may be removed at all",
              .query = {{"all", flag(), "Those that are over, too"}},
              .answer = list_document("freezes", freeze_schema())},
             [&context](const Call& call) -> Result<Response> {
               json all = json::array();
               const auto freezes = TRY(context.ledger.freezes(call.now, call.query.value("all", false)));
               for (const ledger::Freeze& freeze : freezes) all.push_back(app::document_of(freeze));
               return answer({{"freezes", all}});
             });
  routes.add({.id = "freeze",
              .method = "POST",
              .path = base + "/freezes",
              .group = "safeguards",
              .summary = "Nothing is removed from anywhere, from now on; runs under way stop before their next commit",
              .access = Access::operate,
              .body = object({{"reason", text(1, 500)}, {"until", or_null(instant()), optional}}),
              .status = 201,
              .answer = freeze_schema()},
             [&context](const Call& call) { return add_freeze(context, call); });
  routes.add({.id = "liftFreeze",
              .method = "DELETE",
              .path = base + "/freezes/{freeze}",
              .group = "safeguards",
              .summary = "End a freeze",
              .access = Access::approve,
              .status = 204},
             [&context](const Call& call) -> Result<Response> {
               TRY(context.ledger.lift_freeze(call.parameter("freeze"), call.who.name, call.now));
               context.settings.changed();
               return nothing();
             });
}

}  // namespace steward::api
