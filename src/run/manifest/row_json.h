/// Rows as JSON, value for value, in a form that a person can read with jq.
///
///   {"id": 17, "name": "a \"quoted\" word", "price": 1.5, "gone": null, "image": {"blob": "AP8="}, "odd": {"bytes":
///   "/w=="}}
///
/// PostgreSQL's values are all text (see io/sql/value.h), so its numbers and JSON documents stand in quotes, exactly as
/// the server wrote them. SQLite's are integers, reals (17 significant digits; infinities as {"real": "inf"}), text,
/// and blobs in base64. Text that is not UTF-8 is {"bytes": BASE64}.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/sql/value.h"

namespace steward::manifest {

nlohmann::json to_json(const sql::Value& value);
/// corrupt where it is none of the forms above.
Result<sql::Value> value_from_json(const nlohmann::json& json);

/// An object of the columns.
nlohmann::json row_to_json(std::span<const std::string> columns, const sql::Row& row);

/// Bytes as a JSON string, or {"bytes": BASE64} where they are not UTF-8.
nlohmann::json bytes_to_json(std::string_view bytes);
Result<std::string> bytes_from_json(const nlohmann::json& json);

/// The text that names a row by its key: the value's text, or a JSON array of texts where the key has several columns.
std::string key_text(std::span<const sql::Value> key);

}  // namespace steward::manifest
