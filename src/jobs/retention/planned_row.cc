// The item list of a plan: one line for each row.

#include <nlohmann/json.hpp>

#include "jobs/retention/archive_files.h"
#include "run/manifest/row_json.h"

namespace steward::retention {

std::string item_line(const sql::Row& key, std::string_view file, bool missing) {
  nlohmann::json values = nlohmann::json::array();
  for (const sql::Value& value : key) values.push_back(manifest::to_json(value));
  nlohmann::json line{{"key", std::move(values)}, {"file", manifest::bytes_to_json(file)}};
  if (missing) line["missing"] = true;
  return line.dump();
}

Result<PlannedRow> planned_row(std::string_view line) {
  const auto document = nlohmann::json::parse(line, nullptr, false);
  if (!document.is_object() || !document.contains("key") || !document["key"].is_array() || !document.contains("file"))
    return fail(Kind::corrupt, "a plan's item list has a line that is none", "Make a fresh plan with `steward plan`.");
  PlannedRow row;
  for (const auto& value : document["key"]) row.key.push_back(TRY(manifest::value_from_json(value)));
  row.file = TRY(manifest::bytes_from_json(document["file"]));
  row.missing = document.value("missing", nlohmann::json()) == true;
  return row;
}

}  // namespace steward::retention
