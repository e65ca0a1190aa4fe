/// YAML files as documents (core/document.h).
#pragma once
#include <string>
#include <vector>

#include "app/config/settings.h"
#include "core/document.h"

namespace steward::app {

/// Reads a file of YAML 1.2. `${NAME}` in a value is the variable of that name, `${NAME:-text}` the text where it is
/// unset or empty, `${file:/run/secrets/x}` a file's content without its last newline, `$$` a dollar; keys are taken as
/// they stand. `<<` takes over the keys of an anchor; keys at the top that begin with `x-` are left out, as a place for
/// anchors. Whatever is wrong is added to `errors`, each with its place: no YAML, a key twice, a variable that is not
/// set, a file that cannot be read. The document holds what could be read.
Node read_yaml(const std::string& file, const Environment& environment, std::vector<Error>& errors);

/// The same from a text; `file` is what places name.
Node parse_yaml(const std::string& text, const std::string& file, const Environment& environment,
                std::vector<Error>& errors);

}  // namespace steward::app
