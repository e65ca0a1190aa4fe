// What the database feels slows a run down or makes it wait, and it goes on when that is over.

#include <gtest/gtest.h>

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
  EXPECT_NE(shown["notes"].dump().find("for the database, "), std::string::npos) << shown.dump(1);
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

}  // namespace
}  // namespace steward::harness
