/// The durable record of all that steward did: runs, tasks, holds, archives, and an audit trail whose lines are chained
/// by hashes.
///
/// One schema on SQLite (the default, STATE/ledger.db) and on PostgreSQL (`STEWARD_LEDGER_URL`, tables in a schema
/// `steward`). Times are integers, microseconds since 1970; documents are JSON text that this room stores and does not
/// read.
///
/// Promises  - What a call has answered is durable (SQLite: WAL with synchronous FULL).
///           - Several processes may use one ledger at once. Each change is one transaction.
///           - `open` migrates an older ledger under a lock; SQLite's file is copied to ledger.db.before-vN first. A
///           newer ledger is refused
///             (code "ledger-newer", the hint says the way back).
///           - The audit trail only grows. Each line's hash covers the line and the hash before it (SHA-256), so that a
///           change or a removal
///             inside the trail shows in `verify_audit`.
///           - A PostgreSQL server that was restarted is connected to again; a change that it interrupted has failed.
///           - Text comes back as it was given, also where it is not UTF-8.
/// Threads   Any; calls wait for one another.
/// Errors    As io/sql; not_found for an unknown id; bad_input for a prefix that fits several.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"

namespace steward::ledger {

/// How a run stands. `queued`: a scheduler has entered it, and no process has taken it yet. `interrupted`: its process
/// died without a word, as the next one to look found.
enum class Status { queued, running, succeeded, failed, partial, refused, cancelled, waiting, interrupted };
std::string_view name_of(Status status);
std::optional<Status> status_named(std::string_view name);

/// The process that carries out a run.
struct Process {
  std::string host{};
  std::string boot{};  ///< /proc/sys/kernel/random/boot_id: a pid of another boot is another process.
  std::int64_t pid = 0;
  std::int64_t started_ticks = 0;  ///< Field 22 of /proc/PID/stat: tells a reused pid apart.
  std::string pid_namespace{};     ///< "pid:[4026531836]": only within it does the pid say anything. Empty: unknown.
  bool operator==(const Process&) const = default;
};

struct Run {
  std::string id{};  ///< "20261123T030000Z-4f2a91": sorts by time.
  std::string job{};
  std::string scope{};      ///< The tasks that were named, "purge-signals,purge-logs"; empty: the whole job.
  std::uint64_t shard = 0;  ///< Which shard of `plan_digest` it carries out, from 1; 0: it is no shard's.
  Status status = Status::running;
  Instant started{};
  std::optional<Instant> ended{};
  Instant heartbeat{};
  Process process{};
  std::string trigger{};  ///< "hand" (a terminal), "script" (cron and the like), "serve", "dagster".
  std::string actor{};    ///< Who: the user's name, or the scheduler's.
  std::string version{};  ///< Of steward.
  std::string environment{};
  std::string plan_digest{};
  std::string plan{};      ///< JSON.
  std::string progress{};  ///< JSON, as of the last heartbeat.
  std::string error{};     ///< JSON of the run's own error, or empty.
  bool cancel_requested = false;
  std::string cancelled_by{};
  std::optional<Instant> pulse{};  ///< When its process last said that it lives, whatever its work; see Ledger::pulse.

  // Of runs that a scheduler has entered (run/ledger/agenda.h):
  std::optional<Instant> due{};         ///< The tick that it belongs to.
  std::int64_t attempt = 1;             ///< Grows with each retry.
  std::string retry_of{};               ///< The run before this attempt.
  std::optional<Instant> not_before{};  ///< Queued until then.
  std::string launch{};                 ///< Queued: the token of the process that is being started for it.
  std::optional<Instant> launched{};    ///< When that was.
};

/// "20261123T030000Z-4f2a91".
std::string new_run_id(Instant now);

/// What became of one task of a run.
struct TaskRecord {
  std::string task{};
  std::string status{};  ///< As in `run --json`.
  std::uint64_t planned_items = 0, done_items = 0;
  std::uint64_t done_bytes = 0;
  std::string detail{};  ///< JSON: the task's entry of `run --json`.
};

/// A task of an earlier run, with what that run had planned.
struct PastTask {
  std::string run{};
  Instant started{};
  TaskRecord record{};
  std::string plan{};  ///< JSON, of the whole run; empty where it was forgotten.
};

/// What runs say of a task whose work is made anew all the time, such as a backup.
struct MadeByTask {
  /// The newest run in which it succeeded and had something to do, whatever became of the other tasks.
  std::string run{};
  std::optional<Instant> began{};  ///< Of that run; none: it never has.
  std::optional<Instant> ended{};  ///< None while the run goes on.
  /// The first run that it had its part in. Where there is none: the newest run of the whole job, which was without it.
  std::optional<Instant> known_since{};
};

/// Items that nothing may remove until it is released.
struct Hold {
  std::string id{};    ///< "h-4f2a91c0".
  std::string kind{};  ///< "row", "file" or "object".
  std::string
      target{};       ///< row: the table, "mockups" or "public.mockups". file: empty. object: the store, "s3://bucket".
  std::string key{};  ///< row: the primary key's text (composite: JSON array). file: an absolute path. object: a key.
                      ///< See `prefix`.
  bool prefix = false;  ///< Everything that begins with `key`.
  /// Narrows what `key` and `prefix` say, where it is not empty. row: a JSON array of conditions on columns
  /// (jobs/retention/held_rows.h), all of which a row meets. file, object: a glob (core/glob.h) for the whole path, or
  /// the whole address. Who does not know of it holds more, never less.
  std::string condition{};
  std::string reason{};
  std::string who{};
  Instant made{};
  std::optional<Instant> until{};
  std::optional<Instant> released{};
  std::string released_by{};
};

/// No removal at all, from anywhere, until it is lifted or its end has come.
struct Freeze {
  std::string id{};  ///< "f-4f2a91c0".
  std::string reason{};
  std::string who{};
  Instant made{};
  std::optional<Instant> until{};
  std::optional<Instant> lifted{};
  std::string lifted_by{};
};

/// An archive that this ledger has seen, and where.
struct ArchiveRecord {
  std::string id{};
  std::string location{};  ///< As shown: "file:///srv/cold", "s3://bucket/cold".
  Instant first_seen{};
};

/// One line of the audit trail.
struct AuditLine {
  std::int64_t number = 0;  ///< From 1, without gaps.
  Instant at{};
  std::string actor{};
  std::string act{};      ///< "run.begin", "run.end", "hold.add", "hold.release", "freeze.set", "freeze.lift", …
  std::string subject{};  ///< A run, a hold, a task.
  std::string detail{};   ///< JSON.
  std::string previous{}, hash{};
};

struct RunFilter {
  std::string job{};  ///< Empty: all.
  std::optional<Status> status{};
  bool whole = false;    ///< Without runs for which single tasks were named.
  std::string before{};  ///< Only those that come behind this run in the list: the next page.
  std::size_t limit = 50;
};

/// The highest schema this program knows.
inline constexpr int schema_version = 6;

class Agenda;
class Approvals;
class Outbox;
class Shards;
struct Totals;
class People;

class Ledger {
 public:
  virtual ~Ledger() = default;

  virtual const std::string& shown() const = 0;  ///< Where it is, without a password.
  virtual const std::string& id() const = 0;     ///< Given at creation: 32 hexadecimal digits.
  /// Whether changes can be entered at the moment, asked by one that changes nothing. An error where they cannot: the
  /// server does not answer or is a standby, the file is read-only, another process does not let go of it.
  virtual Result<void> check_writable() = 0;

  /// Enters the run and an audit line "run.begin".
  virtual Result<void> begin_run(const Run& run) = 0;
  /// Notes the run's pulse and how far it is, and answers whether it is to stop: a cancel was asked for, or others have
  /// ended the run (`interrupted`), which then stays as it is.
  virtual Result<bool> heartbeat(std::string_view run, Instant now, std::string_view progress) = 0;
  /// Notes that the process of the run lives, and answers as `heartbeat` does. It is no sign that the run has seen the
  /// holds: a statement that takes an hour has a pulse too.
  virtual Result<bool> pulse(std::string_view run, Instant now) = 0;
  /// What became of a task; a second record for the same task replaces the first.
  virtual Result<void> record_task(std::string_view run, const TaskRecord& record) = 0;
  /// The plan that the run carries out.
  virtual Result<void> set_plan(std::string_view run, std::string_view digest, std::string_view plan) = 0;
  /// Ends the run, running or queued, with an audit line "run.end". A run that has ended already stays as it is.
  virtual Result<void> end_run(std::string_view run, Status status, Instant now, std::string_view error) = 0;
  /// Asks a running run to stop; one that is queued or waits for an approval is cancelled at once, which is its end,
  /// with an audit line "run.end". refused (code "not-running") where it is none of these.
  virtual Result<void> request_cancel(std::string_view run, std::string_view who, Instant now) = 0;

  /// Newest first.
  virtual Result<std::vector<Run>> runs(const RunFilter& filter) = 0;
  /// By its id or a prefix of it that fits one alone; "latest" is the newest.
  virtual Result<Run> run(std::string_view id) = 0;
  virtual Result<std::vector<TaskRecord>> tasks(std::string_view run) = 0;
  /// done_items of the last `count` times the task succeeded and removed anything, newest first: for the brake. What
  /// was done in shards of one plan is one time; `but_for`: not the time of this plan, which is under way.
  virtual Result<std::vector<std::uint64_t>> last_removed(std::string_view job, std::string_view task,
                                                          std::size_t count, std::string_view but_for) = 0;
  /// The last `count` times the task had its part in a run, newest first: for forecasts. Runs of single shards are not
  /// among them.
  virtual Result<std::vector<PastTask>> past_tasks(std::string_view job, std::string_view task, std::size_t count) = 0;
  /// What the task has last made. A task that was off or not configured had no part in a run.
  virtual Result<MadeByTask> made_by(std::string_view job, std::string_view task) = 0;
  /// The last run of the whole of `job` that succeeded, if any.
  virtual Result<std::optional<Run>> last_success(std::string_view job) = 0;

  /// How many runs that began before, and are not under way nor waiting, still have their plan or progress.
  virtual Result<std::uint64_t> runs_with_plan(Instant before) = 0;
  /// Empties both of those; gives how many they were.
  virtual Result<std::uint64_t> forget_plans(Instant before) = 0;

  /// Enters holds in one transaction: raises the generation once, writes an audit line "hold.add" for each.
  virtual Result<void> add_holds(std::span<const Hold> holds) = 0;
  /// refused (code "released") where it is released already.
  virtual Result<void> release_hold(std::string_view id, std::string_view who, Instant now) = 0;
  /// Those in force at `now`, or all that ever were.
  virtual Result<std::vector<Hold>> holds(Instant now, bool all = false) = 0;
  /// Grows with every hold that is added or released, and every freeze that is set or lifted: what a run compares
  /// before each commit.
  virtual Result<std::int64_t> hold_generation() = 0;

  /// Enters a freeze, raises the generation, and writes an audit line "freeze.set".
  virtual Result<void> add_freeze(const Freeze& freeze) = 0;
  /// Ends it, raises the generation, and writes an audit line "freeze.lift". refused (code "lifted") where it is lifted
  /// already.
  virtual Result<void> lift_freeze(std::string_view id, std::string_view who, Instant now) = 0;
  /// Those in force at `now`, or all that ever were.
  virtual Result<std::vector<Freeze>> freezes(Instant now, bool all = false) = 0;

  /// Remembers that `location` carries archive `id`. refused (code "archive-changed") where it carried another before.
  virtual Result<void> remember_archive(std::string_view location, std::string_view id, Instant now) = 0;
  virtual Result<std::vector<ArchiveRecord>> archives() = 0;

  /// Appends to the audit trail.
  virtual Result<void> audit(std::string_view actor, std::string_view act, std::string_view subject,
                             std::string_view detail, Instant now) = 0;
  /// The last `limit` lines, newest first; of those before line `before`, where that is not 0.
  virtual Result<std::vector<AuditLine>> audit_lines(std::size_t limit, std::int64_t before = 0) = 0;
  /// Walks the whole trail. corrupt, with the first line that does not fit; else how many lines there are.
  virtual Result<std::int64_t> verify_audit() = 0;

  /// What all runs, tasks and ticks add up to (run/ledger/totals.h).
  virtual Result<Totals> totals() = 0;
  /// The latest instant at which a run that was not refused was at work: a clock behind it is wrong.
  virtual Result<std::optional<Instant>> latest() = 0;

  /// Ticks, leases, pauses and runs that are to be started. Lives as long as the ledger.
  virtual Agenda& agenda() = 0;
  /// What people are asked for, and what they answer. Lives as long as the ledger.
  virtual Approvals& approvals() = 0;
  /// Users, their sessions and tokens (run/ledger/people.h). Lives as long as the ledger.
  virtual People& people() = 0;
  /// What people are to be told of (run/ledger/outbox.h). Lives as long as the ledger.
  virtual Outbox& outbox() = 0;
  /// Plans that were handed out in shards (run/ledger/shards.h). Lives as long as the ledger.
  virtual Shards& shards() = 0;
};

struct Settings {
  std::string url{};  ///< sqlite:////absolute/ledger.db (made if absent, 0600) or postgresql://….
  bool read_only =
      false;  ///< For `status` and the like: does not create and does not migrate; not_found where there is none.
  /// How long a change waits for another's, and (at most 10 s) a connection for the server. Those take milliseconds: a
  /// ledger that cannot be written for half a minute is stuck.
  std::chrono::seconds patience{30};
  /// Once it is requested, what waits for a lock is given up and nothing else begins: both fail as interrupted.
  std::stop_token stop{};
};

Result<std::unique_ptr<Ledger>> open(const Settings& settings);

}  // namespace steward::ledger
