/// What a job is: named tasks, each of which can say what it would do, and do it.
///
///   for each task: lock -> recover what an earlier run left -> plan -> brake -> execute
///
/// A task knows one kind of target and keeps no state between calls. `plan` reads and never writes; `execute` does what
/// its step covers and nothing else, and checks each item again as it reaches it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "run/holds.h"
#include "run/plan.h"
#include "run/reporter.h"
#include "run/shard.h"
#include "run/state.h"
#include "run/throttle.h"

namespace steward {

/// A lock at a target that is held while the object lives. See run/locks.h.
struct Lock {
  virtual ~Lock() = default;
  /// An error (interrupted) once the lock may have been lost: the run ends before its next batch.
  virtual Result<void> alive() = 0;
  /// What a person should know of how it was taken, in one line; mostly nothing.
  virtual std::string note() const { return {}; }
};

/// What a task has while it plans.
struct PlanContext {
  Instant now{};
  std::optional<Instant>
      cutoff{};  ///< Pinned by an earlier plan that is to be carried out; else from the policy and `now`.
  Holds holds{};
  std::uint64_t count_all_from = 1'000;  ///< With fewer, no brake asks how many there are in all: counting is dear.
  const StateDirectory* state = nullptr;
  KeySample* sample = nullptr;  ///< Where it is to be cut into shards: gets keys of what is planned.
};

/// Which shard of a handed-out plan a task is to be.
struct ShardOf {
  std::string digest{};  ///< Of the plan.
  std::uint64_t number = 1;
  ShardRange range{};
};

/// What a task has while it runs. One for each task of a run; the tally outlives an error, so that a failed task still
/// says what it did.
class RunContext {
 public:
  virtual ~RunContext() = default;

  virtual const std::string& run() const = 0;  ///< The run's id.
  virtual const std::string& environment() const = 0;
  virtual const Clock& clock() const = 0;
  virtual const StateDirectory& state() const = 0;
  virtual ledger::Ledger& ledger() = 0;
  virtual const ThrottleRules& throttle() const = 0;

  /// Go on, or stop: an error (interrupted) when the run is cancelled, a lock is lost, or time is up. Called between
  /// any two acts of which a crash could come between; `place` names the place. Cheap: it looks at the ledger at most
  /// every second.
  virtual Result<void> checkpoint(std::string_view place) = 0;
  /// The holds in force now: read again from the ledger whenever its generation has grown. Ask before every commit.
  /// refused (code "freeze") where a freeze has come and the task removes: what is done stays done, and no more goes.
  virtual Result<const Holds*> holds() = 0;

  virtual void done(std::uint64_t items, std::optional<Bytes> bytes = {}) = 0;
  virtual void skip(std::string_view reason, std::string_view example = {}, std::uint64_t items = 1) = 0;
  virtual void note(Level level, std::string_view text) = 0;
  virtual const Amount& so_far() const = 0;
};

/// What is known of a task before it is asked anything.
struct TaskInfo {
  std::string name{};   ///< "purge-signals"
  std::string title{};  ///< One sentence for people, without secrets.
};

class Task {
 public:
  virtual ~Task() = default;
  virtual const TaskInfo& info() const = 0;
  /// Whether it takes anything away from anywhere. Those that do are refused under a freeze; backups and restores are
  /// not.
  virtual bool removes() const { return true; }
  /// What it would do now. An error where that cannot be known (no connection, no such table, no rights).
  virtual Result<Step> plan(PlanContext& context) const = 0;
  /// Cuts a step that was planned with a `sample` into up to `count` shards. One alone, with the reason, of a task that
  /// cannot be cut, or not here.
  virtual Result<Split> split(const Step& step, std::uint64_t count, PlanContext& context) const {
    (void)count, (void)context;
    return in_one(step, "this kind of task is not cut");
  }
  /// The task on one range of its keys alone: plans and removes nothing else, and its locks let other shards go on
  /// beside it, but no run of the whole. Null where it cannot be cut.
  virtual std::unique_ptr<Task> shard(const ShardOf& of) const {
    (void)of;
    return nullptr;
  }
  /// Locks its targets against other runs. busy (exit 75) where one has them.
  virtual Result<std::vector<std::unique_ptr<Lock>>> lock() const = 0;
  /// Finishes or undoes what an earlier run left, and says so in notes. Under the locks, before planning.
  virtual Result<void> recover(RunContext&) const { return {}; }
  /// Does what the step covers. What it did is in the context's tally, also where it ends in an error.
  virtual Result<void> execute(const Step& step, RunContext& context) const = 0;
};

/// A task's place in a job: there, or absent with the reason.
struct TaskSlot {
  TaskInfo info{};
  std::unique_ptr<Task> task{};      ///< Null where it is not configured or off.
  std::vector<std::string> needs{};  ///< Not configured: the variables to set.
  std::string off_by{};              ///< Off: where a person said so, "STEWARD_DISABLE".
  bool approval = false;             ///< It is carried out once a person has approved its plan.
};

struct Job {
  std::string name{};  ///< "cleanup"
  std::string title{};
  std::vector<TaskSlot> tasks{};
};

}  // namespace steward
