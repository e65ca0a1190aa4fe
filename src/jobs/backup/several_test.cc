#include "jobs/backup/several.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace steward::backup {
namespace {

using testing::ElementsAre;

TEST(SelectionOfDatabases, IsAllOrWhatGlobsSayButForWhatIsLeftOut) {
  const Selection all{.names = {"all"}}, some{.names = {"shop", "crm_*"}};
  EXPECT_TRUE(is_chosen(all, "anything"));
  EXPECT_TRUE(is_chosen(some, "shop"));
  EXPECT_TRUE(is_chosen(some, "crm_eu"));
  EXPECT_FALSE(is_chosen(some, "shop2"));
  EXPECT_FALSE(is_chosen({.names = {"all"}, .except = {"tmp_*"}}, "tmp_1"));
  EXPECT_FALSE(is_chosen({.names = {"all", "shop"}}, "other")) << "a database that is called all";
}

TEST(SegmentOfADatabase, IsItsNameWhereThatFitsAndNeverAnothersOne) {
  EXPECT_EQ(segment_of("shop"), "shop");
  EXPECT_EQ(segment_of("Crm_eu-1"), "Crm_eu-1");
  EXPECT_THAT(segment_of("crm.eu"), testing::MatchesRegex("crm_eu-[0-9a-f]{8}"));
  const std::vector<std::string> names{"a_b",
                                       "a.b",
                                       "a b",
                                       "a/b",
                                       "..",
                                       ".",
                                       "proof",
                                       "copy",
                                       "expire",
                                       "\xc3\xa4",
                                       std::string(63, 'x'),
                                       std::string(62, 'x') + "."};
  std::set<std::string> segments;
  for (const std::string& name : names) {
    const std::string segment = segment_of(name);
    EXPECT_TRUE(segments.insert(segment).second) << name;
    EXPECT_EQ(segment.find_first_of("./ "), std::string::npos) << name;
    EXPECT_NE(segment, "proof") << "POLICY.proof is another task";
  }
}

TEST(PolicyForSeveral, BecomesOneForEachBelowItsFolderWithOneLock) {
  PolicySpec spec{.name = "nightly", .policy = Policy{}, .several = Selection{.names = {"all"}}};
  spec.policy->database.url = "postgresql://backup@db/postgres?sslmode=require";
  spec.policy->store.url = "s3://acme";
  spec.policy->name = "cluster";
  spec.policy->copy = CopyRule{.store = {.url = "s3://offsite/x"}};
  const std::vector<PolicySpec> each = each_of(spec, {"shop", "a&b"});
  ASSERT_EQ(each.size(), 2U);
  EXPECT_EQ(each[0].name, "nightly.shop");
  EXPECT_EQ(each[0].policy->name, "shop");
  EXPECT_EQ(each[0].policy->store.url, "s3://acme/cluster");
  EXPECT_EQ(each[0].policy->copy->store.url, "s3://offsite/x/cluster");
  EXPECT_EQ(each[0].policy->database.url, "postgresql://backup@db/postgres?sslmode=require&dbname=shop");
  EXPECT_EQ(each[0].policy->part_of->name, "nightly");
  EXPECT_EQ(each[0].policy->part_of->server.url, spec.policy->database.url);
  EXPECT_FALSE(each[0].several);
  EXPECT_TRUE(each[1].policy->database.url.ends_with("&dbname=a%26b"));
  spec.policy->name = "";
  EXPECT_EQ(each_of(spec, {"shop"})[0].policy->store.url, "s3://acme");
  EXPECT_EQ(seen_as_one(spec).name, "");
}

}  // namespace
}  // namespace steward::backup
