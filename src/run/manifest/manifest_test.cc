// What was recorded is read back, whatever is in it.
#include "run/manifest/manifest.h"

#include <gtest/gtest.h>

#include "io/files/scratch.h"

namespace steward::manifest {
namespace {

TEST(Manifest, ARowThatLooksLikeAHeaderIsARow) {
  const files::Scratch scratch;
  const auto store = object::open({.url = "file://" + scratch.path() + "/cold", .create = true});
  ASSERT_TRUE(store) << store.error().message;
  Writer writer = Writer::begin(**store, "t", {.run = "r", .table = "t", .key_columns = {"id"}});
  const std::vector<Item> items{{.number = 1, .key = "1", .row = R"({"id":1,"steward":"manifest"})", .source = "/a"},
                                {.number = 2, .key = "2", .row = R"({"id":2})", .source = "/b"}};
  ASSERT_TRUE(writer.record(std::span<const Item>(items)));
  const auto listed = list(**store, "t");
  ASSERT_TRUE(listed && listed->size() == 1);
  std::vector<std::string> keys;
  ASSERT_TRUE(read(**store, listed->front(), [&](const Item& item) -> Result<bool> {
    keys.push_back(item.key);
    return true;
  }));
  EXPECT_EQ(keys, (std::vector<std::string>{"1", "2"}));
}

}  // namespace
}  // namespace steward::manifest
