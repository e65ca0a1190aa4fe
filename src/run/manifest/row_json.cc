#include "run/manifest/row_json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace steward::manifest {
namespace {
using nlohmann::json;

std::unexpected<Error> not_a_value() {
  return fail(Kind::corrupt, "the archive holds a value of no known form",
              "It may have been written by a newer steward.");
}

json real_to_json(double real) {
  if (std::isinf(real)) return {{"real", real > 0 ? "inf" : "-inf"}};
  if (std::isnan(real)) return {{"real", "nan"}};
  return real;  // nlohmann writes the shortest digits that read back to the same double, with ".0" where it is whole
}

Result<sql::Value> special(const json& object) {
  if (object.size() != 1) return not_a_value();
  if (const auto blob = object.find("blob"); blob != object.end() && blob->is_string()) {
    auto bytes = from_base64(blob->get<std::string>());
    if (!bytes) return not_a_value();
    return sql::Blob{*std::move(bytes)};
  }
  if (const auto real = object.find("real"); real != object.end() && real->is_string()) {
    const auto text = real->get<std::string>();
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (text == "inf") return infinity;
    if (text == "-inf") return -infinity;
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  }
  return sql::Value(TRY(bytes_from_json(object)));
}

}  // namespace

json to_json(const sql::Value& value) {
  struct Visitor {
    json operator()(std::monostate) const { return nullptr; }
    json operator()(std::int64_t n) const { return n; }
    json operator()(double real) const { return real_to_json(real); }
    json operator()(const std::string& text) const { return bytes_to_json(text); }
    json operator()(const sql::Blob& blob) const { return {{"blob", base64(blob.bytes)}}; }
  };
  return std::visit(Visitor{}, value);
}

Result<sql::Value> value_from_json(const json& j) {
  if (j.is_null()) return sql::Value{};
  // As an int64_t it would become another number, and name another row.
  if (j.is_number_unsigned() && j.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) return not_a_value();
  if (j.is_number_integer()) return sql::Value(j.get<std::int64_t>());
  if (j.is_number_float()) return sql::Value(j.get<double>());
  if (j.is_string()) return sql::Value(j.get<std::string>());
  if (j.is_object()) return special(j);
  return not_a_value();
}

json row_to_json(std::span<const std::string> columns, const sql::Row& row) {
  json out = json::object();
  for (std::size_t i = 0; i < columns.size() && i < row.size(); ++i) out[columns[i]] = to_json(row[i]);
  return out;
}

json bytes_to_json(std::string_view bytes) {
  if (is_utf8(bytes)) return bytes;
  return {{"bytes", base64(bytes)}};
}

Result<std::string> bytes_from_json(const json& j) {
  if (j.is_string()) return j.get<std::string>();
  const auto encoded = j.is_object() ? j.find("bytes") : j.end();
  if (!j.is_object() || encoded == j.end() || !encoded->is_string()) return not_a_value();
  auto bytes = from_base64(encoded->get<std::string>());
  if (!bytes) return not_a_value();
  return *std::move(bytes);
}

std::string key_text(std::span<const sql::Value> key) {
  if (key.size() == 1) return sql::to_text(key.front());
  json array = json::array();
  for (const sql::Value& value : key) array.push_back(bytes_to_json(sql::to_text(value)));
  return array.dump();
}

}  // namespace steward::manifest
