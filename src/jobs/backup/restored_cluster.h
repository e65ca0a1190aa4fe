/// A server on a cluster that was brought back, for as long as it is looked at.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "jobs/backup/throwaway_server.h"

namespace steward::backup {

/// What was there to be read, in all databases that may be connected to.
struct ReadThrough {
  std::uint64_t databases = 0, tables = 0, rows = 0;
  std::vector<std::string> faults{};  ///< What could not be read, and why; the first few.
  std::string identifier{};           ///< The cluster's system identifier.
  bool is_consistent = false;         ///< The log was read up to `lsn`, and the server is open for writing.
};

/// Reads each row of each table, its large values too. An error of the looking itself: no connection, `check`'s.
Result<ReadThrough> read_through(const ThrowawayServer& server, const std::string& lsn,
                                 const std::function<Result<void>()>& check);

}  // namespace steward::backup
