#include "engine/delays.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/age.h"

namespace steward::engine {
namespace {
using ledger::Status;
using nlohmann::json;
using std::chrono::microseconds;

constexpr std::size_t successes_looked_at = 10, fewest_successes = 3;

/// Whether the run is the first start of its tick, and has not begun.
bool is_awaited(const ledger::Run& run) {
  // What goes on after an approval has the plan that was approved.
  return run.status == Status::queued && run.due && run.attempt == 1 && run.retry_of.empty() && run.plan.empty();
}

}  // namespace

std::optional<microseconds> usual(std::span<const ledger::Run> successes) {
  std::vector<microseconds> spans;
  for (const ledger::Run& run : successes)
    if (run.ended) spans.push_back(*run.ended - run.started);
  if (spans.size() < fewest_successes) return {};
  const auto middle = spans.begin() + static_cast<std::ptrdiff_t>(spans.size() / 2);
  std::ranges::nth_element(spans, middle);
  return std::max<microseconds>(*middle * 3, least_usual);
}

Result<void> Delays::look(std::span<const ledger::Run> open, std::span<const WaitingTick> waiting,
                          const std::map<std::string, Schedule>& schedules, Instant now) {
  next_.reset();
  entered_before_ = std::exchange(entered_, {});
  std::erase_if(
      usual_, [&](const auto& known) { return std::ranges::find(open, known.first, &ledger::Run::id) == open.end(); });
  for (const WaitingTick& tick : waiting) {
    const auto schedule = schedules.find(tick.job);
    if (schedule != schedules.end()) TRY(see_to_start(tick.job, "", tick.due, schedule->second, now));
  }
  for (const ledger::Run& run : open) {
    const auto schedule = schedules.find(run.job);
    if (schedule == schedules.end()) continue;
    if (is_awaited(run)) TRY(see_to_start(run.job, run.id, *run.due, schedule->second, now));
    if (run.status == Status::running) TRY(see_to_end(run, schedule->second, now));
  }
  return {};
}

Result<void> Delays::see_to_start(const std::string& job, const std::string& run, Instant due, const Schedule& schedule,
                                  Instant now) {
  const Instant late_at = due + jitter_of(job, schedule.jitter) + schedule.start_grace;
  if (now < late_at) {
    next_ = next_ ? std::min(*next_, late_at) : late_at;
    return {};
  }
  const std::string due_text = format_instant(due);
  return enter({.kind = "late",
                .key = fmt::format("late/{}/{}", job, due_text),
                .job = job,
                .run = run,
                .at = now,
                .detail = json{{"due", due_text}}.dump()});
}

Result<void> Delays::see_to_end(const ledger::Run& run, const Schedule& schedule, Instant now) {
  std::optional<microseconds> limit = schedule.expected_runtime;
  if (!limit && !run.scope.empty()) return {};
  if (!limit) {
    limit = least_usual;
    if (now >= run.started + *limit) limit = TRY(usual_limit(run));
    if (!limit) return {};
  }
  if (const Instant over_at = run.started + *limit; now < over_at) {
    next_ = next_ ? std::min(*next_, over_at) : over_at;
    return {};
  }
  return enter({.kind = "running-too-long",
                .key = fmt::format("running-too-long/{}", run.id),
                .job = run.job,
                .run = run.id,
                .at = now,
                .detail = json{{"limit", format_span(*limit)},
                               {"usual", !schedule.expected_runtime},
                               {"since", format_instant(run.started)}}
                              .dump()});
}

Result<std::optional<microseconds>> Delays::usual_limit(const ledger::Run& run) {
  const auto known = usual_.find(run.id);
  if (known != usual_.end()) return known->second;
  const auto successes =
      TRY(ledger_.runs({.job = run.job, .status = Status::succeeded, .whole = true, .limit = successes_looked_at}));
  return usual_[run.id] = usual(successes);
}

Result<void> Delays::enter(ledger::Event event) {
  if (!entered_before_.contains(event.key)) TRY(ledger_.outbox().add_event(event));
  entered_.insert(std::move(event.key));
  return {};
}

}  // namespace steward::engine
