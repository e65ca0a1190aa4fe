// `steward healthcheck`: the real program on the state of a real daemon.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "harness/serving.h"
#include "run/ledger/agenda.h"

namespace steward::harness {
namespace {
using nlohmann::json;
using namespace std::chrono_literals;
using testing::HasSubstr;

struct Healthcheck : Serve {
  using Serve::Serve;
  /// The kinds of what it finds; the exit code has to be that of their errors.
  std::vector<std::string> found(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"healthcheck", "--json"});
    const Answer answer = app.steward(more);
    const json document = answer.json();
    std::vector<std::string> kinds;
    bool healthy = true;
    const json findings = document["findings"];
    for (const json& one : findings) {
      kinds.push_back(one["kind"]);
      healthy &= one["severity"] != "error";
      EXPECT_FALSE(one["message"].get<std::string>().empty());
    }
    EXPECT_EQ(document["healthy"], healthy) << answer.out;
    EXPECT_EQ(answer.exit_code, healthy ? 0 : 1) << answer.out << answer.err;
    return kinds;
  }
  void stop(Started& daemon) {
    ::kill(daemon.pid(), SIGTERM);
    EXPECT_EQ(daemon.wait().exit_code, 0);
  }
  using Kinds = std::vector<std::string>;
};

TEST_F(Healthcheck, FollowsTheDaemon) {
  EXPECT_EQ(found(), Kinds{"daemon"});
  const auto serving = daemon();
  await_ready(*serving);
  EXPECT_EQ(found(), Kinds{});
  EXPECT_EQ(app.steward({"healthcheck"}).out, "healthy\n");
  ::kill(serving->pid(), SIGKILL);
  serving->wait();
  EXPECT_EQ(found(), Kinds{"daemon"});
  const Answer answer = app.steward({"healthcheck"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_THAT(answer.out, HasSubstr("error: daemon: no daemon is running, and nothing else starts cleanup. "));
  EXPECT_EQ(found({"--only", "backup"}), Kinds{}) << "what this container is not there for";
}

TEST_F(Healthcheck, OfADaemonThatCannotReachTheApplicationsDatabaseIsWell) {
  app.file("steward.yaml",
           "databases: {app: \"postgresql://app:x@127.0.0.1:1/app\"}\ncleanup:\n"
           "  signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}\n");
  const auto serving = daemon();
  await_ready(*serving);
  EXPECT_EQ(found(), Kinds{});
}

TEST_F(Healthcheck, TellsOfAJobThatHasNotSucceededForTwoFirings) {
  configure("schedule: {every: 1h}");
  const auto serving = daemon();
  await_ready(*serving);
  const Instant now = SystemClock().now();
  LedgerRun old{.id = "r1", .job = "cleanup", .started = now - 24h, .heartbeat = now - 24h, .trigger = "serve"};
  ASSERT_TRUE(ledger->begin_run(old));
  ASSERT_TRUE(ledger->end_run("r1", ledger::Status::succeeded, now - 24h, ""));
  EXPECT_EQ(found(), Kinds{"overdue"});
  ASSERT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  EXPECT_EQ(found(), Kinds{});
}

TEST_F(Healthcheck, TellsOfARunWhoseProcessIsGone) {
  LedgerRun dead = a_run("r1");
  dead.status = ledger::Status::running;
  dead.process.started_ticks += 1;
  ASSERT_TRUE(ledger->begin_run(dead));
  EXPECT_EQ(found({"--only", "backup"}), Kinds{"lost-run"});
}

TEST_F(Healthcheck, TellsOfAFreezeAndIsWell) {
  const auto serving = daemon();
  await_ready(*serving);
  ASSERT_EQ(app.steward({"freeze", "--reason", "audit"}).exit_code, 0);
  EXPECT_EQ(found(), Kinds{"freeze"});
}

TEST_F(Healthcheck, MakesNoLedgerAndTellsOfOneThatIsMissing) {
  app.environment["STEWARD_STATE_DIR"] = app.path("nothing");
  EXPECT_EQ(found(), Kinds{"ledger"});
  EXPECT_FALSE(app.exists("nothing"));
  std::filesystem::create_directory(app.path("nothing"));
  EXPECT_EQ(found(), Kinds{"ledger"});
  EXPECT_EQ(app.files("nothing"), Kinds{});
}

TEST_F(Healthcheck, TellsOfALedgerThatCannotBeWritten) {
  const auto other = sql::connect({.url = ledger_url()});
  ASSERT_TRUE(other);
  auto transaction = (*other)->begin();
  ASSERT_TRUE(transaction);
  ASSERT_TRUE((*other)->execute("update meta set value = value"));
  EXPECT_EQ(found(), Kinds{"ledger"});
}

TEST_F(Healthcheck, OfAWrongConfigurationIsNotWell) {
  app.file("steward.yaml", "cleanup: {logs: {kind: flies}}\n");
  EXPECT_EQ(found(), Kinds{"configuration"});
}

TEST_F(Healthcheck, AsksAServerWhetherItIsAlive) {
  const auto serving = daemon({"--listen", "127.0.0.1:0"});
  json said;
  await(
      [&] {
        said = json::parse(app.content("state/serve/serve/daemon.json"), nullptr, false);
        return said.is_object() && said["url"] != "";
      },
      "the daemon says where it answers");
  const std::string url = said["url"];
  EXPECT_EQ(found({"--url", url}), Kinds{});
  EXPECT_EQ(found({"--url", url + "/"}), Kinds{});
  stop(*serving);
  EXPECT_EQ(found({"--url", url}), (Kinds{"server", "daemon"}));
}

struct HealthcheckOnASharedLedger : Healthcheck {
  HealthcheckOnASharedLedger() : Healthcheck(DatabaseKind::postgres) {}
  std::string ledger_url() const override { return app.environment.at("DATABASE_URL"); }
  void SetUp() override {
    app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    Healthcheck::SetUp();
  }
};

TEST_F(HealthcheckOnASharedLedger, IsContentWithADaemonElsewhere) {
  EXPECT_EQ(found(), Kinds{"daemon"});
  const auto serving = daemon({}, {{"STEWARD_STATE_DIR", app.path("elsewhere")}});
  await([&] { return !ledger->agenda().leases(SystemClock().now())->empty(); }, "it has the lease");
  EXPECT_EQ(found(), Kinds{});
  stop(*serving);
  EXPECT_EQ(found(), Kinds{"daemon"});
  app.environment["STEWARD_LEDGER_URL"] = "postgresql://x@127.0.0.1:1/nothing";
  EXPECT_EQ(found(), Kinds{"ledger"});
}

}  // namespace
}  // namespace steward::harness
