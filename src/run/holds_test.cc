#include "run/holds.h"

#include <gtest/gtest.h>

namespace steward {
namespace {

const Holds holds(
    {{.id = "h-1", .kind = "row", .target = "mockups", .key = "17", .reason = "case 12"},
     {.id = "h-2", .kind = "row", .target = "other.mockups", .key = "2", .prefix = true, .reason = "audit"},
     {.id = "h-3", .kind = "file", .key = "/srv/logs/2025/", .prefix = true, .reason = "audit"},
     {.id = "h-4", .kind = "object", .target = "s3://shots", .key = "keep/", .prefix = true, .reason = "audit"},
     {.id = "h-5", .kind = "object", .target = "s3://shots", .key = "one.png", .reason = "audit"}},
    7);

TEST(Holds, AHoldWithoutASchemaCoversTheTableInEverySchema) {
  EXPECT_EQ(holds.covers_row("public.mockups", "17"), "held: case 12 (h-1)");
  EXPECT_TRUE(holds.covers_row("mockups", "17"));
  EXPECT_FALSE(holds.covers_row("public.mockups", "171"));
  EXPECT_FALSE(holds.covers_row("public.old_mockups", "17"));
}

TEST(Holds, APrefixCoversAllThatBeginsWithIt) {
  EXPECT_TRUE(holds.covers_row("other.mockups", "200"));
  EXPECT_FALSE(holds.covers_row("public.mockups", "200"));
  EXPECT_TRUE(holds.covers_file("/srv/logs/2025/a.log"));
  EXPECT_FALSE(holds.covers_file("/srv/logs/2024/a.log"));
}

TEST(Holds, AnObjectIsKnownByItsAddressWhereverTheTaskIsRooted) {
  EXPECT_TRUE(holds.covers_object("s3://shots", "keep/a.png"));
  EXPECT_TRUE(holds.covers_object("s3://shots/keep", "a.png"));
  EXPECT_TRUE(holds.covers_object("s3://shots", "one.png"));
  EXPECT_FALSE(holds.covers_object("s3://shots", "one.png2"));
  EXPECT_FALSE(holds.covers_object("s3://shots2", "keep/a.png"));
}

TEST(Holds, SpareTheQuestionForATableThatNoneNames) {
  EXPECT_TRUE(holds.any_for_table("public.mockups"));
  EXPECT_FALSE(holds.any_for_table("public.signals"));
}

}  // namespace
}  // namespace steward
