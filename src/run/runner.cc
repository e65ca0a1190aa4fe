#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/asking.h"
#include "run/context.h"
#include "run/ledger/agenda.h"
#include "run/ledger/shards.h"
#include "run/planning.h"

namespace steward {
namespace {

std::string scope_of(const std::vector<std::string>& only) { return fmt::format("{}", fmt::join(only, ",")); }

std::string status_of(const Error& error, bool cancelled) {
  if (cancelled) return "cancelled";
  return error.kind == Kind::refused || error.kind == Kind::held ? "refused" : "failed";
}

/// The parts of one run, in order.
class Running {
 public:
  Running(const Job& job, const RunSettings& settings, const Surroundings& in)
      : job_(job),
        settings_(settings),
        in_{.clock = in.clock,
            .state = in.state,
            .ledger = in.ledger,
            .reporter = reporters_,
            .interrupted = in.interrupted,
            .stop = in.stop},
        id_(settings.id.empty() ? new_run_id(in.clock.now()) : settings.id),
        context_(in_, id_, settings),
        asking_(in.ledger, in.clock, settings) {
    reporters_.add(in.reporter);
  }

  Result<RunResult> carry_out() {
    // A scheduler has entered the run already: whether it can be locked or not is its outcome then.
    if (!settings_.launch.empty()) {
      TRY(take_over());
      if (auto loaded = asking_.load(id_); !loaded) return ended_before_it_began(std::move(loaded).error());
    }
    auto locks = lock_all();
    if (!locks && !settings_.launch.empty()) return ended_before_it_began(std::move(locks).error());
    if (!locks) return std::unexpected(std::move(locks).error());
    log_ = TRY(LogReporter::open(in_.state.folder(), id_, in_.clock, asking_.approved().has_value()));
    reporters_.add(*log_);
    TRY(begin());
    context_.watch(*std::move(locks));
    auto worked = work();
    return end(worked ? std::nullopt : std::optional(std::move(worked).error()));
  }

 private:
  bool is_asked_for(const std::string& task) const { return is_named(settings_.only, task) && asking_.has_part(task); }
  bool takes_part(const TaskSlot& slot) const { return slot.task && is_asked_for(slot.info.name); }
  const std::optional<Plan>& approved() const { return asking_.approved() ? asking_.approved() : settings_.approved; }

  /// All locks before the first act. Busy ends it with nothing done; another error is that task's own.
  Result<std::vector<std::unique_ptr<Lock>>> lock_all() {
    std::vector<std::unique_ptr<Lock>> all;
    for (const TaskSlot& slot : job_.tasks) {
      if (!takes_part(slot)) continue;
      auto locks = slot.task->lock();
      if (!locks && locks.error().kind == Kind::busy) return std::unexpected(std::move(locks).error());
      if (!locks) {
        broken_.emplace(slot.info.name, std::move(locks).error());
        continue;
      }
      for (auto& lock : *locks) {
        if (std::string note = lock->note(); !note.empty()) lock_notes_[slot.info.name].push_back(std::move(note));
        all.push_back(std::move(lock));
      }
    }
    return all;
  }

  /// By somebody else, who has queued it with the plan.
  bool is_started_from_a_plan() const { return !settings_.launch.empty() && settings_.approved.has_value(); }

  ledger::Run as_run(Instant now) const {
    return {.id = id_,
            .job = job_.name,
            .scope = scope_of(settings_.only),
            .shard = settings_.shard ? settings_.shard->number : 0,
            .started = now,
            .heartbeat = now,
            .process = this_process(),
            .trigger = settings_.trigger,
            .actor = settings_.actor,
            .version = settings_.version,
            .environment = settings_.environment,
            .plan_digest = settings_.shard ? settings_.shard->digest : std::string{},
            .pulse = now};
  }

  Result<void> begin() {
    const Instant now = in_.clock.now();
    TRY(note_dead_runs(now));
    return settings_.launch.empty() ? in_.ledger.begin_run(as_run(now)) : Result<void>{};
  }

  Result<void> take_over() {
    if (TRY(in_.ledger.agenda().take_over(as_run(in_.clock.now()), settings_.launch))) return {};
    return fail(Kind::busy, fmt::format("run {} has ended, or another process was started for it", id_),
                fmt::format("`steward runs show {}` tells what became of it.", id_));
  }

  std::unexpected<Error> ended_before_it_began(Error why) {
    const auto status =
        row_of(why.kind).exit_code == 3 || why.kind == Kind::busy ? ledger::Status::refused : ledger::Status::failed;
    // The error that is told is the first one.
    (void)in_.ledger.end_run(id_, status, in_.clock.now(), to_json(why).dump());
    return std::unexpected(std::move(why));
  }

  Result<void> note_dead_runs(Instant now) {
    for (const ledger::Run& run :
         TRY(in_.ledger.runs({.job = job_.name, .status = ledger::Status::running, .limit = 100}))) {
      if (run.id == id_ || !is_gone(run, now)) continue;
      TRY(in_.ledger.end_run(run.id, ledger::Status::interrupted, now, ""));
      in_.reporter.note(Level::warning, "",
                        fmt::format("run {} died without a word; this run finishes what it left", run.id));
    }
    return {};
  }

  Result<void> work() {
    standing_ = TRY(standing_refusal(&in_.ledger, in_.clock.now(), settings_.barred));
    TRY(recover());
    const Plan plan = TRY(make_plan());
    digest_ = TRY(in_.state.save(plan));
    if (asking_.approved())
      digest_ = asking_.digest();  // the ledger keeps the plan that was approved
    else if (is_started_from_a_plan())
      digest_ = digest_of(*settings_.approved);  // and the one that it was queued with (run/bound_plan.h)
    else
      TRY(keep_plan(plan));
    results_ = asking_.earlier();
    for (const Step& step : plan.steps) {
      results_.push_back(context_.cancelled() ? left_out(step) : TRY(one(step)));
      TRY(in_.ledger.record_task(id_, record_of(results_.back())));
    }
    if (const auto anew = TRY(asking_.ask_anew(TRY(in_.ledger.run(id_)), plan, results_)))
      in_.reporter.note(
          Level::warning, "",
          fmt::format("run {} waits for an approval of the fresh plan: steward approvals show {}", *anew, *anew));
    return {};
  }

  /// The plan that the ledger has the run by; of a shard its whole's.
  Result<void> keep_plan(const Plan& plan) {
    if (settings_.shard) digest_ = settings_.shard->digest;
    return in_.ledger.set_plan(id_, digest_, to_json(settings_.shard ? settings_.shard->set.plan : plan).dump());
  }

  Result<void> recover() {
    for (const TaskSlot& slot : job_.tasks) {
      if (!takes_part(slot) || broken_.contains(slot.info.name)) continue;
      if (standing_ && slot.task->removes()) continue;  // to finish what an earlier run left is to remove
      context_.begin(*slot.task, {});
      for (const std::string& note : lock_notes_[slot.info.name]) context_.note(Level::warning, note);
      if (auto recovered = slot.task->recover(context_); !recovered) {
        if (context_.cancelled()) return recovered;
        broken_.emplace(slot.info.name, std::move(recovered).error());
      }
      recovery_notes_[slot.info.name] = context_.take_notes();
    }
    return {};
  }

  Result<Plan> make_plan() {
    Plan plan{.job = job_.name, .made = in_.clock.now(), .environment = settings_.environment};
    PlanContext context = TRY(planning(in_.clock, in_.state, &in_.ledger, settings_.brakes));
    const std::optional<Error> behind = TRY(behind_ledger(context.now));
    const PlanRules rules{.brakes = settings_.brakes,
                          .ledger = &in_.ledger,
                          .standing = standing_,
                          .shard = settings_.shard ? &*settings_.shard : nullptr};
    for (const TaskSlot& slot : job_.tasks) {
      if (!is_asked_for(slot.info.name)) continue;
      if (!slot.task) {
        plan.steps.push_back(unplanned(slot));
        continue;
      }
      const Step* approved = approved_step(slot.info.name);
      context.cutoff = approved != nullptr && approved->readiness == Readiness::ready ? std::optional(approved->cutoff)
                                                                                      : std::nullopt;
      const auto broken = broken_.find(slot.info.name);
      Step step =
          broken != broken_.end() ? failed_step(slot, broken->second) : TRY(plan_task(slot, job_, context, rules));
      if (context_.cancelled()) return std::unexpected(context_.why_stopped());
      if (behind && !step.brake) step.brake = behind;
      plan.steps.push_back(std::move(step));
    }
    return plan;
  }

  /// A clock behind what the ledger has recorded is wrong.
  Result<std::optional<Error>> behind_ledger(Instant now) {
    const std::optional<Instant> latest = TRY(in_.ledger.latest());
    if (!latest || *latest <= now + clock_tolerance) return std::nullopt;
    return clock_refusal(now, *latest, "the ledger's last entry");
  }

  const Step* approved_step(std::string_view task) const {
    if (!approved()) return nullptr;
    for (const Step& step : approved()->steps)
      if (step.task == task) return &step;
    return nullptr;
  }

  TaskResult left_out(const Step& step) const {
    TaskResult result{.task = step.task,
                      .status = step.readiness == Readiness::ready ? "cancelled" : status_unready(step),
                      .needs = step.needs,
                      .planned = step.planned};
    return result;
  }

  static std::string status_unready(const Step& step) {
    switch (step.readiness) {
      case Readiness::not_configured: return "not_configured";
      case Readiness::off: return "off";
      default: return "failed";
    }
  }

  std::optional<Error> refusal(const Step& step) const {
    if (approved()) {
      const Step* approved = approved_step(step.task);
      if (approved == nullptr)
        return Error{Kind::refused, fmt::format("{}: the plan does not have it", step.task),
                     "Make a fresh plan with `steward plan`.", "plan-outdated"};
      if (auto error = beyond(*approved, step)) return error;
    }
    const bool allowed = step.brake && step.brake->code.starts_with("brake-") &&
                         (settings_.allow_removal.contains(step.task) || asking_.approved().has_value());
    return step.brake && !allowed ? step.brake : std::nullopt;
  }

  Result<TaskResult> one(const Step& step) {
    TaskResult result{.task = step.task, .needs = step.needs, .planned = step.planned, .skipped = step.skipped};
    if (const auto notes = recovery_notes_.find(step.task); notes != recovery_notes_.end())
      result.notes = notes->second;
    if (step.readiness != Readiness::ready) {
      result.status = status_unready(step);
      result.error = step.error;
      if (step.error) result.status = status_of(*step.error, false);
      if (step.error) in_.reporter.task_ended(step.task, result.status, {}, {}, &*step.error);
      return result;
    }
    // Of a shard's plan was asked when it was handed out.
    if (!settings_.shard && TRY(asking_.waits(job_, step, task_asks(step.task), result))) {
      in_.reporter.task_ended(step.task, result.status, {}, step.skipped, nullptr);
      return result;
    }
    if (auto error = refusal(step)) {
      result.status = status_of(*error, false);
      result.error = std::move(error);
      in_.reporter.task_ended(step.task, result.status, {}, step.skipped, &*result.error);
      return result;
    }
    if (auto taken = take_on(step); !taken) {
      result.status = status_of(taken.error(), false);
      result.error = std::move(taken).error();
      in_.reporter.task_ended(step.task, result.status, {}, step.skipped, &*result.error);
      return result;
    }
    execute(step, result);
    return result;
  }

  /// A shard's part in what all shards of its plan may remove together.
  Result<void> take_on(const Step& step) {
    if (!settings_.shard) return {};
    const auto& [set, digest, number] = *settings_.shard;
    const std::uint64_t before = TRY(removed_by_shard(in_.ledger, digest, number, id_));
    return in_.ledger.shards().take_on(digest, number, before + step.planned.items);
  }

  bool task_asks(const std::string& task) const {
    return std::ranges::any_of(job_.tasks, [&](const TaskSlot& s) { return s.info.name == task && s.approval; });
  }

  void execute(const Step& step, TaskResult& result) {
    const auto slot = std::ranges::find_if(job_.tasks, [&](const TaskSlot& s) { return s.info.name == step.task; });
    context_.begin(*slot->task, step.planned);
    in_.reporter.task_began(step);
    auto executed = context_.checkpoint("task: begin");
    if (executed) executed = slot->task->execute(step, context_);
    result.done = context_.so_far();
    if (step.planned.bytes && !result.done.bytes && result.done.items == 0) result.done.bytes = Bytes{};
    Skips all;
    for (const Skip& skip : step.skipped) {
      all.add(skip.reason, "", skip.items);
    }
    for (const Skip& skip : context_.skips().list())
      all.add(skip.reason, skip.examples.empty() ? "" : skip.examples.front(), skip.items);
    result.skipped = all.list();
    for (std::string& note : context_.take_notes()) result.notes.push_back(std::move(note));
    if (executed) {
      result.status = "succeeded";
    } else {
      result.error = std::move(executed).error();
      // A statement that the stop has cancelled tells of statements; what happened is the stop.
      if (context_.cancelled() && result.error->kind == Kind::interrupted) result.error = context_.why_stopped();
      result.status = status_of(*result.error, context_.cancelled());
    }
    in_.reporter.task_ended(step.task, result.status, result.done, result.skipped,
                            result.error ? &*result.error : nullptr);
  }

  static ledger::TaskRecord record_of(const TaskResult& result) {
    return {.task = result.task,
            .status = result.status,
            .planned_items = result.planned.items,
            .done_items = result.done.items,
            .done_bytes = result.done.bytes.value_or(Bytes{}).count,
            .detail = to_json(result).dump()};
  }

  Result<RunResult> end(std::optional<Error> error) {
    RunResult result{.id = id_, .job = job_.name, .plan_digest = digest_, .tasks = results_};
    const Verdict verdict = verdict_of(results_);
    result.status = verdict.status;
    result.exit_code = verdict.exit_code;
    if (!error && !context_.cancelled()) {
      const auto waits = wait_for_approval();
      if (waits && *waits) {
        result.status = ledger::Status::waiting;
        result.exit_code = 3;
        return result;
      }
      if (!waits) error = waits.error();
    }
    if (error || context_.cancelled()) {
      result.status = context_.cancelled() ? ledger::Status::cancelled : ledger::Status::failed;
      result.exit_code = error ? std::max(1, row_of(error->kind).exit_code) : 1;
    }
    const std::string said = error ? to_json(*error).dump() : std::string{};
    auto recorded = in_.ledger.end_run(id_, result.status, in_.clock.now(), said);
    if (error && !context_.cancelled()) return std::unexpected(*std::move(error));
    if (!recorded) return std::unexpected(std::move(recorded).error());
    return result;
  }

  /// Whether the run waits from now on: true, and it has left this process.
  Result<bool> wait_for_approval() {
    if (!asking_.has_questions()) return false;
    const ledger::Run run = TRY(in_.ledger.run(id_));
    if (TRY(asking_.ask(run, digest_))) return true;
    in_.stop.request_stop();  // cancelled meanwhile
    return std::unexpected(context_.why_stopped());
  }

  const Job& job_;
  const RunSettings& settings_;
  Reporters reporters_{};
  std::unique_ptr<LogReporter> log_{};
  Surroundings in_;
  std::string id_;
  Context context_;
  Asking asking_;
  std::string digest_{};
  std::optional<Error> standing_{};
  std::map<std::string, Error> broken_{};
  std::map<std::string, std::vector<std::string>> lock_notes_{};
  std::map<std::string, std::vector<std::string>> recovery_notes_{};
  std::vector<TaskResult> results_{};
};

}  // namespace

Result<RunResult> run_job(const Job& job, const RunSettings& settings, const Surroundings& in) {
  TRY(check_names(job, settings.only));
  if (settings.approved && settings.approved->job != job.name)
    return fail(Kind::bad_input, fmt::format("that plan is of {}, not of {}", settings.approved->job, job.name),
                "Name the job that it was made for.");
  return Running(job, settings, in).carry_out();
}

}  // namespace steward
