/// Carries out a job: locks, recovers, plans, brakes, executes, records. The same for cron, by hand, under the daemon
/// and under Dagster.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "run/brakes.h"
#include "run/job.h"
#include "run/ledger/ledger.h"
#include "run/questions.h"
#include "run/shard_work.h"

namespace steward {

/// What a run works in.
struct Surroundings {
  const Clock& clock;
  const StateDirectory& state;
  ledger::Ledger& ledger;
  Reporter& reporter;
  /// Asked at every checkpoint; an error ends the run as cancelled: the tests' crash points.
  std::function<Result<void>(std::string_view place)> interrupted{};
  /// Requested by the program's signals, and by the run itself when it is cancelled through the ledger. Connections
  /// that carry its token (sql::Target) then stop their statements; the next checkpoint ends the run as cancelled.
  std::stop_source stop{};
};

struct RunSettings {
  std::string id{};  ///< Of the run; empty: a new one. Given where sessions were named for it before it began.
  /// Not empty: the run is queued in the ledger, and this process was started for it with this token
  /// (run/ledger/agenda.h).
  std::string launch{};
  std::vector<std::string> only{};  ///< Names of tasks; empty: all of the job's.
  std::optional<Plan> approved{};   ///< The plan to carry out; else a fresh one.
  /// The run is of one shard of that plan, and the job's task is that shard already (run/shard_work.h).
  std::optional<ShardWork> shard{};
  /// Why nothing may be removed, as the caller knows from outside of the ledger ("ledger-foreign"). Like a freeze: it
  /// refuses the tasks that remove, and no others.
  std::optional<Error> barred{};
  std::set<std::string> allow_removal{};  ///< Tasks whose share and median brakes are off for this run.
  Brakes brakes{};
  /// When it has to ask. What waits is left out, the rest is carried out, and the run ends as `waiting`
  /// (run/ledger/approvals.h). A run that was queued by an approval carries out what waited.
  ApprovalRule approval{};
  bool unattended = false;  ///< Nobody has seen the plan: tripped brakes and changed policies wait for a person.
  ThrottleRules throttle{};
  std::string trigger = "hand";
  std::string actor{};
  std::string version{};
  std::string environment{};
};

/// What became of one task.
struct TaskResult {
  std::string task{};
  std::string status{};  ///< succeeded, failed, refused, cancelled, waiting, not_configured, off.
  std::vector<std::string> needs{};
  Amount planned{}, done{};
  std::vector<Skip> skipped{};
  std::vector<std::string> notes{};
  std::optional<Error> error{};
  std::optional<std::chrono::microseconds> took{};  ///< Of what was begun.
};

struct RunResult {
  std::string id{};
  std::string job{};
  ledger::Status status{};
  std::string plan_digest{};
  std::vector<TaskResult> tasks{};
  int exit_code = 0;
};

nlohmann::json to_json(const TaskResult& result);
/// Reads a task's entry back, as the ledger has it.
TaskResult task_result_from(const nlohmann::json& document);
/// The document of `run --json`.
nlohmann::json to_json(const RunResult& result);

/// What `status` and exit code the tasks' results add up to. What waits for an approval counts where nothing else was
/// done. Pure.
struct Verdict {
  ledger::Status status{};
  int exit_code = 0;
};
Verdict verdict_of(const std::vector<TaskResult>& tasks);

/// Plans the job's tasks. Errors of a task stay in its step. bad_input where `only` names no task of it, or where
/// nothing named is configured (the hint names the variables).
/// `barred`: see RunSettings. `sample`: gets keys of what is planned, of tasks that can be cut into shards.
Result<Plan> plan_job(const Job& job, const std::vector<std::string>& only, const std::string& environment,
                      const Brakes& brakes, const Clock& clock, const StateDirectory& state, ledger::Ledger* ledger,
                      const std::optional<Error>& barred = {}, KeySample* sample = nullptr);

/// Carries out the job. An error only where nothing was begun: bad_input as plan_job, busy where another run has a
/// target, a ledger that cannot be written; where a launch has been followed by a newer one. What happens later is in
/// the result.
Result<RunResult> run_job(const Job& job, const RunSettings& settings, const Surroundings& in);

/// This process, as the ledger names it.
ledger::Process this_process();

/// What this process can tell of another.
enum class Presence {
  alive,
  gone,     ///< Of an earlier boot of this host, or no process has its pid and start.
  unknown,  ///< Of another host or PID namespace.
};
Presence presence_of(const ledger::Process& process);

/// Whether the process of a run is gone; one of which nothing is known counts as alive until its pulse is ten minutes
/// old.
bool is_gone(const ledger::Run& run, Instant now);
/// The run as people are shown it: one whose process is gone is not running, whatever the ledger says until somebody
/// notes it.
ledger::Run as_it_stands(ledger::Run run, Instant now);

/// The PID namespace of this process, "pid:[4026531836]"; empty where /proc does not say.
std::string pid_namespace();
/// Whether that process is certainly gone, as only its own kernel can tell: it is of this boot and of this PID
/// namespace, and no process has its pid and start. Of any other nothing is known, and it is false: hosts of one name,
/// containers of one host and clones of one disk are not the same machine.
bool is_gone_here(const ledger::Process& process, std::string_view its_pid_namespace);

using ledger::new_run_id;

/// How far clocks may be apart.
inline constexpr std::chrono::minutes clock_tolerance{5};
/// The refusal (code "clock") where `now` is more than five minutes off `server`, which `what` names; else nothing.
std::optional<Error> clock_refusal(Instant now, Instant server, std::string_view what);

}  // namespace steward
