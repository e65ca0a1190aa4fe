#include "run/reporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/text.h"
#include "io/files/copy.h"

namespace steward {
namespace {
constexpr std::array level_names{"info", "warning", "error"};
constexpr std::chrono::seconds progress_every{10};
}  // namespace

void Reporters::task_began(const Step& step) {
  for (Reporter* r : all_) r->task_began(step);
}
void Reporters::progress(const Progress& progress) {
  for (Reporter* r : all_) r->progress(progress);
}
void Reporters::note(Level level, std::string_view task, std::string_view text) {
  for (Reporter* r : all_) r->note(level, task, text);
}
void Reporters::task_ended(std::string_view task, std::string_view status, const Amount& done,
                           const std::vector<Skip>& skipped, const Error* error) {
  for (Reporter* r : all_) r->task_ended(task, status, done, skipped, error);
}

Result<std::unique_ptr<LogReporter>> LogReporter::open(const files::Folder& state, std::string_view run,
                                                       const Clock& clock, bool goes_on) {
  const std::string path = fmt::format("runs/{}/log.jsonl", run);
  TRY(state.make_folders(fmt::format("runs/{}", run)));
  auto temporary = TRY(state.temporary_beside(path));
  if (auto before = state.open_for_reading(path); before && goes_on) {
    files::FileSource source(before->fd());
    files::FileSink sink(temporary.handle.fd());
    TRY(files::copy(source, sink));
  }
  TRY(state.rename(temporary.path, path, goes_on));
  return std::unique_ptr<LogReporter>(new LogReporter(std::move(temporary.handle), clock));
}

void LogReporter::line(Level level, std::string_view task, std::string_view text, const nlohmann::json& more) {
  nlohmann::json document{{"at", format_instant(clock_->now())},
                          {"level", level_names[static_cast<std::size_t>(level)]},
                          {"text", printable(text)}};
  if (!task.empty()) document["task"] = task;
  if (more.is_object()) document.update(more);
  const std::string out = document.dump() + '\n';
  files::FileSink sink(file_.fd());
  (void)sink.write(std::as_bytes(std::span(out)));  // the work goes on without its log; the ledger has the outcome
}

void LogReporter::task_began(const Step& step) {
  line(Level::info, step.task, "began",
       {{"target", printable(step.target)},
        {"strategy", step.strategy},
        {"cutoff", format_instant(step.cutoff)},
        {"planned", to_json(step.planned)}});
}

void LogReporter::progress(const Progress& progress) {
  const Instant now = clock_->now();
  if (first_progress_ == Instant{}) first_progress_ = now;
  // A thousandth of the time that it takes already: however long that gets, lines stay few.
  if (now - last_progress_ < std::max<Instant::duration>(progress_every, (now - first_progress_) / 1'000)) return;
  last_progress_ = now;
  line(Level::info, progress.task, "progress",
       {{"done", to_json(progress.done)}, {"planned", to_json(progress.planned)}});
}

void LogReporter::note(Level level, std::string_view task, std::string_view text) { line(level, task, text, {}); }

void LogReporter::task_ended(std::string_view task, std::string_view status, const Amount& done,
                             const std::vector<Skip>& skipped, const Error* error) {
  nlohmann::json more{{"status", status}, {"done", to_json(done)}, {"skipped", to_json(skipped)}};
  if (error != nullptr) more["error"] = to_json(*error);
  line(error != nullptr ? Level::error : Level::info, task, fmt::format("ended: {}", status), more);
}

}  // namespace steward
