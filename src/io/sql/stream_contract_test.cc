// What connection.h promises about stream, on both databases.
#include <fmt/format.h>
#include <malloc.h>

#include "io/sql/connection_contract.h"

namespace steward::sql {
namespace {

using testing::HasSubstr;

struct StreamContract : ConnectionContract {
  /// Numbers 1 to n, each with `width` bytes of text beside it.
  static std::string numbers(int n, int width) {
    return fmt::format(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < {}) "
        "select i, replace('{}', '0', "
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxx') from n",
        n, std::string(static_cast<std::size_t>(width / 100), '0'));
  }
};

Result<bool> go_on(const Row&) { return true; }

TEST_P(StreamContract, HandsOverEveryRowInOrder) {
  std::int64_t expected = 0;
  const auto done = db->stream(numbers(2500, 100), {}, [&](const Row& row) -> Result<bool> {
    EXPECT_EQ(to_integer(row.at(0)), ++expected);
    return true;
  });
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(expected, 2500);
}

TEST_P(StreamContract, AnEmptyAnswerHandsOverNothing) {
  int rows = 0;
  EXPECT_TRUE(db->stream("select 1 where 1 = 0", {}, [&](const Row&) -> Result<bool> {
    ++rows;
    return true;
  }));
  EXPECT_EQ(rows, 0);
}

TEST_P(StreamContract, TakesParameters) {
  const std::vector<Value> values{{std::int64_t{2}}, {std::int64_t{4}}};
  run({"create table t (a integer)", "insert into t values (1), (2), (3), (4), (5)"});
  std::string seen;
  EXPECT_TRUE(db->stream(
      fmt::format("select a from t where a between {} and {} order by a", db->placeholder(1), db->placeholder(2)),
      values, [&](const Row& row) -> Result<bool> {
        seen += to_text(row[0]);
        return true;
      }));
  EXPECT_EQ(seen, "234");
}

TEST_P(StreamContract, NeedsNoMoreMemoryForMoreRows) {
  // What is allocated, not what is resident: a sanitizer keeps freed memory for a while.
  const auto allocated = [] {
    const auto heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
  };
  const std::size_t before = allocated();
  std::size_t most = 0, rows = 0;
  const auto done = db->stream(numbers(3000, 100'000), {}, [&](const Row& row) -> Result<bool> {  // 300 MB
    EXPECT_EQ(to_text(row[1]).size(), 100'000u);
    if (++rows % 100 == 0) most = std::max(most, allocated());
    return true;
  });
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(rows, 3000u);
  EXPECT_LT(most, before + 60'000'000) << "the rows were gathered";
}

TEST_P(StreamContract, MayBeStoppedEarlyAndTheConnectionGoesOn) {
  int rows = 0;
  EXPECT_TRUE(db->stream(numbers(100'000, 100), {}, [&](const Row&) -> Result<bool> { return ++rows < 3; }));
  EXPECT_EQ(rows, 3);
  EXPECT_EQ(one("select 1"), "1");
}

TEST_P(StreamContract, StoppedEarlyInsideATransactionItLeavesTheTransactionWhole) {
  run({"create table t (a integer)"});
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  EXPECT_TRUE(db->stream(numbers(100'000, 100), {}, [](const Row&) -> Result<bool> { return false; }));
  EXPECT_TRUE(db->stream("select 1", {}, go_on)) << "a second one";
  run({"insert into t values (2)"});
  EXPECT_TRUE(transaction->commit());
  EXPECT_EQ(one("select count(*) from t"), "2");
}

TEST_P(StreamContract, AnErrorOfItsTakerIsGivenBackAndHarmsNothing) {
  run({"create table t (a integer)"});
  const auto fails = [](const Row&) -> Result<bool> { return fail(Kind::refused, "enough"); };
  EXPECT_EQ(message_of(db->stream("select 1", {}, fails)), "enough");
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  EXPECT_EQ(kind_of(db->stream(numbers(5000, 100), {}, fails)), Kind::refused);
  EXPECT_TRUE(transaction->commit());
  EXPECT_EQ(one("select count(*) from t"), "1");
}

TEST_P(StreamContract, AnErrorOfTheQueryIsGivenBack) {
  EXPECT_EQ(kind_of(db->stream("select * from nowhere", {}, go_on)), Kind::not_found);
  EXPECT_EQ(one("select 1"), "1");
  run({"create table t (a integer)"});
  auto transaction = db->begin();
  EXPECT_EQ(kind_of(db->stream("select * from nowhere", {}, go_on)), Kind::not_found);
  EXPECT_EQ(kind_of(db->execute("insert into t values (1)")), Kind::bug);
}

TEST_P(StreamContract, NothingElseMayBeAskedMeanwhile) {
  const auto done = db->stream("select 1", {}, [&](const Row&) -> Result<bool> {
    EXPECT_EQ(kind_of(db->query("select 2")), Kind::bug);
    EXPECT_EQ(kind_of(db->begin()), Kind::bug);
    EXPECT_EQ(kind_of(db->stream("select 3", {}, go_on)), Kind::bug);
    return true;
  });
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_EQ(one("select 4"), "4");
}

INSTANTIATE_TEST_SUITE_P(Sql, StreamContract, testing::Values(Dialect::postgres, Dialect::sqlite), dialect_name);

}  // namespace
}  // namespace steward::sql
