/// `steward serve` in tests: real daemons and real runs upon an application of their own.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "harness/application.h"
#include "run/ledger/agenda.h"
#include "run/runner.h"

namespace steward::harness {

using LedgerRun = ledger::Run;  // in a test's class, Run is Google Test's

/// An application whose `cleanup` a daemon runs when the test says so, by entering a run in the ledger. What is asked
/// of the ledger is asked past the daemon.
struct Serve : testing::Test {
  explicit Serve(DatabaseKind kind = DatabaseKind::sqlite) : app(kind) {}

  void SetUp() override {
    configure("");
    app.file("logs/old.log", "x", 40);
    app.file("logs/new.log", "x", 4);
    open_ledger();
  }
  void open_ledger() {
    EXPECT_EQ(app.steward({"status"}).exit_code, 0);  // makes the ledger
    auto opened = ledger::open({.url = ledger_url()});
    ASSERT_TRUE(opened) << opened.error().message;
    ledger = *std::move(opened);
  }
  virtual std::string tasks() const { return "  logs: {kind: files, folder: logs, age: 30 days}\n"; }
  virtual std::string ledger_url() const { return "sqlite:///" + app.path("state/ledger.db"); }
  void configure(const std::string& schedule) {
    app.file("steward.yaml", "databases:\n  app: ${DATABASE_URL}\ncleanup:\n" + tasks() + "jobs:\n  cleanup: {" +
                                 (schedule.empty() ? "schedule: '0 3 1 1 *'" : schedule) + "}\n");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
  }
  std::unique_ptr<Started> daemon(std::vector<std::string> more = {},
                                  const std::map<std::string, std::string>& different = {}) {
    more.insert(more.begin(), "serve");
    auto started = app.start(more, different);
    return started;
  }
  static LedgerRun a_run(const std::string& id) {
    const Instant now = SystemClock().now();
    return {.id = id,
            .job = "cleanup",
            .status = ledger::Status::queued,
            .started = now,
            .heartbeat = now,
            .process = this_process(),
            .trigger = "serve",
            .actor = "schedule",
            .due = now};
  }
  void enqueue(const std::string& id, const Started& daemon) {
    ASSERT_EQ(ledger->agenda().enqueue(a_run(id)), true);
    poke(daemon);
  }
  /// It looks at once, and not only when it is time to.
  static void poke(const Started& daemon) { ::kill(daemon.pid(), SIGHUP); }
  LedgerRun run(const std::string& id) const {
    const auto found = ledger->run(id);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(LedgerRun{});
  }
  /// As `await`, for what comes by the minute.
  static void await_minutes(const std::function<bool()>& condition, const std::string& what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "never: " << what;
      std::this_thread::yield();
    }
  }
  /// Until it has ended, or is in that state. A daemon that is not up yet would be ended by a SIGHUP.
  void await_status(const std::string& id, ledger::Status status) {
    await([&] { return run(id).status == status; }, id + " is " + std::string(name_of(status)));
  }
  static void await_ready(const Started& daemon) {
    await([&] { return handles_hangup(daemon.pid()); }, "the daemon is up");
  }
  /// SigCgt of /proc/PID/status: a mask in hexadecimal.
  static bool handles_hangup(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) & 1) != 0;
    return false;
  }
  std::string error_of(const std::string& id) const { return run(id).error; }

  Application app;
  std::unique_ptr<ledger::Ledger> ledger{};
};

}  // namespace steward::harness
