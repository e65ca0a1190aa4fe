/// What `backup list|verify|restore` do with a policy whose engine is pgBackRest.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "core/result.h"
#include "jobs/backup/section.h"

namespace steward::app {

/// Adds its backups to the document of `backup list`, and their rows to those that people are shown.
Result<void> list_cluster(const Output& output, const backup::PolicySpec& spec, nlohmann::json& all,
                          std::vector<std::vector<std::string>>& rows);

/// Has the repository read, and the backup restored where the depth says so; 1 where it is not what was backed up.
Result<int> verify_cluster(const Output& output, const backup::PolicySpec& spec, const BackupVerifyCommand& command);

/// Says the commands, and does nothing: what they write over is a whole cluster.
Result<int> restore_cluster(const Output& output, const backup::PolicySpec& spec, const BackupRestoreCommand& command);

}  // namespace steward::app
