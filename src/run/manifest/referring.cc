#include "run/manifest/referring.h"

#include <nlohmann/json.hpp>

#include "run/manifest/row_json.h"

namespace steward::manifest {
namespace {
using nlohmann::json;

std::unexpected<Error> not_one() {
  return fail(Kind::corrupt, "the archive says of no known form what referred to a row",
              "It may have been written by a newer steward; compare it with docs/archive-format.md.");
}

json names_to_json(const std::vector<std::string>& names) {
  json out = json::array();
  for (const std::string& name : names) out.push_back(bytes_to_json(name));
  return out;
}

Result<std::vector<std::string>> names_in(const json& document, const char* key) {
  const auto list = document.find(key);
  if (list == document.end() || !list->is_array() || list->empty()) return not_one();
  std::vector<std::string> names;
  for (const json& name : *list) names.push_back(TRY(bytes_from_json(name)));
  return names;
}

}  // namespace

json to_json(std::span<const Referring> referring) {
  json out = json::array();
  for (const Referring& one : referring) {
    json& document = out.emplace_back(json{{"table", bytes_to_json(one.table)},
                                           {"key_columns", names_to_json(one.key_columns)},
                                           {"columns", names_to_json(one.columns)},
                                           {"row", json::parse(one.row, nullptr, false)}});
    if (one.went) document["went"] = true;
  }
  return out;
}

Result<std::vector<Referring>> referring_from_json(const json& document) {
  if (!document.is_array()) return not_one();
  std::vector<Referring> all;
  for (const json& one : document) {
    if (!one.is_object() || !one.contains("table") || !one.contains("row") || !one["row"].is_object()) return not_one();
    const json went = one.value("went", json(false));
    if (!went.is_boolean()) return not_one();
    Referring referring{.went = went.get<bool>(), .row = one["row"].dump()};
    referring.table = TRY(bytes_from_json(one["table"]));
    referring.key_columns = TRY(names_in(one, "key_columns"));
    referring.columns = TRY(names_in(one, "columns"));
    all.push_back(std::move(referring));
  }
  return all;
}

std::string segment_line(const std::string& row, std::span<const Referring> referring) {
  if (referring.empty()) return row;
  return '[' + row + ',' + to_json(referring).dump() + ']';
}

}  // namespace steward::manifest
