#include "run/asking.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/ledger/people.h"

namespace steward {
namespace {
using nlohmann::json;

constexpr std::size_t runs_looked_at = 20;

/// The step by which the task was last carried out.
Result<std::optional<Step>> last_carried_out(ledger::Ledger& ledger, std::string_view job, std::string_view task) {
  for (const ledger::PastTask& past : TRY(ledger.past_tasks(job, task, runs_looked_at))) {
    const std::string& status = past.record.status;
    if (status != "succeeded" && status != "failed" && status != "cancelled") continue;
    const auto plan = plan_from_json(json::parse(past.plan, nullptr, false));
    if (!plan) return std::nullopt;  // forgotten: what it was is not known
    const auto step = std::ranges::find(plan->steps, task, &Step::task);
    if (step != plan->steps.end() && step->readiness == Readiness::ready) return *step;
  }
  return std::nullopt;
}

bool is_in(const std::vector<std::string>& tasks, std::string_view task) {
  return std::ranges::find(tasks, task) != tasks.end();
}

Plan without_others(Plan plan, const std::vector<std::string>& tasks) {
  std::erase_if(plan.steps, [&](const Step& step) { return !is_in(tasks, step.task); });
  return plan;
}

}  // namespace

Result<Plan> asked_plan(const ledger::Approval& approval, const ledger::Run& run) {
  Plan plan = TRY(plan_from_json(nlohmann::json::parse(run.plan, nullptr, false)));
  std::erase_if(plan.steps,
                [&](const Step& step) { return std::ranges::find(approval.tasks, step.task) == approval.tasks.end(); });
  return plan;
}

Result<bool> has_one_approver(ledger::Ledger& ledger) {
  std::size_t approvers = 0;
  for (const ledger::User& user : TRY(ledger.people().users()))
    approvers += !user.disabled && user.role >= ledger::Role::approver;
  return approvers == 1;
}

Result<Question> question_for(ledger::Ledger& ledger, std::string_view job, const Step& step, bool required,
                              bool unattended) {
  std::optional<Step> before;
  if (unattended) before = TRY(last_carried_out(ledger, job, step.task));
  return question_of(step, required, unattended, before ? &*before : nullptr);
}

Asking::Asking(ledger::Ledger& ledger, const Clock& clock, const RunSettings& settings)
    : ledger_(ledger), clock_(clock), settings_(settings) {}

Result<void> Asking::load(std::string_view id) {
  auto found = ledger_.approvals().approval(id);
  if (!found && found.error().kind == Kind::not_found) return {};
  approval_ = TRY(std::move(found));
  const ledger::Run run = TRY(ledger_.run(id));
  Plan plan = TRY(plan_from_json(json::parse(run.plan, nullptr, false)));
  if (digest_of(plan) != approval_->digest)
    return fail(Kind::corrupt, fmt::format("the plan of run {} is not the one that was approved", id),
                "Somebody has changed the ledger: nothing was done. `steward ledger verify` looks further.");
  approved_ = without_others(std::move(plan), approval_->tasks);
  for (const ledger::TaskRecord& record : TRY(ledger_.tasks(id)))
    if (!is_in(approval_->tasks, record.task))
      earlier_.push_back(task_result_from(json::parse(record.detail, nullptr, false)));
  return {};
}

bool Asking::has_part(std::string_view task) const { return !approval_ || is_in(approval_->tasks, task); }

Result<std::optional<std::string>> Asking::asked_by_another(const Job& job, std::string_view task) {
  for (const ledger::Approval& other : TRY(ledger_.approvals().approvals({.job = job.name})))
    if (other.expires > clock_.now() && is_in(other.tasks, task)) return other.run;
  return std::nullopt;
}

Result<bool> Asking::waits(const Job& job, const Step& step, bool task_asks, TaskResult& result) {
  if (approval_ || step.readiness != Readiness::ready) return false;
  Question question =
      TRY(question_for(ledger_, job.name, step, settings_.approval.required || task_asks, settings_.unattended));
  if (settings_.allow_removal.contains(step.task)) question.brake.reset();
  if (!question.any()) return false;
  result.status = "waiting";
  for (const std::string& reason : reasons_of(question)) result.notes.push_back("waits for an approval: " + reason);
  if (const auto other = TRY(asked_by_another(job, step.task))) {
    result.notes.push_back(fmt::format("run {} waits for it already: steward approvals show {}", *other, *other));
    return true;
  }
  questions_.push_back(std::move(question));
  return true;
}

ledger::Approval Asking::question(const ledger::Run& run, std::string digest,
                                  const std::vector<Question>& questions) const {
  const Instant now = clock_.now();
  ledger::Approval out{.run = run.id,
                       .job = run.job,
                       .digest = std::move(digest),
                       .asked = now,
                       .asked_by = run.actor,
                       .expires = now + settings_.approval.expires_in,
                       .four_eyes = settings_.approval.four_eyes};
  json reasons = json::array();
  for (const Question& question : questions) {
    out.tasks.push_back(question.task);
    reasons.push_back(to_json(question));
  }
  out.reasons = reasons.dump(-1, ' ', false, json::error_handler_t::replace);
  return out;
}

Result<bool> Asking::ask(const ledger::Run& run, const std::string& digest) {
  return ledger_.approvals().ask(question(run, digest, questions_));
}

Result<std::optional<std::string>> Asking::ask_anew(const ledger::Run& run, const Plan& fresh,
                                                    const std::vector<TaskResult>& results) {
  if (!approval_) return std::nullopt;
  const std::vector<Question> asked = questions_from_json(json::parse(approval_->reasons, nullptr, false));
  std::vector<Question> questions;
  std::vector<std::string> tasks;
  for (const TaskResult& result : results) {
    if (!result.error || result.error->code != "plan-outdated") continue;
    const auto before = std::ranges::find(asked, result.task, &Question::task);
    questions.push_back(before != asked.end() ? *before : Question{.task = result.task, .required = true});
    tasks.push_back(result.task);
  }
  if (questions.empty()) return std::nullopt;
  const Plan plan = without_others(fresh, tasks);
  const Instant now = clock_.now();
  const ledger::Run anew{.id = new_run_id(now),
                         .job = run.job,
                         .scope = fmt::format("{}", fmt::join(tasks, ",")),
                         .status = ledger::Status::waiting,
                         .started = now,
                         .heartbeat = now,
                         .process = run.process,
                         .trigger = run.trigger,
                         .actor = run.actor,
                         .version = run.version,
                         .environment = run.environment,
                         .plan_digest = digest_of(plan),
                         .plan = to_json(plan).dump(),
                         .due = run.due,
                         .retry_of = run.id};
  TRY(ledger_.approvals().ask_anew(anew, question(anew, anew.plan_digest, questions)));
  return anew.id;
}

}  // namespace steward
