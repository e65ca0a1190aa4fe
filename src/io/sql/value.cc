#include "io/sql/value.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <span>

#include "core/digest.h"

namespace steward::sql {
namespace {

std::string shown(double number) {
  std::string text = fmt::format("{}", number);  // the shortest text that reads back as the same number
  // A real that is whole keeps its point, as SQLite shows it: 3.0 and 3 are two values.
  if (std::isfinite(number) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string shown(const Blob& blob) {
  return "x'" + hex({reinterpret_cast<const unsigned char*>(blob.bytes.data()), blob.bytes.size()}) + "'";
}

}  // namespace

std::string to_text(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return shown(*number);
  if (const auto* blob = std::get_if<Blob>(&value)) return shown(*blob);
  return "NULL";
}

std::int64_t to_integer(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return 0;
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), integer);
  return error == std::errc{} && end == text->data() + text->size() ? integer : 0;
}

}  // namespace steward::sql
