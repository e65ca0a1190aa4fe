// archive

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "io/files/folder.h"
#include "jobs/retention/archive_contents.h"
#include "jobs/retention/restore.h"
#include "run/manifest/archive.h"
#include "run/manifest/row_json.h"
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

json document_of(const retention::FoundRow& row, const std::string& archive) {
  json file = nullptr;
  if (row.file)
    file = {{"copy", manifest::bytes_to_json(row.file->copy)},
            {"source", manifest::bytes_to_json(row.file->source)},
            {"sha256", row.file->sha256},
            {"bytes", row.file->size.count}};
  return {{"archive", archive},
          {"run", row.run},
          {"task", row.task},
          {"table", row.table},
          {"key", manifest::bytes_to_json(row.key)},
          {"archived", format_instant(row.archived)},
          {"row", json::parse(row.row, nullptr, false)},
          {"file", file},
          {"file_missing", row.file_missing},
          {"referring", manifest::to_json(row.referring)}};
}

/// The archives from the one on that a page begins in; its place there is left in `after`.
Result<std::span<const object::StoreTarget>> archives_from(std::span<const object::StoreTarget> archives,
                                                           std::string& after) {
  if (after.empty()) return archives;
  for (std::size_t at = 0; at < archives.size(); ++at) {
    const std::string begin = archives[at].url + '|';
    if (!after.starts_with(begin)) continue;
    after.erase(0, begin.size());
    return archives.subspan(at);
  }
  return fail(Kind::bad_input, fmt::format("--after {} is no place in an archive", printable(after)),
              "Give what `next` of the page before says.");
}

/// The one that a copy is asked for from.
Result<object::StoreTarget> archive_named(const Settings& settings, const std::string& url) {
  for (const object::StoreTarget& archive : settings.archives)
    if (url.empty() ? settings.archives.size() == 1 : archive.url == url) return archive;
  return fail(Kind::bad_input,
              url.empty() ? "there are several archives" : fmt::format("no task has the archive {}", printable(url)),
              fmt::format("Give --archive with one of {}.", join_and(urls_of(settings.archives))));
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

Result<int> archive_show_command(const Output& output, const ArchiveShowCommand& command) {
  const Settings settings = TRY(settings_of_process());
  const std::vector<object::StoreTarget> archives = TRY(archives_there(settings));
  retention::PageRequest request{
      .filter = {.run = command.run, .table = command.table, .key = command.key, .text = command.match},
      .after = command.after,
      .limit = command.limit};
  json all = json::array();
  std::vector<std::vector<std::string>> rows{{"TABLE", "KEY", "ARCHIVED", "FILE", "ROW"}};
  std::uint64_t looked_at = 0;
  std::string next;
  for (const object::StoreTarget& archive : TRY(archives_from(archives, request.after))) {
    const retention::RowPage page = TRY(retention::rows_of_archive(archive, request));
    for (const retention::FoundRow& row : page.rows) {
      all.push_back(document_of(row, archive.url));
      const std::string file = row.file ? format_bytes(row.file->size) : row.file_missing ? "missing" : "";
      rows.push_back({row.table, printable(row.key),
                      format_instant(std::chrono::floor<std::chrono::seconds>(row.archived)), file,
                      fmt::format("{:.100}", printable(row.row))});
    }
    looked_at += page.looked_at;
    if (!page.next.empty()) {
      next = archive.url + '|' + page.next;
      break;
    }
    request.after.clear();
    request.limit = command.limit - all.size();
  }
  if (output.json) {
    print_json({{"rows", all}, {"looked_at", looked_at}, {"next", next.empty() ? json(nullptr) : json(next)}});
    return 0;
  }
  if (all.empty())
    print(fmt::format("None of {} rows is like that.\n", format_count(looked_at)));
  else
    print(table(rows, {3}));
  if (!next.empty()) fmt::print(stderr, "There is more: --after '{}'\n", printable(next));
  return 0;
}

namespace {

Result<void> write_file(const ArchiveFileCommand& command) {
  const Settings settings = TRY(settings_of_process());
  object::StoreTarget archive;
  retention::ArchivedFile file{.copy = command.copy, .sha256 = command.sha256};
  if (command.copy.empty()) {
    if (command.table.empty() || command.key.empty())
      return fail(Kind::bad_input, "nothing was named", "Give --table mockups --key 17.");
    bool found = false;
    for (const object::StoreTarget& each : TRY(archives_there(settings))) {
      const retention::RowPage page = TRY(retention::rows_of_archive(
          each, {.filter = {.table = command.table, .key = command.key}, .limit = 1, .most_looked_at = UINT64_MAX}));
      if (page.rows.empty() || !page.rows.front().file) continue;
      archive = each;
      file = *page.rows.front().file;
      found = true;
      break;
    }
    if (!found)
      return fail(Kind::not_found, fmt::format("no file of {} {} is archived", command.table, printable(command.key)),
                  "Look with `steward archive show`.");
  } else {
    archive = TRY(archive_named(settings, command.archive));
  }
  files::FileSink out(STDOUT_FILENO);
  const auto most = command.most == 0 ? std::nullopt : std::optional(Bytes{command.most});
  return retention::read_copy(archive, file.copy, file.sha256, most, out);
}

}  // namespace

Result<int> archive_file_command(const Output& output, const ArchiveFileCommand& command) {
  const auto written = write_file(command);
  if (written) return 0;
  if (!output.json) return std::unexpected(written.error());
  // Standard output is for the file's bytes alone.
  fmt::print(stderr, "{}\n", json{{"error", to_json(written.error())}}.dump());
  return row_of(written.error().kind).exit_code;
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
