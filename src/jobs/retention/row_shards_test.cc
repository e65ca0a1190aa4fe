// Rows in shards, upon a real PostgreSQL: cut, carried out, killed between two batches, and added up.
#include "jobs/retention/row_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include "io/files/scratch.h"
#include "io/sql/test_database.h"
#include "run/ledger/ledger.h"
#include "run/runner.h"

namespace steward::retention {
namespace {

using testing::ElementsAre;
using testing::SizeIs;
using namespace std::chrono_literals;

struct Silent final : Reporter {
  void task_began(const Step&) override {}
  void progress(const Progress&) override {}
  void note(Level, std::string_view, std::string_view) override {}
  void task_ended(std::string_view, std::string_view, const Amount&, const std::vector<Skip>&, const Error*) override {}
};

struct RowShards : testing::Test {
  void SetUp() override {
    database = sql::TestDatabase::make(sql::Dialect::postgres);
    ASSERT_TRUE(database);
    db = database->connect();
  }
  void sql(const std::string& statement) {
    const auto done = db->execute(statement);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::int64_t count(const std::string& where = "true") {
    const auto rows = db->query("select count(*) from t where " + where);
    return rows ? sql::to_integer(rows->rows.at(0).at(0)) : -1;
  }
  Job job() const {
    Job job{.name = "cleanup"};
    RowPolicy policy{
        .rows = {.database = {.url = database->url()}, .table = "t", .age_column = "at", .age = *parse_age("30 days")}};
    TaskSlot slot{.info = {.name = "purge-t"}};
    slot.task = purge_rows(slot.info, policy);
    job.tasks.push_back(std::move(slot));
    return job;
  }
  /// What a process has of its own.
  struct Own {
    StateDirectory state;
    std::unique_ptr<ledger::Ledger> ledger;
    Silent reporter{};
  };
  Own own() const {
    StateDirectory state = *StateDirectory::open(scratch.path() + "/state");
    auto opened = ledger::open({.url = state.ledger_url()});
    return {.state = std::move(state), .ledger = std::move(*opened)};
  }
  HandedOut handed_out(std::uint64_t count) {
    Own mine = own();
    Job whole = job();
    auto out = hand_out(whole, "purge-t", {.count = count, .allow_removal = true}, clock, mine.state, *mine.ledger);
    EXPECT_TRUE(out) << out.error().message;
    return out ? *std::move(out) : HandedOut{};
  }
  Result<RunResult> carry_out(const std::string& digest, std::uint64_t number,
                              const std::function<Result<void>(std::string_view)>& at = {}) {
    Own mine = own();
    Job part = job();
    ShardWork work = TRY(shard_work(*mine.ledger, "cleanup", "purge-t", digest, number));
    TRY(narrow(part, "purge-t", work));
    RunSettings settings{.only = {"purge-t"}, .approved = work.set.plan, .shard = work};
    return run_job(
        part, settings,
        {.clock = clock, .state = mine.state, .ledger = *mine.ledger, .reporter = mine.reporter, .interrupted = at});
  }
  ShardSum sum(const std::string& digest) { return *sum_of(*own().ledger, "cleanup", "purge-t", digest); }

  files::Scratch scratch{};
  std::unique_ptr<sql::TestDatabase> database;
  std::unique_ptr<sql::Connection> db;
  SystemClock clock{};
};

TEST_F(RowShards, KilledBetweenTwoBatchesOneDoesTheRestAndTheSumIsExact) {
  sql("create table t (id bigint primary key, at timestamptz not null)");
  sql("insert into t select i, now() - interval '40 days' from generate_series(1, 44000) i");
  const HandedOut out = handed_out(2);
  ASSERT_THAT(out.set.split.shards, SizeIs(2));
  EXPECT_EQ(out.set.split.shards[0].range.last, ShardKey{"22000"});
  const pid_t child = ::fork();
  if (child == 0) {
    int batches = 0;
    (void)carry_out(out.digest, 1, [&](std::string_view place) -> Result<void> {
      if (place == "purge-rows: batch" && ++batches == 3) ::raise(SIGKILL);
      return {};
    });
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(count(), 24'000) << "two batches went";
  EXPECT_FALSE(sum(out.digest).complete);
  const auto again = carry_out(out.digest, 1), other = carry_out(out.digest, 2);
  ASSERT_TRUE(again && other);
  EXPECT_EQ(again->tasks.at(0).done.items, 2'000u);
  EXPECT_EQ(other->tasks.at(0).done.items, 22'000u);
  EXPECT_EQ(again->plan_digest, out.digest);
  const ShardSum all = sum(out.digest);
  EXPECT_TRUE(all.equals_plan);
  EXPECT_EQ(all.done.items, 44'000u);
  EXPECT_EQ(count(), 0);
}

TEST_F(RowShards, WhateverTheKeysAreAndWhateverComesLaterEachRowIsInExactlyOne) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  sql("create table t (site text, n int, at timestamptz not null, primary key (site, n))");
  const auto insert = [&](int rows) {
    for (int i = 0; i < rows; ++i)
      sql("insert into t values (chr(97 + " + std::to_string(random() % 5) + ") || '''ü', " +
          std::to_string(static_cast<int>(random() % 2'000) - 1'000) +
          ", now() - interval '40 days') on conflict do nothing");
  };
  insert(120);
  const HandedOut out = handed_out(5);
  ASSERT_THAT(out.set.split.shards, SizeIs(5));
  insert(200);
  std::int64_t together = 0;
  for (const Shard& shard : out.set.split.shards) {
    auto table = Table::open(
        {.database = {.url = database->url()}, .table = "t", .age_column = "at", .age = *parse_age("30 days")});
    ASSERT_TRUE(table) << table.error().message;
    ASSERT_TRUE(table->keep_to(shard.range));
    together += static_cast<std::int64_t>(table->survey(clock.now(), {})->planned);
  }
  EXPECT_EQ(together, count());
}

TEST_F(RowShards, ShardsHaveTheTableBesideOneAnotherAndTheWholeAlone) {
  sql("create table t (id bigint primary key, at timestamptz not null)");
  const RowRules rules{.database = {.url = database->url()}, .table = "t"};
  const Job whole = job();
  {
    const auto first = lock_shard_of_table(rules, {.digest = "d", .number = 1});
    EXPECT_TRUE(first);
    EXPECT_TRUE(lock_shard_of_table(rules, {.digest = "d", .number = 2}));
    const auto all = whole.tasks.at(0).task->lock();
    ASSERT_FALSE(all);
    EXPECT_EQ(all.error().kind, Kind::busy);
  }
  const auto all = whole.tasks.at(0).task->lock();
  EXPECT_TRUE(all);
  const auto shard = lock_shard_of_table(rules, {.digest = "d", .number = 1});
  ASSERT_FALSE(shard);
  EXPECT_EQ(shard.error().kind, Kind::busy);
}

TEST_F(RowShards, ASampleOfPagesIsEnoughToCutManyRowsEvenly) {
  sql("create table t (id bigint primary key, at timestamptz not null)");
  sql("insert into t select i, now() - interval '40 days' from generate_series(1, 300000) i");
  const HandedOut out = handed_out(4);
  ASSERT_THAT(out.set.split.shards, SizeIs(4));
  for (const Shard& shard : out.set.split.shards) {
    std::string where = "true";
    if (shard.range.after) where += " and id > " + shard.range.after->front();
    if (shard.range.last) where += " and id <= " + shard.range.last->front();
    EXPECT_NEAR(static_cast<double>(count(where)), 75'000, 7'500) << text_of(shard.range);
  }
}

}  // namespace
}  // namespace steward::retention
