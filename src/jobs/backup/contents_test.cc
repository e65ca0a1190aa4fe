#include "jobs/backup/contents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace steward::backup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

Tally tally_of(std::string_view copied, std::size_t at_once = 1'000) {
  RowTally rows;
  while (!copied.empty()) {
    rows.add(bytes(copied.substr(0, at_once)));
    copied.remove_prefix(std::min(copied.size(), at_once));
  }
  return rows.so_far();
}

TEST(RowTally, CountsRowsUpToTheLineThatEndsThem) {
  EXPECT_EQ(tally_of("1\tone\n2\ttwo\n\\.\n\n\n").items, 2U);
  EXPECT_EQ(tally_of("\n\n\\.\n\n\n").items, 2U) << "rows of one empty text";
  EXPECT_EQ(tally_of("\\.\n\n\n").items, 0U);
  EXPECT_EQ(tally_of("\\\\.\n\\.\n\n\n").items, 1U) << "a text that is a backslash and a dot";
  EXPECT_EQ(tally_of("1\tone\n2\ttwo\n\\.\n").bytes, 10_B);
}

TEST(RowTally, DoesNotCareAboutOrderNorPiecesAndAboutEveryByteOfARow) {
  const std::string rows = "1\tone\n2\ttwo\n3\tthree\n\\.\n\n\n";
  for (std::size_t at_once = 1; at_once < rows.size(); ++at_once) EXPECT_EQ(tally_of(rows, at_once), tally_of(rows));
  EXPECT_EQ(tally_of("3\tthree\n1\tone\n2\ttwo\n\\.\n"), tally_of(rows));
  EXPECT_NE(tally_of("1\tone\n2\ttwo\n3\tthrxe\n\\.\n"), tally_of(rows));
  EXPECT_NE(tally_of("1\tone\n2\tthree\n3\ttwo\n\\.\n"), tally_of(rows)) << "the same values in other rows";
  EXPECT_NE(tally_of("1\tone\n1\tone\n\\.\n"), tally_of("2\ttwo\n2\ttwo\n\\.\n")) << "a sum, not an exclusive or";
}

Contents some() {
  Contents contents;
  contents.tables = {
      {.schema = "public", .name = "signals", .rows = tally_of("1\n2\n\\.\n"), .at = {.offset = 812}},
      {.schema = "public", .name = std::string("o\xff"), .rows = tally_of("\\.\n"), .at = {.offset = 900}}};
  contents.definitions = {{.kind = "INDEX", .schema = "public", .name = "signals_pkey", .value = {}},
                          {.kind = "SEQUENCE SET", .schema = "public", .name = "s", .value = "SELECT 17"}};
  contents.large_objects.add(bytes("16412:abc"));
  contents.large_object_blocks = {{.offset = 1'000}};
  contents.frames = {{0, 0}, {2'000'000, 412}};
  return contents;
}

TEST(Contents, ComeBackAsTheyWereWritten) {
  const Contents written = some();
  StringSink text;
  ASSERT_TRUE(write(written, text));
  const Contents read = read_contents(text.text).value();
  EXPECT_EQ(read.tables, written.tables);
  EXPECT_EQ(read.definitions, written.definitions);
  EXPECT_EQ(read.large_objects, written.large_objects);
  EXPECT_EQ(read.large_object_blocks, written.large_object_blocks);
  EXPECT_EQ(read.frames, written.frames);
  EXPECT_THAT(differences(written, read), IsEmpty());
  EXPECT_EQ(read.rows(), 2U);
}

TEST(Contents, OfADumpInManyObjectsSayInWhichEachBlockIs) {
  Contents written = some();
  written.tables[0].at = {.part = 1};
  written.tables[1].at = {.part = 20'000};
  written.large_object_blocks = {{.part = 3}, {.part = 4, .offset = 17}};
  StringSink text;
  ASSERT_TRUE(write(written, text));
  const Contents read = read_contents(text.text).value();
  EXPECT_EQ(read.tables, written.tables);
  EXPECT_EQ(read.large_object_blocks, written.large_object_blocks);
}

TEST(LargeObjectTally, IsTheSameInOneTallyAndInTheSumOfSeveralWhateverThePieces) {
  LargeObjectTally all, first, second;
  all.begin(16'412);
  all.add(bytes("one"));
  all.begin(16'413);
  all.begin(16'414);
  all.add(bytes("three"));
  first.begin(16'414);
  first.add(bytes("th"));
  first.add(bytes("ree"));
  second.begin(16'412);
  second.add(bytes("one"));
  second.begin(16'413);
  Tally sum = first.finish();
  sum.add(second.finish());
  EXPECT_EQ(sum, all.finish());
  EXPECT_EQ(sum.items, 3U);
}

TEST(Contents, OfPartitionsThatAreLoadedByWayOfTheirRootAreComparedTogether) {
  Contents backup, restored;
  backup.tables = {{.schema = "s", .name = "p0", .rows = tally_of("1\n2\n\\.\n"), .root = "s.p"},
                   {.schema = "s", .name = "p1", .rows = tally_of("3\n\\.\n"), .root = "s.p"}};
  restored.tables = {{.schema = "s", .name = "p0", .rows = tally_of("3\n\\.\n"), .root = "s.p"},
                     {.schema = "s", .name = "p1", .rows = tally_of("2\n1\n\\.\n"), .root = "s.p"}};
  EXPECT_THAT(differences(backup, restored), IsEmpty());
  StringSink text;
  ASSERT_TRUE(write(backup, text));
  EXPECT_EQ(read_contents(text.text).value().tables, backup.tables);
  for (TableContents& table : backup.tables) table.root.clear();
  EXPECT_THAT(differences(backup, restored), IsEmpty()) << "of a backup that says nothing of it";
  restored.tables[1].rows = tally_of("2\n\\.\n");
  EXPECT_THAT(differences(backup, restored), ElementsAre("table s.p has 2 rows, not 3"));
}

TEST(Contents, ThatAreNoneAreCorrupt) {
  for (const char* text : {"{", "{\"table\": 5}",
                           "{\"table\":\"t\",\"schema\":\"s\",\"rows\":{\"items\":1,\"bytes\":1,"
                           "\"hash\":\"short\"},\"offset\":0}"})
    EXPECT_EQ(read_contents(text).error().kind, Kind::corrupt) << text;
}

TEST(Contents, EachDifferenceIsNamed) {
  const Contents backup = some();
  Contents restored = some();
  restored.tables[0].rows = tally_of("1\n3\n\\.\n");
  restored.tables[1].name = "other";
  restored.definitions[0].name = "signals_at";
  restored.definitions[1].value = "SELECT 18";
  restored.large_objects = {};
  EXPECT_THAT(
      differences(backup, restored),
      ElementsAre("table public.signals has other content in its 2 rows", "table public.o\\xff is missing",
                  "table public.other is there and not in the backup", "large objects: 0, not the 1 of the backup",
                  "index public.signals_pkey is missing", "sequence set public.s is another",
                  "index public.signals_at is there and not in the backup"));
  restored.tables[0].rows = tally_of("1\n\\.\n");
  EXPECT_THAT(differences(backup, restored, 1), ElementsAre("table public.signals has 1 rows, not 2", "and 6 more"));
}

}  // namespace
}  // namespace steward::backup
