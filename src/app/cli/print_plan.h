/// Plans, runs and their parts, for people.
#pragma once
#include <string>

#include "app/cli/output.h"
#include "core/zone.h"
#include "run/ledger/ledger.h"
#include "run/plan.h"
#include "run/runner.h"

namespace steward::app {

/// The plan, without how to carry it out.
std::string plan_text(const Output& output, const Plan& plan);
/// The same, and how. `name`: what was planned, "cleanup" or "cleanup/purge-logs".
std::string plan_text(const Output& output, const Plan& plan, const std::string& name, const std::string& digest);
std::string result_text(const Output& output, const RunResult& result);
/// "12,400 items, 3.1 GiB".
std::string amount_text(const Amount& amount);
/// "2 h ago", "in 3 days".
std::string when_text(Instant instant, Instant now);
/// "cleanup", or "cleanup/purge-signals" where single tasks were named: as `run` takes it; and "… #3" of a shard.
std::string name_of(const ledger::Run& run);
/// How long it took, or takes.
std::string duration_text(const ledger::Run& run, Instant now);
/// Of all tasks together.
std::uint64_t removed_by(const std::vector<ledger::TaskRecord>& tasks);
/// As a clock on the wall has it: "Sun 2026-03-29 03:00 CEST".
std::string wall_clock(Instant instant, const Zone& zone);

}  // namespace steward::app
