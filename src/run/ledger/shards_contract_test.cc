// What shards.h promises, on both databases.
#include "run/ledger/shards.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "io/sql/connection_contract.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using sql::kind_of;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

using LedgerRun = Run;  // in a test's class, Run is Google Test's

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};
const std::string digest(64, 'd');

struct ShardsContract : testing::TestWithParam<Dialect> {
  void SetUp() override {
    database = sql::TestDatabase::make(GetParam());
    ASSERT_TRUE(database);
    if (GetParam() == Dialect::sqlite) std::filesystem::remove(database->path());  // it is for the ledger to make
    ledger = opened();
    ASSERT_TRUE(ledger);
    ASSERT_TRUE(shards().enter(a_set()));
  }
  std::unique_ptr<Ledger> opened() {
    auto out = open({.url = database->url()});
    EXPECT_TRUE(out) << out.error().message;
    return out ? std::move(*out) : nullptr;
  }
  Shards& shards() { return ledger->shards(); }
  static ShardSetRecord a_set() {
    return {.digest = digest,
            .job = "cleanup",
            .task = "purge-signals",
            .made = three,
            .made_by = "ann",
            .ceiling = 100,
            .document = R"({"format":1})"};
  }
  /// A run of a shard that has succeeded, or none in particular with `shard` 0.
  void ran(const std::string& id, std::uint64_t shard, std::uint64_t done, const std::string& of = digest) {
    ASSERT_TRUE(ledger->begin_run({.id = id,
                                   .job = "cleanup",
                                   .scope = "purge-signals",
                                   .shard = shard,
                                   .started = three,
                                   .heartbeat = three,
                                   .plan_digest = of}));
    ASSERT_TRUE(ledger->record_task(id, {.task = "purge-signals", .status = "succeeded", .done_items = done}));
    ASSERT_TRUE(ledger->end_run(id, Status::succeeded, three, ""));
  }

  std::unique_ptr<sql::TestDatabase> database;
  std::unique_ptr<Ledger> ledger;
};

TEST_P(ShardsContract, ASetIsFoundByABeginningOfItsDigestAndEnteredOnce) {
  ShardSetRecord again = a_set();
  again.document = "another";
  EXPECT_TRUE(shards().enter(again));
  const auto found = shards().set("cleanup", "purge-signals", digest.substr(0, 8));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->digest, digest);
  EXPECT_EQ(found->document, R"({"format":1})");
  EXPECT_EQ(found->ceiling, 100u);
  EXPECT_EQ(found->made, three);
  EXPECT_EQ(kind_of(shards().set("cleanup", "purge-signals", "ddddddd")), Kind::bad_input);
  EXPECT_EQ(kind_of(shards().set("cleanup", "purge-logs", digest)), Kind::not_found);
  EXPECT_EQ(kind_of(shards().set("cleanup", "purge-signals", "eeeeeeee")), Kind::not_found);
  const std::vector<AuditLine> lines = ledger->audit_lines(10).value();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].act, "shards.hand-out");
  EXPECT_EQ(lines[0].actor, "ann");
}

TEST_P(ShardsContract, AllTogetherTakeOnNoMoreThanThePlanHas) {
  EXPECT_TRUE(shards().take_on(digest, 1, 40));
  EXPECT_TRUE(shards().take_on(digest, 2, 60));
  const auto beyond = shards().take_on(digest, 3, 1);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, "plan-outdated");
  EXPECT_EQ(beyond.error().message,
            "shard 3 has 1 items now, and with the 100 of the others that is more than the 100 of the plan");
  EXPECT_EQ(shards().take_on(digest, 1, 41).error().code, "plan-outdated") << "one that grew is not let off";
  EXPECT_TRUE(shards().take_on(digest, 3, 0));
  EXPECT_EQ(kind_of(shards().take_on("other", 1, 1)), Kind::not_found);
}

TEST_P(ShardsContract, AShardThatIsTriedAgainTakesOnNothingTwice) {
  EXPECT_TRUE(shards().take_on(digest, 1, 70));
  EXPECT_TRUE(shards().take_on(digest, 1, 70));
  EXPECT_TRUE(shards().take_on(digest, 1, 20));
  EXPECT_FALSE(shards().take_on(digest, 2, 31)) << "what the first has taken on once counts for good";
  EXPECT_TRUE(shards().take_on(digest, 2, 30));
}

TEST_P(ShardsContract, OfManyWhoAskAtOnceNoMoreAreLetInThanThereIsRoomFor) {
  std::atomic<int> had = 0;
  {
    std::vector<std::jthread> askers;
    for (std::uint64_t shard = 1; shard <= 8; ++shard)
      askers.emplace_back([this, &had, shard] {
        const auto own = opened();
        if (own && own->shards().take_on(digest, shard, 30)) ++had;
      });
  }
  EXPECT_EQ(had, 3);
}

TEST_P(ShardsContract, GivesTheRunsOfItsShardsAndNoOthers) {
  ran("20261123T030000Z-000001", 2, 5);
  ran("20261123T030000Z-000002", 1, 6);
  ran("20261123T030000Z-000003", 0, 7);
  ran("20261123T030000Z-000004", 1, 8, "another");
  const std::vector<ShardRun> runs = shards().runs(digest).value();
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].run.shard, 2u);
  EXPECT_EQ(runs[0].tasks.at(0).done_items, 5u);
  EXPECT_EQ(runs[1].run.id, "20261123T030000Z-000002");
  EXPECT_EQ(ledger->run("20261123T030000Z-000003")->shard, 0u);
}

TEST_P(ShardsContract, ForTheBrakesAllShardsOfAPlanAreOneTime) {
  ran("20261123T030000Z-000001", 1, 5);
  ran("20261123T030000Z-000002", 2, 6);
  ran("20261123T030000Z-000003", 0, 7, "whole");
  EXPECT_THAT(ledger->last_removed("cleanup", "purge-signals", 10, "").value(), ElementsAre(7u, 11u));
  EXPECT_THAT(ledger->last_removed("cleanup", "purge-signals", 10, digest).value(), ElementsAre(7u))
      << "of its own plan, which is under way, a shard says nothing";
  EXPECT_THAT(ledger->past_tasks("cleanup", "purge-signals", 10).value(), SizeIs(1));
}

TEST_P(ShardsContract, OldSetsAreForgotten) {
  EXPECT_TRUE(shards().take_on(digest, 1, 40));
  EXPECT_EQ(shards().forget(three), 0u);
  EXPECT_EQ(shards().forget(three + 1s), 1u);
  EXPECT_EQ(kind_of(shards().set("cleanup", "purge-signals", digest)), Kind::not_found);
}

INSTANTIATE_TEST_SUITE_P(Ledger, ShardsContract, testing::Values(Dialect::postgres, Dialect::sqlite),
                         sql::dialect_name);

}  // namespace
}  // namespace steward::ledger
