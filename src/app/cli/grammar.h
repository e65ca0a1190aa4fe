/// What the command line may say, and which function answers. Includes CLI11: for this room's own sources alone.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/completion.h"
#include "app/cli/output.h"
#include "app/pipes/pipes.h"
#include "core/result.h"

namespace steward::app {

using Command = std::function<Result<int>(const Output&)>;

/// The command line as CLI11 has it, and what was chosen. Each `grammar_of_*.cc` has a group of its commands.
class Grammar {
 public:
  /// `dagster`: what Dagster gave this process; for the command that speaks to it.
  explicit Grammar(pipes::Bootstrap dagster);
  Grammar(const Grammar&) = delete;
  Grammar& operator=(const Grammar&) = delete;

  CLI::App& app() { return app_; }
  bool json() const { return json_; }
  const std::vector<std::string>& config() const { return config_; }
  const Command& chosen() const { return chosen_; }

 private:
  CLI::App* command(CLI::App* parent, const std::string& name, const std::string& what, Command act);
  CLI::App* group(const std::string& name, const std::string& what);
  void add_running();
  void add_shards();
  void add_serve();
  void add_schedule();
  void add_runs();
  void add_backup();
  void add_archive();
  void add_forget(CLI::App* archive);
  void add_holds();
  void add_freeze();
  void add_approvals();
  void add_people();
  void add_notify();
  void add_rest();

  CLI::App app_{"keeps an application's data tidy, backed up, fast and safe"};
  bool json_ = false;
  std::vector<std::string> config_{};
  Command chosen_{};
  PlanCommand plan_{};
  AgainstCommand against_{};
  RunCommand run_{};
  ShardsCommand shards_{};
  HealthcheckCommand healthcheck_{};
  ScheduleCommand schedule_{};
  ServeCommand serve_{};
  PauseCommand pause_{};
  RunsCommand runs_{};
  BackupListCommand backup_list_{};
  BackupVerifyCommand backup_verify_{};
  BackupRestoreCommand backup_restore_{};
  ArchiveShowCommand archive_show_{};
  ArchiveFileCommand archive_file_{};
  RestoreCommand restore_{};
  ForgetCommand forget_{};
  HoldCommand hold_{};
  FreezeCommand freeze_{};
  NotifyListCommand notify_list_{};
  std::string notify_channel_{};
  UserCommand user_{};
  TokenCommand token_{};
  ApprovalsCommand approvals_{};
  bool all_holds_ = false, markdown_ = false, grants_ = false, plan_only_ = false;
  std::string run_id_{}, hold_id_{}, shell_{}, file_{}, role_{};
};

}  // namespace steward::app
