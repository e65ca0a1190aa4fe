#include "app/config/json_schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace steward::app {
namespace {
using nlohmann::json;

// Whatever else a value is, a variable may stand for it.
constexpr const char* with_variable = "\\$\\{";

json of_scalar(Scalar kind) {
  switch (kind) {
    case Scalar::integer:
      return {{"anyOf", {{{"type", "integer"}, {"minimum", 1}}, {{"type", "string"}, {"pattern", with_variable}}}}};
    case Scalar::boolean: return {{"anyOf", {{{"type", "boolean"}}, {{"type", "string"}, {"pattern", with_variable}}}}};
    case Scalar::share: return {{"type", {"string", "number"}}};
    case Scalar::bytes:
    case Scalar::value: return {{"type", {"string", "number", "boolean"}}};
    default: return {{"type", "string"}, {"minLength", 1}};
  }
}

json of(const Shape& shape);

json record_of(const Shape& shape, const std::string& tag, const std::string& variant) {
  json properties = json::object(), required = json::array();
  if (!tag.empty()) {
    properties[tag] = {{"const", variant}};
    required.push_back(tag);
  }
  for (const Field& field : shape.fields) {
    json one = of(field.shape);
    std::string text = field.what;
    if (!field.fallback.empty()) text += fmt::format(" (default: {})", field.fallback);
    one["description"] = text;
    properties[field.key] = std::move(one);
    if (field.required) required.push_back(field.key);
  }
  json out{{"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

json of(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::scalar: return of_scalar(shape.scalar);
    case Shape::Kind::choice: return {{"enum", shape.choices}};
    case Shape::Kind::list: {
      const json element = of(shape.element.front());
      return {{"anyOf", {{{"type", "array"}, {"items", element}}, element}}};
    }
    case Shape::Kind::map: return {{"type", "object"}, {"additionalProperties", of(shape.element.front())}};
    case Shape::Kind::record: {
      json whole = record_of(shape, "", "");
      if (shape.shorthand.empty()) return whole;
      return {{"anyOf", {{{"type", "string"}}, std::move(whole)}}};
    }
    case Shape::Kind::variants: {
      json all = json::array();
      for (const auto& [name, one] : shape.variants) all.push_back(record_of(one, shape.tag, name));
      return {{"oneOf", std::move(all)}};
    }
  }
  return json::object();
}

}  // namespace

json json_schema(const Shape& shape) {
  json schema = record_of(shape, "", "");
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "steward's configuration";
  schema["patternProperties"] = {{"^x-", json::object()}};  // a place for anchors
  return schema;
}

}  // namespace steward::app
