// overview, jobs, schedules, ticks, pauses

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/documents_schema.h"
#include "app/api/result_schema.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/digest.h"
#include "core/random.h"
#include "core/text.h"
#include "engine/outlook.h"
#include "run/bound_plan.h"
#include "run/ledger/agenda.h"
#include "run/runner.h"

namespace steward::api {
namespace {
using nlohmann::json;
using server::Access;
using server::Response;

constexpr std::size_t longest_reason = 500;

/// What is to be expected of these jobs, as `steward status` tells it.
Result<std::vector<engine::Outlook>> outlooks(const Context& context, const app::Settings& settings,
                                              const std::vector<engine::ScheduledJob>& jobs, Instant now) {
  return TRY(engine::outlooks(context.ledger, context.state, jobs, settings.ledger_is_shared(), now)).jobs;
}

/// The job with its tasks, as it is configured.
json job_document(const Context& context, const app::Settings& settings, const engine::ScheduledJob& job,
                  const engine::Outlook& outlook) {
  json document = app::document_of(outlook);
  document["configured"] = job.configured;
  document["off_by"] = job.off_by.empty() ? json(nullptr) : json(job.off_by);
  document["approval"] = job.schedule.approval.required;
  document["tasks"] = json::array();
  for (const std::string& known : app::job_names()) {
    if (known != job.name) continue;
    for (const TaskSlot& slot : app::make_job(known, settings, context.state, {.agent = "steward serve"}).tasks)
      document["tasks"].push_back({{"task", slot.info.name},
                                   {"title", slot.info.title},
                                   {"configured", slot.task != nullptr},
                                   {"off_by", slot.off_by},
                                   {"approval", slot.approval}});
  }
  return document;
}

Schema job_schema() {
  return outlook_schema({{"configured", flag()},
                         {"off_by", or_null(text())},
                         {"approval", flag()},
                         {"tasks", list_of(object({{"task", text()},
                                                   {"title", text()},
                                                   {"configured", flag()},
                                                   {"off_by", text()},
                                                   {"approval", flag()}}))}});
}

Result<Response> jobs(const Context& context, const Call& call) {
  const auto settings = context.settings.settings();
  const std::vector<engine::ScheduledJob> known = app::scheduled_jobs(*settings);
  const std::vector<engine::Outlook> found = TRY(outlooks(context, *settings, known, call.now));
  json all = json::array();
  for (std::size_t i = 0; i < known.size(); ++i) all.push_back(job_document(context, *settings, known[i], found.at(i)));
  return answer({{"jobs", all}});
}

Result<Response> job(const Context& context, const Call& call) {
  const std::string name = call.parameter("job");
  TRY(check_job(context, name));
  const auto settings = context.settings.settings();
  const engine::ScheduledJob known = app::scheduled_job(*settings, name);
  const std::vector<engine::Outlook> found = TRY(outlooks(context, *settings, {known}, call.now));
  return answer(job_document(context, *settings, known, found.front()));
}

/// refused where there is nothing to start.
Result<void> check_startable(const engine::ScheduledJob& job) {
  if (!job.configured)
    return fail(Kind::refused, fmt::format("{} is not configured: there is nothing to start", job.name),
                "`steward config show` tells what is missing.", "not-configured");
  if (!job.off_by.empty())
    return fail(Kind::refused, fmt::format("{} is off by {}: there is nothing to start", job.name, job.off_by),
                "Turn it on there, and let the daemon read it again (SIGHUP).", "not-configured");
  return {};
}

/// Queues a run of `job`, of these tasks alone where any are named.
Result<Response> start_run(const Context& context, const Call& call, const std::string& job) {
  TRY(check_job(context, job));
  const auto settings = context.settings.settings();
  TRY(check_startable(app::scheduled_job(*settings, job)));
  std::vector<std::string> known, tasks;
  const Job made = app::make_job(job, *settings, context.state, {.agent = "steward serve"});
  for (const TaskSlot& slot : made.tasks) known.push_back(slot.info.name);
  const json wanted = call.body.is_object() ? call.body.value("tasks", json::array()) : json::array();
  for (const json& name : wanted) {
    const auto task = name.get<std::string>();
    if (std::ranges::find(known, task) == known.end()) {
      std::string hint = did_you_mean(task, known);
      return fail(Kind::bad_input, fmt::format("{} has no task \"{}\"", job, printable(task)),
                  hint.empty() ? fmt::format("Its tasks are {}.", join_and(known)) : std::move(hint));
    }
    if (std::ranges::find(tasks, task) == tasks.end()) tasks.push_back(task);
  }
  ledger::Run run{.id = new_run_id(call.now),
                  .job = job,
                  .scope = fmt::format("{}", fmt::join(tasks, ",")),
                  .status = ledger::Status::queued,
                  .started = call.now,
                  .heartbeat = call.now,
                  .process = this_process(),
                  .trigger = "api",
                  .actor = call.who.name,
                  .environment = settings->environment};
  if (call.body.is_object() && call.body.contains("plan")) {
    const Plan plan = TRY(context.state.load_plan(call.body["plan"].get<std::string>()));
    if (plan.job != job)
      return fail(Kind::bad_input, fmt::format("that plan is of {}, not of {}", plan.job, job),
                  "Make one of this job.");
    run.plan_digest = digest_of(plan);
    run.plan = bound_text(plan);  // with the run, so that any daemon's machine has it
  }
  if (const auto key = call.request.header("idempotency-key")) {
    if (key->empty() || key->size() > 200 || !is_utf8(*key))
      return fail(Kind::bad_input, "an Idempotency-Key has 1 to 200 characters");
    run.id = TRY(context.ledger.agenda().enqueue_once(
        run, {.actor = call.who.name,
              .key = std::string(*key),
              .request = sha256_hex(fmt::format("{} {} {}", job, run.scope, run.plan_digest))}));
  } else {
    TRY(context.ledger.agenda().enqueue(run));
  }
  context.settings.changed();
  Response response = answer(app::document_of(TRY(context.ledger.run(run.id))), 202);
  response.headers.emplace_back(
      "Location", fmt::format("{}{}/runs/{}", server::base_path_of(context.settings.public_url), root, run.id));
  return response;
}

Result<Response> schedules(const Context& context, const Call& call) {
  const auto settings = context.settings.settings();
  const std::int64_t count = call.query.value("count", std::int64_t{5});
  const std::vector<engine::ScheduledJob> known = app::scheduled_jobs(*settings);
  const std::vector<engine::Outlook> found = TRY(outlooks(context, *settings, known, call.now));
  json all = json::array();
  for (std::size_t i = 0; i < known.size(); ++i) {
    json firings = json::array();
    Instant after = call.now;
    for (std::int64_t n = 0; n < count; ++n) {
      const auto next = engine::next_tick(known[i].schedule, after);
      if (!next) break;
      firings.push_back(format_instant(next->at));
      after = next->at;
    }
    json document = app::document_of(found.at(i));
    document["configured"] = known[i].configured;
    document["firings"] = std::move(firings);
    all.push_back(std::move(document));
  }
  return answer({{"schedules", all}});
}

Result<Response> add_pause(const Context& context, const Call& call) {
  const std::string job = call.parameter("job");
  if (job != "all") TRY(check_job(context, job));
  const ledger::Pause pause{.id = "p-" + random_hex(4),
                            .job = job == "all" ? "*" : job,
                            .reason = TRY(reason_in(call.body, "a pause")),
                            .who = call.who.name,
                            .made = call.now,
                            .until = TRY(until_in(call.body, call.now))};
  TRY(context.ledger.agenda().add_pause(pause));
  context.settings.changed();
  return answer(app::document_of(pause), 201);
}

}  // namespace

Result<void> check_job(const Context& context, const std::string& job) {
  const auto settings = context.settings.settings();
  std::vector<std::string> known;
  for (const auto& [name, schedule] : settings->schedules) known.push_back(name);
  if (std::ranges::find(known, job) != known.end()) return {};
  std::string hint = did_you_mean(job, known);
  return fail(Kind::not_found, fmt::format("there is no job \"{}\"", printable(job)),
              hint.empty() ? fmt::format("The jobs are {}.", join_and(known)) : std::move(hint));
}

Result<std::optional<Instant>> until_in(const json& body, Instant now) {
  if (!body.contains("until") || body["until"].is_null()) return std::nullopt;
  const auto until = parse_instant(body["until"].get<std::string>());
  if (!until || *until <= now)
    return fail(Kind::bad_input, "until is no time to come", "Write it like 2027-01-31T12:00:00Z, or leave it out.");
  return until;
}

Result<std::string> reason_in(const json& body, std::string_view what) {
  std::string reason = body.is_object() ? body.value("reason", std::string()) : std::string();
  if (!trim(reason).empty()) return reason;
  return fail(Kind::bad_input, fmt::format("{} needs a reason", what), "It is what the next person reads.");
}

void add_jobs(Routes& routes, const Context& context) {
  const std::string base(root);
  routes.add(
      {.id = "overview",
       .method = "GET",
       .path = base + "/overview",
       .group = "jobs",
       .summary = "Each job's last run and success, what is heading where, and what needs a person",
       .answer = overview_schema()},
      [&context](const Call&) -> Result<Response> { return answer(TRY(context.settings.overview(context.ledger))); });
  routes.add({.id = "listJobs",
              .method = "GET",
              .path = base + "/jobs",
              .group = "jobs",
              .summary = "The jobs and their tasks, as configured",
              .answer = list_document("jobs", job_schema())},
             [&context](const Call& call) { return jobs(context, call); });
  routes.add({.id = "getJob",
              .method = "GET",
              .path = base + "/jobs/{job}",
              .group = "jobs",
              .summary = "One job and its tasks",
              .answer = job_schema()},
             [&context](const Call& call) { return job(context, call); });
  routes.add(
      {.id = "startRun",
       .method = "POST",
       .path = base + "/jobs/{job}/runs",
       .group = "runs",
       .summary = "Start a run: it is queued, and a daemon starts it at once; with a plan it does no more than that",
       .access = Access::operate,
       .body = object({{"tasks", list_of(text(1, 100), 50), optional}, {"plan", text(8, 64), optional}}),
       .bodiless = true,
       .once = true,
       .status = 202,
       .answer = run_schema()},
      [&context](const Call& call) { return start_run(context, call, call.parameter("job")); });
  // The second is how administrators' tools have called it before there was steward.
  for (const std::string& path : {base + "/maintenance/cleanup", std::string("/maintenance/cleanup")})
    routes.add({.id = path.starts_with(base) ? "startCleanup" : "startCleanupAsBefore",
                .method = "POST",
                .path = path,
                .group = "runs",
                .summary = "Start a cleanup, as POST /api/v1/jobs/cleanup/runs does",
                .access = Access::operate,
                .once = true,
                .status = 202,
                .answer = run_schema()},
               [&context](const Call& call) { return start_run(context, call, "cleanup"); });
  routes.add(
      {.id = "listSchedules",
       .method = "GET",
       .path = base + "/schedules",
       .group = "jobs",
       .summary = "When each job is due next, or why it is not",
       .query = {{"count", integer(1, 100), "How many firings of each"}},
       .answer = list_document("schedules", outlook_schema({{"configured", flag()}, {"firings", list_of(instant())}}))},
      [&context](const Call& call) { return schedules(context, call); });
  routes.add({.id = "listTicks",
              .method = "GET",
              .path = base + "/ticks",
              .group = "jobs",
              .summary = "What became of each due moment, newest first",
              .query = {{"job", text(1, 64), "Of this job alone"},
                        {"fired", flag(), "false: only those that did not fire"},
                        {"limit", integer(1, 500), "How many"}},
              .answer = list_document("ticks", tick_schema())},
             [&context](const Call& call) -> Result<Response> {
               json all = json::array();
               const auto ticks =
                   TRY(context.ledger.agenda().ticks({.job = call.query.value("job", std::string()),
                                                      .fired = call.query.value("fired", true),
                                                      .limit = call.query.value("limit", std::size_t{50})}));
               for (const ledger::Tick& tick : ticks) all.push_back(app::document_of(tick));
               return answer({{"ticks", all}});
             });
  routes.add({.id = "listPauses",
              .method = "GET",
              .path = base + "/pauses",
              .group = "jobs",
              .summary = "What is not started by its schedule, and why",
              .query = {{"all", flag(), "Those that are over, too"}},
              .answer = list_document("pauses", pause_schema())},
             [&context](const Call& call) -> Result<Response> {
               json all = json::array();
               const auto pauses = TRY(context.ledger.agenda().pauses(call.now, call.query.value("all", false)));
               for (const ledger::Pause& pause : pauses) all.push_back(app::document_of(pause));
               return answer({{"pauses", all}});
             });
  routes.add({.id = "pauseJob",
              .method = "POST",
              .path = base + "/jobs/{job}/pauses",
              .group = "jobs",
              .summary = "Pause a job, or all",
              .access = Access::operate,
              .body = object({{"reason", text(1, longest_reason)}, {"until", or_null(instant()), optional}}),
              .status = 201,
              .answer = pause_schema()},
             [&context](const Call& call) { return add_pause(context, call); });
  routes.add({.id = "resumeJob",
              .method = "DELETE",
              .path = base + "/pauses/{pause}",
              .group = "jobs",
              .summary = "End a pause",
              .access = Access::operate,
              .status = 204},
             [&context](const Call& call) -> Result<Response> {
               TRY(context.ledger.agenda().lift_pause(call.parameter("pause"), call.who.name, call.now));
               context.settings.changed();
               return nothing();
             });
}

}  // namespace steward::api
