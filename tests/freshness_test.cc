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
    app.file("steward.yaml", "databases:\n  app: ${DATABASE_URL}\nstores:\n  backups: file://" + app.path("backups") +
                                 "\nbackup:\n  nightly: {database: app, store: backups, proof: {every: 7 days}}\n");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
    open_ledger();
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
  bool is_found_stale() {
    const json findings = app.steward({"healthcheck", "--json"}).json()["findings"];
    return std::ranges::any_of(findings, [](const json& one) { return one["kind"] == "backup-stale"; });
  }
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

}  // namespace
}  // namespace steward::harness
