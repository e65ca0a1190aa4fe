#include "jobs/rotation/record.h"

#include <gtest/gtest.h>

#include "io/files/scratch.h"

namespace steward::rotation {
namespace {

struct RecordTest : testing::Test {
  files::Scratch scratch{};
  files::Folder folder = files::Folder::open(scratch.path()).value();
};

TEST_F(RecordTest, ComesBackAsItWasWritten) {
  EXPECT_EQ(read_record(folder, "web").value(), std::nullopt);
  for (const Way way : {Way::cut, Way::copytruncate, Way::move}) {
    Record record{.way = way,
                  .log = "a/\xff.log",
                  .archive = "a/\xff.log.20261123T010000Z",
                  .device = 7,
                  .inode = 9,
                  .size = 4_KiB,
                  .sha256 = std::string(64, 'a')};
    if (way == Way::cut) record.place = 4096;
    ASSERT_TRUE(write_record(folder, "web", record));
    EXPECT_EQ(read_record(folder, "web").value(), record);
    EXPECT_EQ(read_record(folder, "other").value(), std::nullopt);
  }
  ASSERT_TRUE(erase_record(folder, "web"));
  EXPECT_EQ(read_record(folder, "web").value(), std::nullopt);
}

TEST_F(RecordTest, ThatIsDamagedIsNotTakenForNone) {
  for (const char* text :
       {"", "{", "{}", R"({"format":2,"way":"cut","log":"a","archive":"b"})",
        R"({"format":1,"way":"burn","log":"a","archive":"b"})", R"({"format":1,"way":"cut"})",
        R"({"format":1,"way":"cut","log":3,"archive":"b"})",
        R"({"format":1,"way":"cut","log":"a","archive":"b","inode":"x"})", "[1]", R"({"format":"1"})"}) {
    scratch.write(".steward-rotating-web.json", text);
    const auto read = read_record(folder, "web");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().kind, Kind::corrupt) << text;
  }
}

const Record cut{.way = Way::cut, .place = 100};
const Aftermath as_before{.archived = true, .same_log = true, .same_front = true, .place = 100};

TEST(Remedy, OfACutGoesByThePlaceOfTheFront) {
  EXPECT_EQ(remedy(cut, as_before), Remedy::finish);
  Aftermath done = as_before;
  done.place = 200;
  EXPECT_EQ(remedy(cut, done), Remedy::nothing) << "also where its lines are all alike";
  Aftermath odd = as_before;
  odd.same_front = false;
  EXPECT_EQ(remedy(cut, odd), Remedy::both);
}

TEST(Remedy, WithoutAPlaceAFrontThatIsTheSameTellsNothing) {
  Aftermath blind = as_before;
  blind.place = std::nullopt;
  EXPECT_EQ(remedy(cut, blind), Remedy::both);
  blind.same_front = false;
  EXPECT_EQ(remedy(cut, blind), Remedy::nothing);
}

TEST(Remedy, WhereOneOfTheTwoIsGoneThereIsNothingToDo) {
  for (const Way way : {Way::cut, Way::move, Way::copytruncate}) {
    Aftermath no_copy = as_before, no_log = as_before;
    no_copy.archived = no_log.same_log = false;
    EXPECT_EQ(remedy({.way = way, .place = 100}, no_copy), Remedy::nothing);
    EXPECT_EQ(remedy({.way = way, .place = 100}, no_log), Remedy::nothing);
  }
}

TEST(Remedy, OfAMoveIsToRemoveTheLogUnlessItHasMore) {
  EXPECT_EQ(remedy({.way = Way::move}, as_before), Remedy::finish);
  Aftermath grown = as_before;
  grown.grown = true;
  EXPECT_EQ(remedy({.way = Way::move}, grown), Remedy::undo);
  Aftermath other = as_before;
  other.same_front = false;
  EXPECT_EQ(remedy({.way = Way::move}, other), Remedy::both);
}

TEST(Remedy, OfAnEmptyingKeepsBothWhereNobodyCanTell) {
  EXPECT_EQ(remedy({.way = Way::copytruncate}, as_before), Remedy::both);
  Aftermath emptied = as_before;
  emptied.same_front = false;
  EXPECT_EQ(remedy({.way = Way::copytruncate}, emptied), Remedy::nothing);
}

}  // namespace
}  // namespace steward::rotation
