#include "engine/outlook.h"

#include <fmt/format.h>

#include <algorithm>

#include "run/holds.h"
#include "run/ledger/approvals.h"

namespace steward::engine {
namespace {

constexpr std::chrono::years ten_years{10};
constexpr std::size_t ticks_seen_through = 1000;
constexpr int ticks_looked_at = 2000;  // of blackouts and ends of pauses, in the search for one that fires

/// What is in the way of a tick, and until when; without an end: until somebody acts.
struct InTheWay {
  Outcome outcome{};
  Standing standing{};
  std::string reason{};
  std::optional<Instant> until{};
};

bool still_at(const std::optional<Instant>& until, Instant tick) { return !until || *until > tick; }

/// In the order in which the scheduler asks.
std::optional<InTheWay> in_the_way(const ScheduledJob& job, const OutlookFacts& facts, Instant tick) {
  const auto paused = [](const Pause& pause) {
    return InTheWay{
        .outcome = Outcome::paused, .standing = Standing::paused, .reason = words_of(pause), .until = pause.until};
  };
  if (job.schedule.pause && still_at(job.schedule.pause->until, tick)) return paused(*job.schedule.pause);
  for (const ledger::Pause& pause : facts.pauses)
    if ((pause.job == job.name || pause.job == "*") && still_at(pause.until, tick))
      return paused({.reason = pause.reason, .until = pause.until, .who = pause.who});
  if (job.removes) {
    std::vector<ledger::Freeze> then = facts.freezes;
    std::erase_if(then, [&](const ledger::Freeze& freeze) { return !still_at(freeze.until, tick); });
    if (const auto refusal = freeze_refusal(then)) {
      const auto lasts = [](const ledger::Freeze& freeze) { return freeze.until.value_or(Instant::max()); };
      return InTheWay{.outcome = Outcome::frozen,
                      .standing = Standing::frozen,
                      .reason = refusal->message,
                      .until = std::ranges::max_element(then, {}, lasts)->until};
    }
  }
  const Instant start = tick + jitter_of(job.name, job.schedule.jitter);
  for (const Blackout& blackout : job.schedule.blackouts)
    if (covers(blackout, job.schedule.zone, start))
      return InTheWay{.outcome = Outcome::blackout,
                      .standing = Standing::blackout,
                      .reason = fmt::format("blackout {}", blackout.text),
                      .until = tick};
  const auto run = facts.waiting.find(job.name);
  if (run != facts.waiting.end() && job.schedule.approval.required)
    return InTheWay{.outcome = Outcome::waiting,
                    .standing = Standing::waiting,
                    .reason = fmt::format("run {} waits for an approval", run->second)};
  return {};
}

/// The first tick from `tick` on that nothing is in the way of.
std::optional<Instant> first_that_fires(const ScheduledJob& job, const OutlookFacts& facts, Instant tick) {
  for (int i = 0; i < ticks_looked_at; ++i) {
    const auto obstacle = in_the_way(job, facts, tick);
    if (!obstacle) return tick;
    if (!obstacle->until) return {};
    // An end is not part of a pause: a tick at that moment fires.
    const auto next = next_tick(job.schedule, std::max(tick, *obstacle->until - std::chrono::microseconds(1)));
    if (!next) return {};
    tick = next->at;
  }
  return {};
}

Standing standing_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::off: return Standing::off;
    case Outcome::left: return Standing::left;
    default: return Standing::not_configured;
  }
}

/// The last whole run, where cron, another scheduler or Dagster has started it and it is no older than the tick before
/// the last one: somebody sees to the job. A daemon's own last run says nothing of whether it lives, a person's
/// neither.
const ledger::Run* others_run(const ScheduledJob& job, const OutlookFacts& facts) {
  const auto run = facts.runs.find(job.name);
  if (run == facts.runs.end() || (run->second.trigger != "script" && run->second.trigger != "dagster")) return nullptr;
  const auto since = ticks_back(job.schedule, facts.now, 2);
  return since && run->second.started >= *since ? &run->second : nullptr;
}

}  // namespace

std::string_view name_of(Standing standing) {
  switch (standing) {
    case Standing::scheduled: return "scheduled";
    case Standing::paused: return "paused";
    case Standing::frozen: return "frozen";
    case Standing::blackout: return "blackout";
    case Standing::waiting: return "waiting";
    case Standing::unkept: return "unkept";
    case Standing::off: return "off";
    case Standing::left: return "left";
    case Standing::not_configured: return "not-configured";
  }
  return "?";
}

std::optional<Instant> ticks_back(const Schedule& schedule, Instant now, std::size_t count) {
  const std::size_t most = schedule.blackouts.empty() ? count : ticks_seen_through;
  std::vector<Instant> ticks = latest_ticks(schedule, now - ten_years, now, most).ticks;
  std::erase_if(ticks, [&](Instant tick) {
    return std::ranges::any_of(schedule.blackouts,
                               [&](const Blackout& blackout) { return covers(blackout, schedule.zone, tick); });
  });
  if (ticks.size() < count) return {};
  return ticks[ticks.size() - count];
}

std::optional<Instant> resumed(const ScheduledJob& job, const std::vector<ledger::Pause>& pauses,
                               const std::vector<ledger::Freeze>& freezes, Instant now) {
  std::optional<Instant> last;
  const auto take = [&](const std::optional<Instant>& lifted, const std::optional<Instant>& until) {
    const Instant end = std::min(lifted.value_or(Instant::max()), until.value_or(Instant::max()));
    if (end <= now) last = std::max(last.value_or(end), end);
  };
  for (const ledger::Pause& pause : pauses)
    if (pause.job == job.name || pause.job == "*") take(pause.lifted, pause.until);
  if (job.schedule.pause) take({}, job.schedule.pause->until);
  if (job.removes)
    for (const ledger::Freeze& freeze : freezes) take(freeze.lifted, freeze.until);
  return last;
}

Outlook outlook(const ScheduledJob& job, const OutlookFacts& facts) {
  Outlook out{
      .job = job.name, .schedule = text_of(job.schedule), .words = words_of(job.schedule), .zone = job.schedule.zone};
  if (const auto last = facts.last.find(job.name); last != facts.last.end()) out.last = last->second;
  if (const auto never = standing_obstacle(job)) {
    out.standing = standing_of(never->outcome);
    out.reason = never->reason;
    return out;
  }
  out.scheduled_here = true;
  out.kept = !facts.keepers ||
             std::ranges::any_of(*facts.keepers, [&](const Keeper& keeper) { return keeper.keeps(job.name); });
  const auto next = next_tick(job.schedule, facts.now);
  if (!next) return out;
  out.next = next->at;
  const ledger::Run* others = out.kept ? nullptr : others_run(job, facts);
  out.started_by_others = others != nullptr;
  if (const auto obstacle = in_the_way(job, facts, next->at)) {
    out.standing = obstacle->standing;
    out.reason = obstacle->reason;
  } else if (!out.kept) {
    out.standing = Standing::unkept;
    out.reason = "no daemon is running";
    if (others != nullptr) out.reason += fmt::format("; it was last started by {}", others->trigger);
  }
  if (out.kept) out.fires = first_that_fires(job, facts, next->at);
  if (out.fires) out.starts = *out.fires + jitter_of(job.name, job.schedule.jitter);
  return out;
}

std::optional<Obstacle> obstacle_elsewhere(const ScheduledJob& job, const OutlookFacts& facts, Instant tick) {
  ScheduledJob unspread = job;
  unspread.schedule.jitter = {};
  const auto blackout = [&](Instant at) -> std::optional<Obstacle> {
    for (const Blackout& one : job.schedule.blackouts) {
      if (!covers(one, job.schedule.zone, at)) continue;
      const Instant end = end_of(one, job.schedule.zone, at);
      return Obstacle{.outcome = Outcome::blackout,
                      .reason = fmt::format("blackout {}, until {}", one.text, format_instant(end)),
                      .until = end};
    }
    return {};
  };
  auto found = in_the_way(unspread, facts, facts.now);
  if (found && found->outcome != Outcome::blackout)
    return Obstacle{.outcome = found->outcome, .reason = std::move(found->reason), .until = found->until};
  for (const Instant at : {facts.now, tick})
    if (auto covering = blackout(at)) return covering;
  if (job.schedule.overlap != Overlap::skip) return {};
  for (const UnderWay& other : facts.under_way) {
    if (other.job == job.name)
      return Obstacle{.outcome = Outcome::overlap, .reason = fmt::format("run {} is under way", other.run)};
    if (!job.schedule.concurrency.empty() && other.concurrency == job.schedule.concurrency)
      return Obstacle{.outcome = Outcome::overlap,
                      .reason = fmt::format("run {} of {} is under way (concurrency key {})", other.run, other.job,
                                            other.concurrency)};
  }
  return {};
}

Result<Outlooks> outlooks(ledger::Ledger& ledger, const StateDirectory& state, const std::vector<ScheduledJob>& jobs,
                          bool shared, Instant now) {
  Outlooks out;
  OutlookFacts& facts = out.facts;
  facts.now = now;
  facts.pauses = TRY(ledger.agenda().pauses(now));
  facts.freezes = TRY(ledger.freezes(now));
  const std::vector<ledger::Approval> waiting = TRY(ledger.approvals().approvals({}));
  for (const ledger::Approval& approval : waiting) facts.waiting.emplace(approval.job, approval.run);
  for (const ScheduledJob& job : jobs) {
    std::vector<ledger::Tick> ticks = TRY(ledger.agenda().ticks({.job = job.name, .limit = 1}));
    if (!ticks.empty()) facts.last.emplace(job.name, std::move(ticks.front()));
    std::vector<ledger::Run> runs = TRY(ledger.runs({.job = job.name, .whole = true, .limit = 1}));
    if (!runs.empty()) facts.runs.emplace(job.name, std::move(runs.front()));
  }
  facts.keepers = TRY(keepers(ledger, state, shared, now));
  for (const ScheduledJob& job : jobs) out.jobs.push_back(outlook(job, facts));
  return out;
}

}  // namespace steward::engine
