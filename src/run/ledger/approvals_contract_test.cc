// What approvals.h promises, on both databases.
#include "run/ledger/approvals.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "run/ledger/agenda.h"
#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using sql::kind_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

const Instant three{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};
const std::string digest(64, 'd');
const Process process{.host = "web-1", .boot = "b1", .pid = 11, .started_ticks = 101, .pid_namespace = "pid:[1]"};

struct ApprovalsContract : OnEachDatabase {
  Approvals& approvals() { return ledger->approvals(); }

  static LedgerRun a_run(std::string id, Status status = Status::running) {
    return {.id = std::move(id),
            .job = "cleanup",
            .status = status,
            .started = three,
            .heartbeat = three,
            .process = process,
            .trigger = "serve",
            .actor = "schedule",
            .plan_digest = digest,
            .plan = "{}",
            .due = three};
  }
  static Approval a_question(std::string run) {
    return {.run = std::move(run),
            .job = "cleanup",
            .digest = digest,
            .tasks = {"purge-signals", "purge-logs"},
            .reasons = "[]",
            .asked = three,
            .asked_by = "schedule",
            .expires = three + 168h};
  }
  void asked(const std::string& id, Approval approval) {
    ASSERT_TRUE(ledger->begin_run(a_run(id)));
    approval.run = id;
    ASSERT_EQ(approvals().ask(approval), true);
  }
  void asked(const std::string& id) { asked(id, a_question(id)); }
  static Decision by(std::string who, std::string run, Instant at = three + 1h) {
    return {.run = std::move(run), .digest = digest, .who = std::move(who), .reason = "looked at it", .at = at};
  }
  Status status(const std::string& id) { return ledger->run(id).value().status; }
  Answer state(const std::string& id) { return approvals().approval(id).value().state; }
  std::string code(const Result<void>& result) { return result ? "" : result.error().code; }
  /// As the daemon and its child do it.
  Result<bool> taken_over(const std::string& id) {
    TRY(ledger->agenda().launch(id, "", "token", process, three + 2h));
    LedgerRun run = a_run(id);
    run.started = three + 2h;
    return ledger->agenda().take_over(run, "token");
  }
};

TEST_P(ApprovalsContract, ARunThatAsksWaitsAndKeepsWhatItAsked) {
  Approval question = a_question("r1");
  question.reasons = R"([{"task":"purge-signals"}])";
  question.four_eyes = true;
  asked("r1", question);
  EXPECT_EQ(status("r1"), Status::waiting);
  EXPECT_THAT(ledger->agenda().open_runs().value(), IsEmpty()) << "it holds no slot";
  const Approval found = approvals().approval("r").value();
  EXPECT_EQ(found.run, "r1");
  EXPECT_EQ(found.job, "cleanup");
  EXPECT_EQ(found.digest, digest);
  EXPECT_THAT(found.tasks, ElementsAre("purge-signals", "purge-logs"));
  EXPECT_EQ(found.reasons, question.reasons);
  EXPECT_EQ(found.asked, three);
  EXPECT_EQ(found.expires, three + 168h);
  EXPECT_TRUE(found.four_eyes);
  EXPECT_EQ(found.state, Answer::waiting);
  EXPECT_EQ(approvals().approvals({}).value().size(), 1u);
  EXPECT_THAT(approvals().approvals({.job = "backup"}).value(), IsEmpty());
  EXPECT_EQ(deeds().front(), "schedule approval.ask r1");
}

TEST_P(ApprovalsContract, WhoIsCancelledOrGoneAsksNothing) {
  ASSERT_TRUE(ledger->begin_run(a_run("r1")));
  ASSERT_TRUE(ledger->request_cancel("r1", "ada", three));
  EXPECT_EQ(approvals().ask(a_question("r1")), false);
  ASSERT_TRUE(ledger->begin_run(a_run("r2")));
  ASSERT_TRUE(ledger->end_run("r2", Status::interrupted, three, ""));
  EXPECT_EQ(approvals().ask(a_question("r2")), false);
  EXPECT_EQ(kind_of(approvals().approval("r1")), Kind::not_found);
  EXPECT_THAT(approvals().approvals({.waiting = false}).value(), IsEmpty());
}

TEST_P(ApprovalsContract, AnApprovedRunIsQueuedAndItsApprovalUsedOnce) {
  asked("r1");
  const auto approved = approvals().approve(by("ada", "r1"));
  ASSERT_TRUE(approved) << approved.error().message;
  EXPECT_EQ(status("r1"), Status::queued);
  EXPECT_EQ(state("r1"), Answer::approved);
  EXPECT_EQ(approvals().approval("r1")->decided_by, "ada");
  EXPECT_EQ(approvals().approval("r1")->decision, "looked at it");
  EXPECT_EQ(taken_over("r1"), true);
  EXPECT_EQ(status("r1"), Status::running);
  EXPECT_EQ(state("r1"), Answer::used);
  EXPECT_EQ(approvals().approval("r1")->used, three + 2h);
  EXPECT_EQ(ledger->agenda().take_over(a_run("r1"), "token"), false) << "not a second time";
  EXPECT_EQ(code(approvals().approve(by("eve", "r1"))), "approval-decided");
  EXPECT_EQ(deeds().at(1), "ada approval.approve r1");
}

TEST_P(ApprovalsContract, ARunThatDagsterCarriesOutIsKnownByThatRunOfDagsters) {
  asked("r1");
  ASSERT_TRUE(approvals().approve(by("ada", "r1")));
  ASSERT_EQ(ledger->agenda().launch("r1", "", "token", process, three), true);
  LedgerRun run = a_run("r1");
  run.trigger = "dagster";
  run.actor = "dagster run 2";
  ASSERT_EQ(ledger->agenda().take_over(run, "token"), true);
  EXPECT_EQ(ledger->run("r1")->trigger, "dagster");
  EXPECT_EQ(ledger->run("r1")->actor, "dagster run 2");
  EXPECT_EQ(deeds().front(), "dagster run 2 run.begin r1");
  EXPECT_EQ(approvals().approval("r1")->asked_by, a_question("r1").asked_by) << "who has asked stays";
}

TEST_P(ApprovalsContract, AQueuedRunWhoseQuestionNobodyAnsweredIsNotTakenOver) {
  asked("r1");
  auto db = database->connect();
  const std::string runs = GetParam() == Dialect::sqlite ? "runs" : "steward.runs";
  ASSERT_TRUE(db->execute("update " + runs + " set status = 'queued'"));
  EXPECT_EQ(kind_of(taken_over("r1")), Kind::refused);
  EXPECT_EQ(status("r1"), Status::queued);
  EXPECT_EQ(state("r1"), Answer::waiting);
}

TEST_P(ApprovalsContract, AnotherDigestIsRefused) {
  asked("r1");
  Decision other = by("ada", "r1");
  other.digest = std::string(64, 'e');
  EXPECT_EQ(code(approvals().approve(other)), "approval-digest");
  other.digest = digest.substr(0, 7);
  EXPECT_EQ(code(approvals().approve(other)), "approval-digest") << "too short to name anything";
  other.digest = "";
  EXPECT_EQ(code(approvals().approve(other)), "approval-digest");
  other.digest = digest.substr(0, 8);
  EXPECT_TRUE(approvals().approve(other));
}

TEST_P(ApprovalsContract, FourEyesAreTwoPeopleAndBreakGlassIsOnTheTrail) {
  Approval question = a_question("r1");
  question.four_eyes = true;
  question.asked_by = "ada";
  asked("r1", question);
  EXPECT_EQ(code(approvals().approve(by("ada", "r1"))), "four-eyes");
  Decision glass = by("ada", "r1");
  glass.break_glass = true;
  EXPECT_TRUE(approvals().approve(glass));
  EXPECT_TRUE(approvals().approval("r1")->break_glass);
  EXPECT_EQ(deeds().front(), "ada approval.break-glass r1");
  asked("r2", question);
  EXPECT_TRUE(approvals().approve(by("eve", "r2")));
}

TEST_P(ApprovalsContract, WhereThereIsOneApproverFourEyesAreOffAndTheTrailSaysSo) {
  Approval question = a_question("r1");
  question.four_eyes = true;
  question.asked_by = "ada";
  asked("r1", question);
  Decision alone = by("ada", "r1");
  alone.alone = true;
  EXPECT_TRUE(approvals().approve(alone));
  EXPECT_THAT(ledger->audit_lines(1)->front().detail, HasSubstr("off: there is one approver"));
}

TEST_P(ApprovalsContract, ARejectionEndsTheRunWithItsReason) {
  asked("r1");
  ASSERT_TRUE(approvals().reject(by("eve", "r1")));
  EXPECT_EQ(status("r1"), Status::refused);
  EXPECT_THAT(ledger->run("r1")->error, HasSubstr("rejected by eve: looked at it"));
  EXPECT_EQ(ledger->run("r1")->ended, three + 1h);
  EXPECT_EQ(code(approvals().approve(by("ada", "r1"))), "approval-decided");
  EXPECT_EQ(code(approvals().reject(by("ada", "r1"))), "approval-decided");
  EXPECT_EQ(deeds().front(), "eve approval.reject r1");
}

TEST_P(ApprovalsContract, AQuestionThatHasExpiredIsToldOnceAndAskedAgainOnce) {
  asked("r1");
  EXPECT_EQ(code(approvals().approve(by("ada", "r1", three + 168h))), "approval-expired");
  EXPECT_THAT(approvals().expire(three + 167h).value(), IsEmpty());
  const std::vector<Approval> expired = approvals().expire(three + 168h).value();
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(expired[0].run, "r1");
  EXPECT_THAT(approvals().expire(three + 169h).value(), IsEmpty());
  EXPECT_EQ(status("r1"), Status::refused);
  EXPECT_EQ(state("r1"), Answer::expired);
  EXPECT_EQ(code(approvals().approve(by("ada", "r1", three + 1h))), "approval-expired");

  const std::vector<LedgerRun> open = ledger->agenda().open_runs().value();
  ASSERT_EQ(open.size(), 1u) << "a fresh run asks again";
  EXPECT_EQ(open[0].status, Status::queued);
  EXPECT_EQ(open[0].retry_of, "r1");
  EXPECT_EQ(open[0].scope, "purge-signals,purge-logs");
  EXPECT_EQ(open[0].trigger, "serve");
  ASSERT_EQ(taken_over(open[0].id), true);
  Approval second = a_question(open[0].id);
  second.expires = three + 400h;
  ASSERT_EQ(approvals().ask(second), true);
  EXPECT_TRUE(approvals().approval(open[0].id)->again);
  EXPECT_EQ(approvals().expire(three + 400h)->size(), 1u);
  EXPECT_THAT(ledger->agenda().open_runs().value(), IsEmpty()) << "and no third time";
}

TEST_P(ApprovalsContract, RemindsOnceADay) {
  asked("r1");
  EXPECT_THAT(approvals().remind(three + 23h).value(), IsEmpty());
  EXPECT_EQ(approvals().remind(three + 24h)->size(), 1u);
  EXPECT_THAT(approvals().remind(three + 47h).value(), IsEmpty());
  EXPECT_EQ(approvals().remind(three + 49h)->size(), 1u);
  EXPECT_EQ(deeds().front(), "steward approval.remind r1");
  ASSERT_TRUE(approvals().approve(by("ada", "r1", three + 50h)));
  EXPECT_THAT(approvals().remind(three + 100h).value(), IsEmpty());
}

TEST_P(ApprovalsContract, ACancelWithdrawsTheQuestionBeforeAndAfterItsAnswer) {
  asked("r1");
  ASSERT_TRUE(ledger->request_cancel("r1", "ada", three + 1h));
  EXPECT_EQ(status("r1"), Status::cancelled);
  EXPECT_EQ(state("r1"), Answer::withdrawn);
  EXPECT_EQ(deeds().front(), "ada run.end r1");
  EXPECT_EQ(code(approvals().approve(by("eve", "r1"))), "approval-decided");
  asked("r2");
  ASSERT_TRUE(approvals().approve(by("eve", "r2")));
  ASSERT_TRUE(ledger->request_cancel("r2", "ada", three + 2h));
  EXPECT_EQ(status("r2"), Status::cancelled);
  EXPECT_EQ(taken_over("r2"), false);
}

TEST_P(ApprovalsContract, ARunCanBeginAsOneThatWaits) {
  asked("r1");
  LedgerRun anew = a_run("r2", Status::waiting);
  anew.retry_of = "r1";
  ASSERT_TRUE(approvals().ask_anew(anew, a_question("r2")));
  EXPECT_EQ(status("r2"), Status::waiting);
  EXPECT_EQ(approvals().approvals({})->size(), 2u);
  EXPECT_EQ(kind_of(approvals().ask_anew(a_run("r3"), a_question("r3"))), Kind::bug);
}

TEST_P(ApprovalsContract, OfTwoAnswersAtOneMomentOneIsGiven) {
  for (int round = 0; round < 20; ++round) {
    const std::string id = fmt::format("r{:02}", round);
    asked(id);
    std::atomic<int> given = 0;
    const auto answer = [&](bool approve) {
      const auto own = opened();
      const Decision decision = by(approve ? "ada" : "eve", id);
      const auto done = approve ? own->approvals().approve(decision) : own->approvals().reject(decision);
      if (done) ++given;
      EXPECT_TRUE(done || done.error().code == "approval-decided") << done.error().message;
    };
    std::thread other([&] { answer(true); });
    answer(false);
    other.join();
    EXPECT_EQ(given, 1) << "round " << round;
    EXPECT_EQ(status(id) == Status::queued, state(id) == Answer::approved);
  }
}

TEST_P(ApprovalsContract, WhatHasAskedNothingIsNotFound) {
  ASSERT_TRUE(ledger->begin_run(a_run("r1")));
  EXPECT_EQ(kind_of(approvals().approval("r1")), Kind::not_found);
  EXPECT_EQ(kind_of(approvals().approval("r9")), Kind::not_found);
  EXPECT_EQ(kind_of(approvals().approve(by("ada", "r1"))), Kind::not_found);
}

ON_EACH_DATABASE(ApprovalsContract);

}  // namespace
}  // namespace steward::ledger
