/// Values and rows, as they come from a database and go to it.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace steward::sql {

/// Bytes that are not text: SQLite's BLOB. PostgreSQL's bytea comes and goes as text ("\x…").
struct Blob {
  std::string bytes{};
  bool operator==(const Blob&) const = default;
};

/// NULL, or a value. PostgreSQL gives every value as the text of its output function (with DateStyle ISO, TimeZone UTC,
/// IntervalStyle postgres, extra_float_digits 3, bytea_output hex), which its input function reads back to the same
/// value; SQLite gives its five storage classes.
using Value = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

inline bool is_null(const Value& value) { return std::holds_alternative<std::monostate>(value); }

/// For people and for keys: "17", "3.5", the text itself, "NULL", "x'00ff'".
std::string to_text(const Value& value);

/// The integer in `value`, also where it is text; 0 for anything else. For counts that a query of ours asked for.
std::int64_t to_integer(const Value& value);

/// One row, in the order of the query's columns.
using Row = std::vector<Value>;

/// What a query gave, all of it in memory: for what is known to be small.
struct Rows {
  std::vector<std::string> columns{};
  std::vector<Row> rows{};
};

}  // namespace steward::sql
