/// How a run looks on a terminal and in a cron mail.
#pragma once
#include <chrono>
#include <string>

#include "app/cli/output.h"
#include "run/reporter.h"

namespace steward::app {

/// Standard error: on a terminal one line that is redrawn, with rate and time left; otherwise a plain line for each
/// task and note, and nothing more.
class ProgressReporter final : public Reporter {
 public:
  explicit ProgressReporter(const Output& output) : output_(output) {}
  void task_began(const Step& step) override;
  void progress(const Progress& progress) override;
  void note(Level level, std::string_view task, std::string_view text) override;
  void task_ended(std::string_view task, std::string_view status, const Amount& done, const std::vector<Skip>& skipped,
                  const Error* error) override;

 private:
  void clear_line();
  Output output_;
  std::chrono::steady_clock::time_point began_{}, drawn_{};
  bool line_is_drawn_ = false;
};

/// "  1,204 of 12,400 (9 %)  3.1 MiB  820/s  14 s left", for `elapsed` since the task began. Pure.
std::string progress_text(const Progress& progress, std::chrono::milliseconds elapsed);

}  // namespace steward::app
