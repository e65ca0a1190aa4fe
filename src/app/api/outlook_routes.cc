// what the next runs would do beside what is usual, and what stays night after night

#include <nlohmann/json.hpp>
#include <set>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/api/result_schema.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "engine/outlook.h"
#include "run/habits.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Response;

json or_null(const std::optional<Amount>& amount) { return amount ? to_json(*amount) : json(nullptr); }

/// A job's plan, told task by task.
json tasks_of(const Context& context, const std::string& job, const std::set<std::string>& removing, const json& plan) {
  json tasks = json::array();
  for (const json& step : plan.value("tasks", json::array())) {
    const auto task = step.value("task", std::string());
    if (!removing.contains(task)) continue;
    if (step.value("status", "") != "ready" && step.value("status", "") != "failed") continue;
    const auto past = context.ledger.past_tasks(job, task, runs_for_habits);
    tasks.push_back({{"task", task},
                     {"planned", step.contains("planned") ? step["planned"] : json(nullptr)},
                     {"usual", past ? or_null(usual(*past)) : json(nullptr)},
                     {"brake", step.contains("brake") ? step["brake"] : json(nullptr)},
                     {"error", step.contains("error") ? step["error"] : json(nullptr)}});
  }
  return tasks;
}

/// Of each job that has something to remove and is to be started here by its schedule.
Result<Response> tonight(const Context& context, const Call& call) {
  const auto settings = context.settings.settings();
  const std::vector<engine::ScheduledJob> jobs = app::scheduled_jobs(*settings);
  const engine::Outlooks found =
      TRY(engine::outlooks(context.ledger, context.state, jobs, settings->ledger_is_shared(), call.now));
  json plans = json::array();
  for (const engine::Outlook& outlook : found.jobs) {
    if (outlook.standing == engine::Standing::not_configured || outlook.standing == engine::Standing::off) continue;
    const Job job = app::make_job(outlook.job, *settings, context.state, {.agent = "steward serve"});
    std::set<std::string> removing;
    for (const TaskSlot& slot : job.tasks)
      if (slot.task && slot.task->removes()) removing.insert(slot.info.name);
    if (removing.empty()) continue;
    const std::vector<ledger::Run> last = TRY(context.ledger.runs({.job = outlook.job, .limit = 1}));
    const bool is_running = !last.empty() && !last.front().ended;
    const auto plan = context.tonight.plan(outlook.job, last.empty() || is_running ? std::nullopt : last.front().ended);
    const json* document = plan && plan->document ? plan->document->get() : nullptr;
    plans.push_back(
        {{"job", outlook.job},
         {"fires", app::or_null(outlook.fires)},
         {"made", plan ? json(format_instant(plan->made)) : json(nullptr)},
         {"making", context.tonight.is_making(outlook.job)},
         {"tasks", document == nullptr ? json::array() : tasks_of(context, outlook.job, removing, *document)},
         {"error", plan && !plan->document ? json(printable(plan->document.error().message)) : json(nullptr)}});
  }
  return answer({{"plans", plans}});
}

Result<Response> what_stays(const Context& context, const Call&) {
  const auto settings = context.settings.settings();
  json all = json::array();
  for (const std::string& name : app::job_names())
    for (const TaskSlot& slot : app::make_job(name, *settings, context.state, {.agent = "steward serve"}).tasks) {
      if (!slot.task) continue;
      const std::vector<ledger::PastTask> past = TRY(context.ledger.past_tasks(name, slot.info.name, runs_for_habits));
      for (const Staying& each : staying(past))
        all.push_back({{"job", name},
                       {"task", slot.info.name},
                       {"reason", printable(each.skip.reason)},
                       {"items", each.skip.items},
                       {"examples", each.skip.examples},
                       {"runs", each.runs},
                       {"since", format_instant(each.since)}});
    }
  return answer({{"staying", all}});
}

}  // namespace

void add_outlook(Routes& routes, const Context& context) {
  const std::string base(root);
  const Schema task = object({{"task", text()},
                              {"planned", or_null(amount_schema())},
                              {"usual", or_null(amount_schema())},
                              {"brake", or_null(failure_schema())},
                              {"error", or_null(failure_schema())}});
  routes.add({.id = "tonight",
              .method = "GET",
              .path = base + "/tonight",
              .group = "jobs",
              .summary = "What the next run of each job would remove, beside what is usual; asking begins a look where "
                         "the last is an hour old",
              .answer = list_document("plans", object({{"job", text()},
                                                       {"fires", or_null(instant())},
                                                       {"made", or_null(instant())},
                                                       {"making", flag()},
                                                       {"tasks", list_of(task)},
                                                       {"error", or_null(text())}}))},
             [&context](const Call& call) { return tonight(context, call); });
  routes.add({.id = "listStaying",
              .method = "GET",
              .path = base + "/staying",
              .group = "jobs",
              .summary = "What the last runs have left where it was, each for the same reason, and since when",
              .answer = list_document("staying", object({{"job", text()},
                                                         {"task", text()},
                                                         {"reason", text()},
                                                         {"items", integer(0)},
                                                         {"examples", list_of(text())},
                                                         {"runs", integer(1)},
                                                         {"since", instant()}}))},
             [&context](const Call& call) { return what_stays(context, call); });
}

}  // namespace steward::api
