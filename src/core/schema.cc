#include "core/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/age.h"
#include "core/bytes.h"
#include "core/text.h"

namespace steward {
namespace {

std::vector<std::string> keys_of(const Shape& shape) {
  std::vector<std::string> keys;
  for (const Field& field : shape.fields) keys.push_back(field.key);
  return keys;
}

std::string name_of(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::nothing: return "empty";
    case Node::Kind::scalar: return "a single value";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a map";
  }
  return "?";
}

std::string_view name_of(Scalar kind) {
  switch (kind) {
    case Scalar::text: return "a text";
    case Scalar::integer: return "a whole number above zero";
    case Scalar::share: return "a share";
    case Scalar::boolean: return "true or false";
    case Scalar::age: return "an age";
    case Scalar::bytes: return "a size";
    case Scalar::value: return "a single value";
    case Scalar::url: return "a URL";
    case Scalar::secret: return "a text";
  }
  return "?";
}

bool is_integer(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  return ec == std::errc{} && end == text.data() + text.size() && n > 0 && n <= static_cast<std::uint64_t>(INT64_MAX);
}

/// What is wrong with a scalar's text; empty: nothing.
std::string fault_of(const Node& node, Scalar kind) {
  const std::string expected =
      fmt::format("expected {}{}", name_of(kind), examples_of(kind).empty() ? "" : " such as ");
  switch (kind) {
    case Scalar::text:
    case Scalar::url:
    case Scalar::secret: return node.text.empty() ? expected : "";
    case Scalar::value: return "";
    case Scalar::integer: return is_integer(node.text) ? "" : expected + std::string(examples_of(kind));
    case Scalar::share: return parse_share(node.text) ? "" : expected + std::string(examples_of(kind));
    case Scalar::boolean: return node.text == "true" || node.text == "false" ? "" : expected;
    case Scalar::age: {
      const auto age = parse_age(node.text);
      return age ? "" : fmt::format("{}, expected an age such as {}", age.error().message, examples_of(kind));
    }
    case Scalar::bytes: return parse_bytes(node.text) ? "" : expected + std::string(examples_of(kind));
  }
  return {};
}

class Checker {
 public:
  explicit Checker(std::vector<Error>& errors) : errors_(errors) {}

  void check(Node& node, const Shape& shape, const std::string& what) {
    switch (shape.kind) {
      case Shape::Kind::scalar: return scalar(node, shape, what);
      case Shape::Kind::choice: return choice(node, shape, what);
      case Shape::Kind::list: return list(node, shape, what);
      case Shape::Kind::map: return map(node, shape, what);
      case Shape::Kind::record: return record(node, shape, what);
      case Shape::Kind::variants: return variant(node, shape, what);
    }
  }

 private:
  void wrong(const SourcePlace& at, std::string_view why, std::string hint = {}) {
    errors_.push_back(error_at(at, why, std::move(hint)));
  }

  void scalar(const Node& node, const Shape& shape, const std::string& what) {
    if (node.kind != Node::Kind::scalar)
      return wrong(
          node.at, fmt::format("{} is {}: expected {}", what, name_of(node.kind), name_of(shape.scalar)),
          examples_of(shape.scalar).empty() ? "" : fmt::format("Write it like {}.", examples_of(shape.scalar)));
    const std::string fault = fault_of(node, shape.scalar);
    if (fault.empty()) return;
    if (fault.starts_with('"')) return wrong(node.at, fmt::format("{}: {}", what, fault));  // it names the value itself
    wrong(node.at, fmt::format("{} is \"{}\": {}", what, node.from.empty() ? printable(node.text) : "…", fault));
  }

  void choice(const Node& node, const Shape& shape, const std::string& what) {
    if (node.kind == Node::Kind::scalar && std::ranges::find(shape.choices, node.text) != shape.choices.end()) return;
    wrong(node.at,
          fmt::format("{} is {}: expected {}", what,
                      node.kind == Node::Kind::scalar ? '"' + printable(node.text) + '"' : name_of(node.kind),
                      join_or(shape.choices)),
          node.kind == Node::Kind::scalar ? did_you_mean(node.text, shape.choices) : "");
  }

  void list(Node& node, const Shape& shape, const std::string& what) {
    if (node.kind == Node::Kind::nothing) return;
    if (node.kind != Node::Kind::list) {  // one, without its brackets
      Node one = std::move(node);
      node = {.kind = Node::Kind::list, .at = one.at};
      node.items.push_back(std::move(one));
    }
    for (Node& item : node.items) check(item, shape.element.front(), "an entry of " + what);
  }

  void map(Node& node, const Shape& shape, const std::string& what) {
    if (node.kind == Node::Kind::nothing) return;
    if (node.kind != Node::Kind::map)
      return wrong(node.at, fmt::format("{} is {}: expected names with their values", what, name_of(node.kind)));
    const Shape& element = shape.element.front();
    for (Member& member : node.members) {
      const std::string noun = element.noun.empty() ? what : element.noun;
      if (member.value.empty())
        wrong(member.at, fmt::format("{} \"{}\" is empty", noun, printable(member.key)),
              "Write its keys below it, or remove it.");
      else
        check(member.value, element, fmt::format("{} \"{}\"", noun, printable(member.key)));
    }
  }

  void record(Node& node, const Shape& shape, const std::string& what) {
    if (node.kind == Node::Kind::scalar && !shape.shorthand.empty()) {
      Node value = std::move(node);
      node = {.kind = Node::Kind::map, .at = value.at};
      node.members.push_back({.key = shape.shorthand, .at = value.at, .value = std::move(value)});
    }
    if (node.kind != Node::Kind::map) {
      const auto keys = keys_of(shape);
      return wrong(node.at, fmt::format("{} is {}: expected {}", what, name_of(node.kind), join_or(keys)));
    }
    fields(node, shape, what);
  }

  void fields(Node& node, const Shape& shape, const std::string& what) {
    for (Member& member : node.members) {
      if (member.key == shape.tag && !shape.tag.empty()) continue;
      const auto field = std::ranges::find(shape.fields, member.key, &Field::key);
      if (field == shape.fields.end())
        unknown(member, shape, what);
      else if (!member.value.empty())
        check(member.value, field->shape, nested_name(*field));
    }
    for (const Field& field : shape.fields) {
      if (!field.required || node.find(field.key) != nullptr) continue;
      wrong(node.at, fmt::format("{} has no {}: {}", what, field.key, field.what),
            field.example.empty() ? "" : fmt::format("For example: {}: {}", field.key, field.example));
    }
  }

  static std::string nested_name(const Field& field) {
    return field.shape.noun.empty() || field.shape.kind == Shape::Kind::list ? field.key : field.shape.noun;
  }

  void unknown(const Member& member, const Shape& shape, const std::string& what) {
    const std::vector<std::string> keys = keys_of(shape);
    std::string hint;
    if (const auto near = nearest(member.key, keys)) {
      hint = fmt::format("Did you mean \"{}\"?", *near);
      const auto field = std::ranges::find(shape.fields, *near, &Field::key);
      if (!field->example.empty()) hint += fmt::format(" For example: {}: {}", field->key, field->example);
    }
    wrong(member.at, fmt::format("unknown key \"{}\" in {}; expected {}", printable(member.key), what, join_or(keys)),
          std::move(hint));
  }

  void variant(Node& node, const Shape& shape, const std::string& what) {
    if (node.kind != Node::Kind::map) return wrong(node.at, fmt::format("{} is {}", what, name_of(node.kind)));
    std::vector<std::string> names;
    for (const auto& [name, one] : shape.variants) names.push_back(name);
    const Node* tag = node.find(shape.tag);
    if (tag == nullptr)
      return wrong(node.at, fmt::format("{} has no {}: expected {}", what, shape.tag, join_or(names)),
                   fmt::format("For example: {}: {}", shape.tag, names.front()));
    for (const auto& [name, one] : shape.variants) {
      if (tag->text != name || tag->kind != Node::Kind::scalar) continue;
      Shape tagged = one;
      tagged.tag = shape.tag;
      const std::size_t quote = what.find('"');
      return record(node, tagged, quote == std::string::npos ? what : one.noun + ' ' + what.substr(quote));
    }
    wrong(tag->at,
          fmt::format("{} of {} is \"{}\": expected {}", shape.tag, what, printable(tag->text), join_or(names)),
          did_you_mean(tag->text, names));
  }

  std::vector<Error>& errors_;
};

}  // namespace

Shape scalar(Scalar kind) { return {.kind = Shape::Kind::scalar, .scalar = kind}; }
Shape choice(std::vector<std::string> choices) { return {.kind = Shape::Kind::choice, .choices = std::move(choices)}; }
Shape list_of(Shape element) {
  Shape shape{.kind = Shape::Kind::list, .noun = element.noun};
  shape.element.push_back(std::move(element));
  return shape;
}
Shape map_of(Shape element) {
  Shape shape{.kind = Shape::Kind::map};
  shape.element.push_back(std::move(element));
  return shape;
}
Shape record(std::string noun, std::vector<Field> fields, std::string shorthand) {
  return {.kind = Shape::Kind::record,
          .noun = std::move(noun),
          .fields = std::move(fields),
          .shorthand = std::move(shorthand)};
}
Shape variants(std::string noun, std::string tag, std::vector<std::pair<std::string, Shape>> all) {
  return {.kind = Shape::Kind::variants, .noun = std::move(noun), .tag = std::move(tag), .variants = std::move(all)};
}

void check(Node& node, const Shape& shape, std::string_view what, std::vector<Error>& errors) {
  Checker(errors).check(node, shape, std::string(what));
}

Error error_at(const SourcePlace& place, std::string_view why, std::string hint) {
  return {.kind = Kind::bad_input, .message = fmt::format("{}: {}", text_of(place), why), .hint = std::move(hint)};
}

std::string_view examples_of(Scalar kind) {
  switch (kind) {
    case Scalar::integer: return "1000";
    case Scalar::share: return "90 % or 0.9";
    case Scalar::age: return "30 days, 12 months or 90m";
    case Scalar::bytes: return "512 MiB";
    default: return "";
  }
}

std::optional<double> parse_share(std::string_view text) {
  std::string_view number = trim(text);
  const bool percent = number.ends_with('%');
  if (percent) number = trim(number.substr(0, number.size() - 1));
  double value = 0;
  const auto [end, ec] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (ec != std::errc{} || end != number.data() + number.size()) return {};
  if (percent) value /= 100;
  if (value > 0 && value <= 1) return value;  // not a NaN either
  return {};
}

}  // namespace steward
