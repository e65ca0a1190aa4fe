#include "app/cli/cluster_backups.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/proof_by_hand.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "jobs/backup/pgbackrest_by_hand.h"
#include "jobs/backup/pgbackrest_info.h"
#include "jobs/backup/pgbackrest_program.h"
#include "jobs/backup/pgbackrest_tasks.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::string short_instant(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

/// pgBackRest, and what it says of the stanza.
struct Asked {
  backup::PgBackRest policy{};
  backup::PgBackRestProgram program;
  backup::Stanza stanza{};
};
Result<Asked> ask(const backup::PolicySpec& spec, const std::string& command) {
  backup::PgBackRest policy = as(caller(command, ""), *spec.pgbackrest);
  auto program = TRY(backup::PgBackRestProgram::find(policy));
  auto stanza = TRY(backup::stanza_of(program, policy));
  return Asked{std::move(policy), std::move(program), std::move(stanza)};
}

}  // namespace

Result<void> list_cluster(const Output& output, const backup::PolicySpec& spec, json& all,
                          std::vector<std::vector<std::string>>& rows) {
  const Asked asked = TRY(ask(spec, "backup list"));
  for (const backup::ClusterBackup& one : asked.stanza.backups) {
    backup::Backup backup = as_backup(one, asked.stanza, asked.program.version());
    backup.manifest.by_hand = backup::by_hand(asked.policy, one.label);
    json document = document_of(backup, spec.name, backup::shown(asked.policy));
    document["kind"] = "pgbackrest";
    all.push_back(std::move(document));
    const Tint tint = backup.is_bad() ? Tint::bad : backup.restored() ? Tint::good : Tint::plain;
    rows.push_back({backup.manifest.id(), short_instant(one.begun), one.type, "-", format_bytes(one.stored),
                    tinted(output, tint, std::string(backup.standing()))});
  }
  return {};
}

Result<int> verify_cluster(const Output& output, const backup::PolicySpec& spec, const BackupVerifyCommand& command) {
  if (!command.to.empty())
    return fail(Kind::bad_input, "a cluster is restored into a server of its own, and into no database",
                "Leave out --to.");
  const Asked asked = TRY(ask(spec, "backup verify"));
  const backup::ClusterBackup one = TRY(backup::find_cluster_backup(asked.stanza, command.backup));
  const backup::Depth depth = command.depth == "restore" ? backup::Depth::restore : backup::Depth::bytes;
  const std::string id = asked.stanza.name + '/' + one.label;
  backup::ClusterProof found;
  const auto prove = [&](const ProofByHand::Progress& progress) -> Result<std::vector<std::string>> {
    found = TRY(backup::look_at(asked.program, asked.policy, asked.stanza, one, depth, SystemClock(),
                                [&] { return progress(Bytes{}); }));
    std::vector<std::string> faults = found.proof.faults;
    for (const std::string& label : found.bad_others)
      faults.push_back(fmt::format("{}/{} is not whole", asked.stanza.name, label));
    return faults;
  };
  const std::vector<std::string> faults = TRY(prove_by_hand(
      output, {.task = task_of_proof(spec, {}, depth, false),
               .backup = id,
               .target = backup::shown(asked.policy),
               .what = depth == backup::Depth::restore ? "the repository read and hashed; restored, and each row read"
                                                       : "the repository read and hashed",
               .prove = prove}));
  if (output.json) {
    print_json({{"backup", id},
                {"depth", backup::text_of(found.proof.depth)},
                {"at", format_instant(found.proof.at)},
                {"bytes", one.stored.count},
                {"faults", faults}});
  } else {
    for (const std::string& fault : faults) print(tinted(output, Tint::bad, fault) + '\n');
    for (const std::string& warning : found.warnings) print(tinted(output, Tint::warn, warning) + '\n');
    print(fmt::format("{} {}{}\n", id, found.proof.faults.empty() ? "was " : "is not what was backed up",
                      found.proof.faults.empty() ? found.what : ""));
  }
  return faults.empty() ? 0 : 1;
}

Result<int> restore_cluster(const Output& output, const backup::PolicySpec& spec, const BackupRestoreCommand& command) {
  backup::ClusterRestore what;
  if (!command.to.empty()) {
    if (!command.to.starts_with('/'))
      return fail(Kind::bad_input, fmt::format("\"{}\" is no folder", printable(command.to)),
                  "A cluster is restored into a folder: --to /var/lib/postgresql/15/restored.");
    what.to = command.to;
  }
  if (!command.at.empty()) {
    what.at = parse_instant(command.at);
    if (!what.at)
      return fail(Kind::bad_input, fmt::format("\"{}\" is no moment", printable(command.at)),
                  "Write it like 2026-11-30T01:30:00Z.");
  }
  const Asked asked = TRY(ask(spec, "backup restore"));
  const bool any = command.backup == "latest" && what.at;
  const backup::ClusterBackup one = any ? TRY(backup::backup_before(asked.stanza, *what.at))
                                        : TRY(backup::find_cluster_backup(asked.stanza, command.backup));
  if (what.at && one.ended > *what.at)
    return fail(Kind::bad_input,
                fmt::format("{} ended at {}, and reaches back no further", one.label, format_instant(one.ended)),
                "Name an earlier one, or latest: the right one is found then.");
  what.label = one.label;
  const std::string line = backup::restore_command(asked.policy, what);
  if (output.json) {
    print_json({{"backup", asked.stanza.name + '/' + one.label}, {"commands", {line}}});
    return 0;
  }
  print(fmt::format("{}/{} of {}: {}, {} of a cluster of {}.\n", asked.stanza.name, one.label, short_instant(one.begun),
                    one.type, format_bytes(one.stored), format_bytes(one.cluster)));
  print("steward does not restore a cluster: this writes over one. Where it is to be, with its server stopped:\n\n  " +
        line + "\n\n");
  print(what.at ? "Then start the server: it recovers to that moment, and opens for writing.\n"
                : "Then start the server: it recovers as far as the archived log reaches. To a moment: --at TIME.\n");
  return 0;
}

}  // namespace steward::app
