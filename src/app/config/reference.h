/// A Shape as a reference for people, in Markdown: what docs/configuration-reference.md is.
#pragma once
#include <string>

#include "core/schema.h"

namespace steward::app {

std::string reference(const Shape& shape);

}  // namespace steward::app
