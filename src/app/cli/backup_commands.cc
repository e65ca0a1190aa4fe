// backup

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/cli/cluster_backups.h"
#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/proof_by_hand.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/restore.h"
#include "jobs/backup/several.h"
#include "jobs/backup/verify.h"
#include "run/runner.h"

namespace steward::app {
namespace {
using nlohmann::json;

/// Policies that are configured; `task` alone where it is named.
Result<std::vector<backup::PolicySpec>> policies(const Settings& settings, const std::string& task) {
  std::vector<backup::PolicySpec> out;
  std::vector<std::string> known;
  for (const backup::PolicySpec& spec : settings.backup) {
    known.push_back(spec.name);
    if (!spec.is_configured() || (!task.empty() && spec.name != task)) continue;
    out.push_back(spec);
    if (spec.policy) out.back().policy = backup::seen_as_one(spec);
  }
  if (!out.empty()) return out;
  if (!task.empty() && std::ranges::find(known, task) == known.end())
    return fail(
        Kind::bad_input, fmt::format("there is no backup \"{}\"", printable(task)),
        did_you_mean(task, known).empty() ? fmt::format("There are {}.", join_and(known)) : did_you_mean(task, known));
  return fail(Kind::bad_input, "no backup is configured",
              settings.files.empty() ? "Set DATABASE_URL and BACKUP_BUCKET." : "Name one under backup.",
              "not-configured");
}

/// The one policy that a command is about.
Result<backup::PolicySpec> the_spec(const Settings& settings, const std::string& task) {
  const std::vector<backup::PolicySpec> all = TRY(policies(settings, task));
  if (all.size() == 1) return all.front();
  std::vector<std::string> names;
  for (const backup::PolicySpec& spec : all) names.push_back(spec.name);
  return fail(Kind::bad_input, "which backup is meant?", fmt::format("Add --task: {}.", join_or(names)));
}

/// A dump's; `copy`: as it is in the second store.
Result<backup::Policy> policy_of(const backup::PolicySpec& spec, bool copy) {
  if (!copy) return *spec.policy;
  if (spec.policy->copy) return backup::policy_of_copies(*spec.policy);
  return fail(Kind::bad_input, fmt::format("{} has no second store", spec.name),
              "Name one: BACKUP_COPY_TO, or copy_to in the file.");
}

constexpr int most_jobs = 8;
int cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

std::string short_instant(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

}  // namespace

namespace {

/// Nothing where the store is not there yet.
Result<std::vector<backup::Backup>> backups_in(const object::StoreTarget& target, const std::string& name) {
  const auto store = object::open(target);
  if (!store && store.error().kind == Kind::not_found) return std::vector<backup::Backup>{};
  if (!store) return std::unexpected(store.error());
  return backup::list_backups(**store, name);
}

std::string tinted_standing(const Output& output, const backup::Backup& one) {
  const Tint tint = one.is_bad() ? Tint::bad : one.restored() ? Tint::good : Tint::plain;
  return tinted(output, tint, std::string(one.standing()));
}

/// What people are shown of one policy's backups.
struct BackupRows {
  bool with_copies = false;
  std::vector<std::vector<std::string>> rows{};

  void add(const Output& output, const backup::Backup& one, const std::string& here, const backup::Backup* copy) {
    const backup::Manifest& manifest = one.manifest;
    rows.push_back({manifest.id(), short_instant(manifest.begun), format_count(manifest.tables),
                    format_count(manifest.rows), format_bytes(manifest.size()), here});
    if (with_copies) rows.back().push_back(copy == nullptr ? "-" : tinted_standing(output, *copy));
  }
};

}  // namespace

Result<int> backup_list_command(const Output& output, const BackupListCommand& command) {
  const Settings settings = TRY(settings_of_process());
  json all = json::array(), copies = json::array(), stores = json::array();
  const std::vector<backup::PolicySpec> specs = TRY(policies(settings, command.task));
  BackupRows shown{.with_copies =
                       std::ranges::any_of(specs, [](const auto& spec) { return spec.policy && spec.policy->copy; })};
  shown.rows.push_back({"ID", "MADE", "TABLES", "ROWS", "BYTES", "PROVED"});
  if (shown.with_copies) shown.rows.back().emplace_back("COPY");
  for (const backup::PolicySpec& spec : specs) {
    if (spec.pgbackrest) {
      stores.push_back(backup::shown(*spec.pgbackrest));
      std::vector<std::vector<std::string>> rows;
      TRY(list_cluster(output, spec, all, rows));
      for (std::vector<std::string>& row : rows) {
        if (shown.with_copies) row.emplace_back("-");
        shown.rows.push_back(std::move(row));
      }
      continue;
    }
    const backup::Policy& policy = *spec.policy;
    stores.push_back(policy.store.url);
    const std::vector<backup::Backup> here = TRY(backups_in(policy.store, policy.name));
    std::vector<backup::Backup> there;
    if (policy.copy) there = TRY(backups_in(policy.copy->store, policy.name));
    std::map<std::string, const backup::Backup*> copy_of;
    for (const backup::Backup& one : there) {
      copies.push_back(document_of(one, spec.name, policy.copy->store.url));
      copy_of[one.manifest.id()] = &one;
    }
    for (const backup::Backup& one : here) {
      all.push_back(document_of(one, spec.name, policy.store.url));
      const auto copy = copy_of.find(one.manifest.id());
      shown.add(output, one, tinted_standing(output, one), copy == copy_of.end() ? nullptr : copy->second);
      copy_of.erase(one.manifest.id());
    }
    for (const auto& [id, copy] : copy_of) shown.add(output, *copy, "only the copy", copy);
  }
  if (output.json)
    print_json({{"stores", stores}, {"backups", all}, {"copies", copies}});
  else if (shown.rows.size() == 1)
    print(fmt::format("There is no backup at {} yet: steward run backup makes one.\n",
                      join_and(stores.get<std::vector<std::string>>())));
  else
    print(table(shown.rows, {2, 3, 4}));
  return 0;
}

namespace {

/// Somebody has removed it, as `expire` does.
bool is_gone(object::Store& store, const backup::Backup& one) {
  const auto manifest = store.head(one.manifest.key_of(backup::manifest_key));
  return !manifest && manifest.error().kind == Kind::not_found;
}

}  // namespace

Result<int> backup_verify_command(const Output& output, const BackupVerifyCommand& command) {
  const Settings settings = TRY(settings_of_process());
  const backup::PolicySpec spec = TRY(the_spec(settings, command.task));
  if (spec.pgbackrest) return verify_cluster(output, spec, command);
  const backup::Policy policy = TRY(policy_of(spec, command.copy));
  const auto store = TRY(object::open(as(caller("backup verify", ""), policy.store)));
  const backup::Backup one = TRY(backup::find_backup(*store, command.backup, policy.name));
  const backup::Depth depth = command.depth == "restore" ? backup::Depth::restore : backup::Depth::bytes;
  backup::VerifyOptions options{.depth = depth, .clients = policy.clients, .to = command.to};
  options.reading.identity = command.identity.empty() ? policy.identity : command.identity;
  options.reading.stop = stop_of_process().get_token();
  backup::Proof proof;
  Bytes read{};
  const auto prove = [&](const ProofByHand::Progress& progress) -> Result<std::vector<std::string>> {
    options.reading.progress = [&](Bytes more) {
      read += more;
      return progress(more);
    };
    proof = TRY(backup::verify(*store, one, options, SystemClock()));
    if (!proof.faults.empty() && is_gone(*store, one))
      return fail(Kind::not_found, fmt::format("backup {} was removed meanwhile", one.manifest.id()));
    TRY(backup::write_proof(*store, one.manifest, proof));
    return proof.faults;
  };
  TRY(prove_by_hand(output,
                    {.task = task_of_proof(spec, one.manifest.name, depth, command.copy),
                     .backup = one.manifest.id(),
                     .target = policy.store.url,
                     .what = depth == backup::Depth::restore ? "restored; tables, rows and their content compared"
                                                             : "every object read and hashed",
                     .prove = prove}));
  if (output.json) {
    print_json({{"backup", one.manifest.id()},
                {"depth", backup::text_of(proof.depth)},
                {"at", format_instant(proof.at)},
                {"bytes", read.count},
                {"faults", proof.faults}});
  } else {
    for (const std::string& fault : proof.faults) print(tinted(output, Tint::bad, printable(fault)) + '\n');
    const std::string what = proof.depth == backup::Depth::restore
                                 ? fmt::format("restored: {} tables with {} rows", format_count(one.manifest.tables),
                                               format_count(one.manifest.rows))
                                 : fmt::format("read: {} objects, {}", one.manifest.objects.size(), format_bytes(read));
    print(fmt::format("{} {}{}\n", one.manifest.id(), what,
                      proof.faults.empty() ? ", each as it was backed up" : ", not as it was backed up"));
  }
  return proof.faults.empty() ? 0 : 1;
}

Result<int> backup_restore_command(const Output& output, const BackupRestoreCommand& command) {
  Session session = TRY(open_session_saying(output));
  const backup::PolicySpec spec = TRY(the_spec(session.settings, command.task));
  if (spec.pgbackrest) return restore_cluster(output, spec, command);
  if (command.to.empty())
    return fail(Kind::bad_input, "whereto is it to be restored?", "Name an empty database: --to URL.");
  if (!command.at.empty())
    return fail(Kind::bad_input, "a dump is of one moment, and has no other",
                "Leave out --at. For recovery to any moment there is engine: pgbackrest.");
  const backup::Policy policy = TRY(policy_of(spec, command.copy));
  const Caller who = caller("backup restore", "");
  backup::RestoreRequest request{.store = as(who, policy.store),
                                 .backup = command.backup,
                                 .name = policy.name,
                                 .to = as(who, sql::Target{.url = command.to}),
                                 .clients = policy.clients,
                                 .not_empty_too = command.into_existing,
                                 .compare = !command.no_compare,
                                 .globals = command.globals};
  request.options.reading.identity = command.identity.empty() ? policy.identity : command.identity;
  request.options.reading.stop = who.stop;
  request.options.owners = !command.no_owner;
  request.options.grants = !command.no_privileges;
  request.options.tables = command.tables;
  request.options.jobs = command.jobs > 0 ? command.jobs : std::clamp(cores(), 1, most_jobs);
  const TaskInfo info{.name = "restore", .title = "brings a backup back into a database"};
  Job job{.name = "backup-restore", .title = info.title};
  job.tasks.push_back({.info = info, .task = backup::restore_backup(info, std::move(request))});
  Brakes brakes = session.settings.brakes;
  brakes.from = UINT64_MAX;  // bringing back is no removal
  const Plan plan =
      TRY(plan_job(job, {}, session.settings.environment, brakes, session.clock, session.state, session.ledger.get()));
  if (command.plan_only && output.json) print_json(to_json(plan));
  if (!output.json) print(plan_text(output, plan));
  if (command.plan_only) return 0;
  // It would only fail again with the same words.
  if (const std::optional<Error>& error = plan.steps.front().error; error && !output.json)
    return row_of(error->kind).exit_code;
  const FinishBeforeLeaving finish;
  Reporters reporters;
  ProgressReporter progress(output);
  reporters.add(progress);
  RunSettings settings{.trigger = "hand",
                       .actor = user_name(),
                       .version = std::string(version),
                       .environment = session.settings.environment};
  settings.brakes = brakes;
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
