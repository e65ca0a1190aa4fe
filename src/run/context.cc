#include "run/context.h"

#include <nlohmann/json.hpp>

namespace steward {
namespace {
using nlohmann::json;

constexpr std::chrono::seconds look_every{1};
constexpr int looks_to_a_pulse = 10;

}  // namespace

CancelWatch::CancelWatch(ledger::Ledger& ledger, const Clock& clock, std::string run, std::stop_source stop)
    : ledger_(ledger), clock_(clock), run_(std::move(run)), stop_(std::move(stop)), thread_([this] { watch(); }) {}

CancelWatch::~CancelWatch() {
  {
    const std::lock_guard guard(mutex_);
    end_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

void CancelWatch::watch() {
  int looks = 0;
  std::unique_lock guard(mutex_);
  while (!ended_.wait_for(guard, look_every, [this] { return end_; })) {
    guard.unlock();
    // A ledger that cannot be read is found by the next checkpoint, which says so.
    const Result<bool> stop = ++looks % looks_to_a_pulse == 0 ? ledger_.pulse(run_, clock_.now()) : is_cancelled();
    if (stop && *stop) {
      cancelled_ = true;
      stop_.request_stop();
      return;
    }
    guard.lock();
  }
}

Result<bool> CancelWatch::is_cancelled() {
  const ledger::Run run = TRY(ledger_.run(run_));
  return run.cancel_requested || run.status != ledger::Status::running;
}

Context::Context(const Surroundings& in, std::string run, const RunSettings& settings)
    : in_(in), run_(std::move(run)), environment_(settings.environment), throttle_(settings.throttle) {}

Error Context::why_stopped() const {
  const bool signalled = in_.stop.stop_requested() && !(watch_ && watch_->cancelled());
  return {.kind = Kind::interrupted,
          .message = signalled ? "stopped by a signal" : "the run was cancelled",
          .hint = "Run it again to go on."};
}

Result<void> Context::checkpoint(std::string_view place) {
  if (in_.interrupted) {
    if (auto stop = in_.interrupted(place); !stop) {
      cancelled_ = true;
      return stop;
    }
  }
  if (in_.stop.stop_requested()) return std::unexpected(why_stopped());
  const auto now = std::chrono::steady_clock::now();
  if (now - looked_ < look_every) return {};
  looked_ = now;
  return look();
}

Result<void> Context::look() {
  const json progress{{"task", task_}, {"done", to_json(tally_)}, {"planned", to_json(planned_)}};
  if (TRY(in_.ledger.heartbeat(run_, in_.clock.now(), progress.dump()))) {
    cancelled_ = true;
    return std::unexpected(why_stopped());
  }
  for (const auto& lock : locks_) TRY(lock->alive());
  TRY(check_freeze());  // between two commits may lie an hour in which one is set
  return {};
}

Result<const Holds*> Context::holds() {
  const std::int64_t generation = TRY(in_.ledger.hold_generation());
  if (!holds_ || generation != holds_->generation()) {
    holds_.reset();  // until the freezes are known too, nobody is told that the holds are
    TRY(check_freeze());
    holds_ = Holds(TRY(in_.ledger.holds(in_.clock.now())), generation);
  }
  return &*holds_;
}

Result<void> Context::check_freeze() {
  if (!removes_) return {};
  if (auto refusal = freeze_refusal(TRY(in_.ledger.freezes(in_.clock.now())))) return std::unexpected(*refusal);
  return {};
}

void Context::done(std::uint64_t items, std::optional<Bytes> bytes) {
  tally_.add(items, bytes);
  in_.reporter.progress({.task = task_, .done = tally_, .planned = planned_});
}

void Context::skip(std::string_view reason, std::string_view example, std::uint64_t items) {
  skips_.add(reason, example, items);
}

void Context::note(Level level, std::string_view text) {
  notes_.emplace_back(text);
  in_.reporter.note(level, task_, text);
}

void Context::begin(const Task& task, const Amount& planned) {
  task_ = task.info().name;
  removes_ = task.removes();
  planned_ = planned;
  tally_ = {};
  skips_ = {};
  holds_.reset();  // what was read for a task that removes nothing says nothing of freezes
}

void Context::watch(std::vector<std::unique_ptr<Lock>> locks) {
  locks_ = std::move(locks);
  watch_.emplace(in_.ledger, in_.clock, run_, in_.stop);
}

}  // namespace steward
