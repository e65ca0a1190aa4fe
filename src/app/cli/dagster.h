/// A run that Dagster has started tells Dagster how it goes, by Pipes: its log, a materialisation for each task that
/// has succeeded, checks, and why it failed. Where Dagster has not started it, all of this does nothing.
///
///   steward/cleanup/purge-signals    the asset of a task; "steward" may be another prefix, by the extra asset_prefix
///   plan_equals_run                  every planned item was done, or left for a reason that came up
///   archive_verified                 of tasks that archive: each copy was read back and compared before its source
///   went backup_proved_and_fresh          of backups: the newest is not stale, and one was proved
///
/// A task that had nothing to do is materialised too: what it stands for is up to date.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/pipes/pipes.h"
#include "engine/freshness.h"
#include "run/reporter.h"
#include "run/runner.h"

namespace steward::app {

/// The checks of a task of that kind (kind_of in app/config/catalogue.h), by name.
std::vector<std::string> checks_of(std::string_view kind);

class DagsterRun final : public Reporter {
 public:
  /// Opens the session. With Dagster's process gone from then on, this one stops as by SIGINT, so that nothing runs
  /// that nobody hears of.
  static Result<std::unique_ptr<DagsterRun>> open(const pipes::Bootstrap& bootstrap);
  ~DagsterRun() override;

  bool is_active() const { return session_->is_active(); }
  /// "dagster run 8c1f0a2b-…": who starts the run, as the ledger has it.
  std::string actor() const;

  /// What this run is.
  struct About {
    std::string job{}, run{};
    std::map<std::string, std::string> kinds{};  ///< Of its tasks, by name.
    std::string page{};                          ///< Of the run in the dashboard; empty where that is not known.
    /// It is one of the shards of a task: what becomes of the task's asset is not for it to say.
    bool is_shard = false;
  };
  void about(About what);
  void task_began(const Step& step) override;
  void progress(const Progress& progress) override;
  void note(Level level, std::string_view task, std::string_view text) override;
  void task_ended(std::string_view task, std::string_view status, const Amount& done, const std::vector<Skip>& skipped,
                  const Error* error) override;
  void check_freshness(std::span<const engine::Freshness> found, Instant now);
  /// The outcome, and the last that Dagster hears.
  void ended(const RunResult& result);
  /// The same for a run that did not begin.
  void failed(const Error& error);

 private:
  struct Watch;
  explicit DagsterRun(std::unique_ptr<pipes::Objects> objects);
  /// Empty where the step has assets, and this is none of them.
  std::string asset_of(std::string_view task) const;
  void report(pipes::Check check, std::string_view task);
  pipes::Metadata described(const Step& step, const Amount& done, const std::vector<Skip>& skipped) const;

  std::unique_ptr<pipes::Objects> objects_;
  std::unique_ptr<pipes::Session> session_{};
  std::unique_ptr<Watch> watch_{};
  std::vector<std::string> prefix_{"steward"};
  std::string job_{}, run_{}, page_{};
  std::map<std::string, std::string> kinds_{};
  bool is_shard_ = false;
  std::map<std::string, Step, std::less<>> steps_{};
  std::chrono::steady_clock::time_point told_{};
};

}  // namespace steward::app
