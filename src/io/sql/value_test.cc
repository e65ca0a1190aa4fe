#include "io/sql/value.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

namespace steward::sql {
namespace {

TEST(Value, IsShownForPeopleAndForKeys) {
  EXPECT_EQ(to_text({}), "NULL");
  EXPECT_EQ(to_text(std::int64_t{17}), "17");
  EXPECT_EQ(to_text(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(to_text(3.5), "3.5");
  EXPECT_EQ(to_text("the text itself"), "the text itself");
  EXPECT_EQ(to_text(Blob{std::string("\0\xff", 2)}), "x'00ff'");
  EXPECT_EQ(to_text(Blob{}), "x''");
}

TEST(Value, AWholeRealIsToldFromAnInteger) {
  EXPECT_EQ(to_text(3.0), "3.0");
  EXPECT_EQ(to_text(-0.0), "-0.0");
  EXPECT_EQ(to_text(1e300), "1e+300");
  EXPECT_EQ(to_text(std::numeric_limits<double>::infinity()), "inf");
}

TEST(Value, ARealIsShownSoThatItReadsBackTheSame) {
  for (const double number : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.123456789})
    EXPECT_EQ(std::strtod(to_text(number).c_str(), nullptr), number);
}

TEST(Value, CountsAreReadFromIntegersAndFromText) {
  EXPECT_EQ(to_integer(std::int64_t{-3}), -3);
  EXPECT_EQ(to_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(to_integer("-17"), -17);
  for (const Value& none :
       {Value{}, Value{2.5}, Value{""}, Value{"17 rows"}, Value{"9223372036854775808"}, Value{Blob{"1"}}})
    EXPECT_EQ(to_integer(none), 0) << to_text(none);
}

}  // namespace
}  // namespace steward::sql
