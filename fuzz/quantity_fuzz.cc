// Ages, instants and sizes, as people and servers write them.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/age.h"
#include "core/bytes.h"
#include "property.h"

namespace steward::fuzz {
namespace {

void check_instant(Instant instant) {
  if (!has_four_digit_year(instant)) return;
  require(parse_instant(format_instant(instant)) == instant, "an instant reads back from its text");
  const auto seconds = std::chrono::floor<std::chrono::seconds>(instant);
  require(format_compact(instant) == format_compact(seconds), "the compact form has no fractions");
  require(format_compact(instant).size() == std::string_view("20261123T010000Z").size(), "the compact form is fixed");
}

void check_size(Bytes size) {
  require(parse_bytes(std::to_string(size.count)) == size, "a number of bytes reads back exactly");
  const auto again = parse_bytes(format_bytes(size));
  // "16 EiB" is one byte more than fits.
  if (size.count >> 60 == 15) return;
  require(again.has_value(), "a size for people reads back");
  const auto exact = static_cast<double>(size.count);
  require(std::abs(static_cast<double>(again->count) - exact) <= exact * 0.051,
          "a size for people is off by 5 % at most");
}

void check_age(const Age& age, Instant now) {
  require(parse_age(format_age(age)) == age, "an age reads back from its text");
  if (has_four_digit_year(now)) require(before(now, age) < now, "what an age reaches back to is earlier");
}

}  // namespace
}  // namespace steward::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace steward;
  using namespace steward::fuzz;
  const std::string_view text = text_of(data, size);
  std::uint64_t number = 0;
  std::memcpy(&number, data, std::min(size, sizeof number));
  constexpr std::int64_t thirty_thousand_years = 946'080'000'000'000'000;
  const Instant moment{std::chrono::microseconds{static_cast<std::int64_t>(number) % thirty_thousand_years}};

  check_instant(moment);
  check_size(Bytes{number});
  format_span(std::chrono::microseconds{static_cast<std::int64_t>(number)});
  if (const auto instant = parse_instant(text)) check_instant(*instant);
  if (const auto bytes = parse_bytes(text)) check_size(*bytes);
  if (const auto age = parse_age(text)) {
    check_age(*age, moment);
    check_age(*age, parse_instant("2024-03-31T00:00:00Z").value());
  } else {
    require(age.error().kind == Kind::bad_input && !age.error().hint.empty(), "who wrote no age is told how");
  }
  return 0;
}
