/// JSON Schemas (the dialect of OpenAPI 3.1, as far as the API needs it): written once for each route, checked for each
/// request, and printed in the OpenAPI document. A schema is its JSON text.
///
///   object({{"tasks", list_of(text(1, 64)), optional}, {"plan", text(8, 64), optional}})
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace steward::api {

using Schema = std::string;

Schema text(std::size_t least = 0, std::size_t most = 0);  ///< 0: without a bound.
Schema instant();                                          ///< RFC 3339.
Schema integer(std::int64_t least = 0, std::int64_t most = 0);
Schema number();
Schema flag();
Schema anything();  ///< A document that is another part's: a plan, a task's result.
Schema one_of(const std::vector<std::string>& names);
Schema list_of(const Schema& element, std::size_t most = 0);
Schema or_null(const Schema& schema);

enum Presence { required, optional };
struct Member {
  std::string name{};
  Schema schema{};
  Presence presence = required;
};
/// Any members: the columns of a row.
Schema members();
/// With these members and no others.
Schema object(const std::vector<Member>& members);

/// bad_input where `value` is not as the schema says: "tasks[2] is a number; expected a text". `what` names it.
Result<void> check(const nlohmann::json& value, const Schema& schema, std::string_view what);

/// A query parameter's text as a value of its schema; as text where that is not possible, for `check` to tell.
nlohmann::json value_of(std::string_view text, const Schema& schema);

}  // namespace steward::api
