#include "app/api/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/instant.h"
#include "core/text.h"

namespace steward::api {
namespace {
using nlohmann::json;

std::unexpected<Error> wrong(std::string_view what, std::string_view why) {
  return fail(Kind::bad_input, fmt::format("{} {}", what, why), "/api/openapi.json says what each address takes.");
}

std::string_view kind_of(const json& value) {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "a list";
    case json::value_t::string: return "a text";
    case json::value_t::boolean: return "true or false";
    default: return "a number";
  }
}

bool is_of(const json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return type == "null" && value.is_null();
}

std::string_view words_of(std::string_view type) {
  if (type == "string") return "a text";
  if (type == "integer") return "a whole number";
  if (type == "number") return "a number";
  if (type == "boolean") return "true or false";
  if (type == "array") return "a list";
  return type == "object" ? "an object" : "null";
}

Result<void> check_type(const json& value, const json& schema, std::string_view what) {
  if (!schema.contains("type")) return {};
  const json types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
  std::vector<std::string> expected;
  for (const json& type : types) {
    if (is_of(value, type.get<std::string>())) return {};
    expected.emplace_back(words_of(type.get<std::string>()));
  }
  return wrong(what, fmt::format("is {}; expected {}", kind_of(value), join_or(expected)));
}

/// Characters, as JSON Schema counts them.
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

Result<void> check_text(const std::string& text, const json& schema, std::string_view what) {
  if (length(text) < schema.value("minLength", std::size_t{0})) return wrong(what, "is too short");
  if (schema.contains("maxLength") && length(text) > schema["maxLength"].get<std::size_t>())
    return wrong(what, fmt::format("is longer than {} characters", schema["maxLength"].get<std::size_t>()));
  if (schema.contains("enum") && std::ranges::find(schema["enum"], json(text)) == schema["enum"].end()) {
    std::vector<std::string> names;
    for (const json& name : schema["enum"]) names.push_back(name.get<std::string>());
    return wrong(what, fmt::format("is \"{}\"; expected {}", printable(text.substr(0, 64)), join_or(names)));
  }
  if (schema.value("format", "") == "date-time" && !parse_instant(text))
    return wrong(what, "is no time like 2027-01-31T12:00:00Z");
  return {};
}

Result<void> check_value(const json& value, const json& schema, const std::string& what) {
  TRY(check_type(value, schema, what));
  if (value.is_string()) return check_text(value.get_ref<const std::string&>(), schema, what);
  if (value.is_number_integer()) {
    const bool huge = value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX;
    const std::int64_t n = huge ? INT64_MAX : value.get<std::int64_t>();
    if (schema.contains("minimum") && n < schema["minimum"].get<std::int64_t>())
      return wrong(what, fmt::format("is below {}", schema["minimum"].get<std::int64_t>()));
    if (schema.contains("maximum") && n > schema["maximum"].get<std::int64_t>())
      return wrong(what, fmt::format("is above {}", schema["maximum"].get<std::int64_t>()));
  }
  if (value.is_array()) {
    if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<std::size_t>())
      return wrong(what, fmt::format("has more than {} entries", schema["maxItems"].get<std::size_t>()));
    if (schema.contains("items"))
      for (std::size_t i = 0; i < value.size(); ++i)
        TRY(check_value(value[i], schema["items"], fmt::format("{}[{}]", what, i)));
  }
  if (value.is_object() && schema.contains("properties")) {
    const json& properties = schema["properties"];
    for (const auto& [name, member] : value.items()) {
      if (!properties.contains(name)) return wrong(what, fmt::format("has an unknown member \"{}\"", printable(name)));
      TRY(check_value(member, properties[name], name));
    }
    for (const json& name : schema.value("required", json::array()))
      if (!value.contains(name.get<std::string>()))
        return wrong(what, fmt::format("has no member \"{}\"", name.get<std::string>()));
  }
  return {};
}

}  // namespace

Schema text(std::size_t least, std::size_t most) {
  json schema{{"type", "string"}};
  if (least > 0) schema["minLength"] = least;
  if (most > 0) schema["maxLength"] = most;
  return schema.dump();
}
Schema instant() { return R"({"type":"string","format":"date-time"})"; }
Schema integer(std::int64_t least, std::int64_t most) {
  json schema{{"type", "integer"}, {"minimum", least}};
  if (most > 0) schema["maximum"] = most;
  return schema.dump();
}
Schema flag() { return R"({"type":"boolean"})"; }
Schema number() { return R"({"type":"number"})"; }
Schema members() { return R"({"type":"object","additionalProperties":true})"; }
Schema anything() { return "{}"; }
Schema one_of(const std::vector<std::string>& names) { return json{{"type", "string"}, {"enum", names}}.dump(); }
Schema list_of(const Schema& element, std::size_t most) {
  json schema{{"type", "array"}, {"items", json::parse(element)}};
  if (most > 0) schema["maxItems"] = most;
  return schema.dump();
}
Schema or_null(const Schema& schema) {
  json out = json::parse(schema);
  if (out.contains("enum")) out["enum"].push_back(nullptr);
  out["type"] = json::array({out["type"], "null"});
  return out.dump();
}
Schema object(const std::vector<Member>& members) {
  json properties = json::object(), needed = json::array();
  for (const Member& member : members) {
    properties[member.name] = json::parse(member.schema);
    if (member.presence == required) needed.push_back(member.name);
  }
  return json{{"type", "object"}, {"properties", properties}, {"required", needed}, {"additionalProperties", false}}
      .dump();
}

Result<void> check(const json& value, const Schema& schema, std::string_view what) {
  return check_value(value, json::parse(schema), std::string(what));
}

json value_of(std::string_view text, const Schema& schema) {
  const json type = json::parse(schema).value("type", json());
  if (type == "boolean" && (text == "true" || text == "false")) return text == "true";
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (type == "integer" && !text.empty() && error == std::errc{} && end == text.data() + text.size()) return n;
  return std::string(text);
}

}  // namespace steward::api
