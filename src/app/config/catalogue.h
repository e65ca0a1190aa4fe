/// The jobs that there are, made from settings.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "app/config/settings.h"
#include "engine/scheduler.h"
#include "jobs/retention/restore.h"
#include "run/job.h"
#include "run/state.h"

namespace steward::app {

/// Who connects.
struct Caller {
  std::string agent{};  ///< How sessions are called in databases and stores: "steward cleanup 20261123T030000Z-4f2a91".
  std::stop_token stop{};  ///< Cancels the statements that run.
  bool again = false;      ///< Also what was rotated just now.
  std::string version{};   ///< This program's, for what it writes down.
  /// Asks servers which databases they have, where a backup is for several of them: each has tasks of its own then.
  bool asks = false;
};

/// A job with its tasks in their order; those whose settings are absent, or that are off, have no Task but say why.
/// `name` is one of job_names().
Job make_job(const std::string& name, const Settings& settings, const StateDirectory& state, const Caller& caller);

/// Names of all jobs that there are, in the order in which people are shown them.
std::vector<std::string> job_names();

/// What becomes of the items of a task: "archive", "purge", "rotation", "backup", "proof" or "copy".
std::string kind_of(const Settings& settings, std::string_view job, std::string_view task);

/// What a schedule needs to know of the job: whether anything of it is configured, who has turned it off, whether it
/// removes. The one place that says so: for the daemon, `status`, `schedule` and the API.
engine::ScheduledJob scheduled_job(const Settings& settings, const std::string& name);
/// All that have a schedule, also those that are not configured; by name.
std::vector<engine::ScheduledJob> scheduled_jobs(const Settings& settings);

/// The target as this caller connects to it.
sql::Target as(const Caller& caller, sql::Target target);
object::StoreTarget as(const Caller& caller, object::StoreTarget target);
backup::PgBackRest as(const Caller& caller, backup::PgBackRest policy);

/// Places that are steward's, and tables whose rows need files and objects.
retention::OutOfReach out_of_reach(const Settings& settings, const StateDirectory& state, const Caller& caller);

/// Where the rows of an archive come back to: by the tasks that are configured for it, else the only database.
retention::RestoreSettings restore_settings(const Settings& settings, const object::StoreTarget& archive,
                                            const Caller& caller);

/// "cleanup", "cleanup/purge-signals" or "cleanup/purge-signals,purge-logs", taken apart. bad_input for an unknown job.
struct JobName {
  std::string job{};
  std::vector<std::string> only{};
};
Result<JobName> parse_job_name(const std::string& text);

/// `only`, where a policy that is for several databases means the backups of each of them, too.
std::vector<std::string> with_databases(const Settings& settings, const Job& job, const std::vector<std::string>& only);

}  // namespace steward::app
