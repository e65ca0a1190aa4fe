// A run that is stopped in the middle: by a signal, a cancel, a lost or restarted database, a kill, a hold. Nothing is
// lost, what happened is said, and the next run goes on.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "harness/application.h"
#include "harness/own_server.h"
#include "harness/world.h"

namespace steward::harness {
namespace {

using nlohmann::json;

/// A run that has removed some rows and cannot get on: somebody has a row of its third batch locked.
struct InTheMiddle : testing::Test {
  static constexpr int rows = 60'000;
  Application app{DatabaseKind::postgres};
  std::unique_ptr<sql::Connection> other{};
  std::optional<sql::Transaction> lock{};
  pid_t child = 0;

  void SetUp() override {
    app.sql("insert into signals select i, 1, now() - interval '40 days', 0.5, null, 'x' from generate_series(1, " +
            std::to_string(rows) + ") as s(i)");
    app.sql("insert into signals values (1000000, 1, now(), 0.5, null, 'x'), (1000001, 1, now(), 0.5, null, 'x')");
    auto connection = sql::connect({.url = app.environment["DATABASE_URL"]});
    ASSERT_TRUE(connection);
    other = *std::move(connection);
    auto transaction = other->begin();
    ASSERT_TRUE(transaction);
    lock.emplace(*std::move(transaction));
    ASSERT_TRUE(other->query("select 1 from signals where id = 25000 for update"));
  }
  void begin() {
    child = app.start_steward({"run", "cleanup/purge-signals", "--allow-removal", "purge-signals"});
    // For longer than a run goes without a look at its ledger, so that it looks as soon as it gets on.
    await(
        [&] {
          return app.value(
                     "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = "
                     "'Lock' and application_name like 'steward cleanup%' and clock_timestamp() - query_start > "
                     "interval '1200 ms'") == "1";
        },
        "the run waits for the row");
    EXPECT_LT(app.count("signals"), rows) << "it has removed something";
  }
  void let_it_go_on() { (void)lock->rollback(); }
  int wait() const { return Application::wait_for(child); }
  void expect_finishes_exactly() {
    EXPECT_EQ(app.steward({"run", "cleanup/purge-signals", "--allow-removal", "purge-signals"}).exit_code, 0);
    EXPECT_EQ(app.count("signals"), 2);
  }
};

TEST_F(InTheMiddle, SigtermEndsItAsCancelledAndTheNextRunFinishes) {
  begin();
  ::kill(child, SIGTERM);
  let_it_go_on();
  EXPECT_EQ(wait(), 1);
  EXPECT_GT(app.count("signals"), 2);
  EXPECT_EQ(app.steward({"runs", "show", "latest", "--json"}).json()["status"], "cancelled");
  expect_finishes_exactly();
}

TEST_F(InTheMiddle, ACancelFromAnotherTerminalEndsIt) {
  begin();
  EXPECT_EQ(app.steward({"runs", "cancel", "latest"}).exit_code, 0);
  let_it_go_on();
  EXPECT_EQ(wait(), 1);
  EXPECT_EQ(app.steward({"runs", "show", "latest", "--json"}).json()["status"], "cancelled");
  expect_finishes_exactly();
}

TEST_F(InTheMiddle, ALostDatabaseFailsTheTaskAndTheNextRunFinishes) {
  begin();
  app.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name "
      "like 'steward cleanup%'");
  let_it_go_on();
  EXPECT_EQ(wait(), 1);
  EXPECT_EQ(app.steward({"runs", "show", "latest", "--json"}).json()["status"], "failed");
  expect_finishes_exactly();
}

TEST_F(InTheMiddle, AKilledRunIsFoundInterruptedAndTheNextOneSaysSo) {
  begin();
  ::kill(child, SIGKILL);
  wait();
  let_it_go_on();
  EXPECT_EQ(app.steward({"runs", "show", "latest", "--json"}).json()["status"], "interrupted");
  const Answer next = app.steward({"run", "cleanup/purge-signals", "--allow-removal", "purge-signals"});
  EXPECT_NE(next.err.find("died without a word"), std::string::npos) << next.err;
  EXPECT_EQ(app.count("signals"), 2);
}

TEST_F(InTheMiddle, AHoldPlacedMidwayIsSeenBeforeTheNextCommit) {
  begin();
  const pid_t adding =
      app.start_steward({"hold", "add", "--table", "signals", "--key", "25000", "--reason", "case 12"});
  await([&] { return app.steward({"hold", "list"}).out.find("25000") != std::string::npos; },
        "the hold is in the ledger");
  let_it_go_on();
  EXPECT_EQ(wait(), 0);
  EXPECT_EQ(Application::wait_for(adding), 0);
  EXPECT_EQ(app.value("select count(*) from signals where id = 25000"), "1")
      << "the batch that waited for the row was rolled back for the hold";
  EXPECT_EQ(app.count("signals"), 3);
}

TEST_F(InTheMiddle, AHoldWithAConditionThatIsPlacedMidwayKeepsTheRowsThatItCovers) {
  app.sql("update signals set content_hash = 'disputed' where id in (24999, 25001, 59999)");
  begin();
  const pid_t adding = app.start_steward(
      {"hold", "add", "--table", "signals", "--where", "content_hash = disputed", "--reason", "case 12"});
  await([&] { return app.steward({"hold", "list"}).out.find("disputed") != std::string::npos; },
        "the hold is in the ledger");
  const std::string there = app.value("select count(*) from signals where content_hash = 'disputed'");
  let_it_go_on();
  EXPECT_EQ(wait(), 0);
  EXPECT_EQ(Application::wait_for(adding), 0);
  EXPECT_EQ(app.value("select count(*) from signals where content_hash = 'disputed'"), there)
      << "the batch that waited for the row was rolled back for the hold";
  EXPECT_EQ(app.value("select count(*) from signals where id = 59999"), "1");
  EXPECT_EQ(app.count("signals"), 2 + std::stoll(there));
}

TEST_F(InTheMiddle, AFreezeThatIsSetMidwayStopsItBeforeTheNextCommit) {
  begin();
  const std::int64_t there = app.count("signals");
  const pid_t freezing = app.start_steward({"freeze", "--reason", "moving the database"});
  await([&] { return app.steward({"freeze", "list"}).out.find("moving") != std::string::npos; },
        "the freeze is in the ledger");
  let_it_go_on();
  EXPECT_EQ(wait(), 3);
  EXPECT_EQ(Application::wait_for(freezing), 0);
  EXPECT_EQ(app.count("signals"), there) << "the batch that waited for the row was rolled back";
  const json run = app.steward({"runs", "show", "latest", "--json"}).json();
  EXPECT_EQ(run["status"], "refused");
  EXPECT_EQ(run["tasks"][0]["error"]["code"], "freeze") << run;
  EXPECT_EQ(run["tasks"][0]["done"]["items"], rows + 2 - there) << "what is done stays done, and is counted";
  EXPECT_EQ(app.steward({"freeze", "lift"}).exit_code, 0);
  expect_finishes_exactly();
}

// --- a statement that takes for ever ---------------------------------------------------------------------------------

/// Whether a session of steward's is at work on the application's database.
bool is_at_work(Application& app) {
  return app.value(
             "select count(*) from pg_stat_activity where datname = current_database() and application_name like "
             "'steward %' and state = 'active'") != "0";
}

/// A run whose first batch would take ten minutes: a trigger of the application's sleeps.
struct LongStatement : testing::Test {
  Application app{DatabaseKind::postgres};
  void SetUp() override {
    app.sql(
        "insert into signals select i, 1, now() - interval '40 days', 0.5, null, 'x' from generate_series(1, 5) s(i)");
    app.sql("insert into signals values (10, 1, now(), 0.5, null, 'x')");
    ASSERT_TRUE(
        app.db().execute("create function slow() returns trigger language plpgsql as "
                         "$$ begin perform pg_sleep(600); return old; end $$"));
    app.sql("create trigger slow before delete on signals for each row execute function slow()");
  }
  pid_t begin() {
    const pid_t child = app.start_steward({"run", "cleanup/purge-signals"});
    await(
        [&] {
          return app.value(
                     "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = "
                     "current_database()") == "1";
        },
        "the trigger sleeps");
    return child;
  }
  void expect_cancelled(pid_t child, const std::string& why) {
    EXPECT_EQ(Application::wait_for(child), 1);
    await([&] { return !is_at_work(app); }, "the statement has ended on the server too");
    const json run = app.steward({"runs", "show", "latest", "--json"}).json();
    EXPECT_EQ(run["status"], "cancelled") << run.dump(1);
    EXPECT_EQ(task(run, "purge-signals")["error"]["message"], why) << run.dump(1);
    EXPECT_EQ(app.count("signals"), 6);
  }
};

TEST_F(LongStatement, IsStoppedBySigtermOnTheServerToo) {
  const pid_t child = begin();
  ::kill(child, SIGTERM);
  expect_cancelled(child, "stopped by a signal");
}

TEST_F(LongStatement, IsStoppedByACancelFromAnotherTerminal) {
  const pid_t child = begin();
  EXPECT_EQ(app.steward({"runs", "cancel", "latest"}).exit_code, 0);
  expect_cancelled(child, "the run was cancelled");
}

TEST_F(LongStatement, OfAPlanIsStoppedByControlC) {
  auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
  ASSERT_TRUE(other);
  app.environment["PGOPTIONS"] = "-c lock_timeout=0";
  auto lock = (*other)->begin();
  ASSERT_TRUE((*other)->execute("lock table signals"));
  const pid_t child = app.start_steward({"plan", "cleanup/purge-signals"});
  await(
      [&] {
        return app.value(
                   "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                   "application_name like 'steward cleanup%' and datname = current_database()") == "1";
      },
      "the plan waits for the lock");
  ::kill(child, SIGINT);
  EXPECT_EQ(Application::wait_for(child), 128 + SIGINT);
  await([&] { return !is_at_work(app); }, "the statement has ended on the server too");
}

// --- a server that is restarted --------------------------------------------------------------------------------------

struct RestartedServer : testing::TestWithParam<const char*> {
  OwnServer server{};
};

TEST_P(RestartedServer, InTheMiddleOfARunLosesNothingAndTheNextRunFinishes) {
  World world({"postgres", DatabaseKind::postgres, BucketKind::folder});
  Application& app = world.app;
  {
    auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
    ASSERT_TRUE(other);
    auto transaction = (*other)->begin();
    ASSERT_TRUE((*other)->query("select 1 from mockups where id = 3 for update"));
    const pid_t child = app.start_steward({"run", "cleanup"});
    await(
        [&] {
          return app.value(
                     "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                     "application_name like 'steward cleanup%'") == "1";
        },
        "the run waits for the row, its copies verified");
    server.restart(GetParam());
    EXPECT_EQ(Application::wait_for(child), 4) << "what needs no database has still been done";
  }
  app.reconnect();
  world.expect_nothing_lost("after the restart");
  const json run = app.steward({"runs", "show", "latest", "--json"}).json();
  EXPECT_EQ(task(run, "archive-mockups")["status"], "failed") << run.dump(1);
  EXPECT_NE(task(run, "archive-mockups")["error"]["hint"], "");
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  world.expect_finished("after the next run");
  world.expect_restored("after the next run");
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, RestartedServer, testing::Values("fast", "immediate"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace steward::harness
