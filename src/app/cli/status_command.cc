// status: what there is, what is to come, and what needs attention
#include "app/cli/status.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "engine/freshness.h"
#include "engine/outlook.h"
#include "run/ledger/approvals.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

/// What `status` shows, gathered job by job.
class Status {
 public:
  explicit Status(const Session& session) : session_(session), now_(session.clock.now()) {}

  /// The last run of the whole job; and each run of some of its tasks since then that is the last of its kind.
  /// Of one that is off or not configured, and never ran, there is nothing to say.
  Result<void> add(const std::string& job, bool is_wanted) {
    const std::vector<ledger::Run> whole = TRY(session_.ledger->runs({.job = job, .whole = true, .limit = 1}));
    const std::optional<ledger::Run> success = TRY(session_.ledger->last_success(job));
    const std::string last_success = success ? when_text(success->started, now_) : "never";
    json parts = json::array();
    json last = nullptr;
    if (whole.empty() && is_wanted) {
      rows_.push_back({job, "never", "-", "-", "-", last_success});
      attention_.push_back(fmt::format("{} has never run as a whole: steward plan {}", job, job));
    } else if (!whole.empty()) {
      last = TRY(add_run(whole.front(), last_success));
    }
    std::set<std::string> seen;
    for (const ledger::Run& run : TRY(session_.ledger->runs({.job = job, .limit = runs_looked_at}))) {
      if (run.scope.empty()) break;
      if (!seen.insert(fmt::format("{} {}", run.scope, run.shard)).second) continue;
      // Of shards, which are many, those that have not succeeded.
      if (run.shard == 0 || run.status != ledger::Status::succeeded) parts.push_back(TRY(add_run(run, "")));
    }
    jobs_.push_back({{"job", job},
                     {"last", last},
                     {"last_success", success ? json(format_instant(success->started)) : json(nullptr)},
                     {"parts", parts}});
    return {};
  }

  void add_forecasts(const Survey& survey) {
    for (const TaskForecast& one : survey.forecasts) {
      json entry = to_json(one.forecast);
      entry["job"] = one.job;
      entry["task"] = one.task;
      forecasts_.push_back(std::move(entry));
      forecast_rows_.push_back({one.task, amount_text(one.forecast.backlog), one.forecast.reason});
      if (one.forecast.trend == Trend::losing_ground)
        attention_.push_back(
            fmt::format("{} is {}: steward plan {}/{}", one.task, one.forecast.reason, one.job, one.task));
    }
  }

  /// When each job fires next, or why not; and who keeps the schedules.
  Result<void> add_schedules() {
    const engine::Outlooks found =
        TRY(engine::outlooks(*session_.ledger, session_.state, scheduled_jobs(session_.settings),
                             session_.settings.ledger_is_shared(), now_));
    std::vector<std::string> not_configured, unkept;
    for (const engine::Outlook& outlook : found.jobs) {
      schedules_.push_back(document_of(outlook));
      if (outlook.standing == engine::Standing::not_configured) {
        not_configured.push_back(outlook.job);
        continue;
      }
      add_schedule_row(outlook);
      if (outlook.last && outlook.last->outcome != "fired") add_last_tick(*outlook.last);
      if (outlook.scheduled_here && !outlook.kept && !outlook.started_by_others) unkept.push_back(outlook.job);
    }
    daemon_ = document_of(*found.facts.keepers);
    for (const engine::Keeper& keeper : *found.facts.keepers) lines_.push_back(keeper_text(keeper));
    if (!unkept.empty())
      attention_.push_back(
          fmt::format("no daemon is running, and nothing else starts {}: steward serve", join_and(unkept)));
    if (!not_configured.empty()) lines_.push_back(fmt::format("Not configured: {}", join_and(not_configured)));
    return {};
  }

  /// How old the newest backups are.
  Result<void> add_backups() {
    const std::vector<engine::ScheduledJob> jobs = scheduled_jobs(session_.settings);
    for (const engine::Freshness& one : TRY(engine::freshness(*session_.ledger, jobs, now_))) {
      backups_.push_back(document_of(one, now_));
      const auto age = [&](const std::optional<Instant>& at) {
        return at ? format_span(now_ - *at) + " ago" : std::string("never");
      };
      backup_rows_.push_back(
          {one.task, age(one.newest), one.is_proved || one.proved ? age(one.proved) : "no task proves it"});
      if (one.is_stale(now_))
        attention_.push_back(fmt::format("{}: steward runs --job {}", engine::text_of(one, now_), one.job));
      if (one.is_proof_stale(now_))
        attention_.push_back(engine::proof_text_of(one, now_) + ": steward backup verify latest --depth restore");
    }
    return {};
  }

  /// What waits for a person.
  Result<void> add_approvals() {
    for (const ledger::Approval& approval : TRY(session_.ledger->approvals().approvals({})))
      attention_.push_back(fmt::format("{} waits for an approval, asked {}: steward approvals show {}",
                                       join_and(approval.tasks), when_text(approval.asked, now_), approval.run));
    return {};
  }

  /// Freezes, and what else keeps everything where it is; holds.
  Result<void> add_safeguards(const Survey& survey) {
    const std::vector<ledger::Freeze> freezes = TRY(session_.ledger->freezes(now_));
    for (const ledger::Freeze& freeze : freezes) frozen_.push_back(freeze.id);
    if (const auto refusal = freeze_refusal(freezes))
      attention_.push_back(fmt::format("{}: steward freeze list", refusal->message));
    if (survey.barring) attention_.push_back(fmt::format("{}: steward ledger adopt", survey.barring->message));
    holds_ = TRY(session_.ledger->holds(now_)).size();
    sizes_ = survey.sizes;
    return {};
  }

  json document() const {
    return {{"jobs", jobs_},
            {"forecasts", forecasts_},
            {"schedules", schedules_},
            {"backups", backups_},
            {"daemon", daemon_},
            {"holds", holds_},
            {"freezes", frozen_},
            {"attention", attention_},
            {"ledger", session_.ledger->shown()},
            {"state",
             {{"folder", session_.state.folder().path()},
              {"ledger", sizes_.ledger.count},
              {"run_logs", sizes_.logs.count},
              {"plans", sizes_.plans.count},
              {"removal_lists", sizes_.lists.count},
              {"other", sizes_.other.count}}}};
  }

  std::string text(const Output& output) const {
    std::string out = table(rows_, {3, 4});
    if (schedule_rows_.size() > 1) out += '\n' + table(schedule_rows_, {}) + '\n';
    if (forecast_rows_.size() > 1) out += '\n' + table(forecast_rows_, {}) + '\n';
    if (backup_rows_.size() > 1) out += '\n' + table(backup_rows_, {}) + '\n';
    for (const std::string& line : attention_) out += tinted(output, Tint::warn, "! " + printable(line)) + '\n';
    for (const std::string& line : lines_) out += printable(line) + '\n';
    if (holds_ > 0)
      out += fmt::format("{} {} in force: steward hold list\n", format_count(holds_), holds_ == 1 ? "hold" : "holds");
    out += fmt::format("State directory: ledger {}, run logs {}, plans {}, lists of what was removed {}\n",
                       format_bytes(sizes_.ledger), format_bytes(sizes_.logs), format_bytes(sizes_.plans),
                       format_bytes(sizes_.lists));
    return attention_.empty() ? out + "Nothing needs attention.\n" : out;
  }

 private:
  static constexpr std::size_t runs_looked_at = 50;

  Result<json> add_run(const ledger::Run& found, const std::string& last_success) {
    const ledger::Run run = as_it_stands(found, now_);
    const std::vector<ledger::TaskRecord> tasks = TRY(session_.ledger->tasks(run.id));
    rows_.push_back({name_of(run), when_text(run.started, now_), std::string(ledger::name_of(run.status)),
                     duration_text(run, now_), format_count(removed_by(tasks)), last_success});
    if (run.status != ledger::Status::succeeded && run.status != ledger::Status::running &&
        run.status != ledger::Status::waiting)
      attention_.push_back(
          fmt::format("{} {} {}: steward runs show {}", name_of(run), run.id, ledger::name_of(run.status), run.id));
    for (const ledger::TaskRecord& task : tasks)
      if (task.status == "failed" || task.status == "refused")
        attention_.push_back(fmt::format("{} {}: {}", task.task, task.status,
                                         json::parse(task.detail, nullptr, false)["error"].value("message", "")));
    return document_of(run);
  }

  void add_schedule_row(const engine::Outlook& outlook) {
    const std::optional<Instant> shown = outlook.fires                                  ? outlook.fires
                                         : outlook.standing == engine::Standing::unkept ? outlook.next
                                                                                        : std::nullopt;
    if (shown)
      schedule_rows_.push_back({outlook.job, wall_clock(*shown, outlook.zone), format_instant(*shown),
                                format_span(*shown - now_), printable(outlook.reason)});
    else
      schedule_rows_.push_back({outlook.job, "-", "-", "-", printable(outlook.reason)});
  }

  void add_last_tick(const ledger::Tick& tick) {
    std::string line =
        fmt::format("{} did not fire at {} ({}): {}", tick.job, format_instant(tick.due), tick.outcome, tick.reason);
    // The others are what somebody has asked for.
    const bool unwanted = tick.outcome == "missed" || tick.outcome == "overlap";
    (unwanted ? attention_ : lines_).push_back(std::move(line));
  }

  std::string keeper_text(const engine::Keeper& keeper) const {
    const std::vector<std::string> jobs(keeper.jobs.begin(), keeper.jobs.end());
    std::string line = fmt::format("{} {} {}", keeper.daemon.empty() ? "A daemon" : keeper.daemon,
                                   keeper.decides ? "keeps the schedule of" : "stands by for",
                                   jobs.empty() ? "all jobs" : join_and(jobs));
    if (keeper.since) line += fmt::format(", for {}", format_span(now_ - *keeper.since));
    if (!keeper.url.empty()) line += fmt::format(", and answers at {}", keeper.url);
    return line;
  }

  const Session& session_;
  Instant now_;
  json jobs_ = json::array(), forecasts_ = json::array(), schedules_ = json::array(), backups_ = json::array(),
       daemon_ = nullptr;
  std::vector<std::vector<std::string>> rows_{{"JOB", "LAST RUN", "STATUS", "TOOK", "DONE", "LAST SUCCESS"}};
  std::vector<std::vector<std::string>> forecast_rows_{{"TASK", "LEFT", "FORECAST"}};
  std::vector<std::vector<std::string>> schedule_rows_{{"SCHEDULE", "FIRES NEXT", "UTC", "IN", ""}};
  std::vector<std::vector<std::string>> backup_rows_{{"BACKUP", "NEWEST", "PROVED"}};
  std::vector<std::string> attention_{}, frozen_{}, lines_{};
  std::size_t holds_ = 0;
  StateSizes sizes_{};
};

Result<Status> status_of(const Session& session, const Survey& survey) {
  Status status(session);
  for (const std::string& name : job_names()) {
    const engine::ScheduledJob job = scheduled_job(session.settings, name);
    TRY(status.add(name, job.configured && job.off_by.empty()));
  }
  status.add_forecasts(survey);
  TRY(status.add_schedules());
  TRY(status.add_backups());
  TRY(status.add_approvals());
  TRY(status.add_safeguards(survey));
  return status;
}

}  // namespace

Result<Survey> survey(const Session& session) {
  Survey out{.barring = TRY(barred(session)), .sizes = TRY(state_sizes(session.state))};
  for (const std::string& name : job_names()) {
    const Job job = make_job(name, session.settings, session.state, caller(name, "status"));
    for (const TaskSlot& slot : job.tasks) {
      if (!slot.task || !slot.task->removes()) continue;
      const std::vector<PastRun> past = TRY(past_runs(*session.ledger, job.name, slot.info.name));
      if (!past.empty())
        out.forecasts.push_back(
            {.job = job.name, .task = slot.info.name, .forecast = forecast(past.front().left(), past)});
    }
  }
  return out;
}

Result<json> status_document(const Session& session, const Survey& survey) {
  return TRY(status_of(session, survey)).document();
}

Result<int> status_command(const Output& output) {
  const Session session = TRY(open_session_with_notes(output));
  const Status status = TRY(status_of(session, TRY(survey(session))));
  if (output.json)
    print_json(status.document());
  else
    print(status.text(output));
  return 0;
}

}  // namespace steward::app
