/// The rules for a request's head, besides what the parser asks. Pure.
#pragma once
#include <optional>
#include <string_view>

#include "app/server/request_reader.h"

namespace steward::server {

/// Why the head (all of it, to the empty line that ends it) is refused; else fills method, target, host, version,
/// headers.
std::optional<Refusal> read_head(std::string_view head, const RequestLimits& limits, Request& request);

/// Takes `request.target` apart: segments and query.
std::optional<Refusal> read_target(Request& request);

}  // namespace steward::server
