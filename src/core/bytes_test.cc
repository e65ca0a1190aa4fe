#include "core/bytes.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace steward {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

TEST(Bytes, AreCountedAndCompared) {
  EXPECT_EQ(1_KiB, 1024_B);
  EXPECT_EQ(1_MiB, 1024_KiB);
  EXPECT_EQ(1_GiB, 1024_MiB);
  EXPECT_LT(1_KiB, 1_MiB);
  EXPECT_EQ(1_KiB + 1_B - 2_B, 1023_B);
  Bytes sum;
  sum += 5_B;
  EXPECT_EQ(sum, 5_B);
}

struct Shown {
  std::uint64_t count;
  std::string text;
};
TEST(Bytes, AreShownInThreeDigitsAtTheMost) {
  const std::vector<Shown> table{
      {0, "0 B"},
      {1, "1 B"},
      {999, "999 B"},
      {1000, "1000 B"},
      {1023, "1023 B"},
      {1024, "1 KiB"},
      {1536, "1.5 KiB"},
      {10'240, "10 KiB"},
      {std::uint64_t{9'990} * 1024 / 1000, "10 KiB"},
      {1'047'552, "1023 KiB"},
      {1'048'575, "1 MiB"},
      {12'582'912, "12 MiB"},
      {std::uint64_t{3} << 30, "3 GiB"},
      {std::uint64_t{5} << 40, "5 TiB"},
      {std::uint64_t{1} << 50, "1 PiB"},
      {std::uint64_t{1} << 60, "1 EiB"},
      {most, "16 EiB"},
  };
  for (const Shown& row : table) EXPECT_EQ(format_bytes({row.count}), row.text) << row.count;
}

struct Read {
  std::string text;
  std::uint64_t count;
};
TEST(Bytes, AreReadAsPeopleWriteThem) {
  const std::vector<Read> table{
      {"0", 0},
      {"512", 512},
      {"512 B", 512},
      {"64KB", 64 << 10},
      {"64 KiB", 64 << 10},
      {"64k", 64 << 10},
      {"1.5 GiB", std::uint64_t{3} << 29},
      {"1e", std::uint64_t{1} << 60},
      {"0.5 KiB", 512},
      {".5K", 512},
      {"1 tib", std::uint64_t{1} << 40},
      {"15 EiB", std::uint64_t{15} << 60},
      {"9007199254740993", 9'007'199'254'740'993},  // what a double has no room for
      {"18446744073709551615", most},
  };
  for (const Read& row : table) {
    const auto read = parse_bytes(row.text);
    ASSERT_TRUE(read) << row.text;
    EXPECT_EQ(read->count, row.count) << row.text;
  }
}

TEST(Bytes, OtherTextIsBadInput) {
  for (const std::string text : {"", " ", "x", "-1", "-0.5 KiB", "+1", "1 K i", "1 kilo", "KiB", "1e3", "nan", "inf",
                                 "0x10", "16 EiB", "18446744073709551616", "1e30", "1,5 GiB", "1 GiB 2", "1..5"}) {
    const auto read = parse_bytes(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error(),
              (Error{Kind::bad_input, "\"" + text + "\" is not a size", "Write it like 512, 64 KiB or 1.5 GiB.", ""}));
  }
}

TEST(Count, HasCommas) {
  const std::vector<Shown> table{{0, "0"},
                                 {999, "999"},
                                 {1000, "1,000"},
                                 {999'999, "999,999"},
                                 {1'234'567, "1,234,567"},
                                 {most, "18,446,744,073,709,551,615"}};
  for (const Shown& row : table) EXPECT_EQ(format_count(row.count), row.text);
}

}  // namespace
}  // namespace steward
