// Files that go for good, by their mtime.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/glob.h"
#include "core/text.h"
#include "io/files/open_files.h"
#include "jobs/retention/location.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/removed_list.h"
#include "jobs/retention/retention.h"
#include "run/locks.h"

namespace steward::retention {
namespace {

constexpr std::size_t files_in_batch = 500;

/// Goes over a folder's old files in batches, and says of each whether it may go. The plan and the run use the same.
class OldFiles {
 public:
  OldFiles(const FilePolicy& policy, const OutOfReach& out_of_reach, const files::Folder& folder, Needs& needs,
           Instant cutoff)
      : policy_(policy), out_of_reach_(out_of_reach), folder_(folder), needs_(needs), cutoff_(cutoff) {}

  struct Judged {
    files::Found file{};
    std::string path{};    ///< Absolute.
    std::string reason{};  ///< Why it stays; empty: it goes.
  };
  /// `take` gets whole batches; false stops. `holds` is asked once for each batch.
  Result<void> go_over(const std::function<Result<Holds>()>& holds,
                       const std::function<Result<bool>(std::vector<Judged>&)>& take,
                       const std::function<void(const files::Unreadable&)>& unreadable) {
    std::vector<files::Found> batch;
    bool stopped = false;
    const auto pass_on = [&]() -> Result<bool> {
      if (batch.empty()) return true;
      const Holds now = TRY(holds());
      std::vector<Judged> judged = TRY(judge(batch, now));
      batch.clear();
      stopped = !TRY(take(judged));
      return !stopped;
    };
    const files::WalkOptions options{.enter = [&](std::string_view folder) { return enters(folder); }};
    TRY(folder_.walk(
        options,
        [&](const files::Found& found) -> Result<bool> {
          if (!matches(found)) return true;
          batch.push_back(found);
          return batch.size() < files_in_batch ? Result<bool>(true) : pass_on();
        },
        unreadable));
    if (!stopped) TRY(pass_on());
    return {};
  }

  std::uint64_t files_seen() const { return seen_; }

 private:
  bool enters(std::string_view folder) const {
    const std::string_view name = base_name(folder);
    if (std::ranges::find(policy_.leave_out, name) != policy_.leave_out.end()) return false;
    return !belongs_to_steward(out_of_reach_, absolute(folder));
  }

  bool matches(const files::Found& found) {
    const std::string_view name = base_name(found.path);
    const bool named =
        std::ranges::any_of(policy_.patterns, [&](const std::string& pattern) { return glob_matches(pattern, name); });
    seen_ += named;
    return named && found.info.modified < cutoff_;
  }

  std::string absolute(std::string_view path) const {
    return folder_.path() == "/" ? fmt::format("/{}", path) : fmt::format("{}/{}", folder_.path(), path);
  }

  Result<std::vector<Judged>> judge(const std::vector<files::Found>& batch, const Holds& holds) {
    std::vector<std::string> paths;
    for (const files::Found& found : batch) paths.push_back(absolute(found.path));
    const std::set<std::string> needed = TRY(needs_.files(paths));
    std::vector<Judged> judged;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      std::string reason = reason_to_stay(batch[i], paths[i], holds, needed);
      judged.push_back({.file = batch[i], .path = std::move(paths[i]), .reason = std::move(reason)});
    }
    return judged;
  }

  std::string reason_to_stay(const files::Found& found, const std::string& path, const Holds& holds,
                             const std::set<std::string>& needed) const {
    if (belongs_to_steward(out_of_reach_, path)) return "belongs to steward";
    if (holds.covers_file(path)) return "held";
    if (needed.contains(path)) return "a row needs it";
    const auto handle = folder_.open_for_reading(found.path);
    if (!handle)
      return handle.error().kind == Kind::not_found ? "gone meanwhile"
                                                    : "cannot be opened, so nobody knows whether it is in use";
    const auto use = files::who_uses(handle->fd());
    if (!use || use->use == files::Use::unknown) return "cannot be told whether it is open";
    return use->use == files::Use::somebody ? "open or locked by a process" : "";
  }

  const FilePolicy& policy_;
  const OutOfReach& out_of_reach_;
  const files::Folder& folder_;
  Needs& needs_;
  Instant cutoff_;
  std::uint64_t seen_ = 0;
};

class PurgeFiles final : public Task {
 public:
  PurgeFiles(TaskInfo info, FilePolicy policy, OutOfReach out_of_reach)
      : info_(std::move(info)), policy_(std::move(policy)), out_of_reach_(std::move(out_of_reach)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    const files::Folder folder = TRY(open_folder());
    Needs needs = TRY(Needs::open(out_of_reach_.needed, folder.path()));
    Step step{.target = "folder " + folder.path(),
              .cutoff = context.cutoff.value_or(before(context.now, policy_.age)),
              .final = true};
    step.planned.bytes = Bytes{};
    Skips skips;
    OldFiles old(policy_, out_of_reach_, folder, needs, step.cutoff);
    TRY(old.go_over([&]() -> Result<Holds> { return context.holds; },
                    [&](std::vector<OldFiles::Judged>& judged) -> Result<bool> {
                      for (const auto& one : judged) add(one, step, skips);
                      return true;
                    },
                    [&](const files::Unreadable& unreadable) { skips.add("cannot be read", unreadable.path); }));
    step.skipped = skips.list();
    step.population = old.files_seen();
    step.reason = fmt::format("not modified for {}", format_age(policy_.age));
    step.filter = fmt::format("named {}; mtime < cutoff; not open, locked, held or needed by a row; not below {}",
                              fmt::join(policy_.patterns, " "), fmt::join(policy_.leave_out, ", "));
    step.strategy = "unlink, one by one";
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    const files::Folder folder = TRY(open_folder());
    locks.push_back(TRY(lock_folder(folder.path())));
    return locks;
  }

  Result<void> execute(const Step& step, RunContext& run) const override {
    const files::Folder folder = TRY(open_folder());
    Needs needs = TRY(Needs::open(out_of_reach_.needed, folder.path()));
    RemovedList list(run, info_.name);
    OldFiles old(policy_, out_of_reach_, folder, needs, step.cutoff);
    std::uint64_t left = step.planned.items;
    const auto holds = [&]() -> Result<Holds> { return *TRY(run.holds()); };
    return old.go_over(holds,
                       [&](std::vector<OldFiles::Judged>& judged) -> Result<bool> {
                         TRY(run.checkpoint("purge-files: batch"));
                         std::erase_if(judged, [](const auto& one) { return !one.reason.empty(); });
                         if (judged.size() > left)
                           judged.resize(left);  // a ceiling: what is beyond it waits for the next plan
                         for (const auto& one : judged) list.add(one.path, one.file.info.size, one.file.info.modified);
                         TRY(list.flush());
                         TRY(run.checkpoint("purge-files: listed"));
                         for (const auto& one : judged) TRY(remove(folder, one, run));
                         left -= judged.size();
                         return left > 0;
                       },
                       {});
  }

 private:
  Result<files::Folder> open_folder() const {
    auto folder = files::Folder::open(policy_.folder);
    if (!folder && folder.error().kind == Kind::not_found)
      return fail(Kind::not_found, fmt::format("there is no folder {}", printable(policy_.folder)),
                  "Set LOG_DIR to the folder of the log files.");
    return folder;
  }

  static void add(const OldFiles::Judged& one, Step& step, Skips& skips) {
    if (!one.reason.empty()) {
      skips.add(one.reason, one.file.path);
      return;
    }
    step.planned.add(1, one.file.info.size);
    const Instant modified = one.file.info.modified;
    if (!step.oldest || modified < *step.oldest) step.oldest = modified;
    if (!step.newest || modified > *step.newest) step.newest = modified;
    if (step.samples.size() < 3)
      step.samples.push_back({.item = printable(one.file.path), .at = modified, .size = one.file.info.size});
  }

  /// The one place where a file is removed: still the same file, untouched since it was judged, and a hold that came
  /// meanwhile counts.
  Result<void> remove(const files::Folder& folder, const OldFiles::Judged& one, RunContext& run) const {
    TRY(run.checkpoint("purge-files: file"));
    const Holds* holds = TRY(run.holds());
    if (holds->covers_file(one.path)) {
      run.skip("held", one.file.path);
      return {};
    }
    const auto now = folder.stat(one.file.path);
    if (!now || !now->same_as(one.file.info)) {
      run.skip("gone or changed since it was planned", one.file.path);
      return {};
    }
    const auto removed = folder.unlink(one.file.path, files::Durable::later);
    if (!removed && removed.error().kind == Kind::permission) {
      run.skip("no right to remove it", one.file.path);
      run.note(Level::warning, removed.error().message);
      return {};
    }
    TRY(removed);
    run.done(1, one.file.info.size);
    return {};
  }

  TaskInfo info_;
  FilePolicy policy_;
  OutOfReach out_of_reach_;
};

}  // namespace

std::unique_ptr<Task> purge_files(TaskInfo info, FilePolicy policy, OutOfReach out_of_reach) {
  return std::make_unique<PurgeFiles>(std::move(info), std::move(policy), std::move(out_of_reach));
}

}  // namespace steward::retention
