/// Runs and their tasks, as the ledger keeps them. Each function is one change or one read of ledger.h; see there.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

Result<void> begin_run(LedgerDatabase& db, const Run& run);
/// The two halves of begin_run, inside a change: a queued run is inserted at one time and begins at another.
Result<void> insert_run(LedgerDatabase& db, const Run& run);
Result<void> audit_begin(LedgerDatabase& db, const Run& run);
Result<bool> pulse(LedgerDatabase& db, std::string_view run, Instant now);
Result<bool> heartbeat(LedgerDatabase& db, std::string_view run, Instant now, std::string_view progress);
Result<void> record_task(LedgerDatabase& db, std::string_view run, const TaskRecord& record);
Result<void> set_plan(LedgerDatabase& db, std::string_view run, std::string_view digest, std::string_view plan);
Result<void> end_run(LedgerDatabase& db, std::string_view run, Status status, Instant now, std::string_view error);
Result<void> request_cancel(LedgerDatabase& db, std::string_view run, std::string_view who, Instant now);

Result<std::vector<Run>> find_runs(LedgerDatabase& db, const RunFilter& filter);
/// See Agenda::without_retry.
Result<std::vector<Run>> unretried_runs(LedgerDatabase& db, Instant since);
/// Notes, inside a change, that `retry` is the retry of `run`. False where another is.
Result<bool> claim_retry(LedgerDatabase& db, std::string_view run, std::string_view retry);
/// Queued and running, oldest first.
Result<std::vector<Run>> unended_runs(LedgerDatabase& db);
Result<Run> find_run(LedgerDatabase& db, std::string_view id);
Result<std::uint64_t> runs_with_plan(LedgerDatabase& db, Instant before);
Result<std::uint64_t> forget_plans(LedgerDatabase& db, Instant before);
Result<std::vector<TaskRecord>> tasks_of(LedgerDatabase& db, std::string_view run);
Result<std::vector<std::uint64_t>> last_removed(LedgerDatabase& db, std::string_view job, std::string_view task,
                                                std::size_t count, std::string_view but_for);
/// Of the shards of this plan, oldest first.
Result<std::vector<Run>> runs_of_shards(LedgerDatabase& db, std::string_view digest);
Result<std::vector<PastTask>> past_tasks(LedgerDatabase& db, std::string_view job, std::string_view task,
                                         std::size_t count);
Result<MadeByTask> made_by(LedgerDatabase& db, std::string_view job, std::string_view task);

}  // namespace steward::ledger
