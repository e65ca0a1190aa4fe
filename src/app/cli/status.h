/// What `status` shows: also the API's overview.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "app/cli/session.h"

namespace steward::app {

/// As `steward status --json`.
Result<nlohmann::json> status_document(const Session& session);

}  // namespace steward::app
