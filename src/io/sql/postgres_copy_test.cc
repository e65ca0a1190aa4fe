#include "io/sql/postgres_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "io/sql/test_database.h"

namespace steward::sql {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Keeps so many rows, and takes no more.
struct Taking final : Sink {
  Result<void> write(std::span<const std::byte> row) override {
    if (rows.size() == most) return fail(Kind::unavailable, "the store is gone");
    rows.emplace_back(reinterpret_cast<const char*>(row.data()), row.size());
    return {};
  }
  std::size_t most = SIZE_MAX;
  std::vector<std::string> rows{};
};

struct CopyOut : testing::Test {
  std::unique_ptr<TestDatabase> database = TestDatabase::make(Dialect::postgres);
  std::unique_ptr<Connection> db = database->connect();
  Taking taking{};
};

TEST_F(CopyOut, HandsOverEachRowWholeWithItsLinesEnd) {
  ASSERT_TRUE(db->execute("create table t (a int, b text)"));
  ASSERT_TRUE(db->execute("insert into t values (1, e'two\\nlines'), (2, null)"));
  const auto transaction = db->begin();
  const auto copied = copy_out(*db, "copy t to stdout", taking);
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_THAT(taking.rows, ElementsAre("1\ttwo\\nlines\n", "2\t\\N\n"));
  EXPECT_EQ(to_text(db->query("select count(*) from t").value().rows.at(0).at(0)), "2") << "the transaction goes on";
}

TEST_F(CopyOut, ThatFailsSaysWhyAndLeavesTheRollback) {
  auto transaction = db->begin().value();
  const auto none = copy_out(*db, "copy nothing to stdout", taking);
  EXPECT_EQ(none.error().kind, Kind::not_found);
  ASSERT_TRUE(transaction.rollback());
  auto next = db->begin().value();
  // The second row divides by zero: some have gone by then.
  const auto half = copy_out(*db, "copy (select 1 / (2 - i) from generate_series(1, 5) i) to stdout", taking);
  EXPECT_THAT(half.error().message, HasSubstr("division by zero"));
  ASSERT_TRUE(next.rollback());
  EXPECT_TRUE(db->query("select 1"));
}

TEST_F(CopyOut, IsCancelledWhereNobodyTakesAnyMore) {
  auto transaction = db->begin().value();
  taking.most = 3;
  const auto refused = copy_out(*db, "copy (select generate_series(1, 1000000000)) to stdout", taking);
  EXPECT_EQ(refused.error().message, "the store is gone");
  EXPECT_EQ(taking.rows.size(), 3U);
  ASSERT_TRUE(transaction.rollback());
  EXPECT_TRUE(db->query("select 1"));
}

TEST_F(CopyOut, EndsWhenItIsToldTo) {
  std::stop_source stop;
  const auto other = connect({.url = database->url(), .stop = stop.get_token()}).value();
  const auto transaction = other->begin();
  std::jthread ending([&] {
    const std::string waiting =
        "select count(*) from pg_stat_activity where query like 'copy (select pg_sleep%' and "
        "wait_event = 'PgSleep' and datname = '" +
        database->name() + "'";
    while (to_text(database->server().query(waiting).value().rows.at(0).at(0)) == "0") std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_EQ(copy_out(*other, "copy (select pg_sleep(1000)) to stdout", taking).error().kind, Kind::interrupted);
}

TEST_F(CopyOut, IsForOneStatementThatCopiesOut) {
  auto transaction = db->begin().value();
  EXPECT_EQ(copy_out(*db, "select 1", taking).error().kind, Kind::bad_input);
  EXPECT_TRUE(db->query("select 1"));
  const auto file = TestDatabase::make(Dialect::sqlite);
  EXPECT_EQ(copy_out(*file->connect(), "copy t to stdout", taking).error().kind, Kind::bad_input);
}

}  // namespace
}  // namespace steward::sql
