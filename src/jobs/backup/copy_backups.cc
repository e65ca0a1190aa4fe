// The task that copies backups into a second store.

#include <fmt/format.h>

#include "core/text.h"
#include "jobs/backup/backup.h"
#include "jobs/backup/by_hand.h"
#include "jobs/backup/copying.h"
#include "jobs/backup/locked_objects.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/tidying.h"

namespace steward::backup {
namespace {

class CopyBackups final : public Task {
 public:
  CopyBackups(TaskInfo info, Policy policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    const std::vector<Backup> here = TRY(backups_in(policy_.store)), there = TRY(backups_in(policy_.copy->store));
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    step.target = fmt::format("{}/{}", policy_.copy->store.url, policy_.name);
    step.strategy = "each object is read, its hash compared, written there, read back and hashed; the manifest last";
    if (policy_.copy->locked > std::chrono::microseconds::zero())
      step.strategy += fmt::format("; locked there for {}", format_age({policy_.copy->locked}));
    step.filter = "whole backups that are newer than the newest there, and those whose copy was found bad";
    step.reason = there.empty() ? "there is no copy yet" : "there are: " + text_of(growth(there));
    if (policy_.copy->keep.empty() && !there.empty()) step.reason += "; no rule removes any there";
    step.planned.bytes = Bytes{};
    for (const std::size_t i : to_copy(here, there, policy_.copy->keep, context.now))
      step.planned.add(1, here[i].manifest.size());
    const std::vector<std::size_t> bad = to_repair(here, there);
    for (const std::size_t i : bad) {
      step.planned.add(1, here[i].manifest.size());
      step.notes.push_back(fmt::format("the copy of {} is bad: it is made again", here[i].manifest.id()));
    }
    // The run that carries this out makes one more first.
    step.planned.add(1, here.empty() ? Bytes{} : here.back().manifest.size());
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_policy(policy_); }

  Result<void> recover(RunContext& run) const override {
    const auto store = object::open(policy_.copy->store);
    if (!store && store.error().kind == Kind::not_found) return {};
    if (!store) return std::unexpected(store.error());
    return tidy(**store, policy_.name, run);
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    const std::vector<Backup> here = TRY(backups_in(policy_.store)), there = TRY(backups_in(policy_.copy->store));
    if (here.empty()) {
      run.skip("there is no backup", policy_.name);
      return {};
    }
    const auto from = TRY(object::open(policy_.store));
    object::StoreTarget target = policy_.copy->store;
    target.create = true;
    const auto to = TRY(object::open(target));
    std::uint64_t ceiling = step.planned.items;
    std::optional<Error> unlocked;
    for (const std::size_t i : to_copy(here, there, policy_.copy->keep, run.clock().now())) {
      if (ceiling-- == 0) break;
      TRY(run.checkpoint("before a copy"));
      if (const auto error = TRY(copy(*from, *to, here[i].manifest, run)); error && !unlocked) unlocked = error;
    }
    for (const std::size_t i : to_repair(here, there)) {
      TRY(run.checkpoint("before a copy"));
      if (const auto error = TRY(repair(*from, *to, here[i].manifest, run)); error && !unlocked) unlocked = error;
    }
    return unlocked ? Result<void>(std::unexpected(*unlocked)) : Result<void>{};
  }

 private:
  Result<std::vector<Backup>> backups_in(const object::StoreTarget& target) const {
    const auto store = object::open(target);
    if (!store && store.error().kind == Kind::not_found) return std::vector<Backup>{};
    if (!store) return std::unexpected(store.error());
    return list_backups(**store, policy_.name);
  }

  /// The value: the copy is whole, and not locked as it was to be.
  Result<std::optional<Error>> copy(object::Store& from, object::Store& to, Manifest manifest, RunContext& run) const {
    set_lock(manifest, run);
    std::vector<std::string> written;
    const auto copied = copy_objects(from, to, manifest, written, run);
    if (!copied) {
      // Best done now; what cannot be removed is debris for the next run.
      for (const std::string& key : written) (void)to.remove({.key = manifest.key_of(key)});
      return std::unexpected(copied.error());
    }
    // Nothing is removed where this fails: an answer may have been lost, and the copy be whole.
    std::optional<Error> unlocked = TRY(finish(to, manifest, run, /*replace=*/false));
    TRY(run.checkpoint("copied"));
    TRY(write_proof(to, manifest, {.depth = Depth::bytes, .at = run.clock().now()}));
    run.done(1);
    return unlocked;
  }

  /// It stays bad until all of it is good. Nothing is removed.
  Result<std::optional<Error>> repair(object::Store& from, object::Store& to, Manifest manifest,
                                      RunContext& run) const {
    set_lock(manifest, run);
    const ObjectCopy how = copying(from, to, manifest, run);
    for (const StoredObject& object : manifest.objects) {
      TRY(repair_object(how, object));
      TRY(run.checkpoint("object copied"));
    }
    std::optional<Error> unlocked = TRY(finish(to, manifest, run, /*replace=*/true));
    TRY(write_proof(to, manifest, {.depth = Depth::bytes, .at = run.clock().now()}));
    run.done(1);
    run.note(Level::info, fmt::format("the copy of {} was bad, and is made again", manifest.id()));
    return unlocked;
  }

  /// The manifest, once all else is there and, where that was asked for, locked.
  Result<std::optional<Error>> finish(object::Store& to, Manifest& manifest, RunContext& run, bool replace) const {
    manifest.by_hand = by_hand(manifest, policy_.copy->store.url);
    const bool is_locked = manifest.locked_until.has_value();
    std::optional<Error> lost = is_locked ? claim_lock(policy_.copy->store, manifest, run) : std::nullopt;
    std::optional<Error> lost_last = TRY(seal(to, policy_.copy->store, manifest, run, replace));
    if (!lost) lost = std::move(lost_last);
    if (lost) lost = not_locked(manifest, *lost);
    return lost;
  }

  void set_lock(Manifest& manifest, RunContext& run) const {
    manifest.locked_until.reset();
    if (policy_.copy->locked > std::chrono::microseconds::zero())
      manifest.locked_until = run.clock().now() + policy_.copy->locked;
  }

  static ObjectCopy copying(object::Store& from, object::Store& to, const Manifest& manifest, RunContext& run) {
    return {.from = from,
            .to = to,
            .folder = manifest.id(),
            .locked_until = manifest.locked_until,
            .check = [&run](Bytes more) {
              run.done(0, more);
              return run.checkpoint("copying");
            }};
  }

  static Result<void> copy_objects(object::Store& from, object::Store& to, const Manifest& manifest,
                                   std::vector<std::string>& written, RunContext& run) {
    const ObjectCopy how = copying(from, to, manifest, run);
    for (const StoredObject& object : manifest.objects) {
      if (TRY(copy_object(how, object))) written.push_back(object.key);
      TRY(run.checkpoint("object copied"));
    }
    return {};
  }

  TaskInfo info_;
  Policy policy_;
};

}  // namespace

std::unique_ptr<Task> copy_backups(TaskInfo info, Policy policy) {
  return std::make_unique<CopyBackups>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
