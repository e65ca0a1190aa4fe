// archive, hold

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "core/random.h"
#include "core/text.h"
#include "io/sql/connection.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/restore.h"
#include "run/manifest/archive.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

Result<Session> open_saying(const Output& output) {
  std::vector<std::string> warnings;
  Session session = TRY(open_session(warnings));
  if (!output.json)
    for (const std::string& warning : warnings) fmt::print(stderr, "steward: {}\n", printable(warning));
  return session;
}

json hold_json(const ledger::Hold& hold) {
  return {{"id", hold.id},
          {"kind", hold.kind},
          {"target", hold.target},
          {"key", printable(hold.key)},
          {"prefix", hold.prefix},
          {"reason", hold.reason},
          {"who", hold.who},
          {"made", format_instant(hold.made)},
          {"until", hold.until ? json(format_instant(*hold.until)) : json(nullptr)},
          {"released", hold.released ? json(format_instant(*hold.released)) : json(nullptr)}};
}

std::string covers_text(const ledger::Hold& hold) {
  const std::string key = printable(hold.key) + (hold.prefix ? "*" : "");
  return hold.target.empty() ? key : fmt::format("{} {}", hold.target, key);
}

/// Turns what the command line said into a hold: exactly one of row, file and object.
Result<ledger::Hold> hold_from(const HoldCommand& command, Instant now) {
  ledger::Hold hold{
      .id = "h-" + random_hex(4), .prefix = command.prefix, .reason = command.reason, .who = user_name(), .made = now};
  const int kinds = !command.table.empty() + !command.path.empty() + !command.object.empty();
  if (kinds != 1)
    return fail(Kind::bad_input, "a hold covers a row, a file or an object: one of them",
                "Give --table T --key K, --path P, or --object s3://bucket/key.");
  if (trim(command.reason).empty())
    return fail(Kind::bad_input, "a hold needs a reason",
                "Add --reason \"case 12\": it is what the next person reads.");
  if (!command.until.empty()) {
    hold.until = parse_instant(command.until);
    if (!hold.until)
      return fail(Kind::bad_input,
                  fmt::format("--until is \"{}\", which is not a date or time", printable(command.until)),
                  "Write it like 2027-01-31 or 2027-01-31T12:00:00Z.");
    if (*hold.until <= now)
      return fail(Kind::bad_input, fmt::format("--until is {}, which has passed", format_instant(*hold.until)),
                  "Name a time to come, or leave it out.");
  }
  if (!command.table.empty()) {
    if (command.key.empty() && !command.prefix)
      return fail(Kind::bad_input, "a hold on rows needs a key",
                  "Give --key K; for all rows of the table, --key '' --prefix.");
    hold.kind = "row";
    hold.target = command.table;
    hold.key = command.key;
  } else if (!command.path.empty()) {
    hold.kind = "file";
    const std::string real = retention::resolved(command.path);
    hold.key = real.empty() ? command.path : real;
    if (!hold.key.starts_with('/'))
      return fail(Kind::bad_input, fmt::format("there is no file {}", printable(command.path)),
                  "Give an absolute path, or one that exists.");
    if (command.prefix && command.path.ends_with('/') && !hold.key.ends_with('/')) hold.key += '/';
  } else {
    if (!command.object.starts_with("s3://") || command.object.find('/', 5) == std::string::npos)
      return fail(Kind::bad_input, fmt::format("\"{}\" is no object's address", printable(command.object)),
                  "Write it like s3://bucket/key.");
    const std::size_t slash = command.object.find('/', 5);
    hold.kind = "object";
    hold.target = command.object.substr(0, slash);
    hold.key = command.object.substr(slash + 1);
  }
  return hold;
}

/// Waits until every run that is under way has seen the ledger's holds: a run looks before each commit and at least
/// every second, and shows its pulse when it does.
Result<std::size_t> wait_for_runs(Session& session, Instant since) {
  constexpr int polls = 300;
  for (int i = 0; i < polls; ++i) {
    std::size_t behind = 0;
    for (const ledger::Run& run : TRY(session.ledger->runs({.status = ledger::Status::running, .limit = 100})))
      behind += run.heartbeat <= since && !is_gone(run.process, run.heartbeat, session.clock.now());
    if (behind == 0) return 0;
    pause_briefly();
  }
  return 1;
}

/// Beside the archives too, where there are any, so that a lost ledger loses no hold.
Result<void> write_beside_archives(const Session& session, const ledger::Hold& hold) {
  for (const object::StoreTarget& archive : session.settings.archives) {
    auto store = object::open(archive);
    if (!store && store.error().kind == Kind::not_found) continue;
    if (!store) return std::unexpected(std::move(store).error());
    TRY(manifest::write_hold(**store, hold));
  }
  return {};
}

/// A hold on a table that is in none of the databases protects nothing.
Result<void> check_table(const Settings& settings, const std::string& table) {
  std::optional<Error> first;
  for (const auto& [name, target] : settings.databases) {
    auto db = TRY(sql::connect(as(caller("hold", ""), target)));
    const auto found = db->describe(table);
    if (found) return {};
    if (found.error().kind != Kind::not_found) return std::unexpected(found.error());
    if (!first) first = found.error();
  }
  return first ? std::unexpected(*first) : Result<void>{};
}

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
  Session session = TRY(open_saying(output));
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

Result<int> hold_add_command(const Output& output, const HoldCommand& command) {
  Session session = TRY(open_saying(output));
  const ledger::Hold hold = TRY(hold_from(command, session.clock.now()));
  if (hold.kind == "row") TRY(check_table(session.settings, hold.target));
  TRY(session.ledger->add_holds(std::span(&hold, 1)));
  TRY(write_beside_archives(session, hold));
  // Since now, not since it was made: a pulse between the two may have come before the ledger had it.
  const std::size_t behind = TRY(wait_for_runs(session, session.clock.now()));
  if (output.json)
    print_json(hold_json(hold));
  else
    print(fmt::format("{}: {} is held{}.{}\n", hold.id, covers_text(hold),
                      hold.until ? " until " + format_instant(*hold.until) : "",
                      behind == 0 ? "" : " A run under way has not looked yet; it does before its next removal."));
  return 0;
}

Result<int> hold_list_command(const Output& output, bool all) {
  const Session session = TRY(open_saying(output));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"HOLD", "COVERS", "REASON", "BY", "UNTIL"}};
  for (const ledger::Hold& hold : TRY(session.ledger->holds(session.clock.now(), all))) {
    list.push_back(hold_json(hold));
    rows.push_back({hold.id, fmt::format("{} {}", hold.kind, covers_text(hold)), printable(hold.reason), hold.who,
                    hold.released ? "released"
                    : hold.until  ? format_instant(std::chrono::floor<std::chrono::seconds>(*hold.until))
                                  : "released by hand"});
  }
  if (output.json)
    print_json({{"holds", list}});
  else if (rows.size() == 1)
    print("Nothing is held.\n");
  else
    print(table(rows));
  return 0;
}

Result<int> hold_release_command(const Output& output, const std::string& id) {
  Session session = TRY(open_saying(output));
  TRY(session.ledger->release_hold(id, user_name(), session.clock.now()));
  for (const ledger::Hold& hold : TRY(session.ledger->holds(session.clock.now(), true)))
    if (hold.id == id) TRY(write_beside_archives(session, hold));
  if (output.json)
    print_json({{"id", id}, {"released", true}});
  else
    print(fmt::format("{} is released.\n", id));
  return 0;
}

}  // namespace steward::app
