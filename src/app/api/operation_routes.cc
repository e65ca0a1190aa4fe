// plans, the archive and backups: what a process of its own does for a person

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "core/text.h"
#include "run/plan.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

Result<Response> make_plan(const Context& context, const Call& call) {
  const auto job = call.body["job"].get<std::string>();
  TRY(check_job(context, job));
  std::vector<std::string> tasks;
  for (const json& task : call.body.value("tasks", json::array())) tasks.push_back(task.get<std::string>());
  const std::string what = tasks.empty() ? job : fmt::format("{}/{}", job, fmt::join(tasks, ","));
  return answer(TRY(context.operations.start("plan", {"plan", what}, call.who.name)), 202);
}

Result<Response> restore(const Context& context, const Call& call) {
  std::vector<std::string> words{"archive", "restore"};
  for (const char* name : {"run", "table"})
    if (call.body.contains(name)) words.push_back(fmt::format("--{}={}", name, call.body[name].get<std::string>()));
  for (const json& key : call.body.value("keys", json::array()))
    words.push_back(fmt::format("--key={}", key.get<std::string>()));
  if (words.size() == 2)
    return fail(Kind::bad_input, "nothing was named to restore", "Give run, or table with keys for single rows.");
  return answer(TRY(context.operations.start("restore", std::move(words), call.who.name)), 202);
}

}  // namespace

void add_operations(Routes& routes, const Context& context) {
  const std::string base(root);
  const auto starts = [&](std::string id, const std::string& path, std::string summary, Access access,
                          std::vector<std::string> words) {
    const std::string group = words.at(0), kind = group + '-' + words.at(1);
    routes.add({.id = std::move(id),
                .method = "POST",
                .path = base + path,
                .group = group == "backup" ? "backups" : group,
                .summary = std::move(summary),
                .access = access,
                .status = 202,
                .answer = operation_schema()},
               [&context, kind, words = std::move(words)](const Call& call) -> Result<Response> {
                 return answer(TRY(context.operations.start(kind, words, call.who.name)), 202);
               });
  };
  routes.add({.id = "makePlan",
              .method = "POST",
              .path = base + "/plans",
              .group = "plans",
              .summary = "Look at what a run would do now; the operation's result is the plan with its digest",
              .body = object({{"job", text(1, 64)}, {"tasks", list_of(text(1, 100), 50), optional}}),
              .status = 202,
              .answer = operation_schema()},
             [&context](const Call& call) { return make_plan(context, call); });
  routes.add({.id = "getPlan",
              .method = "GET",
              .path = base + "/plans/{digest}",
              .group = "plans",
              .summary = "A plan that was made on this machine, by its digest",
              .answer = anything()},
             [&context](const Call& call) -> Result<Response> {
               return answer(to_json(TRY(context.state.load_plan(call.parameter("digest")))));
             });
  starts("listArchive", "/archive/list", "What is in the archive: the operation's result", Access::view,
         {"archive", "list"});
  starts("verifyArchive", "/archive/verify", "Read every copy in the archive and check its hash", Access::operate,
         {"archive", "verify"});
  starts("listBackups", "/backups/list", "What backups there are, and which are proved: the operation's result",
         Access::view, {"backup", "list"});
  routes.add({.id = "restore",
              .method = "POST",
              .path = base + "/archive/restore",
              .group = "archive",
              .summary = "Bring back what was archived, by a run, a table, or single rows",
              .access = Access::administer,
              .body = object({{"run", text(1, 64), optional},
                              {"table", text(1, 200), optional},
                              {"keys", list_of(text(1, 1000), 1000), optional}}),
              .status = 202,
              .answer = operation_schema()},
             [&context](const Call& call) { return restore(context, call); });
  routes.add(
      {.id = "listOperations",
       .method = "GET",
       .path = base + "/operations",
       .group = "operations",
       .summary = "What this daemon has done for people lately, without the results",
       .answer = list_document("operations", operation_schema())},
      [&context](const Call&) -> Result<Response> { return answer({{"operations", context.operations.list()}}); });
  routes.add({.id = "getOperation",
              .method = "GET",
              .path = base + "/operations/{operation}",
              .group = "operations",
              .summary = "One of them, with its result once it is there",
              .answer = operation_schema()},
             [&context](const Call& call) -> Result<Response> {
               return answer(TRY(context.operations.get(call.parameter("operation"))));
             });
}

}  // namespace steward::api
