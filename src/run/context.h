/// What the runner hands to each task while it runs, and the watch that it keeps meanwhile.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "run/runner.h"

namespace steward {

/// Looks every second whether somebody has asked the ledger to cancel this run, and then requests the stop: a statement
/// that runs for an hour is stopped by it, where a checkpoint would come an hour later. Every ten seconds it notes the
/// process's pulse; the run's heartbeat it leaves to checkpoints, since `hold add` takes that for a sign that the run
/// has seen the holds.
class CancelWatch {
 public:
  CancelWatch(ledger::Ledger& ledger, const Clock& clock, std::string run, std::stop_source stop);
  ~CancelWatch();
  CancelWatch(const CancelWatch&) = delete;
  CancelWatch& operator=(const CancelWatch&) = delete;
  /// Whether it was a cancel, and not a signal, that requested the stop.
  bool cancelled() const { return cancelled_; }

 private:
  void watch();
  Result<bool> is_cancelled();
  ledger::Ledger& ledger_;
  const Clock& clock_;
  std::string run_;
  std::stop_source stop_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_{};
  std::condition_variable ended_{};
  bool end_ = false;
  std::thread thread_{};
};

/// One for a run; `begin` makes it that of the next task.
class Context final : public RunContext {
 public:
  Context(const Surroundings& in, std::string run, const RunSettings& settings);

  const std::string& run() const override { return run_; }
  const std::string& environment() const override { return environment_; }
  const Clock& clock() const override { return in_.clock; }
  const StateDirectory& state() const override { return in_.state; }
  ledger::Ledger& ledger() override { return in_.ledger; }
  const ThrottleRules& throttle() const override { return throttle_; }

  Result<void> checkpoint(std::string_view place) override;
  Result<const Holds*> holds() override;

  void done(std::uint64_t items, std::optional<Bytes> bytes) override;
  void skip(std::string_view reason, std::string_view example, std::uint64_t items) override;
  void note(Level level, std::string_view text) override;
  const Amount& so_far() const override { return tally_; }

  /// The task that is at work from now on; its tally and skips begin at nothing.
  void begin(const Task& task, const Amount& planned);
  /// The run is in the ledger, with these locks: from now on cancels are watched for.
  void watch(std::vector<std::unique_ptr<Lock>> locks);
  /// Whether the run is to end as cancelled: a signal, a cancel, or a checkpoint's `interrupted`.
  bool cancelled() const { return cancelled_ || in_.stop.stop_requested(); }
  /// In words, where it is cancelled.
  Error why_stopped() const;
  const Skips& skips() const { return skips_; }
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

 private:
  Result<void> look();
  /// refused (code "freeze") where one is in force and the task at work removes.
  Result<void> check_freeze();

  const Surroundings& in_;
  std::string run_;
  std::string environment_;
  ThrottleRules throttle_;
  std::string task_{};
  bool removes_ = true;
  Amount planned_{}, tally_{};
  Skips skips_{};
  std::vector<std::string> notes_{};
  std::optional<Holds> holds_{};
  std::vector<std::unique_ptr<Lock>> locks_{};
  std::optional<CancelWatch> watch_{};
  std::chrono::steady_clock::time_point looked_{};
  bool cancelled_ = false;
};

}  // namespace steward
