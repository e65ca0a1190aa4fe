// The task that removes backups which no rule keeps.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/text.h"
#include "jobs/backup/backup.h"
#include "jobs/backup/keep.h"
#include "jobs/backup/manifest.h"

namespace steward::backup {
namespace {

constexpr std::size_t shown_samples = 5;

class ExpireBackups final : public Task {
 public:
  ExpireBackups(TaskInfo info, Policy policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = context.cutoff.value_or(context.now), .final = true};
    step.planned.bytes = Bytes{};
    step.target = fmt::format("{}/{}", policy_.store.url, policy_.name);
    step.filter = fmt::format("not kept by: {}", text_of(policy_.keep));
    step.strategy = "the manifest first, so that nothing that is not whole looks like a backup; then the rest";
    const auto store = TRY(store_there());
    if (!store) {
      step.population = 0;
      return step;
    }
    const std::vector<Judged> all = TRY(judge(*store, context.holds, context.now));
    step.population = all.size();
    Skips kept;
    for (const Judged& one : all) {
      const Manifest& manifest = one.backup.manifest;
      if (one.verdict.stays) {
        // Those that the rules keep are not old: only the others need a word.
        if (one.is_exception) kept.add(one.verdict.reason, manifest.id());
        continue;
      }
      step.planned.add(1, manifest.size());
      if (!step.oldest || manifest.begun < *step.oldest) step.oldest = manifest.begun;
      if (!step.newest || manifest.begun > *step.newest) step.newest = manifest.begun;
      if (step.samples.size() < shown_samples)
        step.samples.push_back({.item = fmt::format("{}: {}", manifest.id(), one.verdict.reason),
                                .at = manifest.begun,
                                .size = manifest.size()});
    }
    step.skipped = kept.list();
    step.reason = all.empty() ? "there is no backup yet" : fmt::format("{} backups are there", all.size());
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_policy(policy_); }

  Result<void> execute(const Step& step, RunContext& run) const override {
    const auto store = TRY(store_there());
    if (!store) return {};
    std::uint64_t ceiling = step.planned.items;
    const std::vector<Judged> all = TRY(judge(*store, *TRY(run.holds()), run.clock().now()));
    for (const Judged& one : all) {
      // What the run itself has made old waits for the next plan.
      const bool is_planned = step.newest && one.backup.manifest.begun <= *step.newest;
      if (one.verdict.stays || !is_planned || ceiling == 0) continue;
      // What holds is asked for again before each: somebody may have said stop.
      TRY(run.checkpoint("before a backup"));
      if (held(*store, one.backup.manifest, *TRY(run.holds()))) {
        run.skip("held", one.backup.manifest.id());
        continue;
      }
      TRY(remove(*store, one.backup.manifest, run));
      --ceiling;
    }
    return {};
  }

 private:
  struct Judged {
    Backup backup{};
    Verdict verdict{};
    bool is_exception = false;  ///< Stays for another reason than a rule.
  };

  /// Nothing where there is no store yet.
  Result<std::unique_ptr<object::Store>> store_there() const {
    auto store = object::open(policy_.store);
    if (!store && store.error().kind == Kind::not_found) return nullptr;
    return store;
  }

  /// By any hold on one of its objects, or on a file of the folder that it is in.
  bool held(object::Store& store, const Manifest& manifest, const Holds& holds) const {
    constexpr std::string_view file = "file://";
    const std::string& url = policy_.store.url;
    const auto covered = [&](std::string_view object) {
      const std::string key = manifest.key_of(object);
      return holds.covers_object(store.shown(), key) ||
             (url.starts_with(file) && holds.covers_file(url.substr(file.size()) + '/' + key));
    };
    return covered(manifest_key) ||
           std::ranges::any_of(manifest.objects, [&](const StoredObject& object) { return covered(object.key); });
  }

  Result<std::vector<Judged>> judge(object::Store& store, const Holds& holds, Instant now) const {
    const std::vector<Backup> backups = TRY(list_backups(store, policy_.name));
    const std::vector<Verdict> verdicts = decide(backups, policy_.keep, now);
    std::vector<Judged> out;
    for (std::size_t i = 0; i < backups.size(); ++i) {
      Judged one{.backup = backups[i], .verdict = verdicts[i], .is_exception = !verdicts[i].by_rule};
      if (!one.verdict.stays && held(store, one.backup.manifest, holds)) one = {backups[i], {.reason = "held"}, true};
      if (!one.verdict.stays && one.backup.manifest.locked_until > now)
        one = {backups[i], {.reason = "the store's object lock keeps it"}, true};
      out.push_back(std::move(one));
    }
    return out;
  }

  static Result<void> remove(object::Store& store, const Manifest& manifest, RunContext& run) {
    TRY(store.remove({.key = manifest.key_of(manifest_key)}));
    TRY(run.checkpoint("manifest removed"));
    std::vector<object::Removal> rest;
    TRY(store.list(manifest.id() + '/', [&](const object::ObjectInfo& object) -> Result<bool> {
      rest.push_back({.key = object.key});
      return true;
    }));
    for (const object::Removed& removed : TRY(store.remove_many(rest)))
      if (removed.error) return std::unexpected(*removed.error);
    run.done(1, manifest.size());
    return {};
  }

  TaskInfo info_;
  Policy policy_;
};

}  // namespace

std::unique_ptr<Task> expire_backups(TaskInfo info, Policy policy) {
  return std::make_unique<ExpireBackups>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
