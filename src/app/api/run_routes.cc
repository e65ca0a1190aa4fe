// runs: list, one, its log, cancel, retry

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/config/settings.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "io/process/identity.h"
#include "run/bound_plan.h"
#include "run/ledger/agenda.h"
#include "run/manifest/removed_list.h"
#include "run/runner.h"

namespace steward::api {
namespace {
using ledger::Status;
using nlohmann::json;
using server::Access;
using server::Response;

constexpr std::int64_t most_log = std::int64_t{1} << 20;

Result<Response> list_runs(const Context& context, const Call& call) {
  const auto limit = call.query.value("limit", std::size_t{50});
  ledger::RunFilter filter{.job = call.query.value("job", std::string()),
                           .before = call.query.value("cursor", std::string()),
                           .limit = limit + 1};
  if (call.query.contains("status")) filter.status = ledger::status_named(call.query["status"].get<std::string>());
  std::vector<ledger::Run> runs = TRY(context.ledger.runs(filter));
  const bool more = runs.size() > limit;
  if (more) runs.pop_back();
  json all = json::array();
  for (const ledger::Run& run : runs) all.push_back(app::document_of(as_it_stands(run, call.now)));
  return answer({{"runs", all}, {"next", more ? json(runs.back().id) : json(nullptr)}});
}

Result<Response> show_run(const Context& context, const Call& call) {
  const ledger::Run run = as_it_stands(TRY(context.ledger.run(call.parameter("run"))), call.now);
  json document = app::document_of(run);
  document["tasks"] = json::array();
  for (const ledger::TaskRecord& task : TRY(context.ledger.tasks(run.id)))
    document["tasks"].push_back(json::parse(task.detail, nullptr, false));
  const std::string dagsters = app::dagster_run_of(run), dagster = context.settings.settings()->serve.dagster_url;
  document["dagster_url"] =
      dagsters.empty() || dagster.empty() ? json(nullptr) : json(fmt::format("{}/runs/{}", dagster, dagsters));
  document["progress"] = run.progress.empty() ? json(nullptr) : json::parse(run.progress, nullptr, false);
  return answer(document);
}

/// For what lies in the state directory of the machine that a run was on.
Error not_here(const ledger::Run& run, std::string_view what, std::string hint) {
  if (run.process.host != process::host_name())
    return {Kind::not_found, fmt::format("the {} of run {} is on {}", what, run.id, printable(run.process.host)),
            "Ask the steward there."};
  return {Kind::not_found, fmt::format("run {} has no {} here", run.id, what), std::move(hint)};
}

/// A part of the run's log, whole lines; how to go on stands in its headers, so that the body is the log and no more.
Result<Response> show_log(const Context& context, const Call& call) {
  const ledger::Run run = TRY(context.ledger.run(call.parameter("run")));
  const auto file = context.state.folder().open_for_reading(fmt::format("runs/{}/log.jsonl", run.id));
  if (!file && file.error().kind == Kind::not_found)
    return std::unexpected(not_here(run, "log", "It has not begun, or its log was removed when it had become old."));
  if (!file) return std::unexpected(file.error());
  const std::int64_t offset = call.query.value("offset", std::int64_t{0});
  files::FileSource source(file->fd());
  std::int64_t at = 0;
  bool more = false;
  Response response{.headers = {{"Content-Type", "application/jsonl"}}};
  TRY(each_line(source, [&](std::string_view line) -> Result<bool> {
    const auto size = static_cast<std::int64_t>(line.size()) + 1;
    more = at >= offset && !response.body.empty() && static_cast<std::int64_t>(response.body.size()) + size > most_log;
    if (more) return false;
    if (at >= offset) response.body.append(line).append("\n");
    at += size;
    return true;
  }));
  response.headers.emplace_back("X-Next-Offset", std::to_string(at));
  response.headers.emplace_back("X-More", more ? "true" : "false");
  return response;
}

std::string_view name_of(manifest::RemovedItem::What what) {
  switch (what) {
    case manifest::RemovedItem::What::removed: return "removed";
    case manifest::RemovedItem::What::moved: return "moved";
    case manifest::RemovedItem::What::stayed: return "stayed";
  }
  return "removed";
}

json document_of(const manifest::RemovedItem& item) {
  const auto shown = [](const std::string& text) { return text.empty() ? json(nullptr) : json(printable(text)); };
  return {{"what", name_of(item.what)},
          {"name", printable(item.name)},
          {"to", shown(item.to)},
          {"version", shown(item.version)},
          {"reason", shown(item.reason)},
          {"bytes", item.size ? json(item.size->count) : json(nullptr)},
          {"modified", app::or_null(item.modified)}};
}

Schema items_schema() {
  const Schema item = object({{"what", one_of({"removed", "moved", "stayed"})},
                              {"name", text()},
                              {"to", or_null(text())},
                              {"version", or_null(text())},
                              {"reason", or_null(text())},
                              {"bytes", or_null(integer(0))},
                              {"modified", or_null(instant())}});
  return object(
      {{"tasks", list_of(text())}, {"task", or_null(text())}, {"items", list_of(item)}, {"next", or_null(integer(0))}});
}

Result<Response> list_items(const Context& context, const Call& call) {
  const ledger::Run run = TRY(context.ledger.run(call.parameter("run")));
  const std::vector<std::string> tasks = TRY(manifest::removed_lists(context.state, run.id));
  if (tasks.empty() && run.process.host != process::host_name())
    return std::unexpected(not_here(run, "list of items", {}));
  if (tasks.empty()) return answer({{"tasks", tasks}, {"task", nullptr}, {"items", json::array()}, {"next", nullptr}});
  const std::string task = call.query.value("task", tasks.front());
  if (std::ranges::find(tasks, task) == tasks.end())
    return fail(Kind::not_found, fmt::format("{} has no list of items in run {}", printable(task), run.id),
                fmt::format("There are those of {}.", join_and(tasks)));
  const manifest::RemovedPage page =
      TRY(manifest::read_removed(context.state, {.run = run.id,
                                                 .task = task,
                                                 .match = call.query.value("match", std::string()),
                                                 .from = call.query.value("from", std::uint64_t{0}),
                                                 .limit = call.query.value("limit", std::size_t{200})}));
  json items = json::array();
  for (const manifest::RemovedItem& item : page.items) items.push_back(document_of(item));
  return answer(
      {{"tasks", tasks}, {"task", task}, {"items", items}, {"next", page.more ? json(page.next) : json(nullptr)}});
}

Result<Response> retry_run(const Context& context, const Call& call) {
  const ledger::Run before = TRY(context.ledger.run(call.parameter("run")));
  TRY(check_job(context, before.job));
  if (before.status == Status::queued || before.status == Status::running || before.status == Status::waiting)
    return fail(Kind::refused, fmt::format("run {} has not ended: it is {}", before.id, ledger::name_of(before.status)),
                "Cancel it first.", "not-ended");
  if (before.shard > 0)
    return fail(Kind::refused,
                fmt::format("run {} is of one shard, which whoever handed it out tries again", before.id),
                fmt::format("steward run {}/{} --plan {} --shard {}", before.job, before.scope,
                            before.plan_digest.substr(0, 12), before.shard),
                "shard");
  ledger::Run run{.id = new_run_id(call.now),
                  .job = before.job,
                  .scope = before.scope,
                  .status = Status::queued,
                  .started = call.now,
                  .heartbeat = call.now,
                  .process = this_process(),
                  .trigger = "api",
                  .actor = call.who.name,
                  .environment = before.environment,
                  .attempt = before.attempt + 1,
                  .retry_of = before.id};
  keep_bound(before, run);
  if (!TRY(context.ledger.agenda().enqueue(run)))
    return fail(Kind::refused, fmt::format("run {} was retried already", before.id),
                "Start a new run, or retry that one.", "retried");
  context.settings.changed();
  return answer(app::document_of(run), 202);
}

}  // namespace

void add_runs(Routes& routes, const Context& context) {
  const std::string base = std::string(root) + "/runs";
  routes.add({.id = "listRuns",
              .method = "GET",
              .path = base,
              .group = "runs",
              .summary = "Runs, newest first",
              .query = {{"job", text(1, 64), "Of this job alone"},
                        {"status",
                         one_of({"queued", "running", "succeeded", "failed", "partial", "refused", "cancelled",
                                 "waiting", "interrupted"}),
                         "In this state alone"},
                        {"limit", integer(1, 500), "How many"},
                        {"cursor", text(1, 64), "What `next` of the page before says"}},
              .answer = page_document("runs", run_schema())},
             [&context](const Call& call) { return list_runs(context, call); });
  routes.add({.id = "getRun",
              .method = "GET",
              .path = base + "/{run}",
              .group = "runs",
              .summary = "One run, with what became of its tasks; \"latest\" is the newest",
              .answer = run_detail_schema()},
             [&context](const Call& call) { return show_run(context, call); });
  routes.add({.id = "getRunLog",
              .method = "GET",
              .path = base + "/{run}/log",
              .group = "runs",
              .summary = "The log, a JSON document a line, up to a mebibyte; X-Next-Offset and X-More say how to go on",
              .query = {{"offset", integer(0), "From this byte on"}},
              .answer = text(),
              .type = "application/jsonl"},
             [&context](const Call& call) { return show_log(context, call); });
  routes.add({.id = "listRunItems",
              .method = "GET",
              .path = base + "/{run}/items",
              .group = "runs",
              .summary = "What a task of a run removed or moved, by name, in the order in which it went",
              .query = {{"task", text(1, 100), "Of this task; else the first that has a list"},
                        {"match", text(1, 200), "In whose names this stands"},
                        {"limit", integer(1, 500), "How many"},
                        {"from", integer(0), "What `next` of the page before says"}},
              .answer = items_schema()},
             [&context](const Call& call) { return list_items(context, call); });
  routes.add(
      {.id = "cancelRun",
       .method = "POST",
       .path = base + "/{run}/cancel",
       .group = "runs",
       .summary = "Stop a run, after the item or batch at hand; one that is queued or waits is cancelled at once",
       .access = Access::operate,
       .status = 202,
       .answer = run_schema()},
      [&context](const Call& call) -> Result<Response> {
        const ledger::Run run = TRY(context.ledger.run(call.parameter("run")));
        TRY(context.ledger.request_cancel(run.id, call.who.name, call.now));
        context.settings.changed();
        return answer(app::document_of(TRY(context.ledger.run(run.id))), 202);
      });
  routes.add({.id = "retryRun",
              .method = "POST",
              .path = base + "/{run}/retry",
              .group = "runs",
              .summary = "Queue the same once more; a run is retried once",
              .access = Access::operate,
              .status = 202,
              .answer = run_schema()},
             [&context](const Call& call) { return retry_run(context, call); });
}

}  // namespace steward::api
