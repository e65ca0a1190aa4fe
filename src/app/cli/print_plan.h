/// Plans, runs and their parts, for people.
#pragma once
#include <string>

#include "app/cli/output.h"
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

}  // namespace steward::app
