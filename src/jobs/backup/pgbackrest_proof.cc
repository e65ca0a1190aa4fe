// The task that proves what pgBackRest has made: it checks the archiving, reads the whole repository, and restores.

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "jobs/backup/pgbackrest.h"
#include "jobs/backup/pgbackrest_info.h"
#include "jobs/backup/pgbackrest_program.h"
#include "jobs/backup/pgbackrest_tasks.h"

namespace steward::backup {
namespace {

constexpr std::chrono::hours slack{2};

class ProveCluster final : public Task {
 public:
  ProveCluster(TaskInfo info, PgBackRest policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = before(context.now, policy_.proof->every) + slack};
    step.target = shown(policy_);
    step.age = format_age(policy_.proof->every);
    step.strategy = policy_.proof->depth == Depth::restore
                        ? "archiving checked, the repository read and hashed, and the newest restored: recovered in a "
                          "throwaway server, each row read"
                        : "archiving checked, the repository read and hashed";
    step.filter = "the newest backup, where none was proved since the cutoff";
    const PgBackRestProgram program = TRY(PgBackRestProgram::find(policy_));
    const Stanza stanza = TRY(stanza_of(program, policy_));
    const std::optional<Instant> last = last_proof(stanza);
    step.reason = !last ? "none was proved yet"
                        : fmt::format("the last proof was at {}",
                                      format_instant(std::chrono::floor<std::chrono::seconds>(*last)));
    if (last && *last > step.cutoff) return step;
    if (!stanza.backups.empty()) {
      if (const auto why = why_not(stanza.backups.back())) {
        step.notes.push_back(*why);
        return step;
      }
      if (policy_.proof->depth == Depth::restore)
        if (const auto server = server_for(stanza, stanza.backups.back()); !server)
          step.notes.push_back(fmt::format("it will fail: {}. {}", server.error().message, server.error().hint));
    }
    // The run that carries this out may make a newer one first.
    step.planned.items = 1;
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return locks_of(policy_); }

  Result<void> execute(const Step& step, RunContext& run) const override {
    if (step.planned.items == 0) return {};
    const PgBackRestProgram program = TRY(PgBackRestProgram::find(policy_));
    const Stanza stanza = TRY(stanza_of(program, policy_));
    if (stanza.backups.empty()) {
      run.skip("there is no backup", policy_.stanza);
      return {};
    }
    const ClusterBackup& newest = stanza.backups.back();
    if (const auto why = why_not(newest)) {
      run.skip(*why, newest.label);
      return {};
    }
    TRY(run.checkpoint("begin"));
    const auto check = [&] { return run.checkpoint("proving"); };
    // Where archiving is out of order the backups are none the worse: they are looked at all the same.
    const auto archiving = program.run(
        "check", {}, fmt::format("check stanza {}", policy_.stanza),
        [&](const LogLine& line) -> Result<void> {
          if (line.level == "WARN") run.note(Level::warning, line.text);
          return {};
        },
        check);
    if (!archiving && archiving.error().kind == Kind::interrupted) return archiving;
    const ClusterProof found = TRY(look_at(program, policy_, stanza, newest, policy_.proof->depth, run.clock(), check));
    TRY(run.checkpoint("proved"));
    for (const std::string& warning : found.warnings) run.note(Level::warning, warning);
    if (!found.proof.faults.empty())
      return fail(Kind::corrupt,
                  fmt::format("backup {}/{} is not what was backed up: {}", stanza.name, newest.label,
                              fmt::join(found.proof.faults, "; ")),
                  "Make a full one (pgbackrest --type=full backup) and look at the repository's disk.");
    run.done(1, newest.stored);
    run.note(Level::info, fmt::format("{}/{} was {}", stanza.name, newest.label, found.what));
    if (!found.bad_others.empty())
      return fail(
          Kind::corrupt,
          fmt::format("of stanza {} these backups are not whole any more: {}", stanza.name, join_and(found.bad_others)),
          "The newest is whole. Make a full one before retention leans on those.");
    return archiving;
  }

 private:
  std::optional<Instant> last_proof(const Stanza& stanza) const {
    std::optional<Instant> last;
    for (const ClusterBackup& one : stanza.backups)
      for (const Proof& proof : one.proofs)
        if (proof.depth == policy_.proof->depth && proof.faults.empty() && (!last || proof.at > *last)) last = proof.at;
    return last;
  }

  std::optional<std::string> why_not(const ClusterBackup& backup) const {
    const auto& largest = policy_.proof->largest;
    if (!largest || backup.cluster <= *largest) return std::nullopt;
    return fmt::format("clusters over {} are not proved", format_bytes(*largest));
  }

  Result<Clients> server_for(const Stanza& stanza, const ClusterBackup& backup) const {
    return server_programs(stanza, backup, policy_.clients);
  }

  TaskInfo info_;
  PgBackRest policy_;
};

}  // namespace

std::unique_ptr<Task> prove_cluster(TaskInfo info, PgBackRest policy) {
  return std::make_unique<ProveCluster>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
