// The keys that a store takes, and gives back as they were.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/object/store_contract_test_support.h"

namespace steward::object {
namespace {

using testing::ElementsAre;

struct StoreKeys : StoreContract {};
INSTANTIATE_TEST_SUITE_P(Object, StoreKeys, testing::ValuesIn(makers), [](const auto& m) { return m.param.name; });

/// Keys that every store takes.
std::vector<std::string> awkward_keys() {
  return {"a b",
          " ",
          "+",
          "a+b",
          "100%",
          "%20",
          "&amp;",
          "<key>",
          "a=b&c=d",
          "?x",
          "#frag",
          "*",
          "ü/日本",
          "it's \"q\"",
          "a;b,c:d@e",
          "~",
          "!$()[]",
          "\\back",
          "...",
          "a...b/..c",
          ".hidden",
          "{}|^`",
          "a\tb",
          "line\nend",
          "\r\nline",
          "\x01\x1f\x7f",
          "a\xc2\x85"
          "b"};
}
/// Keys that only S3 can have.
std::vector<std::string> any_keys() {
  return {"/leading", "trailing/", "//", "a//b", "a/./b", "a/../b",
          "./a",      "a/..",      "/",  "a///", "b/.",   "x/../../y/../../z"};
}

/// A listing in XML that is not encoded cannot show control characters: what it leaves out is not counted.
bool may_be_unlisted(const std::string& key) { return key.contains('\x01'); }

TEST_P(StoreKeys, KeysComeBackAsTheyWereGiven) {
  std::vector<std::string> keys = awkward_keys();
  if (features().any_key)
    for (const std::string& key : any_keys()) keys.push_back(key);
  for (const std::string& key : keys) {
    StringSource source(key);
    const auto written = store->put(key, source);
    // Some servers refuse some keys; then the key is not there, and no other one is.
    if (!written) {
      EXPECT_EQ(written.error().kind, Kind::bad_input) << testing::PrintToString(key) << written.error().message;
      EXPECT_FALSE(features().any_key) << testing::PrintToString(key) << written.error().message;
    }
  }
  std::multiset<std::string> there;
  for (const std::string& key : keys)
    if (store->head(key)) there.insert(key);
  const auto listed = keys_of(*store);
  if (!features().any_key)
    std::erase_if(there, [&](const std::string& key) { return may_be_unlisted(key) && !listed.contains(key); });
  EXPECT_EQ(listed, there);
  EXPECT_TRUE(there.size() == keys.size() || !features().any_key);
  for (const std::string& key : there) EXPECT_EQ(content_of(*store, key), key);
  std::vector<Removal> removals;
  for (const std::string& key : there) removals.push_back({.key = key, .etag = store->head(key)->etag});
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done) EXPECT_FALSE(removed.error) << removed.error->message;
  EXPECT_THAT(keys_of(*store), ElementsAre());
}

TEST_P(StoreKeys, AwkwardKeysDoNotSpoilABatch) {
  std::vector<std::string> keys = awkward_keys();
  put_all(*store, numbered_keys(5));
  for (const std::string& key : keys) {
    StringSource source("x");
    (void)store->put(key, source);
  }
  std::vector<Removal> removals;
  for (const std::string& key : keys_of(*store)) removals.push_back({.key = key});
  EXPECT_GE(removals.size(), 5u);
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done) EXPECT_FALSE(removed.error) << removed.error->message;
  EXPECT_THAT(keys_of(*store), ElementsAre());
}

TEST_P(StoreKeys, AKeyOfAThousandAndTwentyFourBytesIsNotTooLong) {
  const std::size_t root = store->identity()->contains("a prefix") ? std::string("a prefix/of two/").size() : 0;
  std::string key;
  while (key.size() + root + 200 <= 1'024) key += std::string(199, 'k') + "/";
  key.resize(1'024 - root, 'e');
  put(*store, key, "long");
  EXPECT_EQ(content_of(*store, key), "long");
  EXPECT_THAT(keys_of(*store), ElementsAre(key));
  EXPECT_FALSE((*store->remove_many(std::vector<Removal>{{.key = key}}))[0].error);
  EXPECT_THAT(keys_of(*store), ElementsAre());
}

TEST_P(StoreKeys, AKeyThatTheStoreCannotHaveIsBadInputToPutAndElseNotThere) {
  for (const std::string& key : {std::string(), std::string("a\0b", 3), std::string(5'000, 'x')}) {
    StringSource source("x");
    const auto written = store->put(key, source);
    ASSERT_FALSE(written) << key.substr(0, 20);
    EXPECT_EQ(written.error().kind, Kind::bad_input) << written.error().message;
    EXPECT_EQ(store->head(key).error().kind, Kind::not_found);
    StringSink sink;
    EXPECT_EQ(store->get(key, sink).error().kind, Kind::not_found);
    EXPECT_TRUE(store->remove({.key = key}));
    const std::vector<Removal> removals{{.key = key, .etag = "\"0\""}, {.key = key}};
    const auto done = store->remove_many(removals);
    ASSERT_TRUE(done);
    EXPECT_FALSE((*done)[0].error || (*done)[1].error);
  }
  EXPECT_THAT(keys_of(*store), ElementsAre());
}

}  // namespace
}  // namespace steward::object
