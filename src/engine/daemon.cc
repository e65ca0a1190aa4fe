#include "engine/daemon.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "engine/keepers.h"
#include "run/holds.h"
#include "run/runner.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;

// A daemon that is gone is missed for half a minute at the most; a renewal that fails has two more tries.
constexpr std::chrono::seconds lease_length{30};
constexpr std::chrono::microseconds renew_every = 10s;
constexpr std::chrono::microseconds try_again_after = 1s;
constexpr std::chrono::microseconds refresh_zones_every = 1h;

std::chrono::microseconds monotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) +
         std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::nanoseconds(now.tv_nsec));
}

void drain(int fd) {
  std::uint64_t count = 0;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

std::map<std::string, Schedule> started_here(const std::vector<ScheduledJob>& jobs) {
  std::map<std::string, Schedule> out;
  for (const ScheduledJob& job : jobs)
    if (job.configured && job.off_by.empty()) out.emplace(job.name, job.schedule);
  return out;
}

}  // namespace

Daemon::Daemon(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, DaemonSettings settings,
               Say say)
    : ledger_(ledger),
      clock_(clock),
      settings_(std::move(settings)),
      say_(std::move(say)),
      supervisor_(ledger, clock, state, settings_.children, say_),
      delays_(ledger),
      staleness_(ledger),
      name_(daemon_name()),
      zones_refreshed_(monotonic()),
      woken_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  supervisor_.set_schedules(started_here(settings_.jobs));
}

Daemon::~Daemon() = default;

void Daemon::wake() {
  const std::uint64_t one = 1;
  while (write(woken_.fd(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Daemon::request_reload() {
  reload_ = true;
  wake();
}

Result<void> Daemon::take_jobs(std::vector<ScheduledJob> jobs) {
  settings_.jobs = std::move(jobs);
  supervisor_.set_schedules(started_here(settings_.jobs));
  if (scheduler_) scheduler_->replace(settings_.jobs, TRY(situation()));
  return {};
}

Result<void> Daemon::reload() {
  if (!reload_.exchange(false) || !settings_.reload) return {};
  auto jobs = settings_.reload();
  return jobs ? take_jobs(*std::move(jobs)) : Result<void>{};
}

/// Governments change their clocks, and a daemon lives for months.
Result<void> Daemon::refresh_zones() {
  if (monotonic() - zones_refreshed_ < refresh_zones_every) return {};
  zones_refreshed_ = monotonic();
  bool changed = false;
  std::vector<ScheduledJob> jobs = settings_.jobs;
  for (ScheduledJob& job : jobs) changed |= job.schedule.zone.refresh();
  if (!changed) return {};
  say_(Level::info, "", "the time zone database has changed: schedules follow it from now on");
  return take_jobs(std::move(jobs));
}

Result<void> Daemon::serve(const std::stop_token& stop, const std::function<void()>& ready) {
  const std::stop_callback stopped(stop, [this] { wake(); });
  look();
  ready();
  while (!stop.stop_requested()) {
    wait(stop);
    if (!stop.stop_requested()) look();
  }
  return wind_up();
}

/// One round. What fails is said, and tried again.
void Daemon::look() {
  if (settings_.beat) settings_.beat();
  wake_at_.reset();
  Result<void> done = reload();
  if (done) done = refresh_zones();
  if (done) done = keep_lease();
  const bool leading = !settings_.shared || lease_;
  if (done) done = supervisor_.look(monotonic(), false);
  if (done && leading) {
    done = decide();
    // Before anything is started: what begins now may be late. What has fired is started at once, and what was queued
    // before is, whatever has kept us from deciding.
    if (!settings_.shared || lease_) {
      const auto noted = note_delays();
      const auto started = supervisor_.look(monotonic(), true);
      if (done) done = started;
      if (done) done = noted;
    }
  }
  if (!leading) scheduler_.reset();
  if (done)
    complained_.clear();
  else
    complain(done.error());
  if (!done) wake_at_ = clock_.now() + try_again_after;
  if (settings_.looked) settings_.looked();
}

void Daemon::complain(const Error& error) {
  if (error.message == complained_) return;
  complained_ = error.message;
  say_(error.kind == Kind::interrupted ? Level::warning : Level::error, "", error.message);
}

Result<void> Daemon::keep_lease() {
  if (!settings_.shared) return {};
  if (lease_ && monotonic() - lease_renewed_ < renew_every) return {};
  const auto taken = ledger_.agenda().take_lease(settings_.lease, name_, lease_length, clock_.now());
  if (!taken) {
    // Whether it is still ours nobody can tell: each tick asks the ledger again before it is entered.
    return std::unexpected(taken.error());
  }
  if (*taken && !lease_) say_(Level::info, "", fmt::format("this daemon decides now ({})", name_));
  if (!*taken && lease_) say_(Level::warning, "", "another daemon decides now");
  // Whoever had it between our terms has decided what we have not seen.
  if (*taken && lease_ && (*taken)->term != lease_->term) scheduler_.reset();
  lease_ = *taken;
  lease_renewed_ = monotonic();
  return {};
}

Result<Situation> Daemon::situation() {
  Situation out{.now = clock_.now(), .monotonic = monotonic()};
  out.running.insert(supervisor_.busy().begin(), supervisor_.busy().end());
  for (const ledger::Pause& pause : TRY(ledger_.agenda().pauses(out.now))) {
    if (pause.job != "*") {
      out.paused[pause.job] = {.reason = pause.reason, .until = pause.until, .who = pause.who};
      continue;
    }
    for (const ScheduledJob& job : settings_.jobs)
      out.paused.try_emplace(job.name, Pause{.reason = pause.reason, .until = pause.until, .who = pause.who});
  }
  for (const ledger::Approval& approval : TRY(ledger_.approvals().approvals({})))
    out.waiting.emplace(approval.job, approval.run);
  if (const auto refusal = freeze_refusal(TRY(ledger_.freezes(out.now)))) out.frozen = refusal->message;
  return out;
}

Result<void> Daemon::take_up_schedules(const Situation& now) {
  const std::map<std::string, Instant> decided = TRY(ledger_.agenda().last_ticks());
  std::vector<ScheduledJob> jobs = settings_.jobs;
  for (ScheduledJob& job : jobs)
    if (const auto last = decided.find(job.name); last != decided.end()) job.decided = last->second;
  scheduler_.emplace(std::move(jobs), now);
  undelivered_.clear();
  return {};
}

Result<void> Daemon::decide() {
  const Situation now = TRY(situation());
  if (!scheduler_) TRY(take_up_schedules(now));
  if (!now.waiting.empty()) TRY(tend_approvals(now.now));
  // What was decided while the ledger did not answer comes first.
  if (undelivered_.empty()) {
    for (Verdict& verdict : scheduler_->decide(now)) undelivered_.push_back(std::move(verdict));
  }
  while (!undelivered_.empty()) {
    const auto entered = enter(undelivered_.front());
    if (!entered && entered.error().kind == Kind::interrupted) {
      // Another decides, and has its own view of all ticks: ours is void.
      lease_.reset();
      scheduler_.reset();
      undelivered_.clear();
    }
    if (!entered) return entered;
    undelivered_.pop_front();
  }
  wake_at_ = scheduler_->wake(now);
  return {};
}

Result<void> Daemon::note_delays() {
  const std::vector<ledger::Run> open = TRY(ledger_.agenda().open_runs());
  const auto waiting = scheduler_ ? scheduler_->waiting() : std::vector<WaitingTick>{};
  TRY(delays_.look(open, waiting, supervisor_.schedules(), clock_.now()));
  TRY(staleness_.look(settings_.jobs, clock_.now()));
  for (const auto& next : {delays_.next(), staleness_.next()})
    if (next && (!wake_at_ || *next < *wake_at_)) wake_at_ = next;
  return {};
}

Result<void> Daemon::tend_approvals(Instant now) {
  for (const ledger::Approval& expired : TRY(ledger_.approvals().expire(now)))
    say_(Level::warning, expired.job,
         fmt::format("nobody has answered for run {} in time{}", expired.run,
                     expired.again ? "" : ": a fresh run asks once more"));
  for (const ledger::Approval& waiting : TRY(ledger_.approvals().remind(now)))
    say_(Level::warning, waiting.job,
         fmt::format("run {} waits for an approval since {}, until {}: steward approvals show {}", waiting.run,
                     format_instant(std::chrono::floor<std::chrono::seconds>(waiting.asked)),
                     format_instant(std::chrono::floor<std::chrono::seconds>(waiting.expires)), waiting.run));
  return {};
}

Result<void> Daemon::enter(const Verdict& verdict) {
  const Instant now = clock_.now();
  const ledger::Tick tick{.job = verdict.job,
                          .due = verdict.tick,
                          .outcome = std::string(name_of(verdict.outcome)),
                          .reason = verdict.reason,
                          .since = verdict.since,
                          .decided = now,
                          .daemon = name_};
  std::optional<ledger::Run> run;
  if (verdict.outcome == Outcome::fire)
    run = ledger::Run{.id = new_run_id(now),
                      .job = verdict.job,
                      .status = ledger::Status::queued,
                      .started = now,
                      .heartbeat = now,
                      .process = this_process(),
                      .trigger = "serve",
                      .actor = "schedule",
                      .due = verdict.tick};
  if (!TRY(ledger_.agenda().enter(tick, run, lease_))) return {};
  if (run)
    say_(Level::info, verdict.job,
         fmt::format("tick {} fires: run {}{}{}", format_instant(verdict.tick), run->id,
                     verdict.reason.empty() ? "" : "; ", verdict.reason));
  else
    say_(Level::info, verdict.job,
         fmt::format("tick {} does not fire ({}): {}", format_instant(verdict.tick), tick.outcome, verdict.reason));
  return {};
}

/// Until the next due moment, the end of a process, a change of the clock, or a call of wake().
void Daemon::wait(const std::stop_token& stop) {
  std::optional<Instant> until = wake_at_;
  if (const auto start = supervisor_.next_start(); start && (!until || *start < *until)) until = start;
  itimerspec alarm{};
  if (until) {
    const auto since_epoch = std::max(until->time_since_epoch(), Instant::duration(1));
    alarm.it_value.tv_sec = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
    alarm.it_value.tv_nsec =
        std::chrono::nanoseconds(since_epoch - std::chrono::floor<std::chrono::seconds>(since_epoch)).count();
  }
  // A clock that is set ends the wait (timerfd_create(2)): what is due is another question then.
  timerfd_settime(timer_.fd(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &alarm, nullptr);
  std::vector<pollfd> entries{{.fd = woken_.fd(), .events = POLLIN, .revents = 0},
                              {.fd = timer_.fd(), .events = POLLIN, .revents = 0}};
  for (const int fd : supervisor_.descriptors()) entries.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  auto longest = supervisor_.next_look() - monotonic();
  longest = std::min(longest, settings_.beat_every);
  if (lease_) longest = std::min(longest, lease_renewed_ + renew_every - monotonic());
  if (stop.stop_requested()) return;
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(longest, 0us)).count();
  poll(entries.data(), entries.size(), static_cast<int>(milliseconds));
  drain(woken_.fd());
  drain(timer_.fd());
}

Result<void> Daemon::wind_up() {
  if (settings_.shutdown == Shutdown::stop) TRY(supervisor_.cancel_all("shutdown"));
  if (settings_.shutdown != Shutdown::leave) {
    TRY(supervisor_.look(monotonic(), false));
    while (supervisor_.watched() > 0) {
      wake_at_ = clock_.now() + 1s;
      wait({});
      TRY(supervisor_.look(monotonic(), false));
    }
  }
  if (lease_) TRY(ledger_.agenda().give_up_lease(*lease_));
  return {};
}

}  // namespace steward::engine
