/// How the archiving of a cluster's write-ahead log goes: without it, a backup reaches no further than its own end.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::backup {

/// Of pg_stat_archiver and the server's list of segments that wait.
struct Archiving {
  bool is_on = true;
  bool is_standby = false;
  std::uint64_t failures = 0;
  std::optional<Instant> last_archived{}, last_failed{};
  std::string last_failed_segment{};
  /// Segments that are full and not archived, and since when the first waits; none where the role may not ask.
  std::optional<std::uint64_t> waiting{};
  std::optional<Instant> waiting_since{};
};
Result<Archiving> archiving_of(const sql::Target& target);

/// What a person should know of it, one a line; none: it goes well. Pure.
std::vector<std::string> anomalies(const Archiving& archiving, Instant now);

}  // namespace steward::backup
