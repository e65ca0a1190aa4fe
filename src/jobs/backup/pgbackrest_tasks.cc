#include "jobs/backup/pgbackrest_tasks.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "jobs/backup/pgbackrest_verify.h"
#include "jobs/backup/restored_cluster.h"
#include "jobs/backup/throwaway_server.h"
#include "run/locks.h"

namespace steward::backup {
namespace {

/// For what recovery writes, and for the files that a restore makes anew.
constexpr Bytes room_beside = 512_MiB;

std::string restored_by(const ReadThrough& read) {
  return fmt::format("restored and recovered: {} database{}, {} table{} with {} row{} read",
                     format_count(read.databases), read.databases == 1 ? "" : "s", format_count(read.tables),
                     read.tables == 1 ? "" : "s", format_count(read.rows), read.rows == 1 ? "" : "s");
}

/// Brings the cluster into a folder, and has it recovered no further than to where it is consistent.
Result<ReadThrough> restore(const PgBackRestProgram& program, const PgBackRest& policy, const Stanza& stanza,
                            const ClusterBackup& backup, const std::function<Result<void>()>& check) {
  const Clients clients = TRY(server_programs(stanza, backup, policy.clients));
  GivenCluster given{.user = program.user(), .environment = program.environment()};
  given.fill = [&](const std::string& data) {
    return program.run(
        "restore",
        {"--set=" + backup.label, "--pg1-path=" + data, "--tablespace-map-all=" + data + "-tablespaces",
         "--type=immediate", "--target-action=promote", "--archive-mode=off"},
        "restore " + backup.label, [](const LogLine&) -> Result<void> { return {}; }, check);
  };
  given.settings = [&](const std::string& data) -> std::vector<std::string> {
    // In PostgreSQL's setting % is special.
    std::string command;
    for (const char c : for_a_shell(program.words("archive-get", {"--pg1-path=" + data, "--no-archive-async"})))
      command += c == '%' ? std::string("%%") : std::string(1, c);
    return {"restore_command=" + command + " %f \"%p\"", "recovery_target=immediate", "recovery_target_action=promote"};
  };
  const ThrowawayServer server =
      TRY(ThrowawayServer::start_on(given, clients, scratch_folder(), backup.cluster + room_beside, check));
  return read_through(server, backup.stop_lsn, check);
}

/// What the restored cluster is not.
std::vector<std::string> faults_of(const ReadThrough& read, const System* system) {
  std::vector<std::string> out = read.faults;
  if (system != nullptr && read.identifier != system->identifier)
    out.push_back(fmt::format("it is the cluster {}, and not {}", read.identifier, system->identifier));
  if (!read.is_consistent) out.emplace_back("it did not recover to its consistent state");
  return out;
}

Result<void> keep(const PgBackRestProgram& program, const std::string& label, const Proof& proof) {
  std::vector<std::string> options{"--set=" + label};
  for (const std::string& annotation : annotations_of(proof)) options.push_back("--annotation=" + annotation);
  TRY(program.ask("annotate", std::move(options), "keep what is known of " + label));
  return {};
}

}  // namespace

Result<Stanza> stanza_of(const PgBackRestProgram& program, const PgBackRest& policy) {
  return stanza_from(TRY(program.ask("info", {"--output=json"}, "tell of stanza " + policy.stanza)), policy.stanza);
}

Result<std::vector<std::unique_ptr<Lock>>> locks_of(const PgBackRest& policy) {
  std::vector<std::unique_ptr<Lock>> locks;
  if (policy.database) locks.push_back(TRY(lock_in_database(*policy.database, "pgbackrest/" + policy.stanza)));
  return locks;
}

Result<Clients> server_programs(const Stanza& stanza, const ClusterBackup& backup, const std::string& folder) {
  const System* system = stanza.system_of(backup);
  const int major = system == nullptr ? 0 : major_in("PostgreSQL " + system->version);
  for (const Clients& one : installed_clients(folder))
    if (one.has_server && one.major == major) return one;
  // A cluster's files are of one major alone.
  return fail(Kind::not_found, fmt::format("there is no server of PostgreSQL {} here, which reads the cluster", major),
              fmt::format("Install the package postgresql-{}.", major));
}

Result<ClusterProof> look_at(const PgBackRestProgram& program, const PgBackRest& policy, const Stanza& stanza,
                             const ClusterBackup& backup, Depth depth, const Clock& clock,
                             const std::function<Result<void>()>& check) {
  ClusterProof out{.proof = {.depth = depth}, .what = "read and hashed, with all of the repository"};
  std::string text;
  LogStretches stretches;
  // Its log says which files are broken, and goes on: what counts is the report.
  TRY(program.run(
      "verify", {"--output=text", "--verbose"}, "verify stanza " + policy.stanza,
      [&](const LogLine& line) -> Result<void> {
        if (line.level.empty()) text += line.text + '\n';
        if (auto gap = stretches.gap_before(line.text); gap && line.level == "DETAIL")
          out.warnings.push_back(*std::move(gap));
        if (line.level == "WARN" || line.text.starts_with("invalid ") || line.text.starts_with("missing "))
          out.warnings.push_back(line.text);
        return {};
      },
      check));
  const VerifyReport report = TRY(verify_report(text));
  out.warnings.insert(out.warnings.end(), report.log_faults.begin(), report.log_faults.end());
  bool was_read = false;
  for (const auto& [label, wrong] : report.backups) {
    was_read |= label == backup.label;
    if (wrong.empty()) continue;
    if (label == backup.label) {
      out.proof.faults.push_back(wrong);
      continue;
    }
    out.bad_others.push_back(label);
    TRY(keep(program, label, {.at = clock.now(), .faults = {wrong}}));
  }
  if (!was_read)
    return fail(Kind::unavailable, fmt::format("pgBackRest's verify says nothing of {}", backup.label),
                "It may have expired meanwhile; else look at pgbackrest verify --output=text --verbose.");
  if (depth == Depth::restore && out.proof.faults.empty()) {
    const ReadThrough read = TRY(restore(program, policy, stanza, backup, check));
    out.proof.faults = faults_of(read, stanza.system_of(backup));
    out.what = restored_by(read);
  }
  out.proof.at = clock.now();
  TRY(keep(program, backup.label, out.proof));
  return out;
}

}  // namespace steward::backup
