/// Rows of other tables that referred to an archived row, as they were before it went. They lie with it: in its item's
/// line, or in its line of a segment, which is `[ROW, [REFERRING, …]]` then and no longer the row alone.
///
///   {"table": "public.listings", "key_columns": ["id"], "columns": ["mockup_id"], "row": {"id": "5", "mockup_id":
///   "17"}}
///
/// Errors  corrupt: it is none.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace steward::manifest {

struct Referring {
  std::string table{};                     ///< "public.listings"
  std::vector<std::string> key_columns{};  ///< Its primary key,
  std::vector<std::string> columns{};      ///< and the columns that referred.
  bool went = false;                       ///< The row went along; else its columns were set to NULL.
  std::string row{};  ///< JSON (row_json.h): the whole row where it went, else its key and these columns.
  auto operator<=>(const Referring&) const = default;
};

nlohmann::json to_json(std::span<const Referring> referring);
Result<std::vector<Referring>> referring_from_json(const nlohmann::json& document);

/// A row's line in a segment, without its line break. `row` is JSON.
std::string segment_line(const std::string& row, std::span<const Referring> referring);

}  // namespace steward::manifest
