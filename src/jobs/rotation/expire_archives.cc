// The task that removes archives of logs which are older than they are to be kept.

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "io/files/walk_ahead.h"
#include "jobs/rotation/logs.h"
#include "jobs/rotation/open_folders.h"
#include "run/locks.h"
#include "run/manifest/file_removal.h"

namespace steward::rotation {
namespace {

constexpr std::size_t archives_in_batch = 500;

/// Goes over the archives, and says which of them go. The plan and the run use the same.
class OldArchives {
 public:
  OldArchives(const Policy& policy, const files::Folder& archive, Instant cutoff)
      : policy_(policy), archive_(archive), cutoff_(cutoff) {}

  Result<void> go_over(const std::function<Result<const Holds*>()>& holds,
                       const std::function<Result<bool>(std::vector<manifest::RemovableFile>&)>& take,
                       const std::function<void(const files::Unreadable&)>& unreadable) {
    // By number or size, each depends on all the others.
    const bool all_at_once = policy_.keep_count || policy_.keep_bytes;
    std::vector<files::Found> gathered;
    TRY(files::walk_ahead(
        archive_, {},
        {.batch = archives_in_batch,
         .wanted = [](const files::Found& found) { return parse_archive_name(base_of(found.path)).has_value(); },
         .take = [&](std::vector<files::Found>& found) -> Result<bool> {
           seen_ += found.size();
           if (!all_at_once) return judge(found, holds, take);
           std::ranges::move(found, std::back_inserter(gathered));
           return true;
         },
         .unreadable = unreadable}));
    if (all_at_once) TRY(judge(gathered, holds, take));
    return {};
  }

  std::uint64_t seen() const { return seen_; }

 private:
  Result<bool> judge(std::vector<files::Found>& found, const std::function<Result<const Holds*>()>& holds,
                     const std::function<Result<bool>(std::vector<manifest::RemovableFile>&)>& take) {
    std::vector<Archived> archives;
    for (const files::Found& one : found)
      archives.push_back({.path = one.path, .name = *parse_archive_name(base_of(one.path)), .size = one.info.size});
    const std::vector<ArchiveDecision> decisions = decide(policy_, archives, cutoff_);
    const Holds& now = *TRY(holds());
    std::vector<manifest::RemovableFile> batch;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!decisions[i].remove) continue;
      std::string path = fmt::format("{}/{}", archive_.path(), found[i].path);
      std::string reason = now.covers_file(path) ? "held" : "";
      batch.push_back({std::move(found[i]), std::move(path), std::move(reason)});
    }
    return take(batch);
  }

  const Policy& policy_;
  const files::Folder& archive_;
  Instant cutoff_;
  std::uint64_t seen_ = 0;
};

class ExpireArchives final : public Task {
 public:
  ExpireArchives(TaskInfo info, Policy policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.target = "folder " + policy_.archive_folder(),
              .age = format_age(policy_.keep),
              .cutoff = context.cutoff.value_or(before(context.now, policy_.keep)),
              .final = true};
    step.strategy = "unlink, one by one";
    step.filter = "named LOG.TIME of steward's; TIME < cutoff";
    step.reason = fmt::format("archived more than {} ago", format_age(policy_.keep));
    if (policy_.keep_count) step.reason += fmt::format(", or more than {} of a log", *policy_.keep_count);
    if (policy_.keep_bytes) step.reason += fmt::format(", or beyond {} in all", format_bytes(*policy_.keep_bytes));
    step.planned.bytes = Bytes{};
    const std::optional<files::Folder> archive = TRY(open_archive(policy_));
    if (!archive) {
      step.population = 0;
      return step;
    }
    OldArchives old(policy_, *archive, step.cutoff);
    manifest::RemovalPlan removal(*archive, step);
    TRY(old.go_over([&]() -> Result<const Holds*> { return &context.holds; },
                    [&](std::vector<manifest::RemovableFile>& batch) -> Result<bool> {
                      removal.take(batch);
                      return true;
                    },
                    [&](const files::Unreadable& what) { removal.unreadable(what); }));
    removal.end();
    step.population = old.seen();
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    const files::Folder folder = TRY(open_logs(policy_));
    locks.push_back(TRY(lock_folder(folder.path())));
    return locks;
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    const std::optional<files::Folder> archive = TRY(open_archive(policy_));
    if (!archive) return {};
    OldArchives old(policy_, *archive, step.cutoff);
    manifest::FileRemoval removal(step, info_.name, *archive, run);
    TRY(old.go_over([&] { return run.holds(); },
                    [&](std::vector<manifest::RemovableFile>& batch) { return removal.take(batch); }, {}));
    return removal.end();
  }

 private:
  TaskInfo info_;
  Policy policy_;
};

}  // namespace

std::unique_ptr<Task> expire_archives(TaskInfo info, Policy policy) {
  return std::make_unique<ExpireArchives>(std::move(info), std::move(policy));
}

}  // namespace steward::rotation
