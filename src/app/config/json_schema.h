/// A Shape as a JSON Schema (draft 2020-12), for editors: completion and red underlines while one types.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "core/schema.h"

namespace steward::app {

/// The schema of a whole document. Every value may also be a text, since `${NAME}` may stand in its place.
nlohmann::json json_schema(const Shape& shape);

}  // namespace steward::app
