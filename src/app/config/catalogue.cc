#include "app/config/catalogue.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "io/sql/database_url.h"

namespace steward::app {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view cleanup_name = "cleanup";

Age months(int n) { return Age{std::chrono::months{n}}; }
Age days(int n) { return Age{std::chrono::microseconds{std::chrono::days{n}}}; }

/// Fills a slot: off, not configured, or with the task that `make` makes.
template <class Make>
TaskSlot slot(const Settings& settings, std::string name, std::string title, bool configured,
              std::vector<std::string> needs, const Make& make) {
  TaskSlot slot{.info = {.name = std::move(name), .title = std::move(title)}};
  if (settings.disabled.contains(slot.info.name))
    slot.off_by = "STEWARD_DISABLE";
  else if (!configured)
    slot.needs = std::move(needs);
  else
    slot.task = make(slot.info);
  return slot;
}

object::StoreTarget with_agent(object::StoreTarget target, const std::string& agent) {
  target.agent = agent;
  return target;
}

std::string path_of(const std::string& store_url) { return store_url.substr(std::string_view("file://").size()); }

}  // namespace

sql::Target database_target(const Settings& settings, const Caller& caller) {
  return {.url = settings.database_url, .application = caller.agent, .stop = caller.stop};
}

retention::OutOfReach out_of_reach(const Settings& settings, const StateDirectory& state, const Caller& caller) {
  retention::OutOfReach out;
  out.folders.push_back(state.folder().path());
  if (settings.cold.url.starts_with("file://")) {
    out.folders.push_back(path_of(settings.cold.url));
    out.stores.push_back(settings.cold.url);
  } else {
    out.stores.push_back(settings.cold.url);
  }
  for (const std::string& url : {settings.database_url, settings.ledger_url})
    if (const auto parsed = sql::parse_database_url(url); parsed && parsed->dialect == sql::Dialect::sqlite)
      out.files.push_back(parsed->path);
  if (!settings.database_url.empty())
    out.needed.push_back({.database = database_target(settings, caller),
                          .table = "mockups",
                          .column = "image_url",
                          .root = settings.media_root});
  return out;
}

Job cleanup(const Settings& settings, const StateDirectory& state, const Caller& caller) {
  const sql::Target database = database_target(settings, caller);
  const object::StoreTarget cold = with_agent(settings.cold, caller.agent);
  const retention::OutOfReach untouched = out_of_reach(settings, state, caller);
  const bool has_database = !settings.database_url.empty();
  Job job{.name = std::string(cleanup_name), .title = "archives and removes what has become old"};
  job.tasks.push_back(
      slot(settings, "archive-mockups", "mockups older than 12 months go to cold storage with their images",
           has_database, {"DATABASE_URL"}, [&](const TaskInfo& info) {
             return retention::archive_file_rows(
                 info,
                 {.rows = {.database = database, .table = "mockups", .age_column = "created_at", .age = months(12)},
                  .file_column = "image_url",
                  .root = settings.media_root,
                  .archive = {.store = cold},
                  .s3 = settings.s3},
                 untouched);
           }));
  job.tasks.push_back(slot(
      settings, "purge-signals", "signals older than 30 days are deleted", has_database, {"DATABASE_URL"},
      [&](const TaskInfo& info) {
        return retention::purge_rows(
            info, {.rows = {.database = database, .table = "signals", .age_column = "timestamp", .age = days(30)}});
      }));
  job.tasks.push_back(slot(
      settings, "purge-logs", "log files not modified for 30 days are deleted", !settings.log_dir.empty(), {"LOG_DIR"},
      [&](const TaskInfo& info) {
        return retention::purge_files(
            info,
            {.folder = settings.log_dir,
             .patterns = {"*.log", "*.log.[0-9]*", "*.log-[0-9]*", "*.log.gz", "*.log.zst", "*.log.xz", "*.log.bz2"},
             .leave_out = {"archive"},
             .age = days(30)},
            untouched);
      }));
  job.tasks.push_back(slot(
      settings, "expire-objects", "objects older than S3_RETENTION_DAYS are deleted", !settings.bucket.url.empty(),
      {"S3_BUCKET"}, [&](const TaskInfo& info) {
        return retention::expire_objects(
            info, {.bucket = with_agent(settings.bucket, caller.agent), .age = settings.bucket_age}, untouched, state);
      }));
  job.tasks.push_back(slot(
      settings, "purge-audit-logs", "audit entries older than 18 months go to the archive, then are deleted",
      has_database, {"DATABASE_URL"}, [&](const TaskInfo& info) {
        return retention::archive_rows(
            info, {.rows = {.database = database, .table = "audit_logs", .age_column = "timestamp", .age = months(18)},
                   .archive = retention::ArchiveRules{.store = cold}});
      }));
  return job;
}

std::vector<std::string> job_names() { return {std::string(cleanup_name)}; }

Result<JobName> parse_job_name(const std::string& text) {
  const std::size_t slash = text.find('/');
  JobName name{.job = text.substr(0, slash)};
  const std::vector<std::string> known = job_names();
  if (std::ranges::find(known, name.job) == known.end()) {
    std::string hint = did_you_mean(name.job, known);
    if (hint.empty()) hint = fmt::format("The jobs are {}.", join_and(known));
    return fail(Kind::bad_input, fmt::format("there is no job \"{}\"", printable(name.job)), std::move(hint));
  }
  if (slash != std::string::npos) name.only.push_back(text.substr(slash + 1));
  return name;
}

}  // namespace steward::app
