#include "run/manifest/file_removal.h"

#include <algorithm>
#include <chrono>

#include "core/text.h"

namespace steward::manifest {
namespace {

// How long removals go on before holds are asked for again, and a run hears of a signal.
constexpr std::chrono::milliseconds between_questions{50};

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

}  // namespace

void RemovalPlan::take(std::vector<RemovableFile>& batch) {
  keep_used(batch);
  for (const RemovableFile& one : batch) add(one);
}

void RemovalPlan::keep_used(std::vector<RemovableFile>& batch) {
  std::vector<RemovableFile*> asked;
  std::vector<const files::Found*> found;
  for (RemovableFile& one : batch) {
    if (!one.reason.empty()) continue;
    asked.push_back(&one);
    found.push_back(&one.file);
  }
  const std::vector<files::Standing> standings = files_.look(found);
  for (std::size_t i = 0; i < asked.size(); ++i)
    asked[i]->reason = standings[i] == files::Standing::changed ? "gone meanwhile" : reason_of(standings[i]);
}

void RemovalPlan::add(const RemovableFile& one) {
  if (!one.reason.empty()) {
    skips_.add(one.reason, one.file.path);
    return;
  }
  step_.planned.add(1, one.file.info.size);
  const Instant modified = one.file.info.modified;
  if (!step_.oldest || modified < *step_.oldest) step_.oldest = modified;
  if (!step_.newest || modified > *step_.newest) step_.newest = modified;
  if (step_.samples.size() < 3)
    step_.samples.push_back({.item = printable(one.file.path), .at = modified, .size = one.file.info.size});
}

FileRemoval::FileRemoval(const Step& step, const std::string& task, const files::Folder& folder, RunContext& run)
    : step_(step), run_(run), list_(run, task), files_(folder), left_(step.planned.items) {}

Result<bool> FileRemoval::take(std::vector<RemovableFile>& batch) {
  std::erase_if(batch, [](const RemovableFile& one) { return !one.reason.empty(); });
  for (std::span<const RemovableFile> rest = batch; !rest.empty() && left_ > 0;) {
    const auto some = rest.first(std::min<std::uint64_t>(rest.size(), left_));
    rest = rest.subspan(some.size());
    TRY(run_.checkpoint("purge-files: batch"));
    for (const RemovableFile& one : some) list_.add(one.path, one.file.info.size, one.file.info.modified);
    TRY(list_.flush());
    TRY(run_.checkpoint("purge-files: listed"));
    TRY(remove(some));
  }
  return left_ > 0;
}

Result<void> FileRemoval::end() {
  for (const Skip& skip : in_use_.list()) {
    const auto planned = std::ranges::find(step_.skipped, skip.reason, &Skip::reason);
    const std::uint64_t known = planned == step_.skipped.end() ? 0 : planned->items;
    if (skip.items > known) run_.skip(skip.reason, skip.examples.front(), skip.items - known);
  }
  return list_.flush();
}

/// A hold that came meanwhile counts: they are asked for before every round of removals, and after the checkpoint,
/// whose pulse is what tells those who add one that it has been seen.
Result<void> FileRemoval::remove(std::span<const RemovableFile> some) {
  std::vector<const RemovableFile*> rest;
  for (const RemovableFile& one : some) rest.push_back(&one);
  while (!rest.empty()) {
    TRY(run_.checkpoint("purge-files: round"));
    const Holds* holds = TRY(run_.holds());
    std::erase_if(rest, [&](const RemovableFile* one) {
      const bool held = holds->covers_file(one->path).has_value();
      if (held) stays(*one, "held");
      return held;
    });
    std::vector<const files::Found*> found;
    for (const RemovableFile* one : rest) found.push_back(&one->file);
    const auto answers = files_.remove(found, between_questions);
    Result<void> worked{};
    for (std::size_t i = 0; i < answers.size(); ++i)
      if (auto counted = count(*rest[i], answers[i]); !counted) worked = std::move(counted);
    TRY(std::move(worked));
    rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(answers.size()));
  }
  return {};
}

Result<void> FileRemoval::count(const RemovableFile& one, const Result<files::Standing>& answer) {
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

void FileRemoval::stays(const RemovableFile& one, std::string_view reason) {
  run_.skip(reason, one.file.path);
  list_.stays(one.path, reason);
}

}  // namespace steward::manifest
