#include "engine/freshness.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "engine/outlook.h"
#include "run/ledger/agenda.h"
#include "run/ledger/outbox.h"
#include "run/runner.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;

/// How long after its tick a backup may take that is made less often than each day.
constexpr std::chrono::hours time_to_make{2};

bool is_in_force(const ledger::Pause& pause, Instant now) {
  return pause.made <= now && (!pause.lifted || *pause.lifted > now) && (!pause.until || *pause.until > now);
}

bool is_paused(const ScheduledJob& job, const std::vector<ledger::Pause>& pauses, Instant now) {
  if (job.schedule.pause && (!job.schedule.pause->until || *job.schedule.pause->until > now)) return true;
  return std::ranges::any_of(pauses, [&](const ledger::Pause& pause) {
    return (pause.job == job.name || pause.job == "*") && is_in_force(pause, now);
  });
}

/// Of a job that has had no run with tasks: its first tick.
Result<std::optional<Instant>> first_tick(ledger::Ledger& ledger, const std::string& job) {
  constexpr std::size_t looked_at = 500;
  const std::vector<ledger::Tick> ticks = TRY(ledger.agenda().ticks({.job = job, .limit = looked_at}));
  return ticks.empty() ? std::nullopt : std::optional(ticks.back().due);
}

Result<Freshness> freshness_of(ledger::Ledger& ledger, const ScheduledJob& job, const Watched& watched) {
  Freshness out{.job = job.name, .task = watched.task, .what = watched.what, .is_proved = !watched.proof.empty()};
  const ledger::MadeByTask made = TRY(ledger.made_by(job.name, watched.task));
  out.newest = made.began;
  if (out.is_proved) {
    const ledger::MadeByTask proof = TRY(ledger.made_by(job.name, watched.proof));
    out.proved = proof.began;
    out.proof_took = task_result_from(nlohmann::json::parse(proof.detail, nullptr, false)).took;
  }
  if (!out.newest) {
    out.since = made.known_since;
    if (!out.since) out.since = TRY(first_tick(ledger, job.name));
    if (out.since) out.stale_at = *out.since + watched.stale_after;
    return out;
  }
  out.stale_at = made.ended.value_or(*made.began) + watched.stale_after;
  if (const auto next = next_tick(job.schedule, *made.began))
    out.stale_at = std::max(*out.stale_at, next->at + jitter_of(job.name, job.schedule.jitter) + time_to_make);
  return out;
}

}  // namespace

Result<std::vector<Freshness>> freshness(ledger::Ledger& ledger, std::span<const ScheduledJob> jobs, Instant now) {
  std::vector<Freshness> out;
  for (const ScheduledJob& job : jobs) {
    if (job.watched.empty() || !job.configured || !job.off_by.empty()) continue;
    const std::vector<ledger::Pause> pauses = TRY(ledger.agenda().pauses(now, true));
    const bool paused = is_paused(job, pauses, now);
    const std::optional<Instant> again = resumed(job, pauses, {}, now);
    for (const Watched& watched : job.watched) {
      Freshness one = TRY(freshness_of(ledger, job, watched));
      if (one.stale_at && again) one.stale_at = std::max(*one.stale_at, *again + watched.stale_after);
      if (paused) one.stale_at.reset();
      out.push_back(std::move(one));
    }
  }
  return out;
}

std::string text_of(const Freshness& freshness, Instant now) {
  if (freshness.newest)
    return fmt::format("the newest {} by {} is {} old", freshness.what, freshness.task,
                       format_span(now - *freshness.newest));
  if (freshness.since)
    return fmt::format("there is no {} by {}, {} after the first was to be made", freshness.what, freshness.task,
                       format_span(now - *freshness.since));
  return fmt::format("there is no {} by {} yet", freshness.what, freshness.task);
}

Result<void> Staleness::look(std::span<const ScheduledJob> jobs, Instant now) {
  next_.reset();
  std::set<std::string> entered;
  for (const Freshness& one : TRY(freshness(ledger_, jobs, now))) {
    if (!one.stale_at) continue;
    if (!one.is_stale(now)) {
      next_ = next_ ? std::min(*next_, *one.stale_at) : *one.stale_at;
      continue;
    }
    const Instant since = one.newest ? *one.newest : one.since.value_or(now);
    std::string key = fmt::format("backup-stale/{}/{}", one.task, format_instant(since));
    if (!entered_.contains(key))
      TRY(ledger_.outbox().add_event({.kind = "backup-stale",
                                      .key = key,
                                      .job = one.job,
                                      .at = now,
                                      .detail = nlohmann::json{{"text", printable(text_of(one, now))}}.dump()}));
    entered.insert(std::move(key));
  }
  entered_ = std::move(entered);
  return {};
}

}  // namespace steward::engine
