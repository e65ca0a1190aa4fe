// What people read, compared with files in golden/ whole. STEWARD_GOLDEN=rewrite (`./dev golden`) writes them anew:
// review the difference.
#include "engine/notify/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/notify/forms.h"
#include "run/plan.h"
#include "run/questions.h"
#include "run/runner.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using nlohmann::json;

constexpr Instant night = sys_days{2026y / 11 / 23} + 3h;
const Place place{.environment = "production", .public_url = "https://ops.example.com/steward"};

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(STEWARD_GOLDEN_DIR) + "/" + name;
  if (const char* mode = std::getenv("STEWARD_GOLDEN"); mode != nullptr && std::string(mode) == "rewrite")
    std::ofstream(path) << text;
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, golden.str()) << path;
}

/// The message as a mail has it; as Slack and as a webhook get it.
void expect_golden(const std::string& name, Message message) {
  message.id = "n-4f2a91c0d3e5b6a798801122";
  const auto pretty = [](const std::string& body) {
    return nlohmann::ordered_json::parse(body).dump(2, ' ', false) + '\n';
  };
  expect_golden(name + ".txt", plain_text(message));
  expect_golden(name + ".slack.json", pretty(slack_body(message)));
  expect_golden(name + ".webhook.json", pretty(webhook_body(message)));
}

ledger::TaskRecord task(const TaskResult& result) {
  return {
      .task = result.task, .status = result.status, .done_items = result.done.items, .detail = to_json(result).dump()};
}

RunFacts nightly(ledger::Status status) {
  return {.run = {.id = "20261123T030000Z-4f2a91",
                  .job = "cleanup",
                  .status = status,
                  .started = night,
                  .ended = night + 12min,
                  .process = {.host = "web-1"},
                  .trigger = "serve",
                  .actor = "schedule"}};
}

RunFacts failed_night() {
  RunFacts facts = nightly(ledger::Status::partial);
  facts.run.attempt = 3;
  facts.tasks = {
      task({.task = "archive-mockups", .status = "succeeded", .done = {.items = 1204, .bytes = Bytes{3 << 20}}}),
      task({.task = "purge-signals",
            .status = "failed",
            .done = {.items = 50'000},
            .error = Error{Kind::unavailable, "no answer from db.internal:5432 within 10 s, 5 attempts over 42 s",
                           "Check the network; the next tick is at 2026-11-24T03:00:00Z."}}),
      task({.task = "purge-logs",
            .status = "refused",
            .error = Error{Kind::refused, "purge-logs would remove 9,500 of 10,000 items, more than 90 % of its target",
                           "If this is right, run it once with --allow-removal purge-logs.", "brake-share"}}),
      task({.task = "expire-objects", .status = "not_configured"})};
  return facts;
}

RunFacts asking_night() {
  RunFacts facts = nightly(ledger::Status::waiting);
  facts.run.ended.reset();
  const Step step{
      .task = "purge-signals", .final = true, .planned = {.items = 9'500'000, .bytes = Bytes{std::uint64_t{3} << 30}}};
  facts.run.plan = to_json(Plan{.job = "cleanup", .made = night, .steps = {step}}).dump();
  const Question question{.task = "purge-signals", .required = true, .changes = {{"age", "30 days", "7 days"}}};
  facts.approval = ledger::Approval{.run = facts.run.id,
                                    .job = "cleanup",
                                    .digest = "8c1f0a2b77de5544332211",
                                    .tasks = {"purge-signals"},
                                    .reasons = json::array({to_json(question)}).dump(),
                                    .asked = night + 1min,
                                    .asked_by = "schedule",
                                    .expires = night + 168h};
  return facts;
}

TEST(NotifyWords, FailedInPart) {
  expect_golden("failed_in_part",
                words_of_end(place, Topic::failed, failed_night(), {.count = 1, .since = night + 12min}));
}

TEST(NotifyWords, FailedAgainByHandWithoutAPublicUrlOrAnEnvironment) {
  RunFacts facts = nightly(ledger::Status::failed);
  facts.run.trigger = "hand";
  facts.run.actor = "anna";
  facts.run.scope = "purge-signals";
  facts.run.error =
      to_json(Error{Kind::permission, "permission denied for table signals", "Grant delete on it."}).dump();
  expect_golden("failed_again", words_of_end({}, Topic::failed, facts, {.count = 3, .since = night - 48h}));
}

TEST(NotifyWords, Died) {
  RunFacts facts = nightly(ledger::Status::interrupted);
  expect_golden("died", words_of_end(place, Topic::failed, facts, {.count = 1, .since = night + 12min}));
}

TEST(NotifyWords, Refused) {
  RunFacts facts = nightly(ledger::Status::refused);
  facts.tasks = {failed_night().tasks[2]};
  expect_golden("refused", words_of_end(place, Topic::refused, facts, {.count = 1, .since = night + 12min}));
}

TEST(NotifyWords, RecoveredAfterSomebodyHasApproved) {
  RunFacts facts = nightly(ledger::Status::succeeded);
  facts.tasks = {failed_night().tasks[0]};
  facts.approval =
      ledger::Approval{.state = ledger::Answer::used, .decided_by = "ben", .decision = "the import is over"};
  expect_golden("recovered", words_of_recovery(place, facts, {.count = 3, .since = night - 48h}));
}

TEST(NotifyWords, Done) {
  RunFacts facts = nightly(ledger::Status::succeeded);
  facts.tasks = {failed_night().tasks[0], task({.task = "purge-logs", .status = "succeeded"})};
  expect_golden("done", words_of_success(place, facts));
}

TEST(NotifyWords, Waiting) {
  expect_golden("waiting", words_of_question(place, Topic::waiting, asking_night(), night));
}

TEST(NotifyWords, ReminderOfAQuestionForFourEyes) {
  RunFacts facts = asking_night();
  facts.approval->four_eyes = true;
  facts.approval->asked_by = "anna";
  expect_golden("reminder", words_of_question(place, Topic::reminder, facts, night + 24h));
}

TEST(NotifyWords, Expired) {
  expect_golden("expired", words_of_question(place, Topic::expired, asking_night(), night + 168h));
}

TEST(NotifyWords, BreakGlass) {
  RunFacts facts = asking_night();
  facts.approval->decided_by = "anna";
  facts.approval->decision = "the disk is full";
  expect_golden("break_glass", words_of_question(place, Topic::break_glass, facts, night + 1h));
}

TEST(NotifyWords, MissedWhileTheMachineWasOff) {
  std::vector<MissedTick> ticks{
      {.job = "cleanup", .due = night, .since = night - 48h, .reason = "nothing ran since 2026-11-20T12:00:00Z"}};
  for (int i = 1; i <= 20; ++i) ticks.push_back({.job = "backup", .due = night - 24h * i, .reason = "nothing ran"});
  expect_golden("missed", words_of_missed(place, ticks, night + 6h));
}

TEST(NotifyWords, Late) {
  const std::vector<LateStart> starts{{.job = "cleanup", .run = "R1", .due = night, .started = night + 17min},
                                      {.job = "backup", .run = "R2", .due = night}};
  expect_golden("late", words_of_late(place, starts, night + 20min));
}

TEST(NotifyWords, RunningTooLong) {
  RunFacts facts = nightly(ledger::Status::running);
  facts.run.ended.reset();
  expect_golden("running_too_long", words_of_overrun(place, facts, {.text = "4 h"}, night + 5h));
}

TEST(NotifyWords, RunningLongerThanUsual) {
  RunFacts facts = nightly(ledger::Status::running);
  facts.run.ended.reset();
  expect_golden("running_longer_than_usual",
                words_of_overrun(place, facts, {.text = "36 min", .usual = true}, night + 40min));
}

TEST(NotifyWords, DoneAfterItHasTakenTooLong) {
  expect_golden("done_after_overrun", words_of_end_after_overrun(place, nightly(ledger::Status::succeeded)));
}

TEST(NotifyWords, StoppedBecauseItTookTooLong) {
  RunFacts facts = nightly(ledger::Status::cancelled);
  facts.run.cancelled_by = "max_runtime 4 h";
  EXPECT_EQ(verdict_of(facts), "failed");
  expect_golden("stopped", words_of_end(place, Topic::failed, facts, {.since = night}));
  facts.run.cancelled_by = "anna";
  EXPECT_EQ(verdict_of(facts), "cancelled");
}

TEST(NotifyWords, Test) { expect_golden("test", words_of_test(place, "ops", "anna", night)); }

TEST(NotifyWords, PingOfAFailureHasTheEndOfTheLog) {
  RunFacts facts = failed_night();
  facts.log = "03:00:00 info purge-signals: began\n03:12:00 error purge-signals: ended: failed: no answer from db";
  expect_golden("ping_fail.txt", ping_body(words_of_ping(place, "fail", facts, night)));
}

TEST(NotifyWords, AMessageComesBackFromItsJsonAsItWas) {
  Message message = words_of_question(place, Topic::waiting, asking_night(), night);
  message.id = "n-1";
  const auto back = message_from_json(to_json_text(message));
  ASSERT_TRUE(back);
  EXPECT_EQ(to_json_text(*back), to_json_text(message));
  EXPECT_EQ(plain_text(*back), plain_text(message));
}

TEST(NotifyWords, WhatIsNoMessageIsCorrupt) {
  for (const char* text : {"", "[]", "{}", R"({"id":1})", "{\"id\":\"a\",\"topic\":"}) {
    const auto message = message_from_json(text);
    ASSERT_FALSE(message) << text;
    EXPECT_EQ(message.error().kind, Kind::corrupt);
  }
}

TEST(NotifyWords, BytesThatAreNotUtf8AreShownAndBreakNothing) {
  RunFacts facts = nightly(ledger::Status::failed);
  facts.run.job = "clean\xff";
  facts.tasks = {{.task = "t\x01", .status = "failed", .detail = "{}"}};
  facts.run.error = R"({"kind":"unavailable","message":"bad \u0007 byte","hint":""})";
  const Message message = words_of_end(place, Topic::failed, facts, {});
  EXPECT_EQ(message.title, "production: clean\\xff failed");
  EXPECT_TRUE(json::accept(slack_body(message)));
  EXPECT_TRUE(json::accept(webhook_body(message)));
}

}  // namespace
}  // namespace steward::notify
