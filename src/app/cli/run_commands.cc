// plan, run, status, runs

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

void say(const Output& output, const std::vector<std::string>& notes) {
  if (output.json || !output.terminal_errors) return;  // a cron mail repeats them every night
  for (const std::string& note : notes) fmt::print(stderr, "steward: {}\n", printable(note));
}

Result<Session> session_saying(const Output& output) {
  std::vector<std::string> warnings;
  Session session = TRY(open_session(warnings));
  say(output, session.settings.notes);
  for (const std::string& warning : warnings) fmt::print(stderr, "steward: {}\n", printable(warning));
  return session;
}

/// cron says nowhere that it is cron: a run without a terminal is some script's.
std::string trigger() {
  const char* said = std::getenv("STEWARD_TRIGGER");
  if (said != nullptr && *said != '\0') return said;
  return ::isatty(STDIN_FILENO) == 1 || ::isatty(STDERR_FILENO) == 1 ? "hand" : "script";
}

json run_json(const ledger::Run& run) {
  return {{"run", run.id},
          {"job", run.job},
          {"status", ledger::name_of(run.status)},
          {"started", format_instant(run.started)},
          {"ended", run.ended ? json(format_instant(*run.ended)) : json(nullptr)},
          {"trigger", run.trigger},
          {"actor", run.actor},
          {"host", run.process.host},
          {"version", run.version},
          {"environment", run.environment},
          {"plan", run.plan_digest},
          {"error", run.error.empty() ? json(nullptr) : json::parse(run.error, nullptr, false)}};
}

/// A run whose process is gone is not running, whatever the ledger says until the next run notes it.
ledger::Run as_it_stands(ledger::Run run, Instant now) {
  if (run.status == ledger::Status::running && is_gone(run.process, run.heartbeat, now))
    run.status = ledger::Status::interrupted;
  return run;
}

std::string duration_text(const ledger::Run& run, Instant now) {
  return format_span(run.ended.value_or(now) - run.started);
}

/// What the plan noted of a task stands before what the run noted.
void take_notes_of(const Plan& plan, RunResult& result) {
  for (const Step& step : plan.steps)
    for (TaskResult& task : result.tasks)
      if (task.task == step.task) task.notes.insert(task.notes.begin(), step.notes.begin(), step.notes.end());
}

std::uint64_t removed_by(const std::vector<ledger::TaskRecord>& tasks) {
  std::uint64_t items = 0;
  for (const ledger::TaskRecord& task : tasks) items += task.done_items;
  return items;
}

}  // namespace

Result<int> plan_command(const Output& output, const PlanCommand& command) {
  const JobName name = TRY(parse_job_name(command.job));
  const Session session = TRY(session_saying(output));
  const Job job = cleanup(session.settings, session.state, caller(name.job, "plan"));
  const Plan plan = TRY(plan_job(job, name.only, session.settings.environment, session.settings.brakes, session.clock,
                                 session.state, session.ledger.get()));
  const std::string digest = TRY(session.state.save(plan));
  if (output.json) {
    json document = to_json(plan);
    document["digest"] = digest;
    print_json(document);
  } else {
    print(plan_text(output, plan, command.job, digest));
  }
  return 0;
}

Result<int> run_command(const Output& output, const RunCommand& command) {
  const JobName name = TRY(parse_job_name(command.job));
  const Session session = TRY(session_saying(output));
  const std::string id = new_run_id(session.clock.now());
  const Job job = cleanup(session.settings, session.state, caller(name.job, id));
  RunSettings settings{.id = id,
                       .only = name.only,
                       .allow_removal = {command.allow_removal.begin(), command.allow_removal.end()},
                       .brakes = session.settings.brakes,
                       .throttle = session.settings.throttle,
                       .trigger = trigger(),
                       .actor = user_name(),
                       .version = std::string(version),
                       .environment = session.settings.environment};
  for (const std::string& task : settings.allow_removal) {
    std::vector<std::string> known;
    for (const TaskSlot& slot : job.tasks) known.push_back(slot.info.name);
    if (std::ranges::find(known, task) == known.end())
      return fail(Kind::bad_input, fmt::format("--allow-removal names no task: \"{}\"", printable(task)),
                  did_you_mean(task, known));
  }
  settings.throttle.full_speed = command.full_speed;
  if (!command.plan.empty()) settings.approved = TRY(session.state.load_plan(command.plan));

  const FinishBeforeLeaving finish;
  Reporters reporters;
  ProgressReporter progress(output);
  reporters.add(progress);
  const RunResult result = TRY(run_job(job, settings,
                                       {.clock = session.clock,
                                        .state = session.state,
                                        .ledger = *session.ledger,
                                        .reporter = reporters,
                                        .stop = stop_of_process()}));
  if (const auto written = write_holds_beside_archive(session); !written)
    fmt::print(stderr, "steward: holds could not be written beside the archive: {}\n",
               printable(written.error().message));
  if (output.json)
    print_json(to_json(result));
  else
    print(result_text(output, result));
  return result.exit_code;
}

Result<int> status_command(const Output& output) {
  const Session session = TRY(session_saying(output));
  const Instant now = session.clock.now();
  const std::vector<ledger::Hold> holds = TRY(session.ledger->holds(now));
  json jobs = json::array();
  std::vector<std::vector<std::string>> rows{{"JOB", "LAST RUN", "STATUS", "TOOK", "DONE", "LAST SUCCESS"}};
  std::vector<std::string> attention;
  for (const std::string& job : job_names()) {
    const std::vector<ledger::Run> runs = TRY(session.ledger->runs({.job = job, .limit = 1}));
    const std::optional<ledger::Run> success = TRY(session.ledger->last_success(job));
    const std::string last_success = success ? when_text(success->started, now) : "never";
    if (runs.empty()) {
      rows.push_back({job, "never", "-", "-", "-", last_success});
      attention.push_back(fmt::format("{} has never run: steward plan {}", job, job));
      jobs.push_back({{"job", job}, {"last", nullptr}, {"last_success", nullptr}});
      continue;
    }
    const ledger::Run run = as_it_stands(runs.front(), now);
    const std::vector<ledger::TaskRecord> tasks = TRY(session.ledger->tasks(run.id));
    rows.push_back({job, when_text(run.started, now), std::string(ledger::name_of(run.status)), duration_text(run, now),
                    format_count(removed_by(tasks)), last_success});
    jobs.push_back({{"job", job},
                    {"last", run_json(run)},
                    {"last_success", success ? json(format_instant(success->started)) : json(nullptr)}});
    if (run.status != ledger::Status::succeeded && run.status != ledger::Status::running)
      attention.push_back(
          fmt::format("{} {} {}: steward runs show {}", job, run.id, ledger::name_of(run.status), run.id));
    for (const ledger::TaskRecord& task : tasks)
      if (task.status == "failed" || task.status == "refused")
        attention.push_back(fmt::format("{} {}: {}", task.task, task.status,
                                        json::parse(task.detail, nullptr, false)["error"].value("message", "")));
  }
  if (output.json) {
    print_json(
        {{"jobs", jobs}, {"holds", holds.size()}, {"attention", attention}, {"ledger", session.ledger->shown()}});
    return 0;
  }
  print(table(rows, {3, 4}));
  for (const std::string& line : attention) print(tinted(output, Tint::warn, "! " + line) + '\n');
  if (!holds.empty())
    print(fmt::format("{} {} in force: steward hold list\n", format_count(holds.size()),
                      holds.size() == 1 ? "hold" : "holds"));
  if (attention.empty()) print("Nothing needs attention.\n");
  return 0;
}

Result<int> runs_command(const Output& output, const RunsCommand& command) {
  const Session session = TRY(session_saying(output));
  const Instant now = session.clock.now();
  json all = json::array();
  std::vector<std::vector<std::string>> rows{{"RUN", "JOB", "STATUS", "STARTED", "TOOK", "DONE", "BY"}};
  for (const ledger::Run& found : TRY(session.ledger->runs({.job = command.job, .limit = command.limit}))) {
    const ledger::Run run = as_it_stands(found, now);
    const std::uint64_t removed = removed_by(TRY(session.ledger->tasks(run.id)));
    all.push_back(run_json(run));
    rows.push_back({run.id, run.job, std::string(ledger::name_of(run.status)), when_text(run.started, now),
                    duration_text(run, now), format_count(removed), fmt::format("{} ({})", run.actor, run.trigger)});
  }
  if (output.json)
    print_json({{"runs", all}});
  else if (rows.size() == 1)
    print("No run yet. Look at what one would do: steward plan cleanup\n");
  else
    print(table(rows, {4, 5}));
  return 0;
}

Result<int> runs_show_command(const Output& output, const std::string& id) {
  const Session session = TRY(session_saying(output));
  const ledger::Run run = as_it_stands(TRY(session.ledger->run(id)), session.clock.now());
  RunResult result{.id = run.id, .job = run.job, .status = run.status, .plan_digest = run.plan_digest};
  json tasks = json::array();
  for (const ledger::TaskRecord& task : TRY(session.ledger->tasks(run.id))) {
    const json detail = json::parse(task.detail, nullptr, false);
    tasks.push_back(detail);
    result.tasks.push_back(task_result_from(detail));
  }
  if (output.json) {
    json document = run_json(run);
    document["tasks"] = tasks;
    print_json(document);
    return 0;
  }
  print(fmt::format("{}  started {}, took {}, by {} ({}) on {}\n", run.id,
                    format_instant(std::chrono::floor<std::chrono::seconds>(run.started)),
                    duration_text(run, session.clock.now()), run.actor, run.trigger, run.process.host));
  if (!run.plan_digest.empty()) print(fmt::format("plan {}\n", run.plan_digest.substr(0, 12)));
  if (const auto plan = plan_from_json(json::parse(run.plan, nullptr, false))) take_notes_of(*plan, result);
  print(result_text(output, result));
  return 0;
}

Result<int> runs_log_command(const Output&, const std::string& id) {
  const Session session = TRY(session_saying({}));
  const ledger::Run run = TRY(session.ledger->run(id));
  const files::Handle handle = TRY(session.state.folder().open_for_reading(fmt::format("runs/{}/log.jsonl", run.id)));
  files::FileSource source(handle.fd());
  TRY(each_line(source, [](std::string_view line) -> Result<bool> {
    print(std::string(line) + '\n');
    return true;
  }));
  return 0;
}

Result<int> runs_cancel_command(const Output& output, const std::string& id) {
  const Session session = TRY(session_saying(output));
  const ledger::Run run = TRY(session.ledger->run(id));
  TRY(session.ledger->request_cancel(run.id, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"run", run.id}, {"cancel", "requested"}});
  else
    print(fmt::format("{} will stop after the item or batch at hand.\n", run.id));
  return 0;
}

Result<int> ledger_verify_command(const Output& output) {
  const Session session = TRY(session_saying(output));
  const std::int64_t lines = TRY(session.ledger->verify_audit());
  if (output.json)
    print_json({{"lines", lines}, {"status", "intact"}});
  else
    print(fmt::format("The audit trail is intact: {} lines in {}.\n", format_count(static_cast<std::uint64_t>(lines)),
                      session.ledger->shown()));
  return 0;
}

}  // namespace steward::app
