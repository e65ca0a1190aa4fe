#include <gtest/gtest.h>

#include "jobs/retention/archive_files.h"

namespace steward::retention {
namespace {

using As = Seen::As;

struct Case {
  const char* name;
  FileRowFacts facts;
  std::optional<std::string> reason;
};

struct KeepReason : testing::TestWithParam<Case> {};

TEST_P(KeepReason, SaysWhyARowStays) { EXPECT_EQ(keep_reason(GetParam().facts), GetParam().reason); }

const Case cases[] = {
    {"goes", {.place = Place::file, .seen = As::there}, std::nullopt},
    {"goes_from_a_bucket", {.place = Place::object, .seen = As::there}, std::nullopt},
    {"held", {.kept_by_database = "held", .place = Place::file, .seen = As::there}, "held"},
    {"referenced",
     {.kept_by_database = "referenced by listings", .place = Place::file, .seen = As::there},
     "referenced by listings"},
    {"no_file", {.place = Place::nothing}, "no file"},
    {"outside_by_its_name", {.place = Place::outside}, "outside the root"},
    {"outside_by_a_symlink", {.place = Place::file, .seen = As::outside}, "outside the root"},
    {"missing", {.place = Place::file, .seen = As::missing}, "file missing"},
    {"missing_and_goes_without", {.place = Place::file, .seen = As::missing, .goes_without = true}, std::nullopt},
    {"missing_and_held",
     {.kept_by_database = "held", .place = Place::file, .seen = As::missing, .goes_without = true},
     "held"},
    {"missing_and_in_the_archive",
     {.place = Place::file, .seen = As::missing, .archived_before = true, .goes_without = true},
     "archived before"},
    {"undecoded",
     {.place = Place::object, .seen = As::otherwise, .goes_without = true},
     "its URL names a file only as it stands, undecoded"},
    {"archived_before", {.place = Place::file, .seen = As::missing, .archived_before = true}, "archived before"},
    {"ours", {.place = Place::file, .seen = As::there, .ours = true}, "belongs to steward"},
    {"its_file_is_held", {.file_held = "held: case 12 (h-1)", .place = Place::file, .seen = As::there}, "held"},
};
INSTANTIATE_TEST_SUITE_P(Retention, KeepReason, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(ItemLine, ReadsBackWhatItWrote) {
  const sql::Row key{std::int64_t{17}, std::string("a\"b")};
  for (const bool missing : {false, true}) {
    const auto row = planned_row(item_line(key, "x\xff.png", missing));
    ASSERT_TRUE(row);
    EXPECT_EQ(row->key, key);
    EXPECT_EQ(row->file, "x\xff.png");
    EXPECT_EQ(row->missing, missing);
  }
}

TEST(ItemLine, ALineThatIsNoneIsCorrupt) {
  for (const char* line : {"", "{}", "[]", "{\"key\": 3, \"file\": \"x\"}", "{\"key\": [{}], \"file\": \"x\"}"}) {
    const auto row = planned_row(line);
    ASSERT_FALSE(row) << line;
    EXPECT_EQ(row.error().kind, Kind::corrupt) << line;
  }
}

}  // namespace
}  // namespace steward::retention
