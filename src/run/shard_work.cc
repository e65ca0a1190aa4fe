#include "run/shard_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "run/asking.h"
#include "run/ledger/shards.h"
#include "run/planning.h"
#include "run/runner.h"

namespace steward {
namespace {
using nlohmann::json;

TaskSlot& slot_of(Job& job, const std::string& task) {
  return *std::ranges::find_if(job.tasks, [&](const TaskSlot& slot) { return slot.info.name == task; });
}

/// Why no shard of the step is handed out.
Result<std::optional<Error>> refusal_of(const Step& step, const Job& job, bool task_asks,
                                        const HandOutSettings& settings, ledger::Ledger& ledger) {
  const bool allowed = settings.allow_removal && step.brake && step.brake->code.starts_with("brake-");
  if (step.brake && !allowed) return step.brake;
  Question question =
      TRY(question_for(ledger, job.name, step, settings.approval.required || task_asks, settings.unattended));
  question.brake.reset();  // it is let past, or was refused above
  if (!question.any()) return std::nullopt;
  return Error{
      Kind::refused,
      fmt::format("{}: {}, and shards cannot wait for an approval", step.task, fmt::join(reasons_of(question), "; ")),
      fmt::format("Run it as a whole: steward run {}/{}", job.name, step.task), "shards-approval"};
}

struct Found {
  ledger::ShardSetRecord record{};
  ShardSet set{};
};
Result<Found> find_set(ledger::Ledger& ledger, const std::string& job, const std::string& task,
                       const std::string& digest) {
  Found found{.record = TRY(ledger.shards().set(job, task, digest))};
  found.set = TRY(shard_set_from_json(json::parse(found.record.document, nullptr, false)));
  if (digest_of(found.set.plan) != found.record.digest)
    return fail(Kind::corrupt, fmt::format("the plan {} is not the one that was handed out", found.record.digest),
                "Somebody has changed the ledger: nothing was done. `steward ledger verify` looks further.");
  return found;
}

/// What a run said last: of one that has ended its task's record, of others their progress. Nothing of one that did not
/// come to planning.
struct Word {
  Amount planned{}, done{};
  std::vector<Skip> skipped{};
};
std::optional<Word> last_word(const ledger::ShardRun& one) {
  if (!one.tasks.empty()) {
    TaskResult result = task_result_from(json::parse(one.tasks.front().detail, nullptr, false));
    if (result.status != "succeeded" && result.planned.items == 0) return std::nullopt;
    return Word{.planned = result.planned, .done = result.done, .skipped = std::move(result.skipped)};
  }
  const json progress = json::parse(one.run.progress, nullptr, false);
  if (!progress.is_object() || !progress.contains("planned") || !progress.contains("done")) return std::nullopt;
  Word word{.planned = amount_from_json(progress["planned"]), .done = amount_from_json(progress["done"])};
  return word.planned.items == 0 ? std::nullopt : std::optional(std::move(word));
}

/// What a run that was killed had removed: what the next one did not find any more, and no less than it had said.
Amount removed_by_killed(const Word& killed, const Word& next) {
  const auto missing = [](std::uint64_t there, std::uint64_t then, std::uint64_t said) {
    return std::max(said, there - std::min(there, then));
  };
  Amount out{.items = missing(killed.planned.items, next.planned.items, killed.done.items)};
  if (killed.planned.bytes && next.planned.bytes)
    out.bytes = Bytes{
        missing(killed.planned.bytes->count, next.planned.bytes->count, killed.done.bytes.value_or(Bytes{}).count)};
  return out;
}

std::uint64_t items_in(const std::vector<Skip>& skips) {
  std::uint64_t items = 0;
  for (const Skip& skip : skips) items += skip.items;
  return items;
}

ShardOutcome outcome_of(const Shard& shard, const std::vector<ledger::ShardRun>& runs) {
  ShardOutcome out{.shard = shard};
  std::optional<Word> killed;
  bool is_first = true;
  for (const ledger::ShardRun& one : runs) {
    if (one.run.shard != shard.number) continue;
    out.runs.push_back(one.run.id);
    out.status = ledger::name_of(one.run.status);
    auto word = last_word(one);
    if (!word) continue;
    if (std::exchange(is_first, false)) out.planned = word->planned;
    if (killed) {
      const Amount before = removed_by_killed(*killed, *word);
      out.done.add(before.items, before.bytes);
    }
    killed.reset();
    out.skipped = word->skipped;
    if (one.tasks.empty())
      killed = std::move(word);
    else
      out.done.add(word->done.items, word->done.bytes);
  }
  if (killed) out.done.add(killed->done.items, killed->done.bytes);
  return out;
}

}  // namespace

Result<HandedOut> hand_out(Job& job, const std::string& task, const HandOutSettings& settings, const Clock& clock,
                           const StateDirectory& state, ledger::Ledger& ledger) {
  KeySample sample;
  Plan plan = TRY(
      plan_job(job, {task}, settings.environment, settings.brakes, clock, state, &ledger, settings.barred, &sample));
  const TaskSlot& slot = slot_of(job, task);
  const Step& step = plan.steps.front();
  if (step.error) return std::unexpected(*step.error);
  if (step.readiness == Readiness::off)
    return fail(Kind::bad_input, fmt::format("{} is {}", task, step.reason), "Turn it on first.", "not-configured");
  if (const auto refusal = TRY(refusal_of(step, job, slot.approval, settings, ledger)))
    return std::unexpected(*refusal);
  PlanContext context = TRY(planning(clock, state, &ledger, settings.brakes));
  context.sample = &sample;
  HandedOut out{.set = {.allow_removal = settings.allow_removal,
                        .split = TRY(slot.task->split(step, std::max<std::uint64_t>(settings.count, 1), context))}};
  out.digest = TRY(state.save(plan));
  out.set.plan = std::move(plan);
  TRY(ledger.shards().enter({.digest = out.digest,
                             .job = job.name,
                             .task = task,
                             .made = out.set.plan.made,
                             .made_by = settings.actor,
                             .ceiling = out.set.step().planned.items,
                             .document = to_json(out.set).dump()}));
  return out;
}

Result<ShardWork> shard_work(ledger::Ledger& ledger, const std::string& job, const std::string& task,
                             const std::string& digest, std::uint64_t number) {
  Found found = TRY(find_set(ledger, job, task, digest));
  const std::size_t count = found.set.split.shards.size();
  if (number < 1 || number > count)
    return fail(Kind::bad_input, fmt::format("plan {} has no shard {}", found.record.digest.substr(0, 12), number),
                count == 1 ? "It has one, number 1." : fmt::format("It has shards 1 to {}.", count));
  return ShardWork{.set = std::move(found.set), .digest = std::move(found.record.digest), .number = number};
}

Result<void> narrow(Job& job, const std::string& task, const ShardWork& work) {
  const std::vector<Shard>& shards = work.set.split.shards;
  TaskSlot& slot = slot_of(job, task);
  if (!slot.task || shards.size() == 1) return {};  // the only one is the whole
  const auto mine = std::ranges::find(shards, work.number, &Shard::number);
  slot.task = slot.task->shard({.digest = work.digest, .number = work.number, .range = mine->range});
  if (slot.task) return {};
  return fail(Kind::refused, fmt::format("{} is not what it was when its shards were made: it cannot be cut", task),
              "Hand out a fresh plan with `steward shards`.", "plan-outdated");
}

Result<std::uint64_t> removed_by_shard(ledger::Ledger& ledger, const std::string& digest, std::uint64_t number,
                                       const std::string& but_for) {
  std::uint64_t items = 0;
  for (const ledger::ShardRun& one : TRY(ledger.shards().runs(digest)))
    if (const auto word = last_word(one); word && one.run.shard == number && one.run.id != but_for)
      items += word->done.items;
  return items;
}

Result<ShardSum> sum_of(ledger::Ledger& ledger, const std::string& job, const std::string& task,
                        const std::string& digest) {
  Found found = TRY(find_set(ledger, job, task, digest));
  ShardSum sum{.digest = found.record.digest, .set = std::move(found.set), .complete = true};
  const std::vector<ledger::ShardRun> runs = TRY(ledger.shards().runs(sum.digest));
  std::uint64_t stayed = 0;
  for (const Shard& shard : sum.set.split.shards) {
    const ShardOutcome& outcome = sum.shards.emplace_back(outcome_of(shard, runs));
    sum.done.add(outcome.done.items, outcome.done.bytes);
    sum.complete = sum.complete && outcome.status == ledger::name_of(ledger::Status::succeeded);
    stayed += items_in(outcome.skipped);
  }
  const Step& step = sum.set.step();
  sum.left_on_the_way = stayed - std::min(stayed, items_in(step.skipped));
  sum.equals_plan = sum.complete && sum.done.items <= step.planned.items &&
                    sum.done.items + sum.left_on_the_way >= step.planned.items;
  return sum;
}

json to_json(const HandedOut& handed_out) {
  const Step& step = handed_out.set.step();
  json document = to_json(handed_out.set);
  document.erase("plan");
  document["digest"] = handed_out.digest;
  document["job"] = handed_out.set.plan.job;
  document["task"] = step.task;
  document["cutoff"] = format_instant(step.cutoff);
  document["target"] = printable(step.target);
  document["planned"] = to_json(step.planned);
  return document;
}

json to_json(const ShardSum& sum) {
  json document = to_json(HandedOut{.digest = sum.digest, .set = sum.set});
  json shards = json::array();
  for (const ShardOutcome& outcome : sum.shards) {
    json one = to_json(outcome.shard);
    one["status"] = outcome.status;
    one["runs"] = outcome.runs;
    one["planned"] = to_json(outcome.planned);
    one["done"] = to_json(outcome.done);
    one["skipped"] = to_json(outcome.skipped);
    shards.push_back(std::move(one));
  }
  document["shards"] = std::move(shards);
  document["done"] = to_json(sum.done);
  document["left_on_the_way"] = sum.left_on_the_way;
  document["complete"] = sum.complete;
  document["equals_plan"] = sum.equals_plan;
  return document;
}

}  // namespace steward
