/// Where a run says how it goes: the terminal, the run's log, and whoever else listens. The same calls for all of them.
#pragma once
#include <chrono>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/files/folder.h"
#include "run/plan.h"

namespace steward {

enum class Level { info, warning, error };

/// How far a task is.
struct Progress {
  std::string task{};
  Amount done{};
  Amount planned{};
};

struct Reporter {
  virtual ~Reporter() = default;
  virtual void task_began(const Step& step) = 0;
  virtual void progress(const Progress& progress) = 0;
  /// Something a person should know, in one line. `task` may be empty.
  virtual void note(Level level, std::string_view task, std::string_view text) = 0;
  virtual void task_ended(std::string_view task, std::string_view status, const Amount& done,
                          const std::vector<Skip>& skipped, const Error* error) = 0;
};

/// Says everything to each.
class Reporters final : public Reporter {
 public:
  void add(Reporter& reporter) { all_.push_back(&reporter); }
  void task_began(const Step& step) override;
  void progress(const Progress& progress) override;
  void note(Level level, std::string_view task, std::string_view text) override;
  void task_ended(std::string_view task, std::string_view status, const Amount& done, const std::vector<Skip>& skipped,
                  const Error* error) override;

 private:
  std::vector<Reporter*> all_{};
};

/// Writes runs/RUN/log.jsonl: one line a fact, {"at","level","task","text",…}. Progress at most every ten seconds, and
/// more seldom the longer it takes, so that the log of a month stays below 5 MiB. A log that cannot be written does not
/// stop the work.
class LogReporter final : public Reporter {
 public:
  /// A run that goes on after an approval goes on in its log, with `goes_on`; the log of any other is new.
  static Result<std::unique_ptr<LogReporter>> open(const files::Folder& state, std::string_view run, const Clock& clock,
                                                   bool goes_on = false);
  void task_began(const Step& step) override;
  void progress(const Progress& progress) override;
  void note(Level level, std::string_view task, std::string_view text) override;
  void task_ended(std::string_view task, std::string_view status, const Amount& done, const std::vector<Skip>& skipped,
                  const Error* error) override;

 private:
  LogReporter(files::Handle file, const Clock& clock) : file_(std::move(file)), clock_(&clock) {}
  void line(Level level, std::string_view task, std::string_view text, const nlohmann::json& more);
  files::Handle file_;
  const Clock* clock_;
  Instant first_progress_{}, last_progress_{};
};

}  // namespace steward
