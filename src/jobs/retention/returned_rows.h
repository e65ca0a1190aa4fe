/// Rows that are in the table although the archive has them: they are back, as after a database was restored from a
/// backup that is older than the last run. The archive needs no second copy of them.
#pragma once
#include <cstdint>
#include <vector>

#include "core/result.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/table.h"
#include "run/holds.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

/// A segment of the archive of which some rows are in the table again, and may go. Whether they are what they were is
/// not looked at.
struct ReturnedSegment {
  manifest::Item item{};
  std::uint64_t rows = 0;  ///< So many of them.
};

/// All of them, the newest first. On most nights this is one look at the newest manifest: only where rows are there
/// that the last run would have taken, too, is the archive read, segment by segment in constant memory.
Result<std::vector<ReturnedSegment>> returned_segments(const Table& table, const RowPolicy& policy, Instant cutoff,
                                                       const Holds& holds);

}  // namespace steward::retention
