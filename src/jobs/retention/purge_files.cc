// Files that go for good, by their mtime.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <span>

#include "core/glob.h"
#include "core/text.h"
#include "io/files/found_files.h"
#include "io/files/walk_ahead.h"
#include "jobs/retention/location.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/retention.h"
#include "run/locks.h"
#include "run/manifest/file_removal.h"

namespace steward::retention {
namespace {

// What is planned, listed and asked of the database at a time.
constexpr std::size_t files_in_batch = 500;

/// Goes over a folder's old files in batches, and says which of them have to stay. The plan and the run use the same.
class OldFiles {
 public:
  OldFiles(const FilePolicy& policy, const OutOfReach& out_of_reach, const files::Folder& folder, Needs& needs,
           Instant cutoff)
      : policy_(policy), out_of_reach_(out_of_reach), folder_(folder), needs_(needs), cutoff_(cutoff) {}

  /// `take` gets whole batches; false stops. `holds` is asked once for each batch.
  Result<void> go_over(const std::function<Result<const Holds*>()>& holds,
                       const std::function<Result<bool>(std::vector<manifest::RemovableFile>&)>& take,
                       const std::function<void(const files::Unreadable&)>& unreadable) {
    const files::WalkOptions options{.enter = [&](std::string_view folder) { return enters(folder); }};
    return files::walk_ahead(folder_, options,
                             {.batch = files_in_batch,
                              .wanted = [&](const files::Found& found) { return matches(found); },
                              .take = [&](std::vector<files::Found>& found) -> Result<bool> {
                                std::vector<manifest::RemovableFile> batch = TRY(judged(found, *TRY(holds())));
                                return take(batch);
                              },
                              .unreadable = unreadable});
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
    std::string out = folder_.path();
    if (out != "/") out += '/';
    return out += path;
  }

  Result<std::vector<manifest::RemovableFile>> judged(std::vector<files::Found>& found, const Holds& holds) {
    std::vector<std::string> paths;
    for (const files::Found& file : found) paths.push_back(absolute(file.path));
    const std::set<std::string> needed = TRY(needs_.files(paths));
    std::vector<manifest::RemovableFile> batch;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::string_view reason = reason_to_stay(paths[i], holds, needed);
      batch.push_back({std::move(found[i]), std::move(paths[i]), std::string(reason)});
    }
    return batch;
  }

  std::string_view reason_to_stay(const std::string& path, const Holds& holds,
                                  const std::set<std::string>& needed) const {
    if (belongs_to_steward(out_of_reach_, path)) return "belongs to steward";
    if (holds.covers_file(path)) return "held";
    return needed.contains(path) ? "a row needs it" : "";
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
    OldFiles old(policy_, out_of_reach_, folder, needs, step.cutoff);
    manifest::RemovalPlan removal(folder, step);
    TRY(old.go_over([&]() -> Result<const Holds*> { return &context.holds; },
                    [&](std::vector<manifest::RemovableFile>& batch) -> Result<bool> {
                      removal.take(batch);
                      return true;
                    },
                    [&](const files::Unreadable& what) { removal.unreadable(what); }));
    removal.end();
    step.population = old.files_seen();
    step.reason = fmt::format("not modified for {}", format_age(policy_.age));
    step.age = format_age(policy_.age);
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
    OldFiles old(policy_, out_of_reach_, folder, needs, step.cutoff);
    manifest::FileRemoval purge(step, info_.name, folder, run);
    TRY(old.go_over([&] { return run.holds(); },
                    [&](std::vector<manifest::RemovableFile>& batch) { return purge.take(batch); }, {}));
    return purge.end();
  }

 private:
  Result<files::Folder> open_folder() const {
    auto folder = files::Folder::open(policy_.folder);
    if (!folder && folder.error().kind == Kind::not_found)
      return fail(Kind::not_found, fmt::format("there is no folder {}", printable(policy_.folder)),
                  "Set LOG_DIR to the folder of the log files.");
    return folder;
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
