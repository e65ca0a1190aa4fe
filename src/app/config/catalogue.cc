#include "app/config/catalogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "io/sql/database_url.h"
#include "jobs/backup/backup.h"
#include "jobs/backup/several.h"
#include "jobs/rotation/rotation.h"

namespace steward::app {
namespace {

constexpr std::string_view cleanup_name = "cleanup", rotation_name = "rotate-logs", backup_name = "backup";

std::string path_of(const std::string& store_url) { return store_url.substr(std::string_view("file://").size()); }

std::vector<retention::UrlPrefix> as(const Caller& caller, std::vector<retention::UrlPrefix> urls) {
  for (retention::UrlPrefix& url : urls) url.store = as(caller, url.store);
  return urls;
}

retention::Policy as(const Caller& caller, retention::Policy policy) {
  if (retention::RowRules* rows = retention::rows_of(policy)) rows->database = as(caller, rows->database);
  for (object::StoreTarget* store : retention::stores_of(policy)) *store = as(caller, *store);
  if (auto* files = std::get_if<retention::FileRowPolicy>(&policy)) files->urls = as(caller, files->urls);
  return policy;
}

/// The step by which the archive of a task forgets what is older than it is to keep. Its name cannot be a task's of a
/// configuration.
std::optional<TaskSlot> archive_purge(const retention::TaskSpec& spec, const Caller& caller) {
  if (!spec.policy) return {};
  const retention::Policy policy = as(caller, *spec.policy);
  const retention::ArchiveRules* archive = retention::archive_of(policy);
  if (archive == nullptr || !archive->keep) return {};
  const retention::RowRules& rows = *retention::rows_of(policy);
  TaskSlot slot{.info = {.name = spec.info.name + ".archive",
                         .title = fmt::format("what {} archived more than {} ago is purged from {}", spec.info.name,
                                              format_age(*archive->keep), archive->store.url)},
                .off_by = spec.off_by,
                .approval = spec.approval};
  if (spec.off_by.empty()) slot.task = retention::expire_archive(slot.info, rows, *archive);
  return slot;
}

}  // namespace

sql::Target as(const Caller& caller, sql::Target target) {
  target.application = caller.agent;
  target.stop = caller.stop;
  return target;
}

object::StoreTarget as(const Caller& caller, object::StoreTarget target) {
  target.agent = caller.agent;
  return target;
}

backup::PgBackRest as(const Caller& caller, backup::PgBackRest policy) {
  if (policy.database) policy.database = as(caller, *policy.database);
  policy.stop = caller.stop;
  return policy;
}

retention::OutOfReach out_of_reach(const Settings& settings, const StateDirectory& state, const Caller& caller) {
  retention::OutOfReach out;
  out.folders.push_back(state.folder().path());
  for (const object::StoreTarget& archive : settings.archives) {
    if (archive.url.starts_with("file://")) out.folders.push_back(path_of(archive.url));
    out.stores.push_back(archive.url);
  }
  const auto keep_off = [&](const std::string& url) {
    if (url.starts_with("file://")) out.folders.push_back(path_of(url));
    out.stores.push_back(url);
  };
  for (const backup::PolicySpec& spec : settings.backup) {
    if (!spec.policy) continue;
    keep_off(spec.policy->store.url);
    if (spec.policy->copy) keep_off(spec.policy->copy->store.url);
  }
  std::vector<std::string> urls{settings.ledger_url};
  for (const auto& [name, target] : settings.databases) urls.push_back(target.url);
  for (const std::string& url : urls)
    if (const auto parsed = sql::parse_database_url(url); parsed && parsed->dialect == sql::Dialect::sqlite)
      out.files.push_back(parsed->path);
  // Also those of a task that is off: its rows need their files all the same.
  for (const retention::TaskSpec& spec : settings.cleanup) {
    const auto* files = spec.policy ? std::get_if<retention::FileRowPolicy>(&*spec.policy) : nullptr;
    if (files == nullptr) continue;
    out.needed.push_back({.database = as(caller, files->rows.database),
                          .table = files->rows.table,
                          .column = files->file_column,
                          .root = files->root,
                          .urls = files->urls});
  }
  return out;
}

namespace {

Job cleanup(const Settings& settings, const StateDirectory& state, const Caller& caller) {
  const retention::OutOfReach untouched = out_of_reach(settings, state, caller);
  Job job{.name = std::string(cleanup_name), .title = "archives and removes what has become old"};
  for (const retention::TaskSpec& spec : settings.cleanup) {
    TaskSlot slot{.info = spec.info, .off_by = spec.off_by, .approval = spec.approval};
    if (!spec.policy)
      slot.needs = spec.needs;
    else if (spec.off_by.empty())
      slot.task = retention::make_task(spec.info, as(caller, *spec.policy), untouched, state);
    job.tasks.push_back(std::move(slot));
    if (auto purge = archive_purge(spec, caller)) job.tasks.push_back(*std::move(purge));
  }
  return job;
}

/// Two tasks for each policy: what is due is rotated, and what is old goes.
Job rotate_logs(const Settings& settings, const Caller& caller) {
  Job job{.name = std::string(rotation_name), .title = "rotates log files, and removes old archives of them"};
  for (const rotation::PolicySpec& spec : settings.rotation) {
    TaskSlot rotate{.info = rotation::rotate_info(spec), .off_by = spec.off_by, .approval = spec.approval};
    TaskSlot expire{.info = rotation::expire_info(spec), .off_by = spec.off_by, .approval = spec.approval};
    if (!spec.policy) {
      rotate.needs = expire.needs = spec.needs;
    } else if (spec.off_by.empty()) {
      rotate.task = rotation::rotate_logs(rotate.info, *spec.policy, caller.again);
      expire.task = rotation::expire_archives(expire.info, *spec.policy);
    }
    job.tasks.push_back(std::move(rotate));
    job.tasks.push_back(std::move(expire));
  }
  return job;
}

/// Up to three tasks of a stanza: whether pgBackRest has a retention, its own file alone says, so the last is always
/// there.
void add_cluster(Job& job, const backup::PolicySpec& spec, const Caller& caller) {
  TaskSlot slot{.info = backup::backup_info(spec), .off_by = spec.off_by, .approval = spec.approval};
  TaskSlot proof{.info = backup::proof_info(spec), .off_by = spec.off_by};
  TaskSlot expire{.info = backup::expire_info(spec), .off_by = spec.off_by, .approval = spec.approval};
  if (spec.off_by.empty()) {
    const backup::PgBackRest policy = as(caller, *spec.pgbackrest);
    slot.task = backup::back_up_cluster(slot.info, policy);
    if (policy.proof) proof.task = backup::prove_cluster(proof.info, policy);
    expire.task = backup::expire_cluster(expire.info, policy);
  }
  job.tasks.push_back(std::move(slot));
  if (spec.pgbackrest->proof) job.tasks.push_back(std::move(proof));
  job.tasks.push_back(std::move(expire));
}

/// Up to five tasks for each policy: a backup, its proof, its copy elsewhere, and what is old goes in both places.
void add_policy(Job& job, const backup::PolicySpec& spec) {
  TaskSlot slot{.info = backup::backup_info(spec), .off_by = spec.off_by, .approval = spec.approval};
  TaskSlot proof{.info = backup::proof_info(spec), .off_by = spec.off_by};
  TaskSlot expire{.info = backup::expire_info(spec), .off_by = spec.off_by, .approval = spec.approval};
  TaskSlot copy{.info = backup::copy_info(spec), .off_by = spec.off_by};
  TaskSlot copy_expire{.info = backup::copy_expire_info(spec), .off_by = spec.off_by, .approval = spec.approval};
  const bool copies = spec.policy && spec.policy->copy, copies_go = copies && !spec.policy->copy->keep.empty();
  if (!spec.policy) {
    slot.needs = spec.needs;
  } else if (spec.off_by.empty()) {
    const backup::Policy& policy = *spec.policy;
    slot.task = backup::back_up(slot.info, policy);
    if (policy.proof) proof.task = backup::prove_backup(proof.info, policy);
    if (!policy.keep.empty()) expire.task = backup::expire_backups(expire.info, policy);
    if (copies) copy.task = backup::copy_backups(copy.info, policy);
    if (copies_go) copy_expire.task = backup::expire_backups(copy_expire.info, backup::policy_of_copies(policy));
  }
  job.tasks.push_back(std::move(slot));
  if (spec.policy && spec.policy->proof) job.tasks.push_back(std::move(proof));
  if (copies) job.tasks.push_back(std::move(copy));
  if (spec.policy && !spec.policy->keep.empty()) job.tasks.push_back(std::move(expire));
  if (copies_go) job.tasks.push_back(std::move(copy_expire));
}

backup::PolicySpec as(const Caller& caller, backup::PolicySpec spec) {
  if (!spec.policy) return spec;
  backup::Policy& policy = *spec.policy;
  policy.database = as(caller, policy.database);
  policy.store = as(caller, policy.store);
  policy.steward = caller.version;
  if (policy.copy) policy.copy->store = as(caller, policy.copy->store);
  return spec;
}

/// Of several databases: the tasks of each, where the caller asks which there are; and the one that looks at all.
void add_several(Job& job, const backup::PolicySpec& spec, const Caller& caller) {
  TaskSlot slot{.info = backup::several_info(spec), .off_by = spec.off_by, .approval = spec.approval};
  if (spec.off_by.empty()) {
    std::optional<Result<backup::Databases>> found;
    if (caller.asks) found = backup::databases_of(spec);
    if (found && *found)
      for (const backup::PolicySpec& one : backup::each_of(spec, (*found)->chosen)) add_policy(job, one);
    slot.task = backup::check_several(slot.info, spec, std::move(found));
  }
  job.tasks.push_back(std::move(slot));
}

Job back_up(const Settings& settings, const Caller& caller) {
  Job job{.name = std::string(backup_name), .title = "dumps databases into a store, and proves that they come back"};
  for (const backup::PolicySpec& configured : settings.backup) {
    const backup::PolicySpec spec = as(caller, configured);
    if (spec.pgbackrest)
      add_cluster(job, spec, caller);
    else if (spec.policy && spec.several)
      add_several(job, spec, caller);
    else
      add_policy(job, spec);
  }
  return job;
}

/// What a schedule asks of one policy.
struct Configured {
  bool works = false;
  std::string off_by{};
};

std::vector<Configured> policies_of(const Settings& settings, const std::string& job) {
  std::vector<Configured> out;
  if (job == cleanup_name)
    for (const retention::TaskSpec& spec : settings.cleanup)
      out.push_back({.works = spec.policy && spec.off_by.empty(), .off_by = spec.off_by});
  if (job == rotation_name)
    for (const rotation::PolicySpec& spec : settings.rotation)
      out.push_back({.works = spec.policy && spec.off_by.empty(), .off_by = spec.off_by});
  if (job == backup_name)
    for (const backup::PolicySpec& spec : settings.backup)
      out.push_back({.works = spec.is_configured() && spec.off_by.empty(), .off_by = spec.off_by});
  return out;
}

std::vector<engine::Watched> watched_backups(const Settings& settings) {
  std::vector<engine::Watched> out;
  for (const backup::PolicySpec& spec : settings.backup) {
    if (!spec.is_configured() || !spec.off_by.empty()) continue;
    out.push_back({.task = spec.name,
                   .proof = backup::proof_info(spec).name,
                   .proof_every = spec.proof() ? std::optional(spec.proof()->every) : std::nullopt,
                   .of_several = spec.several.has_value(),
                   .stale_after = backup::stale_after});
    // Each night's is copied: a second store that has none of it for a day is no second store.
    if (spec.policy && spec.policy->copy && !spec.several)
      out.push_back({.task = backup::copy_info(spec).name, .what = "copy", .stale_after = backup::stale_after});
  }
  return out;
}

}  // namespace

Job make_job(const std::string& name, const Settings& settings, const StateDirectory& state, const Caller& caller) {
  if (name == rotation_name) return rotate_logs(settings, caller);
  return name == backup_name ? back_up(settings, caller) : cleanup(settings, state, caller);
}

retention::RestoreSettings restore_settings(const Settings& settings, const object::StoreTarget& archive,
                                            const Caller& caller) {
  retention::RestoreSettings out{.archive = as(caller, archive), .s3 = settings.s3};
  for (const retention::TaskSpec& spec : settings.cleanup) {
    const retention::RowRules* rows = spec.policy ? retention::rows_of(*spec.policy) : nullptr;
    const retention::ArchiveRules* rules = spec.policy ? retention::archive_of(*spec.policy) : nullptr;
    if (rules == nullptr || rules->store.url != archive.url) continue;
    const auto* files = std::get_if<retention::FileRowPolicy>(&*spec.policy);
    out.homes.push_back({.task = spec.info.name,
                         .table = rows->table,
                         .database = as(caller, rows->database),
                         .root = files == nullptr ? std::string{} : files->root,
                         .urls = files == nullptr ? std::vector<retention::UrlPrefix>{} : as(caller, files->urls)});
  }
  return out;
}

engine::ScheduledJob scheduled_job(const Settings& settings, const std::string& name) {
  engine::ScheduledJob job{
      .name = name, .schedule = settings.schedules.at(name), .configured = false, .removes = false};
  bool works = false;
  std::string off_by;
  for (const Configured& policy : policies_of(settings, name)) {
    // One that somebody has turned off counts as configured, so that the job is off and not forgotten.
    job.configured |= policy.works || !policy.off_by.empty();
    works |= policy.works;
    if (off_by.empty()) off_by = policy.off_by;
  }
  // Logs are rotated under a freeze, and databases backed up: nothing is lost by it.
  job.removes = works && name == cleanup_name;
  if (job.configured && !works) job.off_by = off_by;
  if (name == backup_name) job.watched = watched_backups(settings);
  return job;
}

std::vector<engine::ScheduledJob> scheduled_jobs(const Settings& settings) {
  std::vector<engine::ScheduledJob> out;
  for (const auto& [name, schedule] : settings.schedules) out.push_back(scheduled_job(settings, name));
  return out;
}

std::vector<std::string> job_names() {
  return {std::string(cleanup_name), std::string(rotation_name), std::string(backup_name)};
}

std::string kind_of(const Settings& settings, std::string_view job, std::string_view task) {
  if (job == rotation_name) return task.ends_with(".archive") ? "purge" : "rotation";
  if (job == backup_name) {
    if (task.ends_with(".expire") || task.ends_with(".copy-expire")) return "purge";
    return task.ends_with(".proof") ? "proof" : task.ends_with(".copy") ? "copy" : "backup";
  }
  const auto spec =
      std::ranges::find_if(settings.cleanup, [&](const retention::TaskSpec& one) { return one.info.name == task; });
  const bool is_known = spec != settings.cleanup.end() && spec->policy;
  // One of the built-in tasks that is not configured has its name alone to tell by.
  const bool archives = is_known ? retention::archive_of(*spec->policy) != nullptr : task.starts_with("archive-");
  return archives ? "archive" : "purge";
}

Result<JobName> parse_job_name(const std::string& text) {
  const std::size_t slash = text.find('/');
  JobName name{.job = text.substr(0, slash)};
  const std::vector<std::string> known = job_names();
  if (std::ranges::find(known, name.job) == known.end()) {
    std::string hint = did_you_mean(name.job, known);
    if (hint.empty()) hint = fmt::format("The jobs are {}.", join_and(known));
    return fail(Kind::bad_input, fmt::format("there is no job \"{}\"", printable(name.job)), std::move(hint));
  }
  if (slash != std::string::npos)
    for (const std::string_view task : split(std::string_view(text).substr(slash + 1), ','))
      name.only.emplace_back(task);
  return name;
}

std::vector<std::string> with_databases(const Settings& settings, const Job& job,
                                        const std::vector<std::string>& only) {
  std::vector<std::string> out;
  for (const std::string& name : only) {
    out.push_back(name);
    const bool is_several = std::ranges::any_of(
        settings.backup, [&](const backup::PolicySpec& spec) { return spec.name == name && spec.several; });
    for (const TaskSlot& slot : job.tasks)
      if (is_several && job.name == backup_name && slot.info.name.starts_with(name + '.') &&
          kind_of(settings, job.name, slot.info.name) == "backup")
        out.push_back(slot.info.name);
  }
  return out;
}

}  // namespace steward::app
