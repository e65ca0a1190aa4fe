#include "core/age.h"

#include <gtest/gtest.h>

#include <vector>

namespace steward {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;

struct ReadCase {
  std::string text;
  Age age;
  std::string shown;
};
TEST(Age, IsReadAsPeopleWriteItAndShownSoThatItReadsBack) {
  const auto fixed = [](microseconds span) { return Age{span}; };
  const auto calendar = [](int n) { return Age{months{n}}; };
  const std::vector<ReadCase> table{
      {"30 days", fixed(days{30}), "30 days"},
      {"30d", fixed(days{30}), "30 days"},
      {"1 day", fixed(days{1}), "1 day"},
      {"  7   Days ", fixed(days{7}), "7 days"},
      {"2 weeks", fixed(days{14}), "14 days"},
      {"36h", fixed(36h), "36 hours"},
      {"24 hours", fixed(24h), "1 day"},
      {"90m", fixed(90min), "90 minutes"},
      {"90 min", fixed(90min), "90 minutes"},
      {"45 s", fixed(45s), "45 seconds"},
      {"1 second", fixed(1s), "1 second"},
      {"12 months", calendar(12), "12 months"},
      {"1 month", calendar(1), "1 month"},
      {"3mon", calendar(3), "3 months"},
      {"1 year", calendar(12), "12 months"},
      {"2Y", calendar(24), "2 years"},
      {"18 months", calendar(18), "18 months"},
      {"1000 years", calendar(12'000), "1000 years"},
      {"365250 days", fixed(days{365'250}), "365250 days"},
      {"007 days", fixed(days{7}), "7 days"},
  };
  for (const ReadCase& row : table) {
    const auto read = parse_age(row.text);
    ASSERT_TRUE(read) << row.text;
    EXPECT_EQ(*read, row.age) << row.text;
    EXPECT_EQ(format_age(*read), row.shown);
    EXPECT_EQ(parse_age(row.shown).value(), row.age) << row.shown;
  }
}

struct WrongCase {
  std::string text;
  std::string why;
};
TEST(Age, EverythingElseSaysWhy) {
  const std::vector<WrongCase> table{
      {"", "it is empty"},
      {"   ", "it is empty"},
      {"0 days", "it is zero"},
      {"-1 days", "it is negative"},
      {"-30d", "it is negative"},
      {"1.5 days", "it has a fraction"},
      {"1,5 days", "it has a fraction"},
      {"30", "it has no unit"},
      {"ninety", "it does not begin with a number"},
      {"+3 days", "it does not begin with a number"},
      {"3 fortnights", "\"fortnights\" is no unit of time"},
      {"3 days ago", "\"days ago\" is no unit of time"},
      {"99999999999999999999 s", "it is too long"},
      {"1001 years", "it is over 1,000 years"},
      {"12001 months", "it is over 1,000 years"},
      {"365251 days", "it is over 1,000 years"},
      {"9223372036854775807 s", "it is over 1,000 years"},
      {"9223372036854775807 years", "it is over 1,000 years"},
      {"768614336404564651 years", "it is over 1,000 years"},  // 12 times it wraps around to 4
      {"1001y", "it is over 1,000 years"},
  };
  for (const WrongCase& row : table) {
    const auto read = parse_age(row.text);
    ASSERT_FALSE(read) << row.text;
    EXPECT_EQ(read.error(), (Error{Kind::bad_input, "\"" + row.text + "\" is not an age: " + row.why,
                                   "Write it like 30 days, 12 months or 90m, with a whole number above zero.", ""}));
  }
}

struct BeforeCase {
  std::string now, age, cutoff;
};
TEST(Before, IsTheSameDayOrTheLastOfTheMonth) {
  const std::vector<BeforeCase> table{
      {"2026-03-31T12:00:00Z", "1 month", "2026-02-28T12:00:00Z"},
      {"2024-03-31T12:00:00Z", "1 month", "2024-02-29T12:00:00Z"},
      {"2024-02-29T00:00:00Z", "1 year", "2023-02-28T00:00:00Z"},
      {"2026-11-23T01:02:03.5Z", "12 months", "2025-11-23T01:02:03.5Z"},
      {"2026-01-15T00:00:00Z", "1 month", "2025-12-15T00:00:00Z"},
      {"2026-05-31T00:00:00Z", "18 months", "2024-11-30T00:00:00Z"},
      {"2026-11-23T01:00:00Z", "30 days", "2026-10-24T01:00:00Z"},
      {"2026-03-30T01:30:00Z", "24 hours", "2026-03-29T01:30:00Z"},  // UTC has no DST
      {"1970-01-01T00:00:00Z", "1 s", "1969-12-31T23:59:59Z"},
      {"1970-03-31T00:00:00Z", "1 month", "1970-02-28T00:00:00Z"},
  };
  for (const BeforeCase& row : table)
    EXPECT_EQ(format_instant(before(*parse_instant(row.now), *parse_age(row.age))), row.cutoff)
        << row.now << " - " << row.age;
}

}  // namespace
}  // namespace steward
