/// What the plans of the two tasks on rows share.
#pragma once
#include "core/result.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/table.h"
#include "run/job.h"

namespace steward::retention {

/// The rows that would go, counted and shown; `strategy` and the rest are the caller's. `locks_rows`: see
/// Table::rights.
Result<Step> row_step(const Table& table, const Age& age, bool locks_rows, PlanContext& context);

/// What the lock of a table is called: by its bare name, so that who writes the schema and who does not keep each other
/// out.
std::string lock_name(std::string_view table);

/// The folder of an archive that a task's manifests and copies lie in.
std::string archive_folder(const ArchiveRules& archive, const Table& table);

/// The lock of a table's policy, as all tasks on rows take it: one run for a table at a time.
Result<std::vector<std::unique_ptr<Lock>>> lock_table(const RowRules& rules);

}  // namespace steward::retention
