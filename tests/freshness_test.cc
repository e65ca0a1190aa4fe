// How old the newest backup is, as the real program tells it everywhere: `status`, `healthcheck`, metrics, the daemon.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "harness/serving.h"
#include "run/ledger/outbox.h"

namespace steward::harness {
namespace {
using nlohmann::json;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

struct BackupFreshness : Serve {
  void SetUp() override {
    nightly("database: app, store: backups, proof: {every: 7 days}");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
    open_ledger();
  }
  void nightly(const std::string& policy) {
    app.file("steward.yaml", "databases:\n  app: ${DATABASE_URL}\nstores:\n  backups: file://" + app.path("backups") +
                                 "\nbackup:\n  nightly: {" + policy + "}\n");
  }
  /// A run of the past that made a backup, and proved it where that is said.
  void made(const std::string& id, std::chrono::hours ago, bool proved) {
    const Instant then = SystemClock().now() - ago;
    ASSERT_TRUE(ledger->begin_run({.id = id, .job = "backup", .started = then, .heartbeat = then}));
    ASSERT_TRUE(ledger->record_task(id, {.task = "nightly", .status = "succeeded", .done_items = 1}));
    if (proved) {
      ASSERT_TRUE(ledger->record_task(id, {.task = "nightly.proof", .status = "succeeded", .done_items = 1}));
    }
    ASSERT_TRUE(ledger->end_run(id, ledger::Status::succeeded, then + 1min, ""));
  }
  json shown() { return app.steward({"status", "--json"}).json()["backups"]; }
  /// "error"; empty where nothing of this kind is found.
  std::string found(const std::string& kind) {
    const json findings = app.steward({"healthcheck", "--json"}).json()["findings"];
    for (const json& one : findings)
      if (one["kind"] == kind) return one["severity"];
    return {};
  }
  bool is_found_stale() { return found("backup-stale") == "error"; }
  Answer verify(const std::string& depth) { return app.steward({"backup", "verify", "--depth", depth, "--json"}); }
  json runs_by_hand() { return app.steward({"runs", "--job", "backup-verify", "--json"}).json()["runs"]; }
  std::ptrdiff_t told() const {
    const auto events = ledger->outbox().undispatched(100).value();
    return std::ranges::count(events, "backup-stale", &ledger::Event::kind);
  }
};

TEST_F(BackupFreshness, IsToldEverywhereAndByTheDaemonOnceThroughItsDeath) {
  EXPECT_EQ(shown()[0]["newest"], nullptr);
  EXPECT_EQ(shown()[0]["stale"], false) << "on the first day";
  EXPECT_FALSE(is_found_stale());

  made("r1", 72h, true);
  made("r2", 50h, false);
  const json stale = shown();
  EXPECT_EQ(stale[0]["task"], "nightly");
  EXPECT_EQ(stale[0]["stale"], true);
  EXPECT_GE(stale[0]["age_seconds"], 50 * 3600);
  EXPECT_GE(stale[0]["proof_age_seconds"], 72 * 3600);
  EXPECT_TRUE(is_found_stale());
  EXPECT_EQ(app.steward({"healthcheck"}).exit_code, 1);
  EXPECT_THAT(app.steward({"status"}).out, HasSubstr("! the newest backup by nightly is 2 days old"));
  const std::string metrics = app.steward({"metrics"}).out;
  EXPECT_THAT(metrics, HasSubstr("steward_backup_age_seconds{job=\"backup\",task=\"nightly\"} 180"));
  EXPECT_THAT(metrics, HasSubstr("steward_backup_proof_age_seconds{job=\"backup\",task=\"nightly\"} 259"));
  EXPECT_THAT(metrics, HasSubstr("steward_backup_stale{job=\"backup\",task=\"nightly\"} 1\n"));

  {
    const auto first = daemon({"--listen", "off"});
    await([&] { return told() == 1; }, "the daemon has told of it");
    ::kill(first->pid(), SIGKILL);
    first->wait();
  }
  const auto second = daemon({"--listen", "off"});
  await_ready(*second);
  poke(*second);
  EXPECT_EQ(app.steward({"run", "backup"}).exit_code, 0);
  EXPECT_EQ(told(), 1);
  EXPECT_EQ(shown()[0]["stale"], false);
  EXPECT_LT(shown()[0]["proof_age_seconds"], 3600);
  EXPECT_FALSE(is_found_stale());
  EXPECT_THAT(app.steward({"status"}).out, Not(HasSubstr("the newest backup")));
  EXPECT_THAT(app.steward({"metrics"}).out, HasSubstr("steward_backup_stale{job=\"backup\",task=\"nightly\"} 0\n"));
}

/// Whatever makes them: it is read off the ledger.
TEST_F(BackupFreshness, OfPgBackRestIsToldEverywhereAsOfAnyOther) {
  nightly("engine: pgbackrest, stanza: app, proof: {every: 7 days}");
  made("r1", 12 * 24h, true);
  made("r2", 50h, false);
  EXPECT_EQ(shown()[0]["stale"], true);
  EXPECT_EQ(found("backup-stale"), "error");
  EXPECT_EQ(found("proof-stale"), "warning");
  const std::string status = app.steward({"status"}).out;
  EXPECT_THAT(status, HasSubstr("! the newest backup by nightly is 2 days old"));
  EXPECT_THAT(status, HasSubstr("! no backup by nightly was proved for 12 days"));
  const std::string metrics = app.steward({"metrics"}).out;
  EXPECT_THAT(metrics, HasSubstr("steward_backup_age_seconds{job=\"backup\",task=\"nightly\"} 180"));
  EXPECT_THAT(metrics, HasSubstr("steward_backup_stale{job=\"backup\",task=\"nightly\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("steward_backup_proof_age_seconds{job=\"backup\",task=\"nightly\"} 1036"));
  EXPECT_THAT(metrics, HasSubstr("steward_backup_proof_stale{job=\"backup\",task=\"nightly\"} 1\n"));
  const auto serving = daemon({"--listen", "off"});
  await([&] { return told() == 2; }, "the daemon has told of both");
}

TEST_F(BackupFreshness, AProofByHandMovesTheAgeOfTheLastProof) {
  nightly("database: app, store: backups");
  ASSERT_EQ(app.steward({"run", "backup"}).exit_code, 0);
  EXPECT_THAT(app.steward({"status"}).out, HasSubstr("no task proves it"));
  EXPECT_EQ(verify("bytes").exit_code, 0);
  EXPECT_EQ(shown()[0]["proved"], nullptr) << "it was read, not restored";
  const json proved = verify("restore").json();
  EXPECT_EQ(proved["depth"], "restore");
  EXPECT_EQ(proved["faults"], json::array());
  EXPECT_LT(shown()[0]["proof_age_seconds"], 60);
  EXPECT_THAT(app.steward({"status"}).out, Not(HasSubstr("no task proves it")));
  EXPECT_THAT(app.steward({"metrics"}).out, HasSubstr("steward_backup_proof_age_seconds{job=\"backup\""));
  ASSERT_EQ(runs_by_hand().size(), 2U);
  EXPECT_EQ(runs_by_hand()[0]["trigger"], "hand");
  EXPECT_EQ(runs_by_hand()[0]["status"], "succeeded");

  // Where reading is what the schedule does, reading by hand is as good.
  const json before = shown()[0]["proved"];
  nightly("database: app, store: backups, proof: {depth: bytes}");
  EXPECT_EQ(verify("bytes").exit_code, 0);
  EXPECT_GE(shown()[0]["proved"], before);
  EXPECT_EQ(
      app.steward({"runs", "show", runs_by_hand()[0]["run"].get<std::string>(), "--json"}).json()["tasks"][0]["task"],
      "nightly.proof");
}

TEST_F(BackupFreshness, AProofByHandThatFindsAFaultIsAFailedRunAndMovesNothing) {
  ASSERT_EQ(app.steward({"run", "backup"}).exit_code, 0);
  const json before = shown()[0]["proved"];
  for (const std::string& file : app.files("backups"))
    if (file.ends_with(".zst")) app.file("backups/" + file, "broken");
  const Answer bad = verify("restore");
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_FALSE(bad.json()["faults"].empty());
  EXPECT_EQ(shown()[0]["proved"], before);
  ASSERT_EQ(runs_by_hand().size(), 1U);
  EXPECT_EQ(runs_by_hand()[0]["status"], "failed");
}

/// As in an emergency, when the ledger's own server is gone.
TEST_F(BackupFreshness, AProofByHandIsMadeAlsoWhereTheLedgerDoesNotOpen) {
  ASSERT_EQ(app.steward({"run", "backup"}).exit_code, 0);
  app.environment["STEWARD_LEDGER_URL"] = "postgresql://nobody@127.0.0.1:9/ledger";
  const Answer proved = verify("restore");
  EXPECT_EQ(proved.exit_code, 0) << proved.err;
  EXPECT_EQ(proved.json()["depth"], "restore");
  EXPECT_THAT(proved.err, HasSubstr("steward: this proof is not entered in the ledger: "));
}

}  // namespace
}  // namespace steward::harness
