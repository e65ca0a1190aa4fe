#include "app/cli/progress.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "app/cli/print_plan.h"
#include "core/text.h"

namespace steward::app {
namespace {
constexpr std::chrono::milliseconds redraw_every{200};
}

std::string progress_text(const Progress& progress, std::chrono::milliseconds elapsed) {
  const auto done = progress.done.items, planned = progress.planned.items;
  std::string out = fmt::format("{}  {}", progress.task, format_count(done));
  if (planned > 0) out += fmt::format(" of {} ({} %)", format_count(planned), done * 100 / planned);
  if (progress.done.bytes) out += "  " + format_bytes(*progress.done.bytes);
  if (elapsed.count() < 500 || done == 0) return out;
  const double rate = static_cast<double>(done) * 1000 / static_cast<double>(elapsed.count());
  out += fmt::format("  {}/s", format_count(static_cast<std::uint64_t>(rate)));
  if (planned > done)
    out += fmt::format("  {} left", format_span(std::chrono::microseconds(
                                        static_cast<std::int64_t>(static_cast<double>(planned - done) / rate * 1e6))));
  return out;
}

void ProgressReporter::clear_line() {
  if (std::exchange(line_is_drawn_, false)) fmt::print(stderr, "\r\033[K");
}

void ProgressReporter::task_began(const Step& step) {
  began_ = std::chrono::steady_clock::now();
  drawn_ = {};
  std::fflush(stdout);  // a plan that was printed stands before what is done, also where both go to one file
  if (output_.json || output_.terminal_errors) return;
  if (step.planned.items > 0) fmt::print(stderr, "{}: {}\n", step.task, amount_text(step.planned));
}

void ProgressReporter::progress(const Progress& progress) {
  if (!output_.terminal_errors) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - drawn_ < redraw_every) return;
  drawn_ = now;
  clear_line();
  fmt::print(stderr, "{}",
             progress_text(progress, std::chrono::duration_cast<std::chrono::milliseconds>(now - began_)));
  std::fflush(stderr);
  line_is_drawn_ = true;
}

void ProgressReporter::note(Level level, std::string_view task, std::string_view text) {
  clear_line();
  if (output_.json && level == Level::info) return;
  fmt::print(stderr, "{}{}{}\n", task, task.empty() ? "" : ": ", printable(text));
}

void ProgressReporter::task_ended(std::string_view task, std::string_view status, const Amount&,
                                  const std::vector<Skip>&, const Error* error) {
  clear_line();
  if (error != nullptr) fmt::print(stderr, "{}: {}: {}\n", task, status, printable(error->message));
}

}  // namespace steward::app
