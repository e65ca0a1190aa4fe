// The task that proves the newest backup, where that is due.

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "jobs/backup/backup.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/requirements.h"
#include "jobs/backup/verify.h"

namespace steward::backup {
namespace {

/// A nightly task that is due every seven days is due on the seventh night, although it begins some minutes earlier
/// than the last time.
constexpr std::chrono::hours slack{2};

class ProveBackup final : public Task {
 public:
  ProveBackup(TaskInfo info, Policy policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = before(context.now, policy_.proof->every) + slack};
    step.target = fmt::format("{}/{}", policy_.store.url, policy_.name);
    step.age = format_age(policy_.proof->every);
    step.strategy = policy_.proof->depth == Depth::restore
                        ? "restored into a throwaway server; tables, rows and their content compared"
                        : "every object read and hashed";
    step.filter = "the newest backup, where none was proved since the cutoff";
    const std::vector<Backup> all = TRY(good_ones());
    const std::optional<Instant> last = last_proof(all);
    step.reason = !last ? "none was proved yet"
                        : fmt::format("the last proof was at {}",
                                      format_instant(std::chrono::floor<std::chrono::seconds>(*last)));
    if (last && *last > step.cutoff) return step;
    if (!all.empty())
      if (const auto why = why_not(all.back().manifest)) {
        step.notes.push_back(*why);
        return step;
      }
    if (!all.empty() && policy_.proof->depth == Depth::restore)
      if (const auto lack = lacking_for_proof(all.back().manifest, policy_.clients))
        step.notes.push_back(fmt::format("it will fail: {}. {}", lack->message, lack->hint));
    // The run that carries this out may make a newer one first.
    step.planned.items = 1;
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_policy(policy_); }

  Result<void> execute(const Step& step, RunContext& run) const override {
    if (step.planned.items == 0) return {};
    std::vector<Backup> all = TRY(good_ones());
    if (all.empty()) {
      run.skip("there is no backup", policy_.name);
      return {};
    }
    if (const auto why = why_not(all.back().manifest)) {
      run.skip(*why, all.back().manifest.id());
      return {};
    }
    const Backup* due = &all.back();
    const auto store = TRY(object::open(policy_.store));
    TRY(run.checkpoint("begin"));
    const Proof proof = TRY(verify(*store, *due,
                                   {.depth = policy_.proof->depth,
                                    .clients = policy_.clients,
                                    .reading = {.identity = policy_.identity,
                                                .stop = policy_.database.stop,
                                                .progress =
                                                    [&](Bytes more) {
                                                      run.done(0, more);
                                                      return run.checkpoint("proving");
                                                    }}},
                                   run.clock()));
    TRY(run.checkpoint("proved"));
    TRY(write_proof(*store, due->manifest, proof));
    if (!proof.faults.empty())
      return fail(
          Kind::corrupt,
          fmt::format("backup {} is not what was backed up: {}", due->manifest.id(), fmt::join(proof.faults, "; ")),
          "Make another (steward run backup) and look at both; this one counts for nothing any more.");
    run.done(1);
    run.note(Level::info, fmt::format("{} was {}: {} tables with {} rows", due->manifest.id(),
                                      proof.depth == Depth::restore ? "restored and compared" : "read and hashed",
                                      format_count(due->manifest.tables), format_count(due->manifest.rows)));
    return {};
  }

 private:
  /// Without those whose proof failed.
  Result<std::vector<Backup>> good_ones() const {
    const auto store = object::open(policy_.store);
    if (!store && store.error().kind == Kind::not_found) return std::vector<Backup>{};
    if (!store) return std::unexpected(store.error());
    std::vector<Backup> all = TRY(list_backups(**store, policy_.name));
    std::erase_if(all, [](const Backup& one) { return one.is_bad(); });
    return all;
  }

  std::optional<Instant> last_proof(const std::vector<Backup>& backups) const {
    std::optional<Instant> last;
    for (const Backup& one : backups)
      for (const Proof& proof : one.proofs)
        if (proof.depth == policy_.proof->depth && proof.faults.empty() && (!last || proof.at > *last)) last = proof.at;
    return last;
  }

  /// Why this one is not to be proved here.
  std::optional<std::string> why_not(const Manifest& manifest) const {
    const auto& largest = policy_.proof->largest;
    if (largest && manifest.database_size > *largest)
      return fmt::format("databases over {} are not proved", format_bytes(*largest));
    const bool is_secret = std::ranges::any_of(manifest.objects, &StoredObject::is_encrypted);
    if (policy_.proof->depth == Depth::restore && is_secret && policy_.identity.empty())
      return "it is encrypted, and no secret key is known here";
    return std::nullopt;
  }

  TaskInfo info_;
  Policy policy_;
};

}  // namespace

std::unique_ptr<Task> prove_backup(TaskInfo info, Policy policy) {
  return std::make_unique<ProveBackup>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
