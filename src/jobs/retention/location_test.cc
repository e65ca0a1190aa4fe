#include "jobs/retention/location.h"

#include <gtest/gtest.h>

#include "core/text.h"

namespace steward::retention {
namespace {

struct Case {
  const char* name;
  std::string stored;
  Place place;
  std::string path{};  ///< Or bucket|key.
};

struct Locate : testing::TestWithParam<Case> {};

TEST_P(Locate, TakesAStoredNameAsItIs) {
  const Location location = locate(GetParam().stored, {"/srv/media", "/data/media"});
  EXPECT_EQ(location.place, GetParam().place);
  EXPECT_EQ(location.place == Place::object ? location.bucket + '|' + location.key : location.path, GetParam().path);
}

const Case cases[] = {
    {"relative", "a/b.png", Place::file, "a/b.png"},
    {"dots", "./a//b/./c.png", Place::file, "a/b/c.png"},
    {"inside_with_dotdot", "a/../b.png", Place::file, "b.png"},
    {"percent_is_no_escape", "a%20b.png", Place::file, "a%20b.png"},
    {"question_mark_stays", "a.png?v=2", Place::file, "a.png?v=2"},
    {"spaces", " a .png", Place::file, " a .png"},
    {"not_utf8", "a\xff.png", Place::file, "a\xff.png"},
    {"absolute_inside", "/srv/media/a.png", Place::file, "a.png"},
    {"absolute_by_the_roots_other_name", "/data/media/x/a.png", Place::file, "x/a.png"},
    {"file_url", "file:///srv/media/a.png", Place::file, "a.png"},
    {"file_url_is_not_decoded", "file:///srv/media/a%20b.png", Place::file, "a%20b.png"},
    {"s3", "s3://shots/a//b.png", Place::object, "shots|a//b.png"},
    {"empty", "", Place::nothing},
    {"climbs_out", "../a.png", Place::outside},
    {"climbs_out_later", "a/../../b.png", Place::outside},
    {"absolute_outside", "/etc/passwd", Place::outside},
    {"absolute_climbs_out", "/srv/media/../secret", Place::outside},
    {"a_neighbour_of_the_root", "/srv/media2/a.png", Place::outside},
    {"the_root_itself", "/srv/media", Place::outside},
    {"only_dots", "./.", Place::outside},
    {"file_url_with_a_host", "file://host/a.png", Place::outside},
    {"https", "https://cdn.example/a.png", Place::outside},
    {"s3_without_a_key", "s3://shots", Place::outside},
    {"nul", std::string("a\0b", 3), Place::outside},
};
INSTANTIATE_TEST_SUITE_P(Retention, Locate, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(Location, RemembersTheFoldersThatDotdotSteppedOutOf) {
  EXPECT_EQ(locate("a/link/../b.png", {"/srv"}).folders_before_dotdot, (std::vector<std::string>{"a/link"}));
  EXPECT_EQ(locate("/srv/a/../b.png", {"/srv"}).folders_before_dotdot, (std::vector<std::string>{"a"}));
}

TEST(CopyKey, IsTheMonthTheKeyAndTheName) {
  EXPECT_EQ(copy_key("mockups", "2024/11", "17", "name.png"), "mockups/2024/11/17-name.png");
}

TEST(CopyKey, CarriesNothingThatAStoreOrAPersonCannotRead) {
  EXPECT_EQ(copy_key("mockups", "2024/11", "a/b", "x\ny\xff.png"), "mockups/2024/11/a%2Fb-x%0Ay%FF.png");
}

TEST(CopyKey, ShortensALongNameBeforeItsEndingAndNeverInsideACharacter) {
  std::string name;
  for (int i = 0; i < 120; ++i) name += "\xc3\xa4";
  const std::string key = copy_key("mockups", "2024/11", "17", name + ".png");
  EXPECT_LE(base_name(key).size(), 200U);
  EXPECT_TRUE(key.ends_with(".png"));
  EXPECT_TRUE(is_utf8(key));
  EXPECT_NE(key, copy_key("mockups", "2024/11", "17", name + "b.png"));
}

TEST(CopyKey, ApartHasTheHashBeforeTheEnding) {
  EXPECT_EQ(copy_key_apart("mockups/2024/11/17-name.png", std::string(64, 'a')),
            "mockups/2024/11/17-name." + std::string(16, 'a') + ".png");
  EXPECT_EQ(copy_key_apart("mockups/2024/11/17-name", std::string(64, 'a')),
            "mockups/2024/11/17-name." + std::string(16, 'a'));
}

}  // namespace
}  // namespace steward::retention
