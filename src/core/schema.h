/// What a configuration document may look like, as a value: each room declares its section, and from the whole come the
/// check with its errors, the JSON Schema, and the reference for people.
///
///   const Shape policy = record("rows policy", {
///       {.key = "table", .what = "the table, as schema.name or name", .shape = scalar(Scalar::text), .required =
///       true},
///       {.key = "age", .what = "rows older than this go", .shape = scalar(Scalar::age), .example = "30 days"}});
///   std::vector<Error> errors;
///   check(document, policy, "rows policy \"signals\"", errors);
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/document.h"
#include "core/result.h"

namespace steward {

/// What a scalar has to be.
enum class Scalar {
  text,     ///< Anything that is not empty.
  integer,  ///< A whole number above zero.
  share,    ///< "90 %" or 0.9: above zero, at most 1.
  boolean,  ///< true or false.
  age,      ///< core/age.h: "30 days".
  bytes,    ///< core/bytes.h: "2 GiB".
  value,    ///< Anything that a column may hold: a text, a number, true, false.
  url,      ///< A text that may hold a password: shown without it.
  secret,   ///< A text that is never shown.
};

/// One key of a record. (A template, because it has a Shape inside, and stands inside of one.)
template <class AnyShape>
struct FieldOf {
  std::string key{};
  std::string what{};  ///< A sentence without its full stop.
  AnyShape shape{};
  bool required = false;
  std::string fallback{};  ///< What holds where it is absent, in words.
  std::string example{};   ///< A value as it is written in YAML.
};

struct Shape {
  enum class Kind {
    scalar,
    choice,   ///< One of `choices`.
    list,     ///< Of `element`. A single one may stand without its brackets.
    map,      ///< From names that people choose to `element`.
    record,   ///< Exactly these `fields`.
    variants  ///< A record whose field `tag` says which of `variants` it is.
  };
  Kind kind = Kind::scalar;
  Scalar scalar = Scalar::text;
  std::string noun{};  ///< What one is called in messages: "rows policy".
  std::vector<std::string> choices{};
  std::vector<Shape> element{};  ///< One, of a list or map.
  std::vector<FieldOf<Shape>> fields{};
  std::string tag{};
  std::vector<std::pair<std::string, Shape>> variants{};
  std::string shorthand{};  ///< Of a record: a scalar in its place is taken as the value of this field.
};

using Field = FieldOf<Shape>;

Shape scalar(Scalar kind);
Shape choice(std::vector<std::string> choices);
Shape list_of(Shape element);
Shape map_of(Shape element);
Shape record(std::string noun, std::vector<Field> fields, std::string shorthand = {});
Shape variants(std::string noun, std::string tag, std::vector<std::pair<std::string, Shape>> variants);

/// Adds an error (bad_input: place, what was expected, the nearest name) for everything in `node` that does not fit;
/// and writes shorthands out, so that whoever reads it finds records alone. `what` names the node in messages.
void check(Node& node, const Shape& shape, std::string_view what, std::vector<Error>& errors);

/// The error of a value that fits its shape, and is wrong all the same: "steward.yaml:3:7: WHY".
Error error_at(const SourcePlace& place, std::string_view why, std::string hint = {});

/// "30 days, 12 months or 90m": how such a scalar is written.
std::string_view examples_of(Scalar kind);
/// "90 %" -> 0.9. Empty where it is none, or not above zero and at most 1.
std::optional<double> parse_share(std::string_view text);

}  // namespace steward
