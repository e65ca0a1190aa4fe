#include "jobs/backup/parallel_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "io/files/scratch.h"
#include "io/sql/test_database.h"
#include "jobs/backup/moment.h"
#include "jobs/backup/postgres_dump.h"
#include "jobs/backup/restore.h"

namespace steward::backup {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

/// A database with tables of several kinds and large objects, and a store.
struct ParallelDumpOf : testing::Test {
  std::unique_ptr<sql::TestDatabase> database = sql::TestDatabase::make(sql::Dialect::postgres);
  std::unique_ptr<sql::Connection> connection = database->connect();
  files::Scratch scratch{};
  std::unique_ptr<object::Store> store = object::open({.url = "file://" + scratch.path()}).value();
  const Clients clients = installed_clients({}).back();
  Manifest manifest{.name = "app", .run = "20261129T000000Z-4f2a91"};
  std::function<Result<void>()> check = [] { return Result<void>{}; };

  void SetUp() override {
    for (const char* statement :
         {"create table a (id int primary key, t text)",
          "insert into a select i, repeat(md5(i::text), 5) from generate_series(1, 20000) i",
          "create table \"B \"\"c\" (\"x y\" int, z int generated always as (1) stored)", "create table empty ()",
          "insert into \"B \"\"c\" values (1), (2)", "create sequence s", "create index on a (t)"})
      ASSERT_TRUE(connection->execute(statement)) << statement;
    ASSERT_TRUE(
        connection->query("select nextval('s'), lo_from_bytea(0, 'small'), lo_create(0), lo_from_bytea(0, "
                          "decode(repeat('00ff5a', 900000), 'hex'))"));
  }
  Result<Contents> dump(std::size_t jobs) {
    const sql::Target target{.url = database->url(), .application = "parallel dump"};
    return dump_in_parallel({.database = target,
                             .clients = clients,
                             .jobs = jobs,
                             .upload = {.store = *store, .folder = manifest.id(), .check = check}},
                            manifest);
  }
  Contents as_pg_dump_sees(const sql::TestDatabase& other) const {
    return dump_postgres({.url = other.url()}, clients, {}, nullptr).value();
  }
};

TEST_F(ParallelDumpOf, ADatabaseSeesWhatPgDumpSeesAndComesBackByOneAndBySeveral) {
  for (const std::size_t jobs : {1U, 3U}) {
    manifest.objects.clear();
    manifest.run = "run-" + std::to_string(jobs);
    const auto contents = dump(jobs);
    ASSERT_TRUE(contents) << contents.error().message;
    const Contents theirs = as_pg_dump_sees(*database);
    EXPECT_THAT(differences(*contents, theirs), IsEmpty());
    EXPECT_EQ(contents->rows(), 20'002U);
    EXPECT_EQ(contents->large_objects, theirs.large_objects);
    EXPECT_EQ(contents->large_objects.items, 3U);
    const auto stored = upload({.store = *store, .folder = manifest.id(), .key = std::string(contents_key)},
                               [&](FramedSink& sink) { return write(*contents, sink); });
    ASSERT_TRUE(stored);
    manifest.objects.push_back(*stored);
    for (const int at_once : {1, 4}) {
      const auto other = sql::TestDatabase::make(sql::Dialect::postgres);
      const auto restored = restore_dump(*store, manifest, {.url = other->url()}, clients, {.jobs = at_once});
      ASSERT_TRUE(restored) << restored.error().message;
      ASSERT_FALSE(*restored) << (*restored)->message;
      EXPECT_THAT(differences(*contents, as_pg_dump_sees(*other)), IsEmpty());
    }
  }
}

TEST_F(ParallelDumpOf, ATableHasItLockedBeforeItsMomentAndUntilItIsCopied) {
  auto moment = Moment::take({.url = database->url()}, clients, 2, check);
  ASSERT_TRUE(moment) << moment.error().message;
  const auto other = database->connect({.lock_timeout = std::chrono::milliseconds{50}});
  EXPECT_EQ(other->execute("truncate a").error().kind, Kind::busy);
  EXPECT_TRUE(other->execute("insert into a values (0, 'new')")) << "who writes does not notice";
  for (std::size_t i = 0; i < moment->sessions(); ++i) moment->leave(i);
  EXPECT_TRUE(other->execute("truncate a"));
}

TEST_F(ParallelDumpOf, ADatabaseIsStoppedByACheckThatSaysNoAndTellsOfWhatItHasStored) {
  std::atomic<int> asked = 0;
  check = [&]() -> Result<void> {
    if (++asked > 12) return fail(Kind::interrupted, "told to stop");
    return {};
  };
  const auto stopped = dump(3);
  EXPECT_EQ(stopped.error().message, "told to stop");
  for (const StoredObject& object : manifest.objects)
    EXPECT_TRUE(store->head(manifest.key_of(object.key))) << object.key;
  const auto asks = database->connect();
  const auto sessions = [&] {
    return sql::to_integer(asks->query("select count(*) from pg_stat_activity where application_name = 'parallel dump'")
                               .value()
                               .rows[0][0]);
  };
  while (sessions() > 0) std::this_thread::yield();
}

TEST_F(ParallelDumpOf, ADatabaseEndsWholeWhereOneConnectionDoes) {
  check = [&]() -> Result<void> {
    // Nobody but the connections that copy; pg_dump has another name for what it does.
    (void)database->server().query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = "
        "'parallel dump' and query like 'COPY %' and datname = '" +
        database->name() + "'");
    return {};
  };
  const auto failed = dump(2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::unavailable);
  EXPECT_THAT(failed.error().message,
              AnyOf(HasSubstr("connection was lost"), HasSubstr("terminating connection due to administrator command")))
      << "whichever of the two comes through first";
}

TEST(MemoryOfADump, IsBoundedHoweverLargeTheDatabaseIs) {
  EXPECT_EQ(memory_of(2, 500_GiB, false), 16_MiB);
  EXPECT_EQ(memory_of(1, 1_GiB, true), 40_MiB);
  EXPECT_EQ(memory_of(4, 1_GiB, true), 160_MiB);
  EXPECT_EQ(memory_of(4, 5000_GiB, true), 544_MiB);
}

}  // namespace
}  // namespace steward::backup
