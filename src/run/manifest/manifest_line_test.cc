#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::manifest {
namespace {

TEST(ManifestLine, AHeaderReadsBackWhateverItsBytes) {
  Header header{.run = "r\xff", .task = "\xff", .archive = "a", .database = "d\xff", .key_columns = {"id", "\xff"}};
  header.final_state = "row_gone";
  header.began = parse_instant("2026-11-23T01:00:00.25Z").value();
  const auto again = header_from_line(line_of(header));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->run, header.run);
  EXPECT_EQ(again->task, header.task);
  EXPECT_EQ(again->key_columns, header.key_columns);
  EXPECT_EQ(again->began, header.began);
  EXPECT_EQ(line_of(*again), line_of(header));
}

TEST(ManifestLine, AnItemReadsBackWhateverItsBytes) {
  const auto item = item_from_line(
      R"({"item": 3, "state": "copied", "key": {"bytes": "/w=="}, "sha256": {"bytes": "/w=="}, "owner": 4294967295})",
      nullptr);
  ASSERT_TRUE(item) << item.error().message;
  EXPECT_EQ(item->owner, 4294967295U);
  const auto again = item_from_line(line_of(*item, true), nullptr);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->key, "\xff");
  EXPECT_EQ(again->sha256, "\xff");
}

TEST(ManifestLine, AnItemWithoutItsFileSaysSoAndNamesNoCopy) {
  const Item item{.number = 1, .state = State::planned, .key = "1", .row = "{}", .source = "/a", .missing = true};
  const std::string planned = line_of(item, false);
  EXPECT_EQ(planned, R"({"item":1,"key":"1","missing":true,"row":{},"source":"/a","state":"planned"})");
  const auto first = item_from_line(planned, nullptr);
  ASSERT_TRUE(first) << first.error().message;
  const auto gone = item_from_line(R"({"item":1,"state":"source_gone"})", &*first);
  ASSERT_TRUE(gone) << gone.error().message;
  EXPECT_TRUE(gone->missing);
  EXPECT_EQ(line_of(*gone, true),
            R"({"item":1,"key":"1","missing":true,"row":{},"source":"/a","state":"source_gone"})");
  EXPECT_EQ(item_from_line(R"({"item":1,"state":"planned","missing":"yes"})", nullptr).error().kind, Kind::corrupt);
}

TEST(ManifestLine, WhatReferredIsReadAsItWasWritten) {
  const Referring let_go{.table = "public.listings",
                         .key_columns = {"id"},
                         .columns = {"mockup_id"},
                         .row = R"({"id":"5","mockup_id":"17"})"};
  Referring went = let_go;
  went.went = true;
  went.table = "odd \xff";
  const Item item{.number = 1, .key = "17", .row = R"({"id":"17"})", .referring = {let_go, went}};
  const auto read = item_from_line(line_of(item, false), nullptr);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->referring, item.referring);
  EXPECT_EQ(item_from_line(R"({"item":1,"state":"planned","referring":[{"table":"a"}]})", nullptr).error().kind,
            Kind::corrupt);
}

TEST(ManifestLine, AManifestWithWhatReferredIsOfAFormatThatAnOlderStewardRefuses) {
  const Header plain{.run = "r", .table = "mockups", .key_columns = {"id"}};
  EXPECT_TRUE(line_of(plain).contains(R"("format":1)")) << line_of(plain);
  Header with = plain;
  with.referring = {"public.listings"};
  EXPECT_TRUE(line_of(with).contains(R"("format":2)")) << line_of(with);
  EXPECT_EQ(header_from_line(line_of(with))->referring, with.referring);
}

TEST(ManifestLine, AnOwnerThatNoUserCanBeIsCorruptAndNotRoot) {
  for (const char* name : {"owner", "group"}) {
    const auto item =
        item_from_line(R"({"item": 1, "state": "copied", ")" + std::string(name) + R"(": 4294967296})", nullptr);
    ASSERT_FALSE(item) << name;
    EXPECT_EQ(item.error().kind, Kind::corrupt) << name;
  }
}

TEST(ManifestLine, ANewerFormatIsRefusedHoweverNew) {
  for (const char* format : {"3", "4294967297", "18446744073709551615"}) {
    const auto header = header_from_line(R"({"steward": "manifest", "format": )" + std::string(format) + "}");
    ASSERT_FALSE(header) << format;
    EXPECT_EQ(header.error().code, "manifest-newer") << format;
  }
}

TEST(ManifestLine, DoesNotFallOverDepth) {
  const std::size_t depth = 200'000;
  const std::string nest = std::string(depth, '[') + std::string(depth, ']');
  EXPECT_EQ(header_from_line(R"({"steward": )" + nest + "}").error().kind, Kind::corrupt);
  EXPECT_EQ(item_from_line(R"({"item": 1, "state": "planned", "row": {"a": )" + nest + "}}", nullptr).error().kind,
            Kind::corrupt);
  // In a string brackets are text.
  const std::string text = R"(\"\\)" + std::string(depth, '[');
  EXPECT_TRUE(item_from_line(R"({"item": 1, "state": "planned", "key": ")" + text + "\"}", nullptr));
}

TEST(RowJson, ANumberThatNoRowHoldsIsCorruptAndNotAnother) {
  EXPECT_EQ(value_from_json(nlohmann::json(9223372036854775807U)).value(), sql::Value(std::int64_t{INT64_MAX}));
  const auto value = value_from_json(nlohmann::json(9223372036854775808U));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().kind, Kind::corrupt);
}

}  // namespace
}  // namespace steward::manifest
