// plan, run, runs, ledger

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "app/cli/commands.h"
#include "app/cli/dagster.h"
#include "app/cli/notifications.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/run_start.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "engine/freshness.h"
#include "engine/supervisor.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/manifest/archive.h"
#include "run/runner.h"
#include "run/upkeep.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::string variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  return value != nullptr ? value : "";
}

/// What the plan noted of a task stands before what the run noted.
void take_notes_of(const Plan& plan, RunResult& result) {
  for (const Step& step : plan.steps)
    for (TaskResult& task : result.tasks)
      if (task.task == step.task) task.notes.insert(task.notes.begin(), step.notes.begin(), step.notes.end());
}

/// A state directory for a plan that nobody keeps, which goes with this.
class ThrowawayState {
 public:
  static Result<ThrowawayState> make() {
    std::string path = (std::filesystem::temp_directory_path() / "steward-plan-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr)
      return fail(Kind::unavailable, fmt::format("cannot make {}: {}", path, std::strerror(errno)),
                  "Set TMPDIR to a folder with room.");
    return ThrowawayState(path, TRY(StateDirectory::open(path)));
  }
  ~ThrowawayState() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ThrowawayState(ThrowawayState&& other) noexcept
      : path_(std::exchange(other.path_, {})), state_(std::move(other.state_)) {}
  ThrowawayState& operator=(ThrowawayState&&) = delete;

  const StateDirectory& state() const { return state_; }

 private:
  ThrowawayState(std::string path, StateDirectory state) : path_(std::move(path)), state_(std::move(state)) {}
  std::string path_;
  StateDirectory state_;
};

/// The run's page in the dashboard, where its address is known.
std::string page_of_run(const Settings& settings, const std::string& run) {
  std::string url = settings.serve.public_url;
  while (url.ends_with('/')) url.pop_back();
  return url.empty() ? std::string{} : fmt::format("{}/runs/{}", url, run);
}

std::map<std::string, std::string> kinds_of(const Job& job, const Settings& settings) {
  std::map<std::string, std::string> out;
  for (const TaskSlot& slot : job.tasks) out[slot.info.name] = kind_of(settings, job.name, slot.info.name);
  return out;
}

/// The plan that a queued run was entered with, by somebody who has looked at it; one that was approved is the
/// runner's affair (run/asking.h).
Result<std::optional<Plan>> plan_given_with(ledger::Ledger& ledger, const std::string& id) {
  const ledger::Run run = TRY(ledger.run(id));
  if (run.status != ledger::Status::queued || run.plan.empty()) return std::nullopt;
  const auto asked = ledger.approvals().approval(id);
  if (asked) return std::nullopt;
  if (asked.error().kind != Kind::not_found) return std::unexpected(asked.error());
  return TRY(plan_from_json(json::parse(run.plan, nullptr, false)));
}

}  // namespace

Result<int> plan_command(const Output& output, const PlanCommand& command) {
  JobName name = TRY(parse_job_name(command.job));
  const Session session = TRY(open_session_with_notes(output));
  Caller as = caller(name.job, "plan");
  as.asks = true;
  const Job job = make_job(name.job, session.settings, session.state, as);
  name.only = with_databases(session.settings, job, name.only);
  std::optional<ThrowawayState> throwaway;  // of one to look at: its lists of items may be as long as any
  if (command.discard) throwaway.emplace(TRY(ThrowawayState::make()));
  const StateDirectory& state = throwaway ? throwaway->state() : session.state;
  const Plan plan = TRY(plan_job(job, name.only, session.settings.environment, session.settings.brakes, session.clock,
                                 state, session.ledger.get(), TRY(barred(session))));
  const std::string digest = command.discard ? "" : TRY(state.save(plan));
  if (output.json) {
    json document = to_json(plan);
    if (!digest.empty()) document["digest"] = digest;
    print_json(document);
  } else {
    print(command.discard ? plan_text(output, plan) : plan_text(output, plan, command.job, digest));
  }
  return 0;
}

namespace {

/// The run is of one shard of a plan that was handed out: the job's task is that shard alone.
Result<void> become_shard(const Session& session, const RunCommand& command, Job& job, RunSettings& settings) {
  if (settings.only.size() != 1)
    return fail(Kind::bad_input, "--shard is of one task alone", "Write it like steward run cleanup/purge-signals …");
  const std::string& task = settings.only.front();
  ShardWork work = TRY(shard_work(*session.ledger, job.name, task, command.plan, command.shard));
  TRY(narrow(job, task, work));
  work.set.allow_removal |= settings.allow_removal.contains(task);
  settings.approved = work.set.plan;
  settings.shard = std::move(work);
  return {};
}

Result<int> carry_out(const Output& output, const RunCommand& command, DagsterRun& dagster) {
  const JobName name = TRY(parse_job_name(command.job));
  const Session session = TRY(open_session_with_notes(output));
  const std::string by = dagster.is_active() ? "dagster" : trigger_of_process();
  const std::string actor = dagster.is_active() ? dagster.actor() : user_name();
  // A scheduler that has entered the run in the ledger names it, and this start of it (engine/supervisor.h).
  const std::string given = variable(engine::run_variable), launch = variable(engine::launch_variable);
  RunStart start{.id = given, .launch = launch};
  const bool is_a_daemons = !given.empty() && !launch.empty();
  if (!command.approval.empty())
    start = TRY(start_of_approved(session, name.job, command.approval));
  else if (!command.tick.empty())
    start = TRY(start_of_tick(session, name.job, command.tick, by, actor));
  else if (!is_a_daemons)
    start = {.id = new_run_id(session.clock.now())};
  const std::string& id = start.id;
  Caller as = caller(name.job, id);
  as.again = command.force;
  as.asks = true;
  Job job = make_job(name.job, session.settings, session.state, as);
  dagster.about({.job = job.name,
                 .run = id,
                 .kinds = kinds_of(job, session.settings),
                 .page = page_of_run(session.settings, id),
                 .is_shard = command.shard > 0});
  RunSettings settings{.id = id,
                       .launch = start.launch,
                       .only = with_databases(session.settings, job, name.only),
                       .allow_removal = {command.allow_removal.begin(), command.allow_removal.end()},
                       .brakes = session.settings.brakes,
                       .approval = session.settings.schedules.at(job.name).approval,
                       .unattended = !start.launch.empty() || by == "dagster",
                       .throttle = session.settings.throttle,
                       .trigger = by,
                       .actor = actor,
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
  for (const std::string& adopted : TRY(adopt_ownerless_archives(session)))
    fmt::print(stderr, "steward: {}\n", printable(adopted));
  settings.barred = TRY(barred(session));
  if (command.shard > 0)
    TRY(become_shard(session, command, job, settings));
  else if (!command.plan.empty())
    settings.approved = TRY(session.state.load_plan(command.plan));
  else if (!start.launch.empty())
    settings.approved = TRY(plan_given_with(*session.ledger, id));

  const FinishBeforeLeaving finish;
  Reporters reporters;
  ProgressReporter progress(output);
  reporters.add(progress);
  reporters.add(dagster);
  const RunResult result = TRY(run_job(job, settings,
                                       {.clock = session.clock,
                                        .state = session.state,
                                        .ledger = *session.ledger,
                                        .reporter = reporters,
                                        .stop = stop_of_process()}));
  if (const auto written = write_holds_beside_archive(session); !written)
    fmt::print(stderr, "steward: holds could not be written beside the archive: {}\n",
               printable(written.error().message));
  // What a daemon has started, its daemon tells of.
  if (!is_a_daemons && command.approval.empty()) deliver_at_end(session);
  if (const auto tidied = tidy_after_run(session, result.status); !tidied)
    fmt::print(stderr, "steward: the state directory could not be tidied: {}\n", printable(tidied.error().message));
  if (output.json)
    print_json(to_json(result));
  else
    print(result_text(output, result));
  if (dagster.is_active()) {
    const std::vector<engine::ScheduledJob> jobs{scheduled_job(session.settings, job.name)};
    if (const auto found = engine::freshness(*session.ledger, jobs, session.clock.now()))
      dagster.check_freshness(*found, session.clock.now());
    dagster.ended(result);
  }
  return result.exit_code;
}

}  // namespace

Result<int> run_command(const Output& output, const RunCommand& command) {
  const auto dagster = TRY(DagsterRun::open(command.dagster));
  auto done = carry_out(output, command, *dagster);
  if (!done) dagster->failed(done.error());
  return done;
}

Result<int> runs_command(const Output& output, const RunsCommand& command) {
  const Session session = TRY(open_session_with_notes(output));
  const Instant now = session.clock.now();
  json all = json::array();
  std::vector<std::vector<std::string>> rows{{"RUN", "JOB", "STATUS", "STARTED", "TOOK", "DONE", "BY"}};
  for (const ledger::Run& found : TRY(session.ledger->runs({.job = command.job, .limit = command.limit}))) {
    const ledger::Run run = as_it_stands(found, now);
    const std::uint64_t removed = removed_by(TRY(session.ledger->tasks(run.id)));
    all.push_back(document_of(run));
    rows.push_back({run.id, name_of(run), std::string(ledger::name_of(run.status)), when_text(run.started, now),
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
  const Session session = TRY(open_session_with_notes(output));
  const ledger::Run run = as_it_stands(TRY(session.ledger->run(id)), session.clock.now());
  RunResult result{.id = run.id, .job = run.job, .status = run.status, .plan_digest = run.plan_digest};
  json tasks = json::array();
  for (const ledger::TaskRecord& task : TRY(session.ledger->tasks(run.id))) {
    const json detail = json::parse(task.detail, nullptr, false);
    tasks.push_back(detail);
    result.tasks.push_back(task_result_from(detail));
  }
  if (output.json) {
    json document = document_of(run);
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
  if (const json error = json::parse(run.error, nullptr, false); error.is_object()) {
    const Error why = error_from_json(error);
    print(fmt::format("  {}\n", printable(why.message)));
    if (!why.hint.empty()) print(fmt::format("  {}\n", printable(why.hint)));
  }
  return 0;
}

Result<int> runs_log_command(const Output&, const std::string& id) {
  const Session session = TRY(open_session_with_notes({}));
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
  const Session session = TRY(open_session_with_notes(output));
  const ledger::Run run = TRY(session.ledger->run(id));
  TRY(session.ledger->request_cancel(run.id, user_name(), session.clock.now()));
  if (output.json)
    print_json({{"run", run.id}, {"cancel", "requested"}});
  else
    print(fmt::format("{} will stop after the item or batch at hand.\n", run.id));
  return 0;
}

Result<int> ledger_adopt_command(const Output& output) {
  const Session session = TRY(open_session_with_notes(output));
  json all = json::array();
  std::string text;
  for (const object::StoreTarget& target : session.settings.archives) {
    const auto store = object::open(target);
    if (!store && store.error().kind == Kind::not_found) continue;
    if (!store) return std::unexpected(store.error());
    if (!TRY(manifest::identity(**store))) continue;
    const bool adopted =
        TRY(manifest::adopt(**store, *session.ledger, session.clock, session.settings.environment, user_name()));
    all.push_back({{"archive", (*store)->shown()}, {"adopted", adopted}});
    text += fmt::format("{} {} {}\n", (*store)->shown(), adopted ? "now belongs to" : "belonged already to",
                        session.ledger->shown());
  }
  if (output.json)
    print_json({{"archives", all}, {"ledger", session.ledger->id()}});
  else
    print(text.empty() ? "There is no archive yet.\n" : text);
  return 0;
}

Result<int> ledger_verify_command(const Output& output) {
  const Session session = TRY(open_session_with_notes(output));
  const std::int64_t lines = TRY(session.ledger->verify_audit());
  if (output.json)
    print_json({{"lines", lines}, {"status", "intact"}});
  else
    print(fmt::format("The audit trail is intact: {} lines in {}.\n", format_count(static_cast<std::uint64_t>(lines)),
                      session.ledger->shown()));
  return 0;
}

}  // namespace steward::app
