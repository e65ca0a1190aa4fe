// The task that proves the newest backup, where that is due.

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "jobs/backup/backup.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/verify.h"
#include "run/locks.h"

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
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    step.planned.bytes = Bytes{};
    step.target = fmt::format("{}/{}", policy_.store.url, policy_.name);
    step.age = format_age(policy_.proof->every);
    step.strategy = policy_.proof->depth == Depth::restore
                        ? "restored into a throwaway server; tables, rows and their content compared"
                        : "every object read and hashed";
    step.filter = "the newest backup, where none was proved since the cutoff";
    const auto due = TRY(due_at(context.now, step));
    if (!due) return step;
    step.planned = {.items = 1, .bytes = due->manifest.size()};
    step.samples.push_back({.item = due->manifest.id(), .at = due->manifest.begun, .size = due->manifest.size()});
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    locks.push_back(TRY(lock_in_database(policy_.database, "backup/" + policy_.name)));
    return locks;
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    if (step.planned.items == 0) return {};
    Step unused;
    const auto due = TRY(due_at(run.clock().now(), unused));
    if (!due) return {};
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
  /// The backup to be proved now; nothing where that is not due. Why, in `step.reason`.
  Result<std::optional<Backup>> due_at(Instant now, Step& step) const {
    auto store = object::open(policy_.store);
    if (!store && store.error().kind != Kind::not_found) return std::unexpected(std::move(store).error());
    std::vector<Backup> all;
    if (store) all = TRY(list_backups(**store, policy_.name));
    std::erase_if(all, [](const Backup& one) { return one.is_bad(); });
    if (all.empty()) {
      step.reason = "there is no backup yet";
      return std::nullopt;
    }
    std::optional<Instant> last;
    for (const Backup& one : all)
      for (const Proof& proof : one.proofs)
        if (proof.depth == policy_.proof->depth && proof.faults.empty() && (!last || proof.at > *last)) last = proof.at;
    step.cutoff = before(now, policy_.proof->every) + slack;
    step.reason = !last ? "none was proved yet"
                        : fmt::format("the last proof was at {}",
                                      format_instant(std::chrono::floor<std::chrono::seconds>(*last)));
    if (last && *last > step.cutoff) return std::nullopt;
    Backup& newest = all.back();
    if (policy_.proof->largest && newest.manifest.database_size > *policy_.proof->largest) {
      step.notes.push_back(fmt::format("{} has {}, and backups over {} are not proved", newest.manifest.id(),
                                       format_bytes(newest.manifest.database_size),
                                       format_bytes(*policy_.proof->largest)));
      return std::nullopt;
    }
    const bool is_secret = std::ranges::any_of(newest.manifest.objects, &StoredObject::is_encrypted);
    if (policy_.proof->depth == Depth::restore && is_secret && policy_.identity.empty()) {
      step.notes.push_back(
          fmt::format("{} is encrypted, and no secret key is known here: it is not proved", newest.manifest.id()));
      return std::nullopt;
    }
    return std::move(newest);
  }

  TaskInfo info_;
  Policy policy_;
};

}  // namespace

std::unique_ptr<Task> prove_backup(TaskInfo info, Policy policy) {
  return std::make_unique<ProveBackup>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
