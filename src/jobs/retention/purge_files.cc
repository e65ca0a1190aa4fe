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
#include "jobs/retention/removed_list.h"
#include "jobs/retention/retention.h"
#include "run/locks.h"

namespace steward::retention {
namespace {

// What is planned, listed and asked of the database at a time.
constexpr std::size_t files_in_batch = 500;
// How long removals go on before holds are asked for again, and a run hears of a signal.
constexpr std::chrono::milliseconds between_questions{50};

/// A file whose name and age fit.
struct Candidate {
  files::Found file{};
  std::string path{};    ///< Absolute.
  std::string reason{};  ///< Why it stays; empty: it goes, unless somebody uses it.
};

/// Goes over a folder's old files in batches, and says which of them have to stay. The plan and the run use the same.
class OldFiles {
 public:
  OldFiles(const FilePolicy& policy, const OutOfReach& out_of_reach, const files::Folder& folder, Needs& needs,
           Instant cutoff)
      : policy_(policy), out_of_reach_(out_of_reach), folder_(folder), needs_(needs), cutoff_(cutoff) {}

  /// `take` gets whole batches; false stops. `holds` is asked once for each batch.
  Result<void> go_over(const std::function<Result<const Holds*>()>& holds,
                       const std::function<Result<bool>(std::vector<Candidate>&)>& take,
                       const std::function<void(const files::Unreadable&)>& unreadable) {
    const files::WalkOptions options{.enter = [&](std::string_view folder) { return enters(folder); }};
    return files::walk_ahead(folder_, options,
                             {.batch = files_in_batch,
                              .wanted = [&](const files::Found& found) { return matches(found); },
                              .take = [&](std::vector<files::Found>& found) -> Result<bool> {
                                std::vector<Candidate> batch = TRY(judged(found, *TRY(holds())));
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

  Result<std::vector<Candidate>> judged(std::vector<files::Found>& found, const Holds& holds) {
    std::vector<std::string> paths;
    for (const files::Found& file : found) paths.push_back(absolute(file.path));
    const std::set<std::string> needed = TRY(needs_.files(paths));
    std::vector<Candidate> batch;
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

/// Why a file stays that stands so; empty: it goes.
std::string_view reason_of(files::Standing standing) {
  switch (standing) {
    case files::Standing::free: return "";
    case files::Standing::changed: return "gone or changed since it was planned";
    case files::Standing::in_use: return "open or locked by a process";
    case files::Standing::unknown: return "cannot be told whether it is open";
    case files::Standing::unreadable: return "cannot be opened, so nobody knows whether it is in use";
  }
  return "cannot be told whether it is open";
}

/// The one place where files are removed: at most as many as were planned, each on the list first.
class Purge {
 public:
  Purge(const Step& step, const std::string& task, const files::Folder& folder, RunContext& run)
      : step_(step), run_(run), list_(run, task), files_(folder), left_(step.planned.items) {}

  /// False once as many are gone as were planned: what is beyond that waits for the next plan.
  Result<bool> take(std::vector<Candidate>& batch) {
    std::erase_if(batch, [](const Candidate& one) { return !one.reason.empty(); });
    for (std::span<const Candidate> rest = batch; !rest.empty() && left_ > 0;) {
      const auto some = rest.first(std::min<std::uint64_t>(rest.size(), left_));
      rest = rest.subspan(some.size());
      TRY(run_.checkpoint("purge-files: batch"));
      for (const Candidate& one : some) list_.add(one.path, one.file.info.size, one.file.info.modified);
      TRY(list_.flush());
      TRY(run_.checkpoint("purge-files: listed"));
      TRY(remove(some));
    }
    return left_ > 0;
  }

  /// Says what stayed because somebody uses it, beyond what the plan counted already.
  Result<void> end() {
    for (const Skip& skip : in_use_.list()) {
      const auto planned = std::ranges::find(step_.skipped, skip.reason, &Skip::reason);
      const std::uint64_t known = planned == step_.skipped.end() ? 0 : planned->items;
      if (skip.items > known) run_.skip(skip.reason, skip.examples.front(), skip.items - known);
    }
    return list_.flush();
  }

 private:
  /// A hold that came meanwhile counts: they are asked for before every round of removals, and after the checkpoint,
  /// whose pulse is what tells those who add one that it has been seen.
  Result<void> remove(std::span<const Candidate> some) {
    std::vector<const Candidate*> rest;
    for (const Candidate& one : some) rest.push_back(&one);
    while (!rest.empty()) {
      TRY(run_.checkpoint("purge-files: round"));
      const Holds* holds = TRY(run_.holds());
      std::erase_if(rest, [&](const Candidate* one) {
        const bool held = holds->covers_file(one->path).has_value();
        if (held) stays(*one, "held");
        return held;
      });
      std::vector<const files::Found*> found;
      for (const Candidate* one : rest) found.push_back(&one->file);
      const auto answers = files_.remove(found, between_questions);
      Result<void> worked{};
      for (std::size_t i = 0; i < answers.size(); ++i)
        if (auto counted = count(*rest[i], answers[i]); !counted) worked = std::move(counted);
      TRY(std::move(worked));
      rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(answers.size()));
    }
    return {};
  }

  Result<void> count(const Candidate& one, const Result<files::Standing>& answer) {
    if (!answer && answer.error().kind == Kind::permission) {
      stays(one, "no right to remove it");
      run_.note(Level::warning, answer.error().message);
      return {};
    }
    const files::Standing standing = TRY(Result<files::Standing>(answer));
    if (standing == files::Standing::free) {
      run_.done(1, one.file.info.size);
      --left_;
    } else if (standing == files::Standing::changed) {
      stays(one, reason_of(standing));
    } else {
      in_use_.add(reason_of(standing), one.file.path);
      list_.stays(one.path, reason_of(standing));
    }
    return {};
  }

  void stays(const Candidate& one, std::string_view reason) {
    run_.skip(reason, one.file.path);
    list_.stays(one.path, reason);
  }

  const Step& step_;
  RunContext& run_;
  RemovedList list_;
  files::FoundFiles files_;
  std::uint64_t left_;
  Skips in_use_{};
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
    files::FoundFiles files(folder);
    TRY(old.go_over([&]() -> Result<const Holds*> { return &context.holds; },
                    [&](std::vector<Candidate>& batch) -> Result<bool> {
                      keep_used(batch, files);
                      for (const Candidate& one : batch) add(one, step, skips);
                      return true;
                    },
                    [&](const files::Unreadable& unreadable) { skips.add("cannot be read", unreadable.path); }));
    step.skipped = skips.list();
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
    Purge purge(step, info_.name, folder, run);
    TRY(old.go_over([&] { return run.holds(); }, [&](std::vector<Candidate>& batch) { return purge.take(batch); }, {}));
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

  static void keep_used(std::vector<Candidate>& batch, files::FoundFiles& files) {
    std::vector<Candidate*> asked;
    std::vector<const files::Found*> found;
    for (Candidate& one : batch) {
      if (!one.reason.empty()) continue;
      asked.push_back(&one);
      found.push_back(&one.file);
    }
    const std::vector<files::Standing> standings = files.look(found);
    for (std::size_t i = 0; i < asked.size(); ++i)
      asked[i]->reason = standings[i] == files::Standing::changed ? "gone meanwhile" : reason_of(standings[i]);
  }

  static void add(const Candidate& one, Step& step, Skips& skips) {
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

  TaskInfo info_;
  FilePolicy policy_;
  OutOfReach out_of_reach_;
};

}  // namespace

std::unique_ptr<Task> purge_files(TaskInfo info, FilePolicy policy, OutOfReach out_of_reach) {
  return std::make_unique<PurgeFiles>(std::move(info), std::move(policy), std::move(out_of_reach));
}

}  // namespace steward::retention
