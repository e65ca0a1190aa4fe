/// What monitoring asks of steward, in Prometheus's text format (0.0.4). All of it comes from the ledger: the same
/// numbers whether a daemon, cron or Dagster runs the jobs, and after any restart.
///
/// Names are promised, and listed in docs/metrics.md. Counters count what the ledger has, which keeps runs and ticks
/// for good.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "engine/schedule.h"
#include "engine/scheduler.h"
#include "run/ledger/ledger.h"

namespace steward::engine {

struct MetricsOf {
  std::string version{};
  std::string environment{};
  std::map<std::string, Schedule> schedules{};  ///< Of the jobs that are configured.
  std::vector<ScheduledJob> watched{};          ///< The jobs whose newest backups are looked at.
};

/// The whole page.
Result<std::string> metrics(ledger::Ledger& ledger, const MetricsOf& of, Instant now);

/// A label's value as the format wants it: backslash, quote and line feed are escaped. Pure.
std::string label(std::string_view value);

}  // namespace steward::engine
