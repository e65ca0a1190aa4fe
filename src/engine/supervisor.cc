#include "engine/supervisor.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <set>

#include "core/random.h"
#include "core/text.h"
#include "engine/child_output.h"
#include "io/process/identity.h"
#include "run/bound_plan.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/plan.h"
#include "run/runner.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using ledger::Status;

// Nothing that happens here waits for a look: ends and due moments wake the daemon. What happens elsewhere does.
constexpr std::chrono::microseconds look_every = 10s;
constexpr std::chrono::microseconds look_every_while_it_changes = 1s;
constexpr std::chrono::microseconds silent_for = 60s;
constexpr int most_launches = 3;
constexpr std::chrono::microseconds launch_again_after = 2s;

Error error_of(const ledger::Run& run) {
  const auto document = nlohmann::json::parse(run.error, nullptr, false);
  return document.is_object() ? error_from_json(document) : Error{.kind = Kind::bug};
}

}  // namespace

bool is_worth_a_retry(const ledger::Run& run, const std::vector<ledger::TaskRecord>& tasks) {
  if (run.status == Status::interrupted) return true;
  if (run.status != Status::failed && run.status != Status::partial) return false;
  if (!run.error.empty() && row_of(error_of(run).kind).retry) return true;
  return std::ranges::any_of(tasks, [](const ledger::TaskRecord& task) {
    if (task.status != "failed") return false;
    const TaskResult result = task_result_from(nlohmann::json::parse(task.detail, nullptr, false));
    return result.error && row_of(result.error->kind).retry;
  });
}

Supervisor::Supervisor(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, ChildRules rules,
                       Say say)
    : ledger_(ledger), clock_(clock), state_(state), rules_(std::move(rules)), say_(std::move(say)) {}

std::vector<int> Supervisor::descriptors() const {
  std::vector<int> out;
  for (const auto& [run, known] : known_)
    if (known.watch && !known.watch->has_ended()) out.push_back(known.watch->descriptor());
  return out;
}

std::size_t Supervisor::watched() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(known_, [](const auto& entry) { return !!entry.second.watch; }));
}

void Supervisor::reap() {
  for (const process::Ended& ended : process::reap()) {
    // As process 1 also those that others left behind, which are nobody's run.
    if (std::ranges::any_of(known_, [&](const auto& entry) { return entry.second.pid == ended.pid; }))
      ended_[ended.pid] = ended;
  }
}

Result<void> Supervisor::look(std::chrono::microseconds monotonic, bool starting) {
  reap();
  next_look_ = monotonic + look_every;
  next_start_.reset();
  if (starting) TRY(enter_retries());
  const std::vector<ledger::Run> open = TRY(ledger_.agenda().open_runs());
  std::set<std::string, std::less<>> ids;
  busy_.clear();
  for (const ledger::Run& run : open) {
    ids.insert(run.id);
    busy_.push_back(run.job);
    if (run.status == Status::running || starting) TRY(see_to(run, monotonic));
  }
  for (auto entry = known_.begin(); entry != known_.end();) {
    const bool over = !ids.contains(entry->first);
    // Its last lines are written when its process ends, which may come after the end of the run.
    const bool gone = !entry->second.watch || entry->second.watch->has_ended();
    if (over && gone) {
      ended_.erase(entry->second.pid);
      shorten_output(state_, entry->first);
      entry = known_.erase(entry);
    } else {
      ++entry;
    }
  }
  return {};
}

Result<void> Supervisor::see_to(const ledger::Run& run, std::chrono::microseconds monotonic) {
  Known& known = known_[run.id];
  if (run.status == Status::queued) return see_to_queued(run, known, monotonic);
  return see_to_running(run, known, monotonic);
}

Result<void> Supervisor::see_to_queued(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic) {
  const bool ours = !known.token.empty() && known.token == run.launch;
  if (ours) {
    if (known.watch && !known.watch->has_ended()) {
      next_look_ = std::min(next_look_, monotonic + look_every_while_it_changes);  // it is about to take the run over
      return {};
    }
    reap();
    if (is_to_be_launched_again(known, monotonic)) {
      if (monotonic >= *known.again) return launch(run, known, monotonic);
      next_look_ = std::min(next_look_, *known.again);
      return {};
    }
    return end(
        run, Status::failed,
        fmt::format("its process ended before it began ({}){}", how_it_ended(known), last_words(state_, run.id)));
  }
  if (!schedules_.contains(run.job) || TRY(is_left_to_dagster(run))) return {};
  if (run.not_before && *run.not_before > clock_.now()) {
    next_start_ = next_start_ ? std::min(*next_start_, *run.not_before) : *run.not_before;
    return {};
  }
  if (!run.launch.empty()) {
    // Another daemon has started a process for it, or was about to. Were that process still to come after ours, it
    // would find that its token is not the last.
    if (presence_of(run.process) != Presence::gone && !is_silent(run, known, monotonic)) return {};
  }
  return launch(run, known, monotonic);
}

Result<bool> Supervisor::is_left_to_dagster(const ledger::Run& run) const {
  if (run.trigger != "dagster" || schedules_.at(run.job).owner != Owner::dagster) return false;
  const auto approval = ledger_.approvals().approval(run.id);
  if (!approval && approval.error().kind != Kind::not_found) return std::unexpected(approval.error());
  return approval && approval->state == ledger::Answer::approved;
}

Result<void> Supervisor::see_to_running(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic) {
  // Who has taken the run over is who counts: a child of ours that came late for it ends, and the run goes on.
  if (known.pid != 0 && known.pid != run.process.pid) known = {};
  if (!known.watch) {
    const Presence presence = presence_of(run.process);
    if (presence == Presence::alive) {
      auto watch = process::watch_process(static_cast<pid_t>(run.process.pid), run.process.started_ticks);
      if (watch) known.watch = *std::move(watch);
    }
    if (presence == Presence::unknown && is_silent(run, known, monotonic))
      return end(run, run.cancel_requested ? Status::cancelled : Status::interrupted,
                 fmt::format("lost: its process on {} has shown no pulse for a minute", run.process.host));
    if (presence == Presence::gone && !known.watch) {
      // It may have ended the run between our two looks at it.
      if (const ledger::Run now = TRY(ledger_.run(run.id)); now.status != Status::running) return {};
      return end(run, run.cancel_requested ? Status::cancelled : Status::interrupted, "its process is gone");
    }
  }
  if (known.watch && known.watch->has_ended()) {
    reap();
    if (const ledger::Run now = TRY(ledger_.run(run.id)); now.status != Status::running) return {};
    return end(run, run.cancel_requested ? Status::cancelled : Status::interrupted,
               fmt::format("its process ended without a word ({}){}", how_it_ended(known), last_words(state_, run.id)));
  }
  return stop_where_due(run, known, monotonic);
}

Result<void> Supervisor::stop_where_due(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic) {
  const auto schedule = schedules_.find(run.job);
  if (!run.cancel_requested && schedule != schedules_.end() && schedule->second.max_runtime) {
    const auto limit = *schedule->second.max_runtime;
    if (clock_.now() - run.started < limit) {
      const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(run.started + limit - clock_.now());
      next_look_ = std::min(next_look_, monotonic + rest);
      return {};
    }
    say_(Level::warning, run.job, fmt::format("run {} has run for {}: it is stopped", run.id, format_span(limit)));
    TRY(ledger_.request_cancel(run.id, fmt::format("max_runtime {}", format_span(limit)), clock_.now()));
  } else if (!run.cancel_requested) {
    return {};
  }
  next_look_ = std::min(next_look_, monotonic + look_every_while_it_changes);
  if (!known.watch) return {};
  if (!known.asked) {
    known.watch->send(SIGTERM);
    known.asked = monotonic;
  } else if (!known.killed && monotonic - *known.asked >= rules_.grace) {
    say_(Level::warning, run.job,
         fmt::format("run {} did not stop within {}: it is killed", run.id, format_span(rules_.grace)));
    known.watch->send(SIGKILL, true);
    known.killed = true;
  }
  return {};
}

bool Supervisor::is_silent(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic) const {
  const std::optional<Instant> shown =
      run.status == Status::queued ? run.launched : std::max(run.pulse, std::optional(run.heartbeat));
  if (known.pulse != shown || known.pulse_seen == 0us) {
    known.pulse = shown;
    known.pulse_seen = monotonic;
  }
  return monotonic - known.pulse_seen >= silent_for;
}

bool Supervisor::is_to_be_launched_again(Known& known, std::chrono::microseconds monotonic) const {
  const auto ended = ended_.find(known.pid);
  // 2: the configuration is wrong. Whatever else kept it from beginning may pass.
  if (known.launches >= most_launches || ended == ended_.end() || ended->second.exit_code == 2) return false;
  if (!known.again) known.again = monotonic + launch_again_after * known.launches;
  return true;
}

Result<void> Supervisor::launch(const ledger::Run& run, Known& known, std::chrono::microseconds monotonic) {
  const std::string token = random_hex(8);
  if (!TRY(ledger_.agenda().launch(run.id, run.launch, token, this_process(), clock_.now()))) return {};
  ended_.erase(known.pid);
  known = {.token = token, .launches = known.launches + 1};
  process::Command command{
      .arguments = {rules_.program, "run", run.scope.empty() ? run.job : fmt::format("{}/{}", run.job, run.scope)},
      .environment = rules_.environment,
      .directory = rules_.directory,
      .memory = schedules_.at(run.job).memory,
      .nice = schedules_.at(run.job).nice};
  command.environment.push_back(fmt::format("{}={}", run_variable, run.id));
  command.environment.push_back(fmt::format("{}={}", launch_variable, token));
  const files::Handle output = TRY(open_output(state_, run.id));
  command.output = output.fd();
  const auto pid = process::start(command);
  if (!pid) return end(run, Status::failed, pid.error().message);
  known.pid = *pid;
  next_look_ = std::min(next_look_, monotonic + look_every_while_it_changes);
  auto watch = process::watch_child(*pid);
  if (watch) known.watch = *std::move(watch);  // else it has ended already, which the next look finds
  return {};
}

Result<void> Supervisor::end(const ledger::Run& run, Status status, std::string reason) {
  const Error error{.kind = status == Status::failed ? Kind::unavailable : Kind::interrupted,
                    .message = std::move(reason),
                    .hint = fmt::format("See `steward runs log {}`.", run.id)};
  say_(status == Status::cancelled ? Level::info : Level::error, run.job,
       fmt::format("run {} {}: {}", run.id, ledger::name_of(status), error.message));
  return ledger_.end_run(run.id, status, clock_.now(), to_json(error).dump());
}

std::string Supervisor::how_it_ended(const Known& known) const {
  const auto ended = ended_.find(known.pid);
  return ended == ended_.end() ? "of which nothing is known" : process::text_of(ended->second);
}

Result<void> Supervisor::enter_retries() {
  const Instant now = clock_.now();
  for (const ledger::Run& run : TRY(ledger_.agenda().without_retry(now - retries_looked_for))) {
    const auto schedule = schedules_.find(run.job);
    if (schedule == schedules_.end() || run.attempt > schedule->second.retries.max) continue;
    if (run.trigger == "dagster") continue;  // whether it is tried again is Dagster's to say
    if (!is_worth_a_retry(run, TRY(ledger_.tasks(run.id)))) continue;
    const Instant at =
        run.ended.value_or(now) + retry_delay(schedule->second.retries, static_cast<unsigned>(run.attempt), run.id);
    ledger::Run retry{.id = new_run_id(now),
                      .job = run.job,
                      .scope = run.scope,
                      .status = Status::queued,
                      .started = now,
                      .heartbeat = now,
                      .process = this_process(),
                      .trigger = run.trigger,
                      .actor = run.actor,
                      .due = run.due,
                      .attempt = run.attempt + 1,
                      .retry_of = run.id,
                      .not_before = at};
    keep_bound(run, retry);
    if (TRY(ledger_.agenda().enqueue(retry)))
      say_(Level::info, run.job,
           fmt::format("run {} {}: attempt {} of {} begins at {}", run.id, ledger::name_of(run.status), retry.attempt,
                       schedule->second.retries.max + 1, format_instant(at)));
  }
  return {};
}

Result<void> Supervisor::cancel_all(std::string_view who) {
  for (const ledger::Run& run : TRY(ledger_.agenda().open_runs())) {
    const auto known = known_.find(run.id);
    if (run.status != Status::running || known == known_.end() || !known->second.watch) continue;
    TRY(ledger_.request_cancel(run.id, who, clock_.now()));
  }
  return {};
}

}  // namespace steward::engine
