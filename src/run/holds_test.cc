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

TEST(Holds, AGlobIsForTheWholePathAndAStarMatchesSlashesToo) {
  const Holds globs(
      {{.id = "h-1", .kind = "file", .key = "/srv/logs/", .prefix = true, .condition = "/srv/logs/*/pay-?.log"},
       {.id = "h-2", .kind = "object", .target = "s3://shots", .prefix = true, .condition = "s3://shots/*/case-12/*"}},
      7);
  EXPECT_TRUE(globs.covers_file("/srv/logs/2025/pay-1.log"));
  EXPECT_TRUE(globs.covers_file("/srv/logs/2025/11/pay-1.log"));
  EXPECT_FALSE(globs.covers_file("/srv/logs/2025/pay-10.log"));
  EXPECT_FALSE(globs.covers_file("/srv/logs/pay-1.log"));
  EXPECT_FALSE(globs.covers_file("/old/srv/logs/2025/pay-1.log"));
  EXPECT_TRUE(globs.covers_object("s3://shots", "a/case-12/b.png"));
  EXPECT_TRUE(globs.covers_object("s3://shots/a", "case-12/b.png"));
  EXPECT_FALSE(globs.covers_object("s3://shots", "a/case-13/b.png"));
  EXPECT_FALSE(globs.covers_object("s3://shots2", "a/case-12/b.png"));
}

TEST(Holds, AConditionOnColumnsIsNotAnsweredByAKey) {
  const Holds conditional({{.id = "h-1", .kind = "row", .target = "signals", .prefix = true, .condition = "[]"}}, 7);
  EXPECT_FALSE(conditional.covers_row("public.signals", "17"));
  EXPECT_TRUE(conditional.any_for_table("public.signals"));
}

TEST(FreezeRefusal, NamesTheFreezeThatLastsLongestAndTheCommandThatLiftsIt) {
  EXPECT_FALSE(freeze_refusal({}));
  const Instant noon = *parse_instant("2026-11-23T12:00:00Z");
  std::vector<ledger::Freeze> freezes{{.id = "f-1", .reason = "audit", .who = "ada", .until = noon}};
  EXPECT_EQ(freeze_refusal(freezes)->message,
            "nothing is removed until 2026-11-23T12:00:00Z: frozen by ada, audit (f-1)");
  freezes.push_back({.id = "f-2", .reason = "moving", .who = "grace"});
  const auto refusal = freeze_refusal(freezes);
  EXPECT_EQ(refusal->message, "nothing is removed until it is lifted: frozen by grace, moving (f-2)");
  EXPECT_EQ(refusal->hint, "When removals may go on: steward freeze lift f-2.");
  EXPECT_EQ(refusal->code, "freeze");
  EXPECT_EQ(refusal->kind, Kind::refused);
}

TEST(Holds, SpareTheQuestionForATableThatNoneNames) {
  EXPECT_TRUE(holds.any_for_table("public.mockups"));
  EXPECT_FALSE(holds.any_for_table("public.signals"));
}

}  // namespace
}  // namespace steward
