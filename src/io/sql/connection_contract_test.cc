// What connection.h promises about statements, transactions and errors, on both databases.
#include "io/sql/connection_contract.h"

#include <atomic>
#include <fstream>
#include <thread>

namespace steward::sql {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

TEST_P(ConnectionContract, QueryGivesColumnsAndRowsInTheirOrder) {
  const auto rows = db->query("select 'x' as a, null as b union all select 'y', 'z' order by 1");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_THAT(rows->columns, ElementsAre("a", "b"));
  EXPECT_THAT(rows->rows, ElementsAre(Row{{"x"}, {}}, Row{{"y"}, {"z"}}));
}

TEST_P(ConnectionContract, QueryWithoutRowsStillNamesItsColumns) {
  const auto rows = db->query("select 1 as a, 2 as b where 1 = 0");
  ASSERT_TRUE(rows);
  EXPECT_THAT(rows->columns, ElementsAre("a", "b"));
  EXPECT_TRUE(rows->rows.empty());
}

TEST_P(ConnectionContract, ParametersAreValuesAndNeverText) {
  run({"create table t (a text)"});
  const std::string nasty = "'); drop table t; -- $1 ?1 \\ \"";
  const Value value = nasty;
  ASSERT_TRUE(db->execute("insert into t values (" + db->placeholder(1) + ")", {&value, 1}));
  EXPECT_EQ(one("select a from t"), nasty);
}

TEST_P(ConnectionContract, OneParameterMayBeUsedTwiceAndInAnyOrder) {
  run({"create table t (a text, b text, c text)"});
  const std::vector<Value> values{{"one"}, {"two"}};
  const std::string first = db->placeholder(1), second = db->placeholder(2);
  ASSERT_TRUE(db->execute("insert into t values (" + second + "," + first + "," + second + ")", values));
  EXPECT_EQ(one("select a || b || c from t"), "twoonetwo");
}

TEST_P(ConnectionContract, AWrongNumberOfParametersIsBadInput) {
  const std::vector<Value> values{{"one"}, {"two"}};
  const std::string statement = "select 1 where " + db->placeholder(1) + " = 'x' and " + db->placeholder(2) + " = 'y'";
  EXPECT_EQ(kind_of(db->query(statement, {values.data(), 1})), Kind::bad_input);
  EXPECT_EQ(kind_of(db->query("select 1", values)), Kind::bad_input);
  EXPECT_TRUE(db->query(statement, values));
}

TEST_P(ConnectionContract, TwoStatementsInOneAreBadInputAndNeitherRuns) {
  run({"create table t (a integer)"});
  EXPECT_EQ(kind_of(db->execute("insert into t values (1); insert into t values (2)")), Kind::bad_input);
  EXPECT_EQ(one("select count(*) from t"), "0");
  EXPECT_EQ(kind_of(db->execute("")), Kind::bad_input);
  EXPECT_EQ(kind_of(db->execute("-- nothing")), Kind::bad_input);
  EXPECT_TRUE(db->execute("insert into t values (1); -- and a comment"));
}

TEST_P(ConnectionContract, ExecuteGivesTheNumberOfRowsChanged) {
  EXPECT_EQ(db->execute("create table t (a integer)").value_or(-1), 0);
  EXPECT_EQ(db->execute("insert into t values (1), (2), (3)").value_or(-1), 3);
  EXPECT_EQ(db->execute("create table u (a integer)").value_or(-1), 0) << "the count of the statement before";
  EXPECT_EQ(db->execute("select * from t").value_or(-1), 0);
  EXPECT_EQ(db->execute("update t set a = a where a > 1").value_or(-1), 2);
  EXPECT_EQ(db->execute("delete from t where a > 9").value_or(-1), 0);
  EXPECT_EQ(db->execute("delete from t").value_or(-1), 3);
}

TEST_P(ConnectionContract, RowsThatAStatementReturnsComeFromQuery) {
  run({"create table t (a integer)", "insert into t values (1), (2)"});
  const auto rows = db->query("delete from t where a = 1 returning a");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ(to_integer(rows->rows.at(0).at(0)), 1);
  EXPECT_EQ(one("select count(*) from t"), "1");
}

TEST_P(ConnectionContract, AStatementOutsideATransactionIsOneOfItsOwn) {
  const auto other = database->connect();
  run({"create table t (a integer)", "insert into t values (1)"});
  EXPECT_EQ(one(*other, "select count(*) from t"), "1");
}

TEST_P(ConnectionContract, ATransactionIsRolledBackUnlessCommitted) {
  run({"create table t (a integer)"});
  {
    auto transaction = db->begin();
    ASSERT_TRUE(transaction);
    run({"insert into t values (1)"});
    const Transaction moved = std::move(*transaction);
    EXPECT_EQ(one("select count(*) from t"), "1");
  }
  EXPECT_EQ(one("select count(*) from t"), "0");
  auto transaction = db->begin();
  ASSERT_TRUE(transaction);
  run({"insert into t values (2)"});
  EXPECT_TRUE(transaction->commit());
  EXPECT_EQ(kind_of(transaction->commit()), Kind::bug);
  EXPECT_EQ(kind_of(transaction->rollback()), Kind::bug);
  EXPECT_EQ(one("select a from t"), "2");
}

TEST_P(ConnectionContract, RollbackUndoesAndTheConnectionGoesOn) {
  run({"create table t (a integer)"});
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  EXPECT_TRUE(transaction->rollback());
  EXPECT_EQ(one("select count(*) from t"), "0");
  EXPECT_TRUE(db->begin());
}

TEST_P(ConnectionContract, WhatATransactionDoesIsSeenByOthersWhenItIsCommitted) {
  run({"create table t (a integer)"});
  const auto other = database->connect();
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  EXPECT_EQ(one(*other, "select count(*) from t"), "0");
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(one(*other, "select count(*) from t"), "1");
}

TEST_P(ConnectionContract, AfterAnErrorInsideATransactionOnlyARollbackIsLeft) {
  run({"create table t (a integer primary key)"});
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  EXPECT_EQ(kind_of(db->execute("insert into t values (1)")), Kind::held);
  EXPECT_EQ(kind_of(db->execute("insert into t values (2)")), Kind::bug);
  EXPECT_EQ(kind_of(db->query("select 1")), Kind::bug);
  const auto committed = transaction->commit();
  EXPECT_EQ(kind_of(committed), Kind::bug);
  EXPECT_THAT(message_of(committed), HasSubstr("was rolled back"));
  EXPECT_EQ(one("select count(*) from t"), "0");
}

TEST_P(ConnectionContract, AStatementThatCannotBeCompiledBreaksATransactionToo) {
  run({"create table t (a integer primary key)"});
  auto transaction = db->begin();
  EXPECT_EQ(kind_of(db->execute("insert into nowhere values (1)")), Kind::not_found);
  EXPECT_EQ(kind_of(db->execute("insert into t values (2)")), Kind::bug);
  EXPECT_TRUE(transaction->rollback());
  EXPECT_TRUE(db->execute("insert into t values (3)"));
}

TEST_P(ConnectionContract, ASecondBeginIsABugAndHarmsNothing) {
  run({"create table t (a integer)"});
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  EXPECT_EQ(kind_of(db->begin()), Kind::bug);
  EXPECT_TRUE(transaction->commit());
  EXPECT_EQ(one("select count(*) from t"), "1");
}

TEST_P(ConnectionContract, NothingIsRetriedAndAFailedStatementLeavesTheConnectionUsable) {
  EXPECT_EQ(kind_of(db->query("select * from nowhere")), Kind::not_found);
  EXPECT_EQ(kind_of(db->query("select absent from (select 1 as a) t")), Kind::not_found);
  EXPECT_EQ(kind_of(db->query("selec 1")), Kind::bad_input);
  EXPECT_EQ(one("select 1"), "1");
}

TEST_P(ConnectionContract, ErrorsAreOneLineThatNamesStatementDatabaseAndReason) {
  const auto failed = db->query("select *\n  from nowhere");
  EXPECT_THAT(message_of(failed), testing::StartsWith("cannot run \"select * from nowhere\" on " + db->shown() + ": "));
  EXPECT_THAT(message_of(failed), HasSubstr("nowhere"));
  EXPECT_THAT(message_of(failed), Not(HasSubstr("\n")));
}

TEST_P(ConnectionContract, AForeignKeyThatForbidsItIsHeld) {
  run({"create table mockups (id integer primary key)",
       "create table listings (mockup_id integer references mockups (id))", "insert into mockups values (17)",
       "insert into listings values (17)"});
  EXPECT_EQ(kind_of(db->execute("delete from mockups")), Kind::held);
  EXPECT_EQ(one("select count(*) from mockups"), "1");
}

TEST_P(ConnectionContract, ADeferredForeignKeyHoldsAtCommitAndNothingIsDone) {
  run({"create table mockups (id integer primary key)",
       "create table listings (mockup_id integer references mockups (id) deferrable initially deferred)",
       "insert into mockups values (17)", "insert into listings values (17)"});
  auto transaction = db->begin();
  run({"delete from mockups"});
  EXPECT_EQ(kind_of(transaction->commit()), Kind::held);
  EXPECT_EQ(one("select count(*) from mockups"), "1");
  EXPECT_TRUE(db->begin());
}

TEST_P(ConnectionContract, WaitingLongerThanLockTimeoutIsBusy) {
  run({"create table t (a integer)", "insert into t values (1)"});
  const auto other = database->connect({.lock_timeout = 50ms});
  auto transaction = db->begin();
  run({"update t set a = 2"});
  EXPECT_EQ(kind_of(other->execute("update t set a = 3")), Kind::busy);
  ASSERT_TRUE(transaction->commit());
  EXPECT_TRUE(other->execute("update t set a = 3"));
}

TEST_P(ConnectionContract, RunningLongerThanStatementTimeoutIsInterrupted) {
  const auto hurried = database->connect({.statement_timeout = 50ms});
  const auto failed = hurried->query(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000000) select count(*) from n");
  EXPECT_EQ(kind_of(failed), Kind::interrupted);
  EXPECT_EQ(one(*hurried, "select 1"), "1");
}

TEST_P(ConnectionContract, CancelFromAnotherThreadInterruptsTheRunningStatement) {
  std::atomic<bool> done = false;
  std::thread canceller([&] {
    while (!done) {  // until it has hit the statement: before that, there is nothing to stop
      db->cancel();
      std::this_thread::yield();
    }
  });
  const auto failed = db->query(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000000) select count(*) from n");
  done = true;
  canceller.join();
  EXPECT_EQ(kind_of(failed), Kind::interrupted);
  const auto after = database->connect();
  EXPECT_EQ(one(*after, "select 1"), "1");
}

TEST_P(ConnectionContract, CancelReachesAStatementThatWaitsForALock) {
  run({"create table t (a integer)", "insert into t values (1)"});
  const auto other = database->connect({.lock_timeout = 600s});
  auto transaction = db->begin();
  run({"update t set a = 2"});
  std::atomic<bool> done = false;
  std::thread canceller([&] {
    while (!done) {
      other->cancel();
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(kind_of(other->execute("update t set a = 3")), Kind::interrupted);
  done = true;
  canceller.join();
}

constexpr std::string_view endless =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000000000) select count(*) from n";

TEST_P(ConnectionContract, AStopInterruptsTheRunningStatementAndNoOtherBegins) {
  std::stop_source stop;
  const auto stopped = database->connect({.application = "to be stopped", .stop = stop.get_token()});
  std::thread stopper([&] {
    const std::string running =
        "select count(*) from pg_stat_activity where application_name = 'to be stopped' and state = 'active' and query "
        "like 'with recursive%' and datname = current_database()";
    while (postgres() && one(running) == "0") std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_EQ(kind_of(stopped->query(endless)), Kind::interrupted);
  stopper.join();
  EXPECT_EQ(kind_of(stopped->query("select 1")), Kind::interrupted);
  EXPECT_EQ(kind_of(stopped->begin()), Kind::interrupted);
}

TEST_P(ConnectionContract, AStopLeavesTheEndOfATransactionPossible) {
  run({"create table t (a integer)"});
  std::stop_source stop;
  const auto stopped = database->connect({.stop = stop.get_token()});
  auto transaction = stopped->begin();
  ASSERT_TRUE(transaction);
  ASSERT_TRUE(stopped->execute("insert into t values (1)"));
  stop.request_stop();
  EXPECT_TRUE(transaction->commit());
  EXPECT_EQ(one("select count(*) from t"), "1");
}

TEST_P(ConnectionContract, AStopReachesAStatementThatWaitsForALock) {
  run({"create table t (a integer)", "insert into t values (1)"});
  std::stop_source stop;
  const auto stopped = database->connect({.application = "waits", .lock_timeout = 600s, .stop = stop.get_token()});
  auto transaction = db->begin();
  run({"update t set a = 2"});
  std::thread stopper([&] {
    const std::string waiting =
        "select count(*) from pg_stat_activity where application_name = 'waits' and wait_event_type = 'Lock'";
    while (postgres() && one(waiting) == "0") std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_EQ(kind_of(stopped->execute("update t set a = 3")), Kind::interrupted);
  stopper.join();
}

TEST_P(ConnectionContract, AReadOnlyConnectionReadsAndDoesNotWrite) {
  run({"create table t (a integer)", "insert into t values (1)"});
  const auto reader = database->connect({.read_only = true});
  EXPECT_EQ(one(*reader, "select a from t"), "1");
  EXPECT_EQ(kind_of(reader->execute("delete from t")), Kind::permission);
  auto transaction = reader->begin();
  ASSERT_TRUE(transaction);
  EXPECT_EQ(one(*reader, "select a from t"), "1");
  EXPECT_EQ(kind_of(reader->execute("delete from t")), Kind::permission);
  EXPECT_EQ(one("select count(*) from t"), "1");
}

TEST_P(ConnectionContract, TheIdentityIsTheDatabasesOwn) {
  const auto again = database->connect();
  const auto other_database = TestDatabase::make(GetParam());
  const auto other = other_database->connect();
  EXPECT_FALSE(db->identity().empty());
  EXPECT_EQ(again->identity(), db->identity());
  EXPECT_NE(other->identity(), db->identity());
}

TEST_P(ConnectionContract, ItSaysWhichVersionItSpeaksTo) {
  EXPECT_THAT(db->version(), testing::ContainsRegex(postgres() ? "^PostgreSQL [0-9]+" : "^SQLite 3[.][0-9]+"));
  EXPECT_EQ(db->dialect(), GetParam());
}

TEST_P(ConnectionContract, WhatItShowsIsAUrlThatNamesTheSameDatabase) {
  const auto again = connect({.url = db->shown()});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->identity(), db->identity());
}

TEST_P(ConnectionContract, AMissingDatabaseIsNotFoundAndIsNotMade) {
  const std::string url =
      postgres() ? database->url() + "_absent" : "sqlite:///" + (database->folder() / "absent.db").string();
  const auto failed = connect({.url = url});
  EXPECT_EQ(kind_of(failed), Kind::not_found);
  EXPECT_THAT(message_of(failed), HasSubstr("absent"));
  EXPECT_FALSE(std::filesystem::exists(database->folder() / "absent.db"));
}

TEST_P(ConnectionContract, TheServersTimeIsOurs) {
  const Instant before = SystemClock{}.now();
  const auto time = db->server_time();
  ASSERT_TRUE(time);
  EXPECT_LE(before, *time);
  EXPECT_LE(*time, SystemClock{}.now());
}

TEST_P(ConnectionContract, ATransactionLockIsHadByOneAtATimeAndEndsWithTheTransaction) {
  EXPECT_EQ(kind_of(db->try_transaction_lock("cleanup")), Kind::bug);
  const auto other = database->connect({.lock_timeout = 0ms});
  auto mine = db->begin();
  EXPECT_EQ(db->try_transaction_lock("cleanup").value_or(false), true);
  {
    auto theirs = other->begin();  // SQLite: already this says no
    const bool had = theirs && other->try_transaction_lock("cleanup").value_or(true);
    EXPECT_FALSE(had);
  }
  EXPECT_TRUE(mine->commit());
  auto theirs = other->begin();
  EXPECT_EQ(other->try_transaction_lock("cleanup").value_or(false), true);
}

TEST_P(ConnectionContract, ATransactionLockIsHadBySeveralBesideOneAnotherAndThenByNobodyAlone) {
  if (GetParam() == Dialect::sqlite) return;  // there a transaction excludes all others by itself
  const auto other = database->connect({}), third = database->connect({});
  auto mine = db->begin(), theirs = other->begin(), alone = third->begin();
  EXPECT_EQ(db->try_transaction_lock("cleanup", Sharing::beside).value_or(false), true);
  EXPECT_EQ(other->try_transaction_lock("cleanup", Sharing::beside).value_or(false), true);
  EXPECT_EQ(third->try_transaction_lock("cleanup").value_or(true), false);
  EXPECT_TRUE(mine->commit());
  EXPECT_EQ(third->try_transaction_lock("cleanup").value_or(true), false);
  EXPECT_TRUE(theirs->commit());
  EXPECT_EQ(third->try_transaction_lock("cleanup").value_or(false), true);
  auto late = db->begin();
  EXPECT_EQ(db->try_transaction_lock("cleanup", Sharing::beside).value_or(true), false);
}

INSTANTIATE_TEST_SUITE_P(Sql, ConnectionContract, testing::Values(Dialect::postgres, Dialect::sqlite), dialect_name);

}  // namespace
}  // namespace steward::sql
