// What ledger.h promises, on both databases (PostgreSQL: STEWARD_TEST_POSTGRES).
#include <gmock/gmock.h>

#include <thread>

#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using sql::kind_of;
using sql::message_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

const Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 12h};

struct LedgerContract : OnEachDatabase {
  static LedgerRun a_run(const std::string& id, Instant started = noon) {
    return {.id = id, .job = "cleanup", .started = started, .heartbeat = started, .trigger = "hand", .actor = "ada"};
  }
};

TEST_P(LedgerContract, SaysWhetherItCanBeWritten) {
  EXPECT_TRUE(ledger->check_writable());
  const auto read_only = open({.url = database->url(), .read_only = true});
  ASSERT_TRUE(read_only) << read_only.error().message;
  EXPECT_FALSE((*read_only)->check_writable());
}

TEST_P(LedgerContract, AnotherChangeThatDoesNotEndIsWaitedForWithPatience) {
  const auto other = database->connect();
  const auto transaction = other->begin();
  ASSERT_TRUE(transaction);
  const std::string meta = GetParam() == sql::Dialect::sqlite ? "meta" : "steward.meta";
  ASSERT_TRUE(other->execute("update " + meta + " set value = value"));
  const auto impatient = open({.url = database->url(), .patience = std::chrono::seconds(1)});
  if (GetParam() == sql::Dialect::sqlite) {
    // One writes at a time there.
    EXPECT_TRUE(!impatient || !(*impatient)->check_writable());
  } else {
    EXPECT_TRUE((*impatient)->check_writable()) << "rows are locked there, and none of these is asked for";
  }
}

TEST_P(LedgerContract, ItIsGivenAnIdWhenItIsMadeAndKeepsIt) {
  EXPECT_THAT(ledger->id(), testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(opened()->id(), ledger->id());
  EXPECT_EQ(opened(/*read_only=*/true)->id(), ledger->id());
  const auto other = sql::TestDatabase::make(GetParam());
  EXPECT_NE(open({.url = other->url()}).value()->id(), ledger->id());
}

TEST_P(LedgerContract, ItShowsWhereItIs) { EXPECT_EQ(ledger->shown(), database->connect()->shown()); }

TEST_P(LedgerContract, ARunComesBackAsItWasEntered) {
  const LedgerRun run{.id = "20261123T120000Z-4f2a91",
                      .job = "cleanup",
                      .scope = "purge-signals,purge-logs",
                      .started = noon + 1us,
                      .heartbeat = noon + 2us,
                      .process = {.host = "web-1", .boot = "b-o-o-t", .pid = 4711, .started_ticks = 123456789012},
                      .trigger = "cron",
                      .actor = "it's \"ada\" ☃",
                      .version = "0.1.0",
                      .environment = "production",
                      .plan_digest = "d1",
                      .plan = R"({"steps":[]})",
                      .progress = "{}",
                      .error = ""};
  enter(run);
  const LedgerRun found = opened()->run(run.id).value();
  EXPECT_EQ(found.id, run.id);
  EXPECT_EQ(found.job, run.job);
  EXPECT_EQ(found.scope, run.scope);
  EXPECT_EQ(found.status, Status::running);
  EXPECT_EQ(found.started, run.started);
  EXPECT_EQ(found.ended, std::nullopt);
  EXPECT_EQ(found.heartbeat, run.heartbeat);
  EXPECT_EQ(found.process.host, run.process.host);
  EXPECT_EQ(found.process.boot, run.process.boot);
  EXPECT_EQ(found.process.pid, run.process.pid);
  EXPECT_EQ(found.process.started_ticks, run.process.started_ticks);
  EXPECT_EQ(found.trigger, run.trigger);
  EXPECT_EQ(found.actor, run.actor);
  EXPECT_EQ(found.version, run.version);
  EXPECT_EQ(found.environment, run.environment);
  EXPECT_EQ(found.plan_digest, run.plan_digest);
  EXPECT_EQ(found.plan, run.plan);
  EXPECT_FALSE(found.cancel_requested);
}

TEST_P(LedgerContract, ARunEntersAnAuditLineAndIsEnteredOnce) {
  enter(a_run("a"));
  EXPECT_FALSE(ledger->begin_run(a_run("a")));
  EXPECT_THAT(acts(), ElementsAre("run.begin a"));
  EXPECT_EQ(ledger->audit_lines(1)->at(0).detail, R"({"job":"cleanup","trigger":"hand"})");
}

TEST_P(LedgerContract, AHeartbeatNotesThePulseAndTellsOfACancel) {
  enter(a_run("a"));
  EXPECT_EQ(ledger->heartbeat("a", noon + 5s, R"({"done":3})").value(), false);
  EXPECT_EQ(ledger->run("a")->heartbeat, noon + 5s);
  EXPECT_EQ(ledger->run("a")->progress, R"({"done":3})");
  ASSERT_TRUE(ledger->request_cancel("a", "grace", noon + 6s));
  EXPECT_EQ(opened()->heartbeat("a", noon + 7s, "").value(), true);
  EXPECT_EQ(ledger->run("a")->cancelled_by, "grace");
  EXPECT_TRUE(ledger->run("a")->cancel_requested);
  EXPECT_EQ(kind_of(ledger->heartbeat("b", noon, "")), Kind::not_found);
}

TEST_P(LedgerContract, ARunThatOthersHaveEndedIsToldToStop) {
  enter(a_run("a"));
  ASSERT_TRUE(ledger->end_run("a", Status::interrupted, noon + 1h, ""));
  EXPECT_EQ(ledger->heartbeat("a", noon + 2h, "{}").value(), true);
  EXPECT_EQ(ledger->run("a")->heartbeat, noon) << "and its record stays as it is";
}

TEST_P(LedgerContract, ATaskIsRecordedAndASecondRecordReplacesTheFirst) {
  enter(a_run("a"));
  ASSERT_TRUE(ledger->record_task("a", {.task = "purge-signals", .status = "running", .planned_items = 9}));
  ASSERT_TRUE(ledger->record_task("a", {.task = "archive-mockups", .status = "succeeded"}));
  ASSERT_TRUE(ledger->record_task("a", {.task = "purge-signals",
                                        .status = "succeeded",
                                        .planned_items = 9,
                                        .done_items = 8,
                                        .done_bytes = 7,
                                        .detail = "{}"}));
  const auto tasks = ledger->tasks("a").value();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].task, "purge-signals") << "in the order they were first recorded";
  EXPECT_EQ(tasks[0].status, "succeeded");
  EXPECT_EQ(tasks[0].planned_items, 9u);
  EXPECT_EQ(tasks[0].done_items, 8u);
  EXPECT_EQ(tasks[0].done_bytes, 7u);
  EXPECT_EQ(tasks[0].detail, "{}");
  EXPECT_EQ(kind_of(ledger->record_task("b", {.task = "x"})), Kind::not_found);
  EXPECT_EQ(kind_of(ledger->tasks("b")), Kind::not_found);
}

TEST_P(LedgerContract, ThePlanOfARunMayBeSetLater) {
  enter(a_run("a"));
  ASSERT_TRUE(ledger->set_plan("a", "4f2a", R"({"job":"cleanup"})"));
  EXPECT_EQ(ledger->run("a")->plan_digest, "4f2a");
  EXPECT_EQ(ledger->run("a")->plan, R"({"job":"cleanup"})");
  EXPECT_EQ(kind_of(ledger->set_plan("b", "", "")), Kind::not_found);
}

TEST_P(LedgerContract, ARunEndsOnceAndStaysAsItEnded) {
  enter(a_run("a"));
  ASSERT_TRUE(ledger->end_run("a", Status::failed, noon + 1h, R"({"kind":"unavailable"})"));
  EXPECT_TRUE(ledger->end_run("a", Status::succeeded, noon + 2h, ""));
  const LedgerRun run = ledger->run("a").value();
  EXPECT_EQ(run.status, Status::failed);
  EXPECT_EQ(run.ended, noon + 1h);
  EXPECT_EQ(run.error, R"({"kind":"unavailable"})");
  EXPECT_THAT(acts(), ElementsAre("run.end a", "run.begin a"));
  EXPECT_EQ(ledger->audit_lines(1)->at(0).detail, R"({"status":"failed"})");
  EXPECT_EQ(kind_of(ledger->end_run("b", Status::failed, noon, "")), Kind::not_found);
  EXPECT_EQ(kind_of(ledger->end_run("a", Status::running, noon, "")), Kind::bug);
}

TEST_P(LedgerContract, ACancelIsForARunThatRuns) {
  enter(a_run("a"));
  ASSERT_TRUE(ledger->request_cancel("a", "grace", noon));
  EXPECT_THAT(acts(), ElementsAre("run.cancel a", "run.begin a"));
  ASSERT_TRUE(ledger->end_run("a", Status::cancelled, noon, ""));
  const auto again = ledger->request_cancel("a", "grace", noon);
  ASSERT_EQ(kind_of(again), Kind::refused);
  EXPECT_EQ(again.error().code, "not-running");
  EXPECT_EQ(message_of(again), "run a is not running: it is cancelled");
  EXPECT_EQ(kind_of(ledger->request_cancel("b", "grace", noon)), Kind::not_found);
}

TEST_P(LedgerContract, RunsComeNewestFirstAndMayBeFiltered) {
  enter(a_run("a", noon));
  enter(a_run("b", noon + 1h));
  LedgerRun backup = a_run("c", noon + 30min);
  backup.job = "backup";
  enter(backup);
  ASSERT_TRUE(ledger->end_run("a", Status::succeeded, noon, ""));
  EXPECT_THAT(ids_of(ledger->runs({}).value()), ElementsAre("b", "c", "a"));
  EXPECT_THAT(ids_of(ledger->runs({.limit = 2}).value()), ElementsAre("b", "c"));
  EXPECT_THAT(ids_of(ledger->runs({.job = "cleanup"}).value()), ElementsAre("b", "a"));
  EXPECT_THAT(ids_of(ledger->runs({.job = "cleanup", .status = Status::running}).value()), ElementsAre("b"));
  EXPECT_THAT(ids_of(ledger->runs({.job = "absent"}).value()), IsEmpty());
}

TEST_P(LedgerContract, ARunIsFoundByAPrefixThatFitsItAlone) {
  EXPECT_EQ(kind_of(ledger->run("latest")), Kind::not_found);
  enter(a_run("20261123T120000Z-4f2a91"));
  enter(a_run("20261123T130000Z-77aa00", noon + 1h));
  EXPECT_EQ(ledger->run("20261123T12")->id, "20261123T120000Z-4f2a91");
  EXPECT_EQ(ledger->run("latest")->id, "20261123T130000Z-77aa00");
  const auto several = ledger->run("20261123");
  EXPECT_EQ(kind_of(several), Kind::bad_input);
  EXPECT_EQ(message_of(several), "\"20261123\" fits several runs: 20261123T130000Z-77aa00 and 20261123T120000Z-4f2a91");
  EXPECT_EQ(kind_of(ledger->run("2025")), Kind::not_found);
  EXPECT_EQ(kind_of(ledger->run("")), Kind::not_found);
  EXPECT_EQ(kind_of(ledger->run("%")), Kind::not_found) << "no pattern";
}

TEST_P(LedgerContract, AWholeIdIsFoundThoughItBeginsAnother) {
  enter(a_run("a"));
  enter(a_run("ab"));
  EXPECT_EQ(ledger->run("a")->id, "a");
}

TEST_P(LedgerContract, TheBrakeSeesWhatSuccessfulTasksRemovedNewestFirst) {
  std::uint64_t items = 10;
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    enter(a_run(id, noon + std::chrono::hours(items)));
    ASSERT_TRUE(ledger->record_task(id, {.task = "purge-signals",
                                         .status = *id == 'c' ? "failed" : "succeeded",
                                         .done_items = *id == 'd' ? 0 : items}));
    ASSERT_TRUE(ledger->record_task(id, {.task = "other", .status = "succeeded", .done_items = 99}));
    ++items;
  }
  EXPECT_THAT(ledger->last_removed("cleanup", "purge-signals", 10, "").value(), ElementsAre(14u, 11u, 10u));
  EXPECT_THAT(ledger->last_removed("cleanup", "purge-signals", 2, "").value(), ElementsAre(14u, 11u));
  EXPECT_THAT(ledger->last_removed("backup", "purge-signals", 2, "").value(), IsEmpty());
}

TEST_P(LedgerContract, APastTaskComesWithWhatItsRunHadPlannedNewestFirst) {
  for (const char* id : {"a", "b", "c"}) {
    enter(a_run(id, noon + std::chrono::hours(*id)));
    ASSERT_TRUE(ledger->set_plan(id, "0f", std::string("{\"of\": \"") + id + "\"}"));
    ASSERT_TRUE(ledger->record_task(id, {.task = "purge-signals",
                                         .status = *id == 'b' ? "failed" : "succeeded",
                                         .planned_items = 9,
                                         .done_items = 4,
                                         .done_bytes = 12,
                                         .detail = "{}"}));
    ASSERT_TRUE(ledger->record_task(id, {.task = "other", .status = "succeeded"}));
  }
  const auto past = ledger->past_tasks("cleanup", "purge-signals", 2).value();
  ASSERT_EQ(past.size(), 2U);
  EXPECT_EQ(past[0].run, "c");
  EXPECT_EQ(past[0].started, noon + std::chrono::hours('c'));
  EXPECT_EQ(past[0].plan, "{\"of\": \"c\"}");
  EXPECT_EQ(past[1].run, "b");
  EXPECT_EQ(past[1].record.status, "failed");
  EXPECT_EQ(past[1].record.planned_items, 9U);
  EXPECT_EQ(past[1].record.done_items, 4U);
  EXPECT_EQ(past[1].record.done_bytes, 12U);
  EXPECT_THAT(ledger->past_tasks("backup", "purge-signals", 2).value(), IsEmpty());
}

TEST_P(LedgerContract, WhatATaskHasLastMadeIsItsNewestSuccessThatHadSomethingToDo) {
  EXPECT_EQ(ledger->made_by("cleanup", "app")->began, std::nullopt);
  EXPECT_EQ(ledger->made_by("cleanup", "app")->known_since, std::nullopt);
  const auto run = [&](const char* id, int hours, TaskRecord record) {
    enter(a_run(id, noon + std::chrono::hours(hours)));
    ASSERT_TRUE(ledger->record_task(id, {.task = "other", .status = "succeeded", .done_items = 1}));
    if (!record.task.empty()) {
      ASSERT_TRUE(ledger->record_task(id, record));
    }
  };
  run("a", 1, {});
  run("b", 2, {.task = "app", .status = "not_configured"});
  EXPECT_EQ(ledger->made_by("cleanup", "app")->known_since, noon + 2h) << "since then at the earliest";
  run("c", 3, {.task = "app", .status = "failed", .done_items = 1});
  run("d", 4, {.task = "app", .status = "failed"});
  EXPECT_EQ(ledger->made_by("cleanup", "app")->known_since, noon + 3h);
  EXPECT_EQ(ledger->made_by("cleanup", "app")->began, std::nullopt);
  run("e", 5, {.task = "app", .status = "succeeded", .done_items = 1, .detail = R"({"seconds":4.5})"});
  EXPECT_EQ(ledger->made_by("cleanup", "app")->ended, std::nullopt);
  ASSERT_TRUE(ledger->end_run("e", Status::partial, noon + 6h, ""));
  run("f", 7, {.task = "app", .status = "succeeded"});
  run("g", 8, {.task = "app", .status = "cancelled", .done_items = 1});
  const auto made = ledger->made_by("cleanup", "app").value();
  EXPECT_EQ(made.run, "e");
  EXPECT_EQ(made.began, noon + 5h);
  EXPECT_EQ(made.ended, noon + 6h);
  EXPECT_EQ(made.detail, R"({"seconds":4.5})");
  EXPECT_EQ(made.known_since, noon + 3h);
  EXPECT_EQ(ledger->made_by("backup", "app")->began, std::nullopt);
}

TEST_P(LedgerContract, TheLastSuccessOfAJobIsKnown) {
  EXPECT_EQ(ledger->last_success("cleanup").value(), std::nullopt);
  enter(a_run("a"));
  enter(a_run("b", noon + 1h));
  ASSERT_TRUE(ledger->end_run("a", Status::succeeded, noon, ""));
  ASSERT_TRUE(ledger->end_run("b", Status::failed, noon, ""));
  EXPECT_EQ(ledger->last_success("cleanup").value()->id, "a");
}

TEST_P(LedgerContract, ARunOfSingleTasksIsNoSuccessOfTheJob) {
  enter(a_run("a"));
  LedgerRun part = a_run("b", noon + 1h);
  part.scope = "purge-signals";
  enter(part);
  ASSERT_TRUE(ledger->end_run("a", Status::succeeded, noon, ""));
  ASSERT_TRUE(ledger->end_run("b", Status::succeeded, noon, ""));
  EXPECT_EQ(ledger->last_success("cleanup").value()->id, "a");
  EXPECT_THAT(ids_of(ledger->runs({.job = "cleanup", .whole = true}).value()), ElementsAre("a"));
  EXPECT_THAT(ids_of(ledger->runs({.job = "cleanup"}).value()), ElementsAre("b", "a"));
}

TEST_P(LedgerContract, OfOldRunsThePlanIsForgottenAndNothingElse) {
  for (const char* id : {"a", "b", "c", "d"}) {
    LedgerRun run = a_run(id, id[0] == 'd' ? noon : noon - 1h);
    run.plan_digest = "d1";
    run.plan = "{}";
    run.progress = "{}";
    enter(run);
  }
  ASSERT_TRUE(ledger->end_run("a", Status::succeeded, noon, ""));
  ASSERT_TRUE(ledger->end_run("b", Status::waiting, noon, ""));
  ASSERT_TRUE(ledger->end_run("d", Status::succeeded, noon, ""));
  ASSERT_TRUE(ledger->record_task("a", {.task = "t", .status = "succeeded", .detail = "{}"}));
  const std::int64_t lines = ledger->verify_audit().value();
  EXPECT_EQ(ledger->runs_with_plan(noon).value(), 1u) << "not b, which waits, nor c, which runs, nor d, which is newer";
  EXPECT_EQ(ledger->forget_plans(noon).value(), 1u);
  EXPECT_EQ(ledger->runs_with_plan(noon).value(), 0u);
  EXPECT_EQ(ledger->run("a")->plan, "");
  EXPECT_EQ(ledger->run("a")->progress, "");
  EXPECT_EQ(ledger->run("a")->plan_digest, "d1");
  EXPECT_EQ(ledger->run("a")->status, Status::succeeded);
  EXPECT_EQ(ledger->tasks("a")->at(0).detail, "{}");
  for (const char* id : {"b", "c", "d"}) EXPECT_EQ(ledger->run(id)->plan, "{}") << id;
  EXPECT_EQ(ledger->verify_audit().value(), lines);
}

TEST_P(LedgerContract, AnArchiveIsKnownByItsPlaceAndAnotherThereIsRefused) {
  ASSERT_TRUE(ledger->remember_archive("file:///srv/cold", "a1", noon));
  EXPECT_TRUE(ledger->remember_archive("file:///srv/cold", "a1", noon + 1h));
  const auto other = ledger->remember_archive("file:///srv/cold", "b2", noon + 2h);
  ASSERT_EQ(kind_of(other), Kind::refused);
  EXPECT_EQ(other.error().code, "archive-changed");
  EXPECT_EQ(message_of(other), "file:///srv/cold carries archive b2, where archive a1 was before");
  ASSERT_TRUE(ledger->remember_archive("s3://bucket/cold", "a1", noon + 3h));
  const auto archives = ledger->archives().value();
  ASSERT_EQ(archives.size(), 2u);
  EXPECT_EQ(archives[0].location, "file:///srv/cold");
  EXPECT_EQ(archives[0].id, "a1");
  EXPECT_EQ(archives[0].first_seen, noon);
}

TEST_P(LedgerContract, OneLedgerMayBeUsedFromSeveralThreads) {
  enter(a_run("a"));
  std::thread pulse([this] {
    for (int n = 0; n < 20; ++n) EXPECT_TRUE(ledger->heartbeat("a", noon + std::chrono::seconds(n), "{}"));
  });
  for (int n = 0; n < 20; ++n) EXPECT_TRUE(ledger->audit("ada", "act", "", "{}", noon));
  pulse.join();
  EXPECT_EQ(ledger->verify_audit().value(), 21);
}

TEST_P(LedgerContract, SeveralProcessesMayMakeItAtOnce) {
  const auto fresh = sql::TestDatabase::make(GetParam());
  if (GetParam() == Dialect::sqlite) std::filesystem::remove(fresh->path());
  std::vector<std::string> ids(6);
  std::vector<std::thread> openers;
  for (std::string& id : ids)
    openers.emplace_back([&] {
      const auto opened = open({.url = fresh->url()});
      EXPECT_TRUE(opened) << opened.error().message;
      if (opened) id = (*opened)->id();
    });
  for (std::thread& opener : openers) opener.join();
  EXPECT_THAT(ids, testing::Each(ids[0]));
  EXPECT_EQ(ids[0].size(), 32u);
}

TEST_P(LedgerContract, TheLatestInstantAtWhichARunWasAtWorkIsKnown) {
  EXPECT_EQ(ledger->latest().value(), std::nullopt);
  enter(a_run("a"));
  EXPECT_EQ(ledger->latest().value(), noon);
  ASSERT_TRUE(ledger->heartbeat("a", noon + 1h, ""));
  EXPECT_EQ(ledger->latest().value(), noon + 1h);
  ASSERT_TRUE(ledger->end_run("a", Status::succeeded, noon + 2h, ""));
  EXPECT_EQ(ledger->latest().value(), noon + 2h);
}

TEST_P(LedgerContract, ARunThatWasRefusedForItsClockDoesNotCountAsTheLatest) {
  enter(a_run("a"));
  ASSERT_TRUE(ledger->heartbeat("a", noon + 24h, ""));
  ASSERT_TRUE(ledger->end_run("a", Status::refused, noon + 24h, ""));
  EXPECT_EQ(ledger->latest().value(), std::nullopt);
}

TEST_P(LedgerContract, ReadOnlyItReadsAndDoesNotWrite) {
  enter(a_run("a"));
  const auto reader = opened(/*read_only=*/true);
  EXPECT_EQ(reader->run("a")->id, "a");
  EXPECT_EQ(reader->verify_audit().value(), 1);
  EXPECT_FALSE(reader->audit("ada", "act", "", "", noon));
  EXPECT_EQ(ledger->verify_audit().value(), 1);
}

TEST_P(LedgerContract, ReadOnlyItIsNotMade) {
  const auto fresh = sql::TestDatabase::make(GetParam());
  if (GetParam() == Dialect::sqlite) std::filesystem::remove(fresh->path());
  const auto absent = open({.url = fresh->url(), .read_only = true});
  EXPECT_EQ(kind_of(absent), Kind::not_found);
  EXPECT_THAT(message_of(absent), testing::StartsWith("there is no ledger in "));
  EXPECT_FALSE(std::filesystem::exists(fresh->path()));
}

TEST_P(LedgerContract, ANewerLedgerIsRefusedAndTheHintSaysTheWayBack) {
  behind_its_back("update @meta set value = '99' where name = 'version'");
  for (const bool read_only : {false, true}) {
    const auto refused = open({.url = database->url(), .read_only = read_only});
    ASSERT_EQ(kind_of(refused), Kind::refused);
    EXPECT_EQ(refused.error().code, "ledger-newer");
    EXPECT_THAT(message_of(refused),
                HasSubstr("has schema 99; this steward knows up to " + std::to_string(schema_version)));
    EXPECT_THAT(refused.error().hint, HasSubstr("Use the newer steward again"));
  }
}

TEST_P(LedgerContract, AnApplicationsOwnTableMetaIsNotTakenForALedger) {
  const auto other = sql::TestDatabase::make(GetParam());
  const auto db = other->connect();
  if (GetParam() == Dialect::postgres) (void)db->execute("create schema steward");
  ASSERT_TRUE(db->execute(GetParam() == Dialect::postgres ? "create table steward.meta (name text, value text)"
                                                          : "create table meta (name text, value text)"));
  EXPECT_EQ(kind_of(open({.url = other->url()})), Kind::corrupt);
}

ON_EACH_DATABASE(LedgerContract);

TEST(LedgerStatus, EachHasAName) {
  for (const Status status : {Status::running, Status::succeeded, Status::failed, Status::partial, Status::refused,
                              Status::cancelled, Status::waiting, Status::interrupted})
    EXPECT_EQ(status_named(name_of(status)), status);
  EXPECT_EQ(status_named("absent"), std::nullopt);
}

}  // namespace
}  // namespace steward::ledger
