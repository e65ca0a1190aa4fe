// Whose archive it is, and that holds come back from beside it as they were.
#include "run/manifest/archive.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/files/scratch.h"

namespace steward::manifest {
namespace {

struct ArchiveTest : testing::Test {
  files::Scratch scratch{};
  FakeClock clock{};
  object::StoreTarget target{.url = "file://" + scratch.path() + "/cold"};
  std::unique_ptr<ledger::Ledger> ours = a_ledger("ours"), theirs = a_ledger("theirs");

  std::unique_ptr<ledger::Ledger> a_ledger(const std::string& name) const {
    return ledger::open({.url = "sqlite:///" + scratch.path() + "/" + name + ".db"}).value();
  }
  Result<Archive> open(ledger::Ledger& ledger, const std::string& environment = "") {
    return Archive::open(target, ledger, clock, environment);
  }
  std::string code(const Result<Archive>& opened) { return opened ? "opened" : opened.error().code; }
};

TEST_F(ArchiveTest, BelongsToTheLedgerThatMadeItAndAnotherMayNotWriteIt) {
  const Archive made = open(*ours).value();
  EXPECT_EQ(code(open(*ours)), "opened");
  EXPECT_EQ(code(open(*theirs)), "ledger-foreign");
  EXPECT_TRUE(theirs->archives().value().empty()) << "a place that it may not write is none that it knows";
  EXPECT_EQ(Archive::read(target)->id(), made.id()) << "who reads needs no ledger";
}

TEST_F(ArchiveTest, AdoptedByAnotherItIsRefusedToTheOneBeforeInTheMiddleOfARunToo) {
  const Archive made = open(*ours).value();
  EXPECT_TRUE(adopt(made.store(), *theirs, clock, "", "ada").value());
  EXPECT_FALSE(adopt(made.store(), *theirs, clock, "", "ada").value()) << "it is theirs already";
  EXPECT_EQ(code(open(*theirs)), "opened");
  const auto before = open(*ours);
  EXPECT_EQ(code(before), "ledger-foreign");
  EXPECT_NE(before.error().message.find("adopted on 1970-01-01T00:00:00Z by ada"), std::string::npos)
      << before.error().message;
  EXPECT_EQ(theirs->audit_lines(1)->at(0).act, "archive.adopt");
  EXPECT_EQ(Archive::read(target)->id(), made.id()) << "it is the same archive";
}

TEST_F(ArchiveTest, IsForOneEnvironmentAndOneWithoutANameIsNoOther) {
  ASSERT_TRUE(open(*ours, "production"));
  EXPECT_EQ(code(open(*ours, "staging")), "environment-foreign");
  EXPECT_EQ(code(open(*ours)), "opened");
  EXPECT_EQ(identity(*object::open(target).value()).value()->environment, "production");
}

TEST_F(ArchiveTest, WithoutALedgerItBecomesThatOfWhoWritesIt) {
  const Archive made = open(*ours).value();
  const std::string of_01 = nlohmann::json{{"steward", "archive"}, {"format", 1}, {"id", made.id()}}.dump();
  StringSource source(of_01);
  ASSERT_TRUE(made.store().put(id_key, source, {.size = Bytes{of_01.size()}}));
  EXPECT_FALSE(foreign(*identity(made.store()).value(), made.shown(), *theirs, "staging")) << "it is anybody's";
  EXPECT_TRUE(adopt_ownerless(made.store(), *theirs, clock, "staging").value());
  EXPECT_FALSE(adopt_ownerless(made.store(), *ours, clock, "staging").value()) << "now it is theirs";
  EXPECT_EQ(code(open(*ours, "staging")), "ledger-foreign");
  EXPECT_EQ(code(open(*theirs, "staging")), "opened");
}

TEST_F(ArchiveTest, AHoldBesideItComesBackWithItsCondition) {
  const Archive made = open(*ours).value();
  const ledger::Hold hold{.id = "h-1",
                          .kind = "file",
                          .key = "/srv/caf\xe9/",
                          .prefix = true,
                          .condition = "/srv/caf\xe9/*.log",
                          .reason = "case 12",
                          .who = "ada"};
  ASSERT_TRUE(write_hold(made.store(), hold));
  const auto holds = read_holds(made.store()).value();
  ASSERT_EQ(holds.size(), 1u);
  EXPECT_EQ(holds[0].key, hold.key);
  EXPECT_EQ(holds[0].prefix, true);
  EXPECT_EQ(holds[0].condition, hold.condition);
}

}  // namespace
}  // namespace steward::manifest
