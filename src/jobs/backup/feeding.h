/// PostgreSQL's programs that read: pg_restore and psql, fed from a store.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"
#include "io/process/piped.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/restore.h"

namespace steward::backup {

/// Starts a program upon a database; its input is to be written.
Result<process::Piped> start_reader(const sql::Target& target, std::vector<std::string> arguments);

/// pg_restore of the custom format from its input, as `options` say, but for tables and jobs.
std::vector<std::string> restore_arguments(const Clients& clients, const RestoreOptions& options);

}  // namespace steward::backup
