#include "io/sql/sqlite_backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "io/sql/test_database.h"

namespace steward::sql {
namespace {

struct SqliteBackup : testing::Test {
  std::unique_ptr<TestDatabase> database = TestDatabase::make(Dialect::sqlite);
  std::string copy = (database->folder() / "copy.db").string();
};

TEST_F(SqliteBackup, IsTheWholeDatabaseForItsOwnerAlone) {
  const auto connection = database->connect();
  ASSERT_TRUE(connection->execute("create table t (n integer, b blob)"));
  ASSERT_TRUE(connection->execute(
      "with recursive i(n) as (select 1 union all select n + 1 from i where n < 5000) insert into t select n, "
      "randomblob(4000) from i"));
  ASSERT_TRUE(back_up_file({.url = database->url()}, copy));
  struct stat info{};
  ASSERT_EQ(::stat(copy.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const auto restored = connect({.url = "sqlite:///" + copy}).value();
  const auto sum = [](Connection& of) {
    return to_text(
        of.query("select count(*) || ' ' || sum(length(b)) || ' ' || max(hex(b)) from t").value().rows[0][0]);
  };
  EXPECT_EQ(sum(*restored), sum(*connection));
  EXPECT_EQ(to_text(restored->query("pragma integrity_check").value().rows[0][0]), "ok");
}

TEST_F(SqliteBackup, OverwritesNothingAndLeavesNothingOnAnError) {
  std::ofstream(copy) << "mine";
  EXPECT_EQ(back_up_file({.url = database->url()}, copy).error().kind, Kind::unavailable);
  EXPECT_EQ(std::filesystem::file_size(copy), 4U);
  std::filesystem::remove(copy);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(back_up_file({.url = database->url(), .stop = stop.get_token()}, copy).error().kind, Kind::interrupted);
  EXPECT_FALSE(std::filesystem::exists(copy));
  EXPECT_EQ(back_up_file({.url = "sqlite:////nowhere/app.db"}, copy).error().kind, Kind::not_found);
  EXPECT_FALSE(std::filesystem::exists(copy));
}

TEST_F(SqliteBackup, WaitsForALockNoLongerThanItIsTold) {
  const auto connection = database->connect();
  ASSERT_TRUE(connection->execute("create table t (n integer)"));
  ASSERT_TRUE(connection->query("pragma locking_mode = exclusive"));
  ASSERT_TRUE(connection->execute("insert into t values (1)"));
  EXPECT_EQ(back_up_file({.url = database->url(), .lock_timeout = std::chrono::milliseconds{1}}, copy).error().kind,
            Kind::busy);
  EXPECT_FALSE(std::filesystem::exists(copy));
}

}  // namespace
}  // namespace steward::sql
