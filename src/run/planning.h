/// How a run, a plan and a handing-out of shards make the steps of a job: what they share.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "run/brakes.h"
#include "run/job.h"
#include "run/ledger/ledger.h"
#include "run/plan.h"
#include "run/shard_work.h"

namespace steward {

/// Whether `task` is among those; none named are all.
bool is_named(const std::vector<std::string>& only, const std::string& task);
/// bad_input where `only` names no task of the job, or nothing that it names is configured.
Result<void> check_names(const Job& job, const std::vector<std::string>& only);

/// The step of a task that is off or not configured, and of one that cannot be planned.
Step unplanned(const TaskSlot& slot);
Step failed_step(const TaskSlot& slot, Error error);

/// Why nothing may be removed at all: a freeze, or what the caller knows.
Result<std::optional<Error>> standing_refusal(ledger::Ledger* ledger, Instant now, const std::optional<Error>& barred);
/// What tasks are planned with, without a cutoff.
Result<PlanContext> planning(const Clock& clock, const StateDirectory& state, ledger::Ledger* ledger,
                             const Brakes& brakes);
/// What the steps of one run or plan have in common.
struct PlanRules {
  const Brakes& brakes;
  ledger::Ledger* ledger = nullptr;
  const std::optional<Error>& standing;
  const ShardWork* shard = nullptr;  ///< The task is a shard: the brakes are those of its whole.
};
/// The step of one task, with its brake.
Result<Step> plan_task(const TaskSlot& slot, const Job& job, PlanContext& context, const PlanRules& rules);

/// The fresh step may do no more than the approved one: same target and filter, no more items, and no more
/// rows of other tables. Else the refusal.
std::optional<Error> beyond(const Step& approved, const Step& fresh);

}  // namespace steward
