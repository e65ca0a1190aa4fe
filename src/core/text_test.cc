#include "core/text.h"

#include <gtest/gtest.h>

namespace steward {
namespace {

TEST(Utf8, IsTheFormOfRfc3629AndNoOther) {
  for (const std::string good :
       {"", "a", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
        "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80", "\x7f"})
    EXPECT_TRUE(is_utf8(good)) << printable(good);
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
  for (const std::string bad : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x80\x80", "\xe0\x9f\xbf",
                                "\xed\xa0\x80", "\xed\xbf\xbf", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                                "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "caf\xe9", "a\xc3"})
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
}

struct Case {
  std::string in, out;
};
TEST(Printable, ShowsNothingThatMovesACursor) {
  const std::vector<Case> table{
      {"plain", "plain"},           {"caf\xc3\xa9", "caf\xc3\xa9"},  {"caf\xe9", "caf\\xe9"},
      {"a\nb\tc", "a\\x0ab\\x09c"}, {"\x1b[31m", "\\x1b[31m"},       {"\x7f", "\\x7f"},
      {"\xc2\x9b", "\\xc2\\x9b"},   {"\xc2\xa0", "\xc2\xa0"},        {"\xff\xfe", "\\xff\\xfe"},
      {"\xe2\x82", "\\xe2\\x82"},   {std::string(1, '\0'), "\\x00"}, {"", ""},
  };
  for (const Case& row : table) {
    EXPECT_EQ(printable(row.in), row.out);
    EXPECT_TRUE(is_utf8(printable(row.in)));
  }
}

TEST(Base64, GivesTheExamplesOfRfc4648) {
  const std::vector<Case> table{{"", ""},
                                {"f", "Zg=="},
                                {"fo", "Zm8="},
                                {"foo", "Zm9v"},
                                {"foob", "Zm9vYg=="},
                                {"fooba", "Zm9vYmE="},
                                {"foobar", "Zm9vYmFy"},
                                {"\xff\xfe\xfd", "//79"},
                                {"\xfb\xef\xbe", "++++"}};
  for (const Case& row : table) {
    EXPECT_EQ(base64(row.in), row.out);
    EXPECT_EQ(from_base64(row.out), row.in);
  }
}

TEST(Base64, CarriesEveryByteAtEveryPlace) {
  std::string bytes;
  for (int length = 0; length < 300; ++length) {
    EXPECT_EQ(from_base64(base64(bytes)), bytes) << length;
    bytes += static_cast<char>(length * 7);
  }
}

TEST(Base64, OtherTextIsNone) {
  for (const std::string bad : {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zm9v\n", "Zm 9", "Zm-v", "Zm_v",
                                "Zg==Zg==", "Z=g=", "Zh==", "Zm9="})
    EXPECT_FALSE(from_base64(bad)) << bad;
}

struct NearCase {
  std::string word, nearest;
};
TEST(Nearest, IsWhatWasMeantOrNothing) {
  const std::vector<std::string> names{"purge-signals", "purge-logs", "backup", "run", "plan"};
  const std::vector<NearCase> table{
      {"purge-signal", "purge-signals"},
      {"purgesignals", "purge-signals"},
      {"bakcup", "backup"},
      {"pln", "plan"},
      {"rum", "run"},
      {"backup", "backup"},
      {"xyz", ""},
      {"", ""},
      {"q", ""},
      {"something-else", ""},
  };
  for (const NearCase& row : table) EXPECT_EQ(nearest(row.word, names).value_or(""), row.nearest) << row.word;
  EXPECT_FALSE(nearest("x", {}));
  EXPECT_EQ(did_you_mean("bakcup", names), "Did you mean \"backup\"?");
  EXPECT_EQ(did_you_mean("xyz", names), "");
}

TEST(Words, AreJoinedSplitAndTrimmed) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(join_and({}), "");
  EXPECT_EQ(join_and(Words{"a"}), "a");
  EXPECT_EQ(join_and(Words{"a", "b"}), "a and b");
  EXPECT_EQ(join_and(Words{"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(split("", ','), Words{""});
  EXPECT_EQ(split("a,,b,", ','), (Words{"a", "", "b", ""}));
  EXPECT_EQ(split("a", ','), Words{"a"});
  EXPECT_EQ(trim(" \t a b \r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

}  // namespace
}  // namespace steward
