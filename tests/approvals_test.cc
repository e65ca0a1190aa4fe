// Approvals with the real program: by hand, through a daemon, with every answer that there is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/serving.h"
#include "run/ledger/approvals.h"
#include "run/ledger/people.h"

namespace steward::harness {
namespace {
using namespace std::chrono_literals;
using ledger::Answer;
using ledger::Status;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Said = harness::Answer;

/// An application with old log files and old signals, and the policies that the test sets.
struct Approving : Serve {
  void SetUp() override {
    configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}",
              "logs: {kind: files, folder: logs, age: 30 days}", "approval: required");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
    for (int i = 0; i < 10; ++i) old_log(i);
    for (int id = 1; id <= 10; ++id) signal(id, 40 + id);
    for (int id = 11; id <= 30; ++id) signal(id, 20);
    open_ledger();
  }
  void old_log(int i) { app.file("logs/old-" + std::to_string(i) + ".log", "x", 40); }
  void signal(int id, double days) {
    app.sql("insert into signals (id, timestamp, details) values (" + std::to_string(id) + ", '" + days_ago(days) +
            "', '{}')");
  }
  void configure(const std::string& signals, const std::string& logs, const std::string& job,
                 const std::string& more = "") {
    app.file("steward.yaml", "databases:\n  app: ${DATABASE_URL}\ncleanup:\n  " + signals + "\n  " + logs +
                                 "\njobs:\n  cleanup: {schedule: '0 3 1 1 *', " + job + "}\n" + more);
  }
  std::size_t logs() const { return app.files("logs").size(); }
  ledger::Approval approval(const std::string& id) const { return ledger->approvals().approval(id).value(); }
  /// Runs by hand what has to wait; its id.
  std::string waiting_run() {
    const Said said = app.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(said.exit_code, 3) << said.err;
    const auto document = said.json();
    EXPECT_EQ(document["status"], "waiting") << document.dump(2);
    return document["run"];
  }
};

TEST_F(Approving, ARunThatNeedsOneDoesNothingAndWaitsWithItsPlan) {
  const std::string id = waiting_run();
  EXPECT_EQ(logs(), 10u);
  EXPECT_EQ(app.count("signals"), 30);
  EXPECT_EQ(run(id).status, Status::waiting);
  EXPECT_THAT(app.steward({"approvals"}).out, HasSubstr(id));
  const Said shown = app.steward({"approvals", "show", id});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("signals: the configuration requires an approval"));
  EXPECT_THAT(shown.out, HasSubstr("steward approvals approve " + id + " --digest "));
  EXPECT_EQ(run(id).status, Status::waiting) << "looking is not answering";
  EXPECT_THAT(app.steward({"status"}).out, HasSubstr("waits for an approval"));
  const auto document = app.steward({"approvals", "list", "--json"}).json();
  ASSERT_EQ(document["approvals"].size(), 1u);
  EXPECT_EQ(document["approvals"][0]["digest"], run(id).plan_digest);
}

TEST_F(Approving, WithoutADaemonAnApprovedRunIsCarriedOutByHandOnce) {
  const std::string id = waiting_run();
  const Said early = app.steward({"run", "cleanup", "--approval", id});
  EXPECT_EQ(early.exit_code, 3);
  EXPECT_THAT(early.err, HasSubstr("its question is waiting"));
  EXPECT_EQ(app.steward({"approvals", "approve", id, "--digest", "00000000"}).exit_code, 3);
  const Said approved = app.steward({"approvals", "approve", id, "--digest", run(id).plan_digest});
  EXPECT_EQ(approved.exit_code, 0) << approved.err;
  const Said done = app.steward({"run", "cleanup", "--approval", id, "--json"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(done.json()["run"], id);
  EXPECT_EQ(logs(), 0u);
  EXPECT_EQ(app.count("signals"), 20);
  EXPECT_EQ(run(id).status, Status::succeeded);
  EXPECT_EQ(approval(id).state, Answer::used);
  for (int i = 20; i < 25; ++i) old_log(i);
  EXPECT_EQ(app.steward({"run", "cleanup", "--approval", id}).exit_code, 3) << "an approval is good once";
  EXPECT_EQ(logs(), 5u);
  EXPECT_THAT(app.content("state/runs/" + id + "/log.jsonl"), HasSubstr("waiting")) << "its log goes on";
}

TEST_F(Approving, ARejectedRunEndsWithTheReasonAndNothingIsDone) {
  const std::string id = waiting_run();
  EXPECT_EQ(app.steward({"approvals", "reject", id}).exit_code, 2) << "a reason is wanted";
  EXPECT_EQ(app.steward({"approvals", "reject", id, "--reason", "the import ran twice"}).exit_code, 0);
  EXPECT_EQ(run(id).status, Status::refused);
  EXPECT_EQ(app.steward({"approvals", "approve", id}).exit_code, 3);
  EXPECT_EQ(app.steward({"run", "cleanup", "--approval", id}).exit_code, 3);
  EXPECT_EQ(logs(), 10u);
  EXPECT_THAT(app.steward({"approvals", "list", "--all"}).out, HasSubstr("rejected by "));
  EXPECT_THAT(app.steward({"runs", "show", id}).out, HasSubstr("the import ran twice"));
}

TEST_F(Approving, MoreThanThePlanCoversIsRefusedAndAskedAnew) {
  const std::string id = waiting_run();
  ASSERT_EQ(app.steward({"approvals", "approve", id}).exit_code, 0);
  for (int i = 20; i < 25; ++i) old_log(i);
  const Said done = app.steward({"run", "cleanup", "--approval", id, "--json"});
  EXPECT_EQ(done.exit_code, 4) << done.err;
  EXPECT_EQ(task(done.json(), "logs")["error"]["code"], "plan-outdated");
  EXPECT_EQ(logs(), 15u);
  EXPECT_EQ(app.count("signals"), 20) << "what the plan covers is done";
  const auto waiting = ledger->approvals().approvals({}).value();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].tasks, std::vector<std::string>{"logs"});
  EXPECT_EQ(run(waiting[0].run).retry_of, id);
  ASSERT_EQ(app.steward({"approvals", "approve", waiting[0].run}).exit_code, 0);
  EXPECT_EQ(app.steward({"run", "cleanup", "--approval", waiting[0].run}).exit_code, 0);
  EXPECT_EQ(logs(), 0u);
}

TEST_F(Approving, WhatAlreadyWaitsIsNotAskedForASecondTime) {
  const std::string first = waiting_run();
  const Said second = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(second.exit_code, 3);
  EXPECT_EQ(second.json()["status"], "refused");
  EXPECT_EQ(task(second.json(), "logs")["status"], "waiting");
  EXPECT_THAT(second.json().dump(), HasSubstr("run " + first + " waits for it already"));
  EXPECT_EQ(ledger->approvals().approvals({})->size(), 1u);
}

TEST_F(Approving, ACancelledRunWaitsNoMore) {
  const std::string id = waiting_run();
  EXPECT_EQ(app.steward({"runs", "cancel", id}).exit_code, 0);
  EXPECT_EQ(run(id).status, Status::cancelled);
  EXPECT_EQ(approval(id).state, Answer::withdrawn);
  EXPECT_EQ(app.steward({"approvals"}).out, "Nothing waits for an approval.\n");
}

TEST_F(Approving, OneTaskCanNeedOneAndTheOthersGoOn) {
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days, approval: required}",
            "logs: {kind: files, folder: logs, age: 30 days}", "nice: 1");
  const std::string id = waiting_run();
  EXPECT_EQ(logs(), 0u) << "what needs no approval is done";
  EXPECT_EQ(app.count("signals"), 30);
  EXPECT_EQ(approval(id).tasks, std::vector<std::string>{"signals"});
  ASSERT_EQ(app.steward({"approvals", "approve", id}).exit_code, 0);
  const auto done = app.steward({"run", "cleanup", "--approval", id, "--json"}).json();
  EXPECT_EQ(done["status"], "succeeded");
  EXPECT_EQ(task(done, "logs")["done"]["items"], 10) << "what it did before is told with the rest";
  EXPECT_EQ(app.count("signals"), 20);
}

TEST_F(Approving, WhoHasStartedItIsNotWhoApprovesItWhereFourEyesAreAsked) {
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}",
            "logs: {kind: files, folder: logs, age: 30 days}", "approval: {when: required, four_eyes: true}");
  const std::string id = waiting_run();
  const Said own = app.steward({"approvals", "approve", id});
  EXPECT_EQ(own.exit_code, 3);
  EXPECT_THAT(own.err, HasSubstr("somebody else has to approve it"));
  EXPECT_EQ(app.steward({"approvals", "approve", id, "--break-glass"}).exit_code, 2) << "only with a reason";
  EXPECT_EQ(app.steward({"approvals", "approve", id, "--break-glass", "--reason", "the disk is full"}).exit_code, 0);
  EXPECT_TRUE(approval(id).break_glass);
  EXPECT_EQ(app.steward({"ledger", "verify"}).exit_code, 0);
}

TEST_F(Approving, WhereThereIsOneApproverFourEyesAreOffAndSaidToBe) {
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}",
            "logs: {kind: files, folder: logs, age: 30 days}", "approval: {when: required, four_eyes: true}");
  const std::string id = waiting_run();
  ASSERT_TRUE(ledger->people().add_user({.name = "ann", .role = ledger::Role::administrator}, "test"));
  ASSERT_TRUE(ledger->people().add_user({.name = "bob", .role = ledger::Role::operator_}, "test"));
  const Said approved = app.steward({"approvals", "approve", id});
  EXPECT_EQ(approved.exit_code, 0) << approved.err;
  EXPECT_THAT(approved.out, HasSubstr("There is one approver"));
  EXPECT_FALSE(approval(id).break_glass);
}

TEST_F(Approving, APlanThatSomebodyChangedInTheLedgerIsNotCarriedOut) {
  const std::string id = waiting_run();
  ASSERT_EQ(app.steward({"approvals", "approve", id}).exit_code, 0);
  std::string plan = run(id).plan;
  const std::size_t at = plan.find("30 days");
  ASSERT_NE(at, std::string::npos);
  plan.replace(at, 7, "3 days");
  ASSERT_TRUE(ledger->set_plan(id, run(id).plan_digest, plan));
  const Said done = app.steward({"run", "cleanup", "--approval", id});
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("is not the one that was approved"));
  EXPECT_EQ(logs(), 10u);
  EXPECT_EQ(app.count("signals"), 30);
}

TEST_F(Approving, ThroughADaemonItIsCarriedOutWhenItIsApproved) {
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_status("r1", Status::waiting);
  await([&] { return logs() == 10 && !is_gone_here(run("r1").process, pid_namespace()) ? false : true; },
        "it holds no process");
  ASSERT_EQ(app.steward({"approvals", "approve", "r1"}).exit_code, 0);
  poke(*serving);
  await_status("r1", Status::succeeded);
  EXPECT_EQ(logs(), 0u);
  EXPECT_EQ(app.count("signals"), 20);
  EXPECT_EQ(approval("r1").state, Answer::used);
}

TEST_F(Approving, ATrippedBrakeWaitsInAScheduledRunAndIsRefusedByHand) {
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 10 days}",
            "logs: {kind: files, folder: logs, age: 30 days}", "nice: 1", "brakes: {from: 20}\n");
  const Said by_hand = app.steward({"run", "cleanup/signals", "--json"});
  EXPECT_EQ(by_hand.json()["status"], "refused");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_status("r1", Status::waiting);
  EXPECT_EQ(app.count("signals"), 30);
  EXPECT_EQ(logs(), 0u) << "the brake of one task holds up no other";
  EXPECT_THAT(app.steward({"approvals", "show", "r1"}).out, HasSubstr("signals: "));
  ASSERT_EQ(app.steward({"approvals", "approve", "r1", "--reason", "all of it was test data"}).exit_code, 0);
  poke(*serving);
  await_status("r1", Status::succeeded);
  EXPECT_EQ(app.count("signals"), 0) << "the approval is for this plan, brake and all";
}

TEST_F(Approving, TheFirstScheduledRunAfterAPolicyChangedWaitsWithOldBesideNew) {
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 45 days}",
            "logs: {kind: files, folder: logs, age: 30 days}", "nice: 1");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_status("r1", Status::succeeded);
  const std::int64_t left = app.count("signals");
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}",
            "logs: {kind: files, folder: logs, age: 30 days}", "nice: 1");
  enqueue("r2", *serving);
  await_status("r2", Status::waiting);
  EXPECT_EQ(app.count("signals"), left);
  EXPECT_THAT(app.steward({"approvals", "show", "r2"}).out, HasSubstr("signals: age has changed: 45 days -> 30 days"));
  ASSERT_EQ(app.steward({"approvals", "approve", "r2"}).exit_code, 0);
  poke(*serving);
  await_status("r2", Status::succeeded);
  EXPECT_EQ(app.count("signals"), 20);
  enqueue("r3", *serving);
  await_status("r3", Status::succeeded);
  EXPECT_THAT(ledger->approvals().approvals({}).value(), IsEmpty()) << "the next one is like the last";
}

TEST_F(Approving, ADaemonEndsWhatNobodyAnswersAndAsksOnceMore) {
  configure("signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}",
            "logs: {kind: files, folder: logs, age: 30 days}", "approval: {when: required, expires_in: 2s}");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await([&] { return run("r1").status == Status::waiting || run("r1").status == Status::refused; }, "it asks");
  await(
      [&] {
        poke(*serving);
        return run("r1").status == Status::refused;
      },
      "it expires");
  EXPECT_EQ(approval("r1").state, Answer::expired);
  EXPECT_THAT(run("r1").error, HasSubstr("nobody has answered in time"));
  const auto second = [&]() -> std::optional<LedgerRun> {
    const std::vector<LedgerRun> runs = ledger->runs({}).value();
    for (const LedgerRun& found : runs)
      if (found.retry_of == "r1") return found;
    return std::nullopt;
  };
  ASSERT_TRUE(second());
  await(
      [&] {
        poke(*serving);
        return second()->status == Status::refused;
      },
      "it was asked again, and has expired again");
  EXPECT_TRUE(approval(second()->id).again);
  EXPECT_EQ(ledger->runs({})->size(), 2u) << "and no third time";
  EXPECT_EQ(logs(), 10u);
}

TEST_F(Approving, KilledInTheMiddleItIsNotCarriedOutASecondTimeOnOneApproval) {
  const std::string id = waiting_run();
  ASSERT_EQ(app.steward({"approvals", "approve", id}).exit_code, 0);
  app.sql("begin immediate");  // it cannot get on with the rows
  const auto started = app.start({"run", "cleanup", "--approval", id});
  await([&] { return approval(id).state == Answer::used; }, "it has begun");
  ::kill(started->pid(), SIGKILL);
  started->wait();
  app.sql("rollback");
  EXPECT_EQ(app.steward({"run", "cleanup", "--approval", id}).exit_code, 3);
  EXPECT_EQ(app.count("signals"), 30);
  const std::string next = waiting_run();
  EXPECT_NE(next, id) << "the next run asks again";
  EXPECT_EQ(run(id).status, Status::interrupted);
}

}  // namespace
}  // namespace steward::harness
