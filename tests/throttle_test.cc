// What the database feels slows a run down or makes it wait, and it goes on when that is over.

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "harness/application.h"
#include "harness/own_server.h"

namespace steward::harness {
namespace {

using nlohmann::json;

/// A replica that has stopped to apply what comes, and a table that was filled meanwhile.
struct LaggingReplica : testing::Test {
  static constexpr int rows = 30'000;
  OwnServer server{};
  OwnStandby standby{server};
  Application app{DatabaseKind::postgres};
  std::unique_ptr<sql::Connection> replica{};

  void SetUp() override {
    auto connection = sql::connect({.url = standby.url()});
    ASSERT_TRUE(connection) << connection.error().message;
    replica = *std::move(connection);
    ask("select pg_wal_replay_pause()");
    await([&] { return ask("select pg_get_wal_replay_pause_state()") == "paused"; }, "the replica stands still");
    app.sql("insert into signals select i, 1, now() - interval '40 days', 0.5, null, 'x' from generate_series(1, " +
            std::to_string(rows) + ") as s(i)");
    app.sql("insert into signals select i, 1, now(), 0.5, null, 'x' from generate_series(100001, 120000) as s(i)");
    app.file(
        "steward.yaml",
        "throttle: {replica_behind: 1 MiB}\ndatabases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  signals: {kind: rows, "
        "table: signals, age_column: timestamp, age: 30 days}\n");
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
  }
  std::string ask(const std::string& query) const {
    const auto answer = replica->query(query);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? sql::to_text(answer->rows.at(0).at(0)) : "";
  }
  bool says(const std::string& text) {
    return app.steward({"runs", "log", "latest"}).out.find(text) != std::string::npos;
  }
};

TEST_F(LaggingReplica, IsWaitedForAndTheRunGoesOnWhenItHasCaughtUp) {
  const pid_t run = app.start_steward({"run", "cleanup"});
  await([&] { return says("waiting: the replica walreceiver is"); }, "the run waits");
  const std::int64_t left = app.count("signals");
  EXPECT_LT(left, rows + 20'000) << "it asks after its first batch";
  EXPECT_GT(left, 20'000);
  ask("select pg_wal_replay_resume()");
  EXPECT_EQ(Application::wait_for(run), 0);
  EXPECT_EQ(app.count("signals"), 20'000);
  const json shown = task(app.steward({"runs", "show", "latest", "--json"}).json(), "signals");
  EXPECT_NE(shown["notes"].dump().find(" between batches, "), std::string::npos) << shown.dump(1);
}

TEST_F(LaggingReplica, IsNotWaitedForAtFullSpeed) {
  const Answer run = app.steward({"run", "cleanup", "--full-speed"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_FALSE(says("waiting:"));
  EXPECT_EQ(app.count("signals"), 20'000);
}

TEST_F(LaggingReplica, DoesNotKeepARunFromBeingCancelled) {
  const pid_t run = app.start_steward({"run", "cleanup"});
  await([&] { return says("waiting: the replica"); }, "the run waits");
  EXPECT_EQ(app.steward({"runs", "cancel", "latest"}).exit_code, 0);
  EXPECT_EQ(Application::wait_for(run), 1);
  EXPECT_GT(app.count("signals"), 20'000);
}

/// A server that is slow for each row that goes, as under a load, until the test says otherwise.
TEST(ThrottledBatches, ShrinkWhileTheServerIsSlowAndGrowWhenItIsNot) {
  Application app{DatabaseKind::postgres};
  app.sql(
      "insert into signals select i, 1, now() - i * interval '1 second' - case when i <= 100000 then interval '40 "
      "days' "
      "else interval '0' end, 0.5, null, 'x' from generate_series(1, 150000) as s(i);"
      "create table load (seconds_a_row double precision); insert into load values (0.0001);"
      "create table batches (n serial, rows bigint)");
  for (const char* statement :
       {"create function feel() returns trigger language plpgsql as $$ declare so_many bigint; begin select count(*) "
        "from "
        "gone into so_many; insert into batches (rows) values (so_many); perform pg_sleep(so_many * (select "
        "seconds_a_row from load)); return null; end $$",
        "create trigger feel after delete on signals referencing old table as gone for each statement execute function "
        "feel()"}) {
    const auto made = app.db().execute(statement);
    ASSERT_TRUE(made) << made.error().message;
  }
  app.file("steward.yaml",
           "databases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  signals: {kind: rows, table: signals, age_column: "
           "timestamp, age: 30 days}\n");
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  const auto run = app.start({"run", "cleanup", "--json"});
  await([&] { return app.value("select min(rows) < 4000 from batches") == "t"; }, "batches are smaller");
  EXPECT_EQ(app.value("select rows from batches order by n limit 1"), "10000") << "the first one knows nothing yet";
  app.sql("update load set seconds_a_row = 0");
  const std::string then = app.value("select max(n) from batches");
  const Answer ended = run->wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  EXPECT_EQ(app.count("signals"), 50'000);
  EXPECT_EQ(app.value("select max(rows) > 5000 from batches where n > " + then), "t")
      << app.value("select string_agg(rows::text, ' ' order by n) from batches");
}

/// A disk with little room is waited for where the configuration says so, and the run goes on when there is some.
TEST(FullDisk, OfTheArchiveIsWaitedForWhereTheConfigurationSaysSo) {
  ASSERT_EQ(::geteuid(), 0U) << "this test mounts a small tmpfs: run it as root, as ./dev test does in CI";
  Application app;
  app.sql(
      "insert into signals with recursive s(i) as (select 0 union all select i + 1 from s where i < 11999) select i, "
      "1, "
      "case when i < 11000 then '" +
      days_ago(40) + "' else '" + days_ago(1) + "' end, 0.5, null, 'x' from s");
  std::filesystem::create_directory(app.path("cold"));
  ASSERT_EQ(::mount("tmpfs", app.path("cold").c_str(), "tmpfs", 0, "size=16m"), 0) << std::strerror(errno);
  app.file("cold/somebody-elses", std::string(12 << 20, 'x'));
  app.file("steward.yaml",
           "throttle: {free_disk: 8 MiB}\nbrakes: {share: 95 %}\ndatabases: {app: \"${DATABASE_URL}\"}\nstores: {cold: "
           "./cold}\ncleanup:\n  signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days, archive: "
           "cold}\n");
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  const auto run = app.start({"run", "cleanup", "--json"});
  await(
      [&] {
        return app.steward({"runs", "log", "latest"})
            .out.contains("waiting: the disk of file://" + app.path("cold") + " has ");
      },
      "the run waits");
  const std::int64_t left = app.count("signals");
  EXPECT_LT(left, 12'000) << "it asks after its first batch";
  EXPECT_GT(left, 1'000);
  std::filesystem::remove(app.path("cold/somebody-elses"));
  const Answer ended = run->wait();
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  EXPECT_EQ(app.count("signals"), 1'000);
  EXPECT_EQ(::umount(app.path("cold").c_str()), 0);
}

}  // namespace
}  // namespace steward::harness
