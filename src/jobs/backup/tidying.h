/// What runs that were cut off have left in a store.
#pragma once
#include <string_view>

#include "core/result.h"
#include "io/object/store.h"
#include "run/job.h"

namespace steward::backup {

/// Removes objects of backups that never became whole, and ends uploads that were never finished, below the folder
/// `name`: those older than a day. A key that may not delete, or not list uploads, is as it should be: then a rule of
/// the bucket tidies.
Result<void> tidy(object::Store& store, std::string_view name, RunContext& run);

}  // namespace steward::backup
