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
/// A proof is made so much before it is due, where a tick comes then.
constexpr std::chrono::hours proof_slack{2};

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

Instant later(Instant at, const Age& age) {
  if (const auto* span = std::get_if<std::chrono::microseconds>(&age.span)) return at + *span;
  const auto day = std::chrono::floor<std::chrono::days>(at);
  auto date = std::chrono::year_month_day{day} + std::get<std::chrono::months>(age.span);
  if (!date.ok()) date = date.year() / date.month() / std::chrono::last;
  return std::chrono::sys_days{date} + (at - day);
}

/// The tasks of the single databases, as the newest run of all of them has them.
Result<std::vector<std::string>> parts_of(ledger::Ledger& ledger, const ScheduledJob& job, const Watched& watched) {
  constexpr std::size_t looked_at = 20;
  const std::string prefix = watched.task + '.';
  std::vector<std::string> out;
  for (const ledger::Run& run : TRY(ledger.runs({.job = job.name, .whole = true, .limit = looked_at}))) {
    for (const ledger::TaskRecord& record : TRY(ledger.tasks(run.id)))
      if (record.task.starts_with(prefix) && !record.task.substr(prefix.size()).contains('.'))
        out.push_back(record.task);
    if (!out.empty()) break;
  }
  return out;
}

struct Proved {
  std::string of{};  ///< Which task's backups.
  std::optional<Instant> at{}, since{};
  std::optional<std::chrono::microseconds> took{};
};

/// By the schedule or by hand, whichever was last.
Result<Proved> proof_of(ledger::Ledger& ledger, const std::string& job, const std::string& of,
                        const std::string& proof) {
  ledger::MadeByTask made = TRY(ledger.made_by(job, proof));
  Proved out{.of = of, .since = made.known_since};
  if (ledger::MadeByTask by_hand = TRY(ledger.made_by(proof_by_hand_job, proof));
      by_hand.began && (!made.began || *by_hand.began > *made.began))
    made = std::move(by_hand);
  out.at = made.began;
  out.took = task_result_from(nlohmann::json::parse(made.detail, nullptr, false)).took;
  return out;
}

Result<void> add_proof(ledger::Ledger& ledger, const ScheduledJob& job, const Watched& watched, Freshness& out) {
  Proved least;
  if (watched.of_several) {
    const std::string suffix = watched.proof.substr(watched.task.size());
    bool is_first = true;
    for (const std::string& part : TRY(parts_of(ledger, job, watched))) {
      Proved one = TRY(proof_of(ledger, job.name, part, part + suffix));
      if (is_first || (least.at && (!one.at || *one.at < *least.at))) least = std::move(one);
      is_first = false;
    }
    out.least_proved = least.of;
  } else {
    least = TRY(proof_of(ledger, job.name, watched.task, watched.proof));
  }
  out.proved = least.at;
  out.proof_took = least.took;
  if (!watched.proof_every) return {};
  if (!least.at) {
    out.proof_since = least.since;
    if (least.since) out.proof_stale_at = *least.since + watched.stale_after;
    return {};
  }
  const Instant due = later(*least.at, *watched.proof_every);
  out.proof_stale_at = due + watched.stale_after;
  if (const auto next = next_tick(job.schedule, due - proof_slack))
    out.proof_stale_at =
        std::max(*out.proof_stale_at, next->at + jitter_of(job.name, job.schedule.jitter) + time_to_make);
  return {};
}

Result<Freshness> freshness_of(ledger::Ledger& ledger, const ScheduledJob& job, const Watched& watched) {
  Freshness out{
      .job = job.name, .task = watched.task, .what = watched.what, .is_proved = watched.proof_every.has_value()};
  const ledger::MadeByTask made = TRY(ledger.made_by(job.name, watched.task));
  out.newest = made.began;
  if (!watched.proof.empty()) TRY(add_proof(ledger, job, watched, out));
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
      for (std::optional<Instant>* at : {&one.stale_at, &one.proof_stale_at}) {
        if (*at && again) *at = std::max(**at, *again + watched.stale_after);
        if (paused) at->reset();
      }
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

std::string proof_text_of(const Freshness& freshness, Instant now) {
  const std::string& task = freshness.least_proved.empty() ? freshness.task : freshness.least_proved;
  if (freshness.proved)
    return fmt::format("no backup by {} was proved for {}", task, format_span(now - *freshness.proved));
  if (freshness.proof_since)
    return fmt::format("no backup by {} has been proved yet, {} after the first should have been", task,
                       format_span(now - *freshness.proof_since));
  return fmt::format("no backup by {} has been proved yet", task);
}

Result<void> Staleness::tell(const std::string& job, const Told& one, Instant now, std::set<std::string>& entered) {
  if (!one.at) return {};
  if (now < *one.at) {
    next_ = next_ ? std::min(*next_, *one.at) : *one.at;
    return {};
  }
  if (!entered_.contains(one.key))
    TRY(ledger_.outbox().add_event({.kind = "backup-stale",
                                    .key = one.key,
                                    .job = job,
                                    .at = now,
                                    .detail = nlohmann::json{{"text", printable(one.text)}}.dump()}));
  entered.insert(one.key);
  return {};
}

Result<void> Staleness::look(std::span<const ScheduledJob> jobs, Instant now) {
  next_.reset();
  std::set<std::string> entered;
  for (const Freshness& one : TRY(freshness(ledger_, jobs, now))) {
    const Instant since = one.newest ? *one.newest : one.since.value_or(now);
    TRY(tell(one.job,
             {.at = one.stale_at,
              .key = fmt::format("backup-stale/{}/{}", one.task, format_instant(since)),
              .text = text_of(one, now)},
             now, entered));
    const Instant unproved_since = one.proved ? *one.proved : one.proof_since.value_or(now);
    TRY(tell(one.job,
             {.at = one.proof_stale_at,
              .key = fmt::format("proof-stale/{}/{}", one.task, format_instant(unproved_since)),
              .text = proof_text_of(one, now)},
             now, entered));
  }
  entered_ = std::move(entered);
  return {};
}

}  // namespace steward::engine
