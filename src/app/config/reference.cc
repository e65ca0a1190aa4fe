#include "app/config/reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/text.h"

namespace steward::app {
namespace {

std::string type_of(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::choice: {
      std::vector<std::string> quoted;
      for (const std::string& one : shape.choices) quoted.push_back('`' + one + '`');
      return join_or(quoted);
    }
    case Shape::Kind::list: return "one or a list: " + type_of(shape.element.front());
    case Shape::Kind::map: return "by name: " + type_of(shape.element.front());
    case Shape::Kind::record:
    case Shape::Kind::variants:
      return shape.shorthand.empty() ? "its keys below"
                                     : fmt::format("its keys below, or its `{}` alone", shape.shorthand);
    case Shape::Kind::scalar: break;
  }
  switch (shape.scalar) {
    case Scalar::integer: return "a whole number above zero";
    case Scalar::share: return "a share: `90 %` or `0.9`";
    case Scalar::boolean: return "`true` or `false`";
    case Scalar::age: return "an age: `30 days`, `12 months`, `90m`";
    case Scalar::bytes: return "a size: `512 MiB`";
    case Scalar::url: return "a URL";
    case Scalar::secret: return "a text, never shown";
    case Scalar::value: return "a value";
    case Scalar::text: break;
  }
  return "a text";
}

/// What stands between the bars of a table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

/// The record inside a list or a map.
const Shape& innermost(const Shape& shape) { return shape.element.empty() ? shape : innermost(shape.element.front()); }

class Writer {
 public:
  std::string out{};

  void section(const std::string& path, const Shape& shape, int level) {
    if (shape.kind == Shape::Kind::variants) {
      for (const auto& [name, one] : shape.variants) {
        heading(fmt::format("{}, `{}: {}`", path, shape.tag, name), level);
        fields(path, one, level);
      }
      return;
    }
    if (!path.empty()) heading(path, level);
    fields(path, shape, level);
  }

 private:
  void heading(const std::string& text, int level) {
    out += fmt::format("\n{} {}\n", std::string(static_cast<std::size_t>(level), '#'), text);
  }

  void fields(const std::string& path, const Shape& shape, int level) {
    out += "| key | what | written as | default |\n|---|---|---|---|\n";
    for (const Field& field : shape.fields) {
      const std::string written = field.example.empty()
                                      ? type_of(field.shape)
                                      : fmt::format("{}, e.g. `{}`", type_of(field.shape), field.example);
      out += fmt::format("| `{}`{} | {} | {} | {} |\n", field.key, field.required ? " (required)" : "",
                         cell(field.what), cell(written), cell(field.fallback));
    }
    for (const Field& field : shape.fields) {
      const Shape& inner = innermost(field.shape);
      if (inner.kind != Shape::Kind::record && inner.kind != Shape::Kind::variants) continue;
      const bool named = field.shape.kind == Shape::Kind::map;
      const std::string below = path.empty() ? field.key : path + '.' + field.key;
      // Conditions and archives are the same wherever they stand: told once.
      if (!told_.insert(inner.noun).second) continue;
      section(named ? below + ".NAME" : below, inner, std::min(level + 1, 4));
    }
  }

  std::set<std::string> told_{};
};

}  // namespace

std::string reference(const Shape& shape) {
  Writer writer;
  writer.section("", shape, 2);
  return std::move(writer.out);
}

}  // namespace steward::app
