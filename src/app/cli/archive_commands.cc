// archive

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "jobs/retention/restore.h"
#include "run/manifest/archive.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::vector<std::string> urls_of(const std::vector<object::StoreTarget>& stores) {
  std::vector<std::string> urls;
  for (const object::StoreTarget& store : stores) urls.push_back(store.url);
  return urls;
}

/// The archives that have been made. Where there is one alone, it is there, or the command fails with what is wrong.
Result<std::vector<object::StoreTarget>> archives_there(const Settings& settings) {
  if (settings.archives.size() < 2) return settings.archives;
  std::vector<object::StoreTarget> there;
  for (const object::StoreTarget& target : settings.archives) {
    const auto archive = manifest::Archive::read(target);
    if (!archive && archive.error().kind == Kind::not_found) continue;
    if (!archive) return std::unexpected(archive.error());
    there.push_back(target);
  }
  return there;
}

/// One task for each archive that has something of what is asked for; the first archive where none has.
Result<Job> restore_job(const Settings& settings, const retention::RestoreRequest& request) {
  Job job{.name = "restore", .title = "brings back what was archived"};
  const auto add = [&](const object::StoreTarget& archive) {
    const std::string name = job.tasks.empty() ? "restore" : fmt::format("restore-{}", job.tasks.size() + 1);
    const TaskInfo info{.name = name, .title = fmt::format("brings back what was archived at {}", archive.url)};
    job.tasks.push_back({.info = info,
                         .task = retention::restore_archived(
                             info, restore_settings(settings, archive, caller("restore", "")), request)});
  };
  if (settings.archives.size() > 1)
    for (const object::StoreTarget& archive : settings.archives)
      if (TRY(retention::has_any(archive, request))) add(archive);
  if (job.tasks.empty() && !settings.archives.empty()) add(settings.archives.front());
  if (job.tasks.empty())
    return fail(Kind::bad_input, "no task has an archive", "Give a task an archive: archive: STORE.", "not-configured");
  return job;
}

}  // namespace

Result<int> archive_list_command(const Output& output) {
  const Settings settings = TRY(settings_of_process());
  json all = json::array();
  std::vector<std::vector<std::string>> rows{{"RUN", "TABLE", "ROWS", "BYTES", "ARCHIVED", ""}};
  for (const object::StoreTarget& archive : TRY(archives_there(settings))) {
    for (const retention::ArchivedRun& run : TRY(retention::list_archive(archive))) {
      all.push_back({{"run", run.run},
                     {"archive", archive.url},
                     {"task", run.task},
                     {"table", run.table},
                     {"items", run.items},
                     {"bytes", run.bytes.count},
                     {"began", format_instant(run.began)},
                     {"finished", run.finished}});
      rows.push_back({run.run, run.table, format_count(run.items), format_bytes(run.bytes),
                      format_instant(std::chrono::floor<std::chrono::seconds>(run.began)),
                      run.finished ? "" : "unfinished"});
    }
  }
  if (output.json)
    print_json({{"archives", urls_of(settings.archives)}, {"runs", all}});
  else if (rows.size() == 1)
    print(fmt::format("Nothing has been archived at {}.\n", join_and(urls_of(settings.archives))));
  else
    print(table(rows, {2, 3}));
  return 0;
}

Result<int> archive_verify_command(const Output& output) {
  const Settings settings = TRY(settings_of_process());
  ProgressReporter progress(output);
  progress.task_began({.task = "verify"});
  retention::Verified verified;
  for (const object::StoreTarget& archive : TRY(archives_there(settings))) {
    const retention::Verified one = TRY(retention::verify_archive(archive, [&](const retention::Verified& so_far) {
      progress.progress({.task = "verify", .done = {.items = so_far.copies, .bytes = so_far.bytes}});
    }));
    verified.copies += one.copies;
    verified.bytes += one.bytes;
    verified.faults.insert(verified.faults.end(), one.faults.begin(), one.faults.end());
  }
  progress.task_ended("verify", "succeeded", {}, {}, nullptr);
  if (output.json) {
    print_json({{"archives", urls_of(settings.archives)},
                {"copies", verified.copies},
                {"bytes", verified.bytes.count},
                {"faults", verified.faults}});
  } else {
    for (const std::string& fault : verified.faults) print(tinted(output, Tint::bad, printable(fault)) + '\n');
    print(fmt::format("{} copies read, {}: {}\n", format_count(verified.copies), format_bytes(verified.bytes),
                      verified.faults.empty() ? "all are what was archived"
                                              : fmt::format("{} are not what was archived", verified.faults.size())));
  }
  return verified.faults.empty() ? 0 : 1;
}

Result<int> archive_restore_command(const Output& output, const RestoreCommand& command) {
  if (!command.all && command.run.empty() && command.table.empty())
    return fail(Kind::bad_input, "nothing was named to restore",
                "Give --all, --run ID, or --table T with --key K for single rows.");
  if (!command.keys.empty() && command.table.empty())
    return fail(Kind::bad_input, "--key needs --table", "Give --table mockups --key 17.");
  Session session = TRY(open_session_saying(output));
  if (session.settings.databases.empty())
    return fail(Kind::bad_input, "there is no database to restore into",
                session.settings.files.empty() ? "Set DATABASE_URL." : "Name it under databases.", "not-configured");
  const Job job =
      TRY(restore_job(session.settings, {.run = command.run, .table = command.table, .keys = command.keys}));
  const FinishBeforeLeaving finish;
  Reporters reporters;
  ProgressReporter progress(output);
  reporters.add(progress);
  RunSettings settings{.trigger = "hand",
                       .actor = user_name(),
                       .version = std::string(version),
                       .environment = session.settings.environment};
  settings.brakes.from = UINT64_MAX;  // bringing back is no removal
  const RunResult result = TRY(run_job(job, settings,
                                       {.clock = session.clock,
                                        .state = session.state,
                                        .ledger = *session.ledger,
                                        .reporter = reporters,
                                        .stop = stop_of_process()}));
  if (output.json)
    print_json(to_json(result));
  else
    print(result_text(output, result));
  return result.exit_code;
}

}  // namespace steward::app
