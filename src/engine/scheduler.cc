#include "engine/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

namespace steward::engine {
namespace {
using namespace std::chrono;

constexpr seconds late = 60s;             // a tick that is noticed later than this was missed
constexpr seconds settling = 5min;        // until what was missed is made up for,
constexpr seconds settling_spread = 60s;  // and a little more, so that not all begin at once
constexpr seconds longest_window = days{7};
constexpr std::size_t told_singly = 32;  // missed ticks that get a verdict each; older ones share one
constexpr std::size_t remembered = 64;   // ticks that have fired, for each job
constexpr hours wrong_date{24};

}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::fire: return "fired";
    case Outcome::paused: return "paused";
    case Outcome::frozen: return "frozen";
    case Outcome::overlap: return "overlap";
    case Outcome::blackout: return "blackout";
    case Outcome::missed: return "missed";
    case Outcome::not_configured: return "not-configured";
    case Outcome::off: return "off";
    case Outcome::left: return "left";
    case Outcome::waiting: return "waiting";
  }
  return "?";
}

std::optional<Obstacle> standing_obstacle(const ScheduledJob& job) {
  if (!job.configured) return Obstacle{.outcome = Outcome::not_configured, .reason = "not configured"};
  if (!job.off_by.empty()) return Obstacle{.outcome = Outcome::off, .reason = "off by " + job.off_by};
  switch (job.schedule.owner) {
    case Owner::steward: return {};
    case Owner::cron: return Obstacle{.outcome = Outcome::left, .reason = "left to cron"};
    case Owner::dagster: break;
  }
  return Obstacle{.outcome = Outcome::left, .reason = "left to Dagster"};
}

std::string words_of(const Pause& pause) {
  return fmt::format("paused{}{}: {}", pause.until ? " until " + format_instant(*pause.until) : "",
                     pause.who.empty() ? "" : " by " + pause.who, pause.reason);
}

struct Scheduler::Round {
  const Situation& situation;
  std::multiset<std::string, std::less<>> running{};
  microseconds went_ahead{};  ///< The wall clock, by so much more than the monotonic one.
  std::vector<Verdict> verdicts{};

  Instant now() const { return situation.now; }
  void give(State& state, Verdict verdict) {
    state.decided = std::max(state.decided, verdict.tick);
    if (verdict.outcome == Outcome::fire) {
      running.insert(state.job.name);
      state.fired.insert(verdict.tick);
      if (state.fired.size() > remembered) state.fired.erase(state.fired.begin());
    }
    verdicts.push_back(std::move(verdict));
  }
};

Scheduler::Scheduler(std::vector<ScheduledJob> jobs, const Situation& situation)
    : started_(situation.now), seen_(situation.now), seen_monotonic_(situation.monotonic) {
  take_in(std::move(jobs));
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    State& state = jobs_[i];
    state.decided = state.job.decided.value_or(situation.now);
    if (state.decided > situation.now + wrong_date) {
      state.fired.insert(state.decided);
      state.decided = situation.now;
    }
    arm(i);
  }
}

void Scheduler::take_in(std::vector<ScheduledJob> jobs) {
  std::ranges::sort(jobs, {}, &ScheduledJob::name);
  keys_.clear();
  jobs_.clear();
  for (ScheduledJob& job : jobs) {
    if (!job.schedule.concurrency.empty()) keys_[job.name] = job.schedule.concurrency;
    jobs_.push_back({.job = std::move(job)});
  }
}

void Scheduler::replace(std::vector<ScheduledJob> jobs, const Situation& situation) {
  std::map<std::string, State> before;
  for (State& state : jobs_) before[state.job.name] = std::move(state);
  take_in(std::move(jobs));
  heap_ = {};
  waiting_.clear();
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    State& state = jobs_[i];
    const auto found = before.find(state.job.name);
    if (found == before.end()) {
      state.decided = state.job.decided.value_or(situation.now);
    } else {
      State& old = found->second;
      const Schedule &is = state.job.schedule, &was = old.job.schedule;
      const bool same = text_of(is) == text_of(was) && is.zone.name() == was.zone.name() && is.dst == was.dst;
      state.decided = old.decided;
      state.waiting = std::move(old.waiting);
      state.fired = std::move(old.fired);
      // The ticks that another schedule would have had until now were not missed.
      if (!same && state.waiting.empty()) state.decided = std::max(state.decided, situation.now);
    }
    if (!state.waiting.empty()) waiting_.insert(i);
    arm(i);
  }
}

void Scheduler::arm(std::size_t index) {
  State& state = jobs_[index];
  auto tick = next_tick(state.job.schedule, state.last());
  while (tick && state.fired.contains(tick->at)) tick = next_tick(state.job.schedule, tick->at);
  state.entry = ++entries_;
  state.next.reset();
  if (!tick) return;
  state.next = tick->at;
  heap_.push(
      {.at = tick->at + jitter_of(state.job.name, state.job.schedule.jitter), .job = index, .entry = state.entry});
}

/// The clock was set back: what waits and is not due any more will be due again.
void Scheduler::undo_future(std::size_t index, Instant now) {
  State& state = jobs_[index];
  while (!state.waiting.empty() && state.waiting.back().tick > now) state.waiting.pop_back();
  if (state.waiting.empty()) waiting_.erase(index);
  if (state.decided > now + wrong_date) state.decided = now;
  arm(index);
}

std::vector<Verdict> Scheduler::decide(const Situation& situation) {
  Round round{.situation = situation, .running = situation.running};
  round.went_ahead = (situation.now - seen_) - (situation.monotonic - seen_monotonic_);
  if (situation.now < seen_)
    for (std::size_t i = 0; i < jobs_.size(); ++i) undo_future(i, situation.now);
  seen_ = situation.now;
  seen_monotonic_ = situation.monotonic;

  settle_all(round, true);  // who has queued comes before who is due now
  while (!heap_.empty() && heap_.top().at <= situation.now) {
    const Due due = heap_.top();
    heap_.pop();
    if (jobs_[due.job].entry == due.entry) take_tick(due.job, round);
  }
  settle_all(round, false);
  while (!heap_.empty() && jobs_[heap_.top().job].entry != heap_.top().entry) heap_.pop();
  return std::move(round.verdicts);
}

void Scheduler::take_tick(std::size_t index, Round& round) {
  State& state = jobs_[index];
  const auto jitter = jitter_of(state.job.name, state.job.schedule.jitter);
  if (const Instant on_time = round.now() - late - jitter; *state.next < on_time) {
    take_missed(index, on_time - 1us, round);
  } else {
    state.waiting.push_back({.tick = *state.next});
    settle(index, round);
  }
  arm(index);
}

void Scheduler::take_missed(std::size_t index, Instant until, Round& round) {
  State& state = jobs_[index];
  const Schedule& schedule = state.job.schedule;
  const std::size_t limit = schedule.missed == Missed::skip     ? 0
                            : schedule.missed == Missed::latest ? 1
                                                                : schedule.missed_limit;
  const Instant first = *state.next;
  Ticks missed = latest_ticks(schedule, first - 1us, until, std::max(told_singly, limit + 1));
  std::erase_if(missed.ticks, [&](Instant tick) { return state.fired.contains(tick); });
  if (missed.ticks.empty()) return;
  std::optional<Instant> since;
  if (missed.more) since = first;

  if (auto standing = standing_of(state, missed.ticks.back())) {
    // Nothing would have started: one verdict is enough.
    if (missed.ticks.size() > 1) since = first;
    standing->since = since;
    round.give(state, *std::move(standing));
    return;
  }
  const Instant oldest = round.now() - schedule.missed_window.value_or(longest_window);
  const auto keep_from = std::ranges::lower_bound(missed.ticks, oldest);
  const auto in_window = static_cast<std::size_t>(missed.ticks.end() - keep_from);
  const std::size_t kept = std::min(limit, in_window), dropped = missed.ticks.size() - kept;
  // Verdicts come in the order of ticks: what waits is older than what is dropped now.
  while (!state.waiting.empty() && (dropped > 0 || state.waiting.size() + kept > limit)) {
    const Waiting old = state.waiting.front();
    state.waiting.pop_front();
    round.give(
        state,
        {.job = state.job.name, .tick = old.tick, .outcome = Outcome::missed, .reason = "newer ticks were missed too"});
  }
  for (std::size_t i = 0; i < dropped; ++i) {
    const Instant tick = missed.ticks[i];
    std::string reason = why_missed(state, tick, round);
    if (schedule.missed == Missed::skip)
      reason += "; it is not made up for (missed: skip)";
    else if (tick < oldest)
      reason += "; it is too old to be made up for";
    else
      reason += kept == 1 ? "; the latest is made up for" : fmt::format("; the latest {} are made up for", kept);
    round.give(state, {.job = state.job.name,
                       .tick = tick,
                       .outcome = Outcome::missed,
                       .reason = std::move(reason),
                       .since = i == 0 ? since : std::nullopt});
  }
  const auto not_before = round.situation.monotonic + settling + jitter_of(state.job.name, settling_spread);
  for (std::size_t i = dropped; i < missed.ticks.size(); ++i)
    state.waiting.push_back({.tick = missed.ticks[i], .not_before = not_before, .missed = true});
  settle(index, round);
}

void Scheduler::settle_all(Round& round, bool queued_alone) {
  std::vector<std::pair<Instant, std::size_t>> order;
  for (const std::size_t index : waiting_)
    if (!queued_alone || !jobs_[index].waiting.front().missed)
      order.emplace_back(jobs_[index].waiting.front().tick, index);
  std::ranges::sort(order);
  for (const auto& [tick, index] : order) settle(index, round);
}

void Scheduler::settle(std::size_t index, Round& round) {
  State& state = jobs_[index];
  const Schedule& schedule = state.job.schedule;
  const std::size_t room = schedule.missed == Missed::all && !state.waiting.empty() && state.waiting.front().missed
                               ? schedule.missed_limit + 1U
                               : 1U;
  while (state.waiting.size() > room) {
    const Waiting old = state.waiting.front();
    state.waiting.pop_front();
    round.give(state, {.job = state.job.name,
                       .tick = old.tick,
                       .outcome = old.missed ? Outcome::missed : Outcome::overlap,
                       .reason = old.missed ? "it was missed, and the next tick has come"
                                            : busy_with(state, round) + ", and a newer tick waits"});
  }
  while (!state.waiting.empty()) {
    auto verdict = verdict_of(state, state.waiting.front(), round);
    if (!verdict) break;
    state.waiting.pop_front();
    round.give(state, *std::move(verdict));
  }
  if (state.waiting.empty())
    waiting_.erase(index);
  else
    waiting_.insert(index);
}

/// None: it goes on waiting.
std::optional<Verdict> Scheduler::verdict_of(const State& state, const Waiting& waiting, const Round& round) const {
  const Schedule& schedule = state.job.schedule;
  if (waiting.not_before > round.situation.monotonic) return {};
  const auto verdict = [&](Outcome outcome, std::string reason) {
    return Verdict{.job = state.job.name, .tick = waiting.tick, .outcome = outcome, .reason = std::move(reason)};
  };
  if (auto standing = standing_of(state, waiting.tick)) return standing;
  if (waiting.missed &&
      round.now() - waiting.tick > schedule.missed_window.value_or(longest_window) + settling + settling_spread)
    return verdict(Outcome::missed, "it has become too old to be made up for");
  const auto paused_by = [&](const Pause& pause) { return verdict(Outcome::paused, words_of(pause)); };
  const auto in_force = [&](const Pause& pause) { return !pause.until || *pause.until > round.now(); };
  if (schedule.pause && in_force(*schedule.pause)) return paused_by(*schedule.pause);
  if (const auto found = round.situation.paused.find(state.job.name);
      found != round.situation.paused.end() && in_force(found->second))
    return paused_by(found->second);
  if (state.job.removes && round.situation.frozen) return verdict(Outcome::frozen, *round.situation.frozen);
  for (const Blackout& blackout : schedule.blackouts)
    if (covers(blackout, schedule.zone, round.now()))
      return verdict(Outcome::blackout, fmt::format("blackout {}", blackout.text));

  if (const auto run = round.situation.waiting.find(state.job.name);
      run != round.situation.waiting.end() && schedule.approval.required)
    return verdict(Outcome::waiting, fmt::format("run {} waits for an approval", run->second));

  if (std::string busy = busy_with(state, round); !busy.empty()) {
    if (waiting.missed || schedule.overlap != Overlap::skip) return {};
    return verdict(Outcome::overlap, std::move(busy));
  }
  Verdict fire = verdict(Outcome::fire, "");
  fire.made_up = waiting.missed;
  if (waiting.missed) fire.reason = "made up for: it was missed";
  return fire;
}

/// What keeps a job from ever being started here.
std::optional<Verdict> Scheduler::standing_of(const State& state, Instant tick) const {
  auto obstacle = standing_obstacle(state.job);
  if (!obstacle) return {};
  return Verdict{
      .job = state.job.name, .tick = tick, .outcome = obstacle->outcome, .reason = std::move(obstacle->reason)};
}

/// Why it cannot start beside what runs; empty where it can.
std::string Scheduler::busy_with(const State& state, const Round& round) const {
  const Schedule& schedule = state.job.schedule;
  const bool runs = round.running.contains(state.job.name);
  if (runs && (schedule.overlap != Overlap::allow || !schedule.concurrency.empty()))
    return fmt::format("{} is running", state.job.name);
  if (schedule.concurrency.empty()) return "";
  for (const std::string& other : round.running)
    if (const auto key = keys_.find(other); key != keys_.end() && key->second == schedule.concurrency)
      return fmt::format("{} is running (concurrency key {})", other, schedule.concurrency);
  return "";
}

std::string Scheduler::why_missed(const State& state, Instant tick, const Round& round) const {
  if (tick + jitter_of(state.job.name, state.job.schedule.jitter) <= started_) return "steward was not running";
  if (round.went_ahead > late)
    return fmt::format("the clock went ahead by {}: it was set, or the machine slept", format_span(round.went_ahead));
  return "steward stood still";
}

std::vector<WaitingTick> Scheduler::waiting() const {
  std::vector<WaitingTick> out;
  for (const std::size_t index : waiting_)
    for (const Waiting& waiting : jobs_[index].waiting)
      out.push_back({.job = jobs_[index].job.name, .due = waiting.tick});
  return out;
}

std::optional<Instant> Scheduler::wake(const Situation& situation) const {
  std::optional<Instant> first;
  if (!heap_.empty()) first = heap_.top().at;
  for (const std::size_t index : waiting_) {
    const Waiting& waiting = jobs_[index].waiting.front();
    if (waiting.not_before <= situation.monotonic) continue;  // it waits for a run to end
    const Instant at = situation.now + (waiting.not_before - situation.monotonic);
    first = first ? std::min(*first, at) : at;
  }
  return first;
}

}  // namespace steward::engine
