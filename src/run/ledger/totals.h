/// What the ledger adds up to, for metrics and overviews: counters that only grow, since runs and ticks are kept, and
/// what waits in the outbox.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

/// Runs of one job that have ended in one way, or stand in one way.
struct RunTotal {
  std::string job{};
  Status status{};
  std::uint64_t runs = 0;
  std::chrono::microseconds took{};  ///< All of them together; of those that have not ended, nothing.
};
struct TaskTotal {
  std::string job{}, task{}, status{};
  std::uint64_t runs = 0, items = 0, bytes = 0;
};
struct TickTotal {
  std::string job{}, outcome{};
  std::uint64_t ticks = 0;
};
/// The last of a job.
struct LastRun {
  std::string job{};
  Instant started{};
  std::optional<Instant> due{};        ///< Of its tick; none where no scheduler has started it.
  std::optional<Instant> succeeded{};  ///< When the last run of the whole job that succeeded began.
};
/// Messages for one channel that are in the outbox (run/ledger/outbox.h).
struct ChannelTotal {
  std::string channel{};
  std::uint64_t waiting = 0;        ///< Neither sent nor given up.
  std::optional<Instant> oldest{};  ///< When the oldest of these was made.
  std::uint64_t given_up = 0;       ///< Of those that have not been forgotten.
};
struct Totals {
  std::vector<RunTotal> runs{};
  std::vector<TaskTotal> tasks{};
  std::vector<TickTotal> ticks{};
  std::vector<LastRun> last{};  ///< Runs of the whole job, that have begun.
  std::vector<ChannelTotal> channels{};
};

/// Inside a read.
Result<Totals> add_up(LedgerDatabase& db);

}  // namespace steward::ledger
