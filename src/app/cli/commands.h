/// The commands, one function each: they take what the command line said, and give the exit code or the error to
/// report.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/output.h"
#include "app/pipes/pipes.h"
#include "core/result.h"

namespace steward::app {

struct PlanCommand {
  std::string job{};     ///< JOB or JOB/TASK
  bool discard = false;  ///< Only to look at: it is not kept, and no run can be made from it.
};
Result<int> plan_command(const Output& output, const PlanCommand& command);

/// plan --against: both configurations planned at the same moment, and compared task by task. Exit code 3 where the
/// present one would remove over `limit` items more than the other, 1 where a task of either cannot be planned.
struct AgainstCommand {
  std::string job{};
  std::string against{};  ///< The other configuration's file.
  bool markdown = false;
  std::optional<std::uint64_t> limit{};
};
Result<int> against_command(const Output& output, const AgainstCommand& command);

struct RunCommand {
  std::string job{};
  std::string plan{};       ///< A digest's prefix.
  std::uint64_t shard = 0;  ///< Of that plan this shard alone; 0: the whole.
  std::vector<std::string> allow_removal{};
  bool force = false;          ///< Also what was rotated just now.
  bool full_speed = false;     ///< No throttle, for this run.
  std::string approval{};      ///< A run that waited and was approved: it is carried out now.
  std::string tick{};          ///< The moment of another scheduler that this run is for: no other run is, ever.
  pipes::Bootstrap dagster{};  ///< What Dagster gave this process, if it has started it.
};
Result<int> run_command(const Output& output, const RunCommand& command);

/// Plans a task and hands its plan out in shards; or adds up what became of one that was handed out: 1 while it is not
/// all done.
struct ShardsCommand {
  std::string job{};  ///< JOB/TASK
  std::uint64_t count = 8;
  bool allow_removal = false;
  std::string plan{};  ///< A digest's prefix: of that one.
};
Result<int> shards_command(const Output& output, const ShardsCommand& command);

/// What jobs there are, their tasks and schedules: what other schedulers are made from.
Result<int> catalogue_command(const Output& output);

/// What waits for a person, and the answers. `run`: its id or a beginning of it.
struct ApprovalsCommand {
  std::string job{}, run{}, digest{}, reason{};
  bool all = false;          ///< Those that were answered, too.
  bool break_glass = false;  ///< Against the rule of four eyes.
};
Result<int> approvals_list_command(const Output& output, const ApprovalsCommand& command);
Result<int> approvals_show_command(const Output& output, const ApprovalsCommand& command);
Result<int> approvals_approve_command(const Output& output, const ApprovalsCommand& command);
Result<int> approvals_reject_command(const Output& output, const ApprovalsCommand& command);

/// The daemon. Ends when it is told to (SIGTERM, SIGINT).
struct ServeCommand {
  std::string only{};        ///< Jobs, with commas; empty: STEWARD_SERVE_JOBS, else all.
  std::string shutdown{};    ///< leave, wait or stop: runs that are under way. Empty: as the configuration says.
  std::string log_format{};  ///< text or json; likewise.
  std::string listen{};      ///< "127.0.0.1:8420" or "off"; empty: as the settings say.
};
Result<int> serve_command(const Output& output, const ServeCommand& command);

/// No start of a job by its schedule. `job`: a name, or "all".
struct PauseCommand {
  std::string job{}, reason{}, until{};
};
Result<int> pause_command(const Output& output, const PauseCommand& command);
Result<int> pause_list_command(const Output& output, bool all);
Result<int> resume_command(const Output& output, const std::string& job);

Result<int> status_command(const Output& output);

/// Whether steward does what it is there for: exit code 0, or 1 with what is wrong. Asks the ledger, the state
/// directory and disks; no database of the application, and no bucket.
struct HealthcheckCommand {
  std::string only{};  ///< As ServeCommand::only.
  std::string url{};   ///< A server whose /healthz is asked besides; empty: none.
};
Result<int> healthcheck_command(const Output& output, const HealthcheckCommand& command);

/// Prometheus's text format on standard output, or in `file`, which is replaced whole.
Result<int> metrics_command(const Output& output, const std::string& file);

/// The next firings of a job, of all jobs, or of an expression. Reads nothing but the configuration, and of an
/// expression not even that.
struct ScheduleCommand {
  bool past = false;  ///< What became of ticks, instead of those to come.
  std::string job{};  ///< Empty: all.
  std::size_t count = 10;
  std::string from{};  ///< RFC 3339; empty: now.
  std::string tick{};  ///< RFC 3339: whether this moment of another scheduler's is to start a run.
  std::optional<std::string> cron{};
  std::string time_zone = "UTC", dst_gap = "after", dst_overlap = "first";
};
Result<int> schedule_command(const Output& output, const ScheduleCommand& command);

struct RunsCommand {
  std::string job{};
  std::size_t limit = 20;
};
Result<int> runs_command(const Output& output, const RunsCommand& command);
Result<int> runs_show_command(const Output& output, const std::string& run);
Result<int> runs_log_command(const Output& output, const std::string& run);
Result<int> runs_cancel_command(const Output& output, const std::string& run);

Result<int> archive_list_command(const Output& output);
/// Rows in the archive, a page of them, newest first.
struct ArchiveShowCommand {
  std::string run{}, table{}, key{}, match{};
  std::string after{};  ///< `next` of the page before.
  std::size_t limit = 50;
};
Result<int> archive_show_command(const Output& output, const ArchiveShowCommand& command);
/// The bytes of an archived file on standard output: of a row, or the copy of this name and hash. With --json an error
/// alone is JSON.
struct ArchiveFileCommand {
  std::string table{}, key{};
  std::string archive{};  ///< Empty: the only one.
  std::string copy{}, sha256{};
  std::uint64_t most = 0;  ///< Bytes; 0: any number.
};
Result<int> archive_file_command(const Output& output, const ArchiveFileCommand& command);
Result<int> archive_verify_command(const Output& output);
struct RestoreCommand {
  bool all = false;
  std::string run{}, table{};
  std::vector<std::string> keys{};
};
Result<int> archive_restore_command(const Output& output, const RestoreCommand& command);

struct BackupListCommand {
  std::string task{};  ///< Of this policy alone.
};
Result<int> backup_list_command(const Output& output, const BackupListCommand& command);
/// Reads, or restores and compares; 1 where a backup is not what its manifest says.
struct BackupVerifyCommand {
  std::string backup = "latest";
  std::string task{}, depth = "bytes", to{}, identity{};
  bool copy = false;  ///< Of the second store.
};
Result<int> backup_verify_command(const Output& output, const BackupVerifyCommand& command);
struct BackupRestoreCommand {
  std::string backup{}, task{}, to{}, identity{};
  std::string at{};  ///< pgBackRest alone: the moment.
  std::vector<std::string> tables{};
  bool plan_only = false, into_existing = false, no_compare = false, globals = false;
  bool no_owner = false, no_privileges = false;
  bool copy = false;  ///< From the second store.
  int jobs = 0;       ///< 0: as many as there are processors, at most 8.
};
Result<int> backup_restore_command(const Output& output, const BackupRestoreCommand& command);

/// Without `yes` it says what would be forgotten, and no more.
struct ForgetCommand {
  std::string table{};
  std::vector<std::string> keys{};
  std::string reason{};
  bool yes = false;
};
Result<int> archive_forget_command(const Output& output, const ForgetCommand& command);

/// What a hold is about: rows, a file or objects.
struct HoldCommand {
  std::string table{}, key{}, path{}, object{};
  std::vector<std::string> where{};  ///< As jobs/retention/conditions.h reads them.
  bool prefix = false;
  std::string reason{}, until{};
};
Result<int> hold_add_command(const Output& output, const HoldCommand& command);
/// Which holds, and which rule of the configuration, keep a row, a file or an object. 0: held; 1: not.
Result<int> hold_test_command(const Output& output, const HoldCommand& command);
Result<int> hold_list_command(const Output& output, bool all);
Result<int> hold_release_command(const Output& output, const std::string& id);

struct FreezeCommand {
  std::string reason{}, until{};
};
struct NotifyListCommand {
  bool open = false;  ///< Only what is neither sent nor given up.
};
Result<int> notify_list_command(const Output& output, const NotifyListCommand& command);
/// Sends a message to `channel` now; 1 where it does not arrive.
Result<int> notify_test_command(const Output& output, const std::string& channel);

Result<int> freeze_command(const Output& output, const FreezeCommand& command);
Result<int> freeze_list_command(const Output& output, bool all);
/// `id` empty: the only one in force.
Result<int> freeze_lift_command(const Output& output, const std::string& id);

/// People who may use the API and the dashboard. Passwords are asked for, never given as an argument.
struct UserCommand {
  std::string name{}, role = "viewer";
  bool enable = false;  ///< disable --undo
};
Result<int> user_add_command(const Output& output, const UserCommand& command);
Result<int> user_list_command(const Output& output);
Result<int> user_passwd_command(const Output& output, const UserCommand& command);
Result<int> user_role_command(const Output& output, const UserCommand& command);
Result<int> user_disable_command(const Output& output, const UserCommand& command);
Result<int> user_remove_command(const Output& output, const UserCommand& command);

struct TokenCommand {
  std::string name{}, role = "viewer";
  std::string owner{};  ///< The user whom it acts for; empty: it acts for itself.
  std::string expires = "90 days";
};
Result<int> token_add_command(const Output& output, const TokenCommand& command);
Result<int> token_list_command(const Output& output);
Result<int> token_revoke_command(const Output& output, const std::string& id);

/// Removes from the state directory what run/upkeep.h says; with `plan_only` says what would go.
Result<int> tidy_state_command(const Output& output, bool plan_only);

Result<int> doctor_command(const Output& output);
/// doctor --grants: the GRANTs for `role` (empty: the user that the URL names) and the bucket policy that the
/// configured tasks need, and no more.
Result<int> grants_command(const Output& output, const std::string& role);
Result<int> config_show_command(const Output& output);
/// All that is wrong, each with its place; exit code 2 where anything is.
Result<int> config_check_command(const Output& output);
/// The built-in tasks as a file to begin with; on standard output where `file` is empty.
Result<int> config_init_command(const Output& output, const std::string& file);
/// The JSON Schema of a configuration file, or its reference in Markdown.
Result<int> config_schema_command(const Output& output, bool markdown);
Result<int> ledger_verify_command(const Output& output);
/// Gives the archives of the configuration to this ledger and environment.
Result<int> ledger_adopt_command(const Output& output);
}  // namespace steward::app
