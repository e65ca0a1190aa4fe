// What ledger.h promises of holds and freezes, on both databases.
#include <gmock/gmock.h>

#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::kind_of;
using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

const Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 12h};

struct HoldsContract : OnEachDatabase {
  static LedgerRun a_run(const std::string& id, Instant started = noon) {
    return {.id = id, .job = "cleanup", .started = started, .heartbeat = started, .trigger = "hand", .actor = "ada"};
  }
  static Hold a_hold(const std::string& id) {
    return {.id = id, .kind = "row", .target = "mockups", .key = "17", .reason = "case 12", .who = "ada", .made = noon};
  }
};

TEST_P(HoldsContract, AFreezeIsInForceUntilItsEndOrUntilItIsLifted) {
  ASSERT_TRUE(ledger->add_freeze({.id = "f-1", .reason = "it's \"moving\"", .who = "ada", .made = noon}));
  ASSERT_TRUE(ledger->add_freeze({.id = "f-2", .reason = "audit", .who = "ada", .made = noon, .until = noon + 1h}));
  const auto freezes = opened()->freezes(noon).value();
  EXPECT_THAT(ids_of(freezes), ElementsAre("f-1", "f-2"));
  EXPECT_EQ(freezes[0].reason, "it's \"moving\"");
  EXPECT_EQ(freezes[0].who, "ada");
  EXPECT_EQ(freezes[0].made, noon);
  EXPECT_EQ(freezes[1].until, noon + 1h);
  EXPECT_THAT(ids_of(ledger->freezes(noon + 1h).value()), ElementsAre("f-1"));
  ASSERT_TRUE(ledger->lift_freeze("f-1", "grace", noon + 2h));
  EXPECT_THAT(ledger->freezes(noon + 2h).value(), IsEmpty());
  const auto all = ledger->freezes(noon + 2h, /*all=*/true).value();
  EXPECT_THAT(ids_of(all), ElementsAre("f-1", "f-2"));
  EXPECT_EQ(all[0].lifted, noon + 2h);
  EXPECT_EQ(all[0].lifted_by, "grace");
  EXPECT_THAT(acts(), ElementsAre("freeze.lift f-1", "freeze.set f-2", "freeze.set f-1"));
}

TEST_P(HoldsContract, AFreezeIsLiftedOnceAndRaisesTheGenerationBothTimes) {
  const std::int64_t before = ledger->hold_generation().value();
  ASSERT_TRUE(ledger->add_freeze({.id = "f-1", .reason = "moving", .who = "ada", .made = noon}));
  EXPECT_EQ(ledger->hold_generation().value(), before + 1);
  ASSERT_TRUE(ledger->lift_freeze("f-1", "grace", noon));
  EXPECT_EQ(opened()->hold_generation().value(), before + 2);
  const auto again = ledger->lift_freeze("f-1", "ada", noon);
  ASSERT_EQ(kind_of(again), Kind::refused);
  EXPECT_EQ(again.error().code, "lifted");
  EXPECT_EQ(kind_of(ledger->lift_freeze("f-2", "ada", noon)), Kind::not_found);
}

TEST_P(HoldsContract, HoldsComeBackAsTheyWereAdded) {
  const Hold hold{.id = "h-1",
                  .kind = "file",
                  .key = std::string("/srv/caf\xe9/\0 ☃", 15),  // a name that is not UTF-8
                  .prefix = true,
                  .condition = "/srv/caf\xe9/*.log",
                  .reason = "it's \"evidence\"",
                  .who = "ada",
                  .made = noon,
                  .until = noon + 24h};
  ASSERT_TRUE(ledger->add_holds({&hold, 1}));
  const auto holds = opened()->holds(noon).value();
  ASSERT_EQ(holds.size(), 1u);
  EXPECT_EQ(holds[0].id, hold.id);
  EXPECT_EQ(holds[0].kind, hold.kind);
  EXPECT_EQ(holds[0].target, hold.target);
  EXPECT_EQ(holds[0].key, hold.key);
  EXPECT_EQ(holds[0].prefix, hold.prefix);
  EXPECT_EQ(holds[0].condition, hold.condition);
  EXPECT_EQ(holds[0].reason, hold.reason);
  EXPECT_EQ(holds[0].who, hold.who);
  EXPECT_EQ(holds[0].made, hold.made);
  EXPECT_EQ(holds[0].until, hold.until);
  EXPECT_EQ(holds[0].released, std::nullopt);
}

TEST_P(HoldsContract, TextThatLooksLikeOurEscapeComesBackToo) {
  Hold hold = a_hold("h-1");
  hold.key = "base64:AAAA";
  ASSERT_TRUE(ledger->add_holds({&hold, 1}));
  EXPECT_EQ(ledger->holds(noon)->at(0).key, "base64:AAAA");
}

TEST_P(HoldsContract, AHoldIsInForceUntilItsEndOrItsRelease) {
  std::vector<Hold> holds{a_hold("h-1"), a_hold("h-2"), a_hold("h-3")};
  holds[1].until = noon + 1h;
  holds[2].made = noon + 1s;
  ASSERT_TRUE(ledger->add_holds(holds));
  EXPECT_THAT(ids_of(ledger->holds(noon).value()), ElementsAre("h-1", "h-2", "h-3"));
  EXPECT_THAT(ids_of(ledger->holds(noon + 1h).value()), ElementsAre("h-1", "h-3"));
  ASSERT_TRUE(ledger->release_hold("h-1", "grace", noon + 2h));
  EXPECT_THAT(ids_of(ledger->holds(noon + 3h).value()), ElementsAre("h-3"));
  const auto all = ledger->holds(noon + 3h, /*all=*/true).value();
  EXPECT_THAT(ids_of(all), ElementsAre("h-1", "h-2", "h-3"));
  EXPECT_EQ(all[0].released, noon + 2h);
  EXPECT_EQ(all[0].released_by, "grace");
}

TEST_P(HoldsContract, AHoldIsReleasedOnce) {
  const Hold hold = a_hold("h-1");
  ASSERT_TRUE(ledger->add_holds({&hold, 1}));
  ASSERT_TRUE(ledger->release_hold("h-1", "grace", noon));
  const auto again = ledger->release_hold("h-1", "ada", noon);
  ASSERT_EQ(kind_of(again), Kind::refused);
  EXPECT_EQ(again.error().code, "released");
  EXPECT_EQ(kind_of(ledger->release_hold("h-2", "ada", noon)), Kind::not_found);
  EXPECT_THAT(acts(), ElementsAre("hold.release h-1", "hold.add h-1"));
}

TEST_P(HoldsContract, TheGenerationGrowsWithEachChangeOfTheHoldsAndWithNothingElse) {
  const std::int64_t before = ledger->hold_generation().value();
  const std::vector<Hold> holds{a_hold("h-1"), a_hold("h-2")};
  ASSERT_TRUE(ledger->add_holds(holds));
  EXPECT_EQ(opened()->hold_generation().value(), before + 1) << "once for all of them";
  enter(a_run("a"));
  ASSERT_TRUE(ledger->add_holds({}));
  EXPECT_FALSE(ledger->release_hold("h-9", "ada", noon));
  EXPECT_EQ(ledger->hold_generation().value(), before + 1);
  ASSERT_TRUE(ledger->release_hold("h-1", "ada", noon));
  EXPECT_EQ(ledger->hold_generation().value(), before + 2);
}

TEST_P(HoldsContract, HoldsAreAddedTogetherOrNotAtAll) {
  const std::vector<Hold> holds{a_hold("h-1"), a_hold("h-1")};
  const std::int64_t before = ledger->hold_generation().value();
  EXPECT_FALSE(ledger->add_holds(holds));
  EXPECT_THAT(ledger->holds(noon).value(), IsEmpty());
  EXPECT_EQ(ledger->hold_generation().value(), before);
  EXPECT_THAT(acts(), IsEmpty());
}

ON_EACH_DATABASE(HoldsContract);

}  // namespace
}  // namespace steward::ledger
