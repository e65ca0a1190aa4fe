#include "run/planning.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/text.h"
#include "run/forecast.h"
#include "run/runner.h"

namespace steward {
namespace {

constexpr std::size_t runs_for_brakes = 50;

std::vector<std::string> names_of(const Job& job) {
  std::vector<std::string> names;
  for (const TaskSlot& slot : job.tasks) names.push_back(slot.info.name);
  return names;
}

}  // namespace

bool is_named(const std::vector<std::string>& only, const std::string& task) {
  return only.empty() || std::ranges::find(only, task) != only.end();
}

Result<void> check_names(const Job& job, const std::vector<std::string>& only) {
  const std::vector<std::string> names = names_of(job);
  for (const std::string& name : only)
    if (std::ranges::find(names, name) == names.end()) {
      std::string hint = did_you_mean(name, names);
      if (hint.empty()) hint = fmt::format("Its tasks are {}.", join_and(names));
      return fail(Kind::bad_input, fmt::format("{} has no task \"{}\"", job.name, printable(name)), std::move(hint));
    }
  std::vector<std::string> needs;
  for (const TaskSlot& slot : job.tasks) {
    if (!is_named(only, slot.info.name)) continue;
    if (slot.task || !slot.off_by.empty()) return {};
    for (const std::string& need : slot.needs)
      if (std::ranges::find(needs, need) == needs.end()) needs.push_back(need);
  }
  return fail(Kind::bad_input, fmt::format("nothing of {} is configured", only.empty() ? job.name : join_and(only)),
              fmt::format("Set {}; `steward config show` lists all settings.", join_and(needs)), "not-configured");
}

Step unplanned(const TaskSlot& slot) {
  Step step{.task = slot.info.name};
  if (!slot.off_by.empty()) {
    step.readiness = Readiness::off;
    step.reason = fmt::format("off (by {})", slot.off_by);
  } else {
    step.readiness = Readiness::not_configured;
    step.needs = slot.needs;
    step.reason = fmt::format("not configured: set {}", join_and(slot.needs));
  }
  return step;
}

Step failed_step(const TaskSlot& slot, Error error) {
  return {.task = slot.info.name, .readiness = Readiness::failed, .error = std::move(error)};
}

Result<std::optional<Error>> standing_refusal(ledger::Ledger* ledger, Instant now, const std::optional<Error>& barred) {
  if (ledger == nullptr) return barred;
  auto frozen = freeze_refusal(TRY(ledger->freezes(now)));
  return frozen ? frozen : barred;
}

Result<Step> plan_task(const TaskSlot& slot, const Job& job, PlanContext& context, const PlanRules& rules) {
  // A shard's brakes look at its whole, which was counted when that was planned.
  if (rules.shard != nullptr) context.count_all_from = std::numeric_limits<std::uint64_t>::max();
  auto planned = slot.task->plan(context);
  if (!planned) return failed_step(slot, std::move(planned).error());
  Step step = *std::move(planned);
  step.task = slot.info.name;
  // Nothing is lost by what removes nothing, however much it is.
  if (!slot.task->removes()) return step;
  if (rules.standing) step.brake = rules.standing;
  if (rules.ledger == nullptr) return step;
  if (rules.shard == nullptr)
    step.forecast = forecast(step.planned, TRY(past_runs(*rules.ledger, job.name, step.task, &step)));
  if (step.brake || (rules.shard != nullptr && rules.shard->set.allow_removal)) return step;
  const std::string_view under_way = rules.shard != nullptr ? std::string_view(rules.shard->digest) : "";
  const std::vector<std::uint64_t> earlier =
      TRY(rules.ledger->last_removed(job.name, step.task, runs_for_brakes, under_way));
  step.brake = brake(rules.brakes, rules.shard != nullptr ? rules.shard->set.step() : step, earlier);
  return step;
}

Result<PlanContext> planning(const Clock& clock, const StateDirectory& state, ledger::Ledger* ledger,
                             const Brakes& brakes) {
  PlanContext context{.now = clock.now(), .count_all_from = brakes.from, .state = &state};
  if (ledger == nullptr) return context;
  const std::int64_t generation = TRY(ledger->hold_generation());
  context.holds = Holds(TRY(ledger->holds(context.now)), generation);
  return context;
}

std::optional<Error> beyond(const Step& approved, const Step& fresh) {
  const auto refused = [&](std::string why) {
    return Error{Kind::refused, fmt::format("{}: {}", fresh.task, why),
                 "Look at a fresh plan with `steward plan`, and run that.", "plan-outdated"};
  };
  if (approved.readiness != Readiness::ready) return refused("the plan did not cover it");
  if (approved.target != fresh.target)
    return refused(fmt::format("the plan is for {}, this is {}", approved.target, fresh.target));
  if (approved.filter != fresh.filter) return refused("its filter is not the plan's any more");
  if (approved.planned.items < fresh.planned.items)
    return refused(fmt::format("{} items now, the plan has {}", format_count(fresh.planned.items),
                               format_count(approved.planned.items)));
  for (const Consequence& now : fresh.consequences) {
    const auto planned = std::ranges::find_if(approved.consequences, [&](const Consequence& one) {
      return one.target == now.target && one.what == now.what;
    });
    const std::uint64_t rows = planned == approved.consequences.end() ? 0 : planned->rows;
    if (rows < now.rows)
      return refused(fmt::format("{} rows of {} refer to them now, the plan has {}", format_count(now.rows),
                                 printable(now.target), format_count(rows)));
  }
  return {};
}

Result<Plan> plan_job(const Job& job, const std::vector<std::string>& only, const std::string& environment,
                      const Brakes& brakes, const Clock& clock, const StateDirectory& state, ledger::Ledger* ledger,
                      const std::optional<Error>& barred, KeySample* sample) {
  TRY(check_names(job, only));
  PlanContext context = TRY(planning(clock, state, ledger, brakes));
  context.sample = sample;
  const std::optional<Error> standing = TRY(standing_refusal(ledger, context.now, barred));
  const PlanRules rules{.brakes = brakes, .ledger = ledger, .standing = standing};
  Plan plan{.job = job.name, .made = context.now, .environment = environment};
  for (const TaskSlot& slot : job.tasks) {
    if (!is_named(only, slot.info.name)) continue;
    plan.steps.push_back(slot.task ? TRY(plan_task(slot, job, context, rules)) : unplanned(slot));
  }
  return plan;
}

std::optional<Error> clock_refusal(Instant now, Instant server, std::string_view what) {
  const auto off = now - server;
  if (std::chrono::abs(off) <= clock_tolerance) return {};
  return Error{Kind::refused,
               fmt::format("this machine's clock says {}, {} says {}: {} {}",
                           format_instant(std::chrono::floor<std::chrono::seconds>(now)), what,
                           format_instant(std::chrono::floor<std::chrono::seconds>(server)),
                           format_span(std::chrono::abs(off)), off.count() > 0 ? "ahead" : "behind"),
               "Set the clock right (timedatectl), then run it again; with a wrong one, the wrong things are old.",
               "clock"};
}

}  // namespace steward
