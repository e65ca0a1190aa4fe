#include "jobs/retention/location.h"

#include <gtest/gtest.h>

#include <algorithm>

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

const std::vector<UrlPrefix> urls{
    {.prefix = "//cdn.example.com/media/", .store = {.url = "s3://shots/prefix"}},
    {.prefix = "//cdn.example.com/media/local/", .store = {.url = "file:///srv/media/here"}},
};

struct UrlCase {
  const char* name;
  std::string stored;
  Place place;
  std::string address{};
};

struct LocateUrl : testing::TestWithParam<UrlCase> {};

TEST_P(LocateUrl, ReadsItAsABrowserDoes) {
  const Location location = locate(GetParam().stored, {"/srv/media"}, urls);
  EXPECT_EQ(location.place, GetParam().place);
  EXPECT_EQ(location.place == Place::object ? location.bucket + '|' + location.key : location.path, GetParam().address);
}

const UrlCase url_cases[] = {
    {"plain", "https://cdn.example.com/media/a/b.png", Place::object, "shots|prefix/a/b.png"},
    {"of_http", "http://cdn.example.com/media/a.png", Place::object, "shots|prefix/a.png"},
    {"without_a_scheme", "//cdn.example.com/media/a.png", Place::object, "shots|prefix/a.png"},
    {"host_in_any_case_and_its_port", "HTTPS://CDN.Example.com:443/media/a.png", Place::object, "shots|prefix/a.png"},
    {"decoded", "https://cdn.example.com/media/a%20b%2Bc.png", Place::object, "shots|prefix/a b+c.png"},
    {"plus_is_plus", "https://cdn.example.com/media/a+b.png", Place::object, "shots|prefix/a+b.png"},
    {"without_its_query", "https://cdn.example.com/media/a.png?v=2#top", Place::object, "shots|prefix/a.png"},
    {"a_broken_escape_is_text", "https://cdn.example.com/media/100%.png", Place::object, "shots|prefix/100%.png"},
    {"longest_prefix", "https://cdn.example.com/media/local/a%20b.png", Place::file, "here/a b.png"},
    {"escaped_slash", "https://cdn.example.com/media/a%2Fb.png", Place::object, "shots|prefix/a/b.png"},
    {"climbing_to_another_key", "https://cdn.example.com/media/a/../b.png", Place::outside},
    {"climbing_out_of_a_folder", "https://cdn.example.com/media/local/../../b.png", Place::outside},
    {"the_prefix_itself", "https://cdn.example.com/media/", Place::outside},
    {"another_path", "https://cdn.example.com/other/a.png", Place::outside},
    {"another_host", "https://example.com/media/a.png", Place::outside},
    {"no_url", "media/a%20b.png", Place::file, "media/a%20b.png"},
};
INSTANTIATE_TEST_SUITE_P(Names, LocateUrl, testing::ValuesIn(url_cases), [](const auto& c) { return c.param.name; });

TEST(Mapped, AllThatAUrlMayNameIsThere) {
  EXPECT_EQ(mapped("https://cdn.example.com/media/a%20b.png?v=1", urls),
            (std::vector<std::string>{"s3://shots/prefix/a b.png", "s3://shots/prefix/a%20b.png",
                                      "s3://shots/prefix/a b.png?v=1", "s3://shots/prefix/a%20b.png?v=1"}));
  const auto dotted = mapped("https://cdn.example.com/media/a/../b.png", urls);
  EXPECT_NE(std::ranges::find(dotted, "s3://shots/prefix/b.png"), dotted.end());
  EXPECT_NE(std::ranges::find(dotted, "s3://shots/prefix/a/../b.png"), dotted.end());
  EXPECT_TRUE(mapped("a.png", urls).empty());
  EXPECT_TRUE(mapped("https://cdn.example.com/media/a.png", {}).empty());
}

TEST(UrlPrefix, IsAUrlOfHttpThatEndsWithASlash) {
  EXPECT_EQ(url_prefix("https://CDN.example.com:443/media/").value_or(""), "//cdn.example.com/media/");
  EXPECT_EQ(url_prefix("http://host:8080/").value_or(""), "//host:8080/");
  for (const char* wrong : {"https://host", "https://host/media", "ftp://host/", "host/", "//host/", "https:///a/",
                            "https://host/?a=/", ""})
    EXPECT_FALSE(url_prefix(wrong)) << wrong;
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
