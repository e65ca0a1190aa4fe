// The task that rotates: plans with the same eyes as it runs.

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "io/files/attributes.h"
#include "jobs/rotation/logs.h"
#include "jobs/rotation/open_folders.h"
#include "jobs/rotation/rotator.h"
#include "run/locks.h"

namespace steward::rotation {
namespace {

constexpr std::size_t shown_samples = 5;

/// "web.log, renamed", "web.log, cut under nginx (pid 812)".
std::string sample_text(const JudgedLog& one) {
  std::string text = fmt::format("{}, {}", printable(one.log.path), text_of(one.decision.way));
  if (one.log.users != Users::nobody && !one.log.by.empty()) text += fmt::format(" under {}", one.log.by);
  return text;
}

class RotateLogs final : public Task {
 public:
  RotateLogs(TaskInfo info, Policy policy, bool again)
      : info_(std::move(info)), policy_(std::move(policy)), again_(again) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    const files::Folder folder = TRY(open_logs(policy_));
    const std::optional<files::Folder> archive = TRY(open_archive(policy_));
    Step step{.target = "folder " + folder.path(), .cutoff = context.now};
    step.planned.bytes = Bytes{};
    const std::unique_ptr<Logs> logs =
        TRY(Logs::open(policy_, folder, archive ? &*archive : nullptr, again_, context.now));
    Skips skips, warnings;
    TRY(logs->go_over([&]() -> Result<const Holds*> { return &context.holds; },
                      [&](std::vector<JudgedLog>& batch) -> Result<bool> {
                        for (const JudgedLog& one : batch) add(one, step, skips, warnings);
                        return true;
                      },
                      [&](const files::Unreadable& unreadable) { skips.add("cannot be read", unreadable.path); }));
    step.skipped = skips.list();
    for (const Skip& warning : warnings.list())
      step.notes.push_back(
          fmt::format("{} ({}): {}", fmt::join(warning.examples, ", "), warning.items, warning.reason));
    if (logs->uncompressed() > 0)
      step.notes.push_back(fmt::format("{} archives wait to be compressed, where nobody has them open",
                                       format_count(logs->uncompressed())));
    describe(step, logs->ground());
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    const files::Folder folder = TRY(open_logs(policy_));
    locks.push_back(TRY(lock_folder(folder.path())));
    return locks;
  }

  Result<void> recover(RunContext& run) const override {
    const files::Folder folder = TRY(open_logs(policy_));
    const std::optional<files::Folder> archive = TRY(open_archive(policy_));
    if (!archive) return {};
    return Rotator(policy_, info_.name, folder, *archive, run).recover();
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    const files::Folder folder = TRY(open_logs(policy_));
    const files::Folder archive = TRY(make_archive(policy_, folder));
    const std::unique_ptr<Logs> logs = TRY(Logs::open(policy_, folder, &archive, again_, run.clock().now()));
    Rotator rotator(policy_, info_.name, folder, archive, run);
    Skips left;
    std::uint64_t ceiling = step.planned.items;
    TRY(logs->go_over([&] { return run.holds(); },
                      [&](std::vector<JudgedLog>& batch) -> Result<bool> {
                        for (const JudgedLog& one : batch)
                          if (one.decision.way == Way::leave) left.add(one.decision.reason, one.log.path);
                        std::erase_if(batch, [](const JudgedLog& one) { return one.decision.way == Way::leave; });
                        batch.resize(std::min<std::uint64_t>(batch.size(), ceiling));
                        ceiling -= batch.size();
                        TRY(rotator.take(batch));
                        return true;
                      },
                      {}));
    TRY(rotator.end());
    report(step, left, run);
    return rotator.problem();
  }

 private:
  static void add(const JudgedLog& one, Step& step, Skips& skips, Skips& warnings) {
    if (one.decision.way == Way::leave) {
      skips.add(one.decision.reason, one.log.path);
      return;
    }
    if (!one.decision.reason.empty()) warnings.add(one.decision.reason, one.log.path);
    const Bytes size = one.decision.way == Way::cut ? one.log.cuttable : one.log.size;
    step.planned.add(1, size);
    const Instant modified = one.file.info.modified;
    if (!step.oldest || modified < *step.oldest) step.oldest = modified;
    if (!step.newest || modified > *step.newest) step.newest = modified;
    if (step.samples.size() < shown_samples)
      step.samples.push_back({.item = sample_text(one), .at = modified, .size = size});
  }

  void describe(Step& step, const Ground& ground) const {
    step.reason = fmt::format("named {}", fmt::join(policy_.names, " "));
    step.filter = fmt::format("named {}; not empty, held, or rotated within {}", fmt::join(policy_.names, " "),
                              format_span(policy_.again_after));
    step.strategy = fmt::format("to {}{}", printable(policy_.archive_folder()),
                                ground.other_device ? ", on another file system: copied and checked" : "");
    if (policy_.compression != Compression::none)
      step.strategy += fmt::format(", then compressed ({})", suffix_of(policy_.compression));
    if (policy_.reopen) step.strategy += "; behind it " + text_of(*policy_.reopen);
  }

  /// What stays beyond what the plan has counted already.
  static void report(const Step& step, const Skips& left, RunContext& run) {
    for (const Skip& skip : left.list()) {
      const auto planned = std::ranges::find(step.skipped, skip.reason, &Skip::reason);
      const std::uint64_t known = planned == step.skipped.end() ? 0 : planned->items;
      if (skip.items > known) run.skip(skip.reason, skip.examples.front(), skip.items - known);
    }
  }

  TaskInfo info_;
  Policy policy_;
  bool again_;
};

}  // namespace

Result<files::Folder> open_logs(const Policy& policy) {
  auto folder = files::Folder::open(policy.folder);
  if (!folder && folder.error().kind == Kind::not_found)
    return fail(Kind::not_found, fmt::format("there is no folder {}", printable(policy.folder)),
                "Set LOG_DIR, or `folder` in the file, to the folder of the log files.");
  return folder;
}

Result<std::optional<files::Folder>> open_archive(const Policy& policy) {
  auto folder = files::Folder::open(policy.archive_folder());
  if (!folder && folder.error().kind == Kind::not_found) return std::nullopt;
  if (!folder) return std::unexpected(std::move(folder).error());
  return std::optional(*std::move(folder));
}

Result<files::Folder> make_archive(const Policy& policy, const files::Folder& logs) {
  if (auto there = TRY(open_archive(policy))) return *std::move(there);
  files::Folder made = TRY(files::Folder::create(policy.archive_folder()));
  const files::FileInfo like = TRY(logs.info());
  files::give(made.fd(), {.mode = like.mode & 0777U, .owner = like.owner, .group = like.group});
  return made;
}

std::unique_ptr<Task> rotate_logs(TaskInfo info, Policy policy, bool again) {
  return std::make_unique<RotateLogs>(std::move(info), std::move(policy), again);
}

}  // namespace steward::rotation
