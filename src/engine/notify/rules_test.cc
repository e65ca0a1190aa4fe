#include "engine/notify/rules.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/notify/message.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Instant now = sys_days{2026y / 11 / 23} + 3h;
using ledger::Status;

/// Two channels, `ops` and `quiet`; ops is told of everything but done.
Settings two_channels() {
  Settings settings{.environment = "production", .public_url = "https://ops.example.com"};
  settings.channels = {{.name = "ops", .how = Slack{.url = Secret("https://slack/x")}},
                       {.name = "quiet", .how = Webhook{.url = Secret("https://hook/x")}}};
  settings.rules = {{.topics = default_topics(), .channels = {"ops"}}};
  return settings;
}

/// What happened, in order, and what is known of it.
struct Story {
  Settings settings = two_channels();
  std::vector<ledger::Event> events{};
  History history{};
  Instant at = now;

  ledger::Event& event(std::string kind, std::string job = "cleanup", std::string run = {}, std::string detail = "{}") {
    const auto id = static_cast<std::int64_t>(events.size()) + 1;
    std::string key = fmt::format("{}/{}", kind, id);
    return events.emplace_back(ledger::Event{.id = id,
                                             .kind = std::move(kind),
                                             .key = std::move(key),
                                             .job = std::move(job),
                                             .run = std::move(run),
                                             .at = at,
                                             .detail = std::move(detail)});
  }
  /// A run that ended so, and its event.
  RunFacts& ended(Status status, const std::vector<std::string>& task_statuses = {}, std::string job = "cleanup") {
    const std::string id = fmt::format("R{}", events.size() + 1);
    event("run-ended", job, id);
    RunFacts& facts = history.runs[id];
    facts.run = {.id = id,
                 .job = std::move(job),
                 .status = status,
                 .started = at - 10min,
                 .ended = at,
                 .trigger = "serve",
                 .actor = "schedule"};
    for (const std::string& one : task_statuses)
      facts.tasks.push_back({.task = fmt::format("t{}", facts.tasks.size() + 1), .status = one});
    return facts;
  }
  /// As the job stood before.
  void failed_before(std::size_t times, Instant since, std::optional<Instant> told, std::string topic = "failed") {
    JobPast& past = history.jobs["cleanup"];
    past.failures = times;
    past.since = since;
    if (told) past.told["ops"][std::move(topic)] = *told;
  }
  void asks(std::string kind, ledger::Answer state = ledger::Answer::waiting) {
    event(std::move(kind), "cleanup", "R");
    RunFacts& facts = history.runs["R"];
    facts.run = {.id = "R", .job = "cleanup", .status = Status::waiting, .started = at - 10min};
    facts.approval = ledger::Approval{.run = "R",
                                      .job = "cleanup",
                                      .digest = "8c1f0a2b77de",
                                      .tasks = {"purge-signals"},
                                      .asked = at,
                                      .asked_by = "schedule",
                                      .expires = at + 168h,
                                      .state = state,
                                      .decided_by = "anna"};
  }
  void wants_done() { settings.rules.push_back({.topics = {Topic::done}, .channels = {"quiet"}}); }
  void pings() { settings.pings["cleanup"] = Secret("https://hc/x"); }

  Decided decided() const { return decide(settings, events, history, now); }
};

/// "ops: production: cleanup failed", a line for each delivery.
std::vector<std::string> told(const Decided& decided) {
  std::vector<std::string> out;
  for (const ledger::Delivery& delivery : decided.deliveries) {
    const auto message = message_from_json(delivery.message);
    EXPECT_TRUE(message) << delivery.message;
    if (message) out.push_back(fmt::format("{} {}: {}", delivery.channel, delivery.topic, message->title));
  }
  return out;
}

struct Case {
  const char* name;
  std::function<void(Story&)> story;
  std::vector<std::string> told;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

struct Rules : testing::TestWithParam<Case> {};

TEST_P(Rules, TellTheseOnThatChannel) {
  Story story;
  GetParam().story(story);
  const Decided decided = story.decided();
  EXPECT_EQ(told(decided), GetParam().told);
  EXPECT_EQ(decided.events.size(), story.events.size()) << "an event is left over";
  EXPECT_EQ(decided.again, std::nullopt);
}

const Case cases[] = {
    // Failures, and how they are grouped.
    {"first_failure", [](Story& s) { s.ended(Status::failed); }, {"ops failed: production: cleanup failed"}},
    {"process_gone",
     [](Story& s) { s.ended(Status::interrupted); },
     {"ops failed: production: cleanup died without a word"}},
    {"part_of_it_failed",
     [](Story& s) { s.ended(Status::partial, {"succeeded", "failed", "refused"}); },
     {"ops failed: production: cleanup failed in part"}},
    {"part_of_it_refused",
     [](Story& s) { s.ended(Status::partial, {"succeeded", "refused"}); },
     {"ops refused: production: cleanup was refused in part"}},
    {"a_brake",
     [](Story& s) { s.ended(Status::refused, {"refused"}); },
     {"ops refused: production: cleanup was refused"}},
    {"cancelled", [](Story& s) { s.ended(Status::cancelled); }, {}},
    {"a_retry_follows", [](Story& s) { s.ended(Status::failed).retry_follows = true; }, {}},
    {"the_last_retry_failed",
     [](Story& s) {
       s.ended(Status::failed).retry_follows = true;
       s.ended(Status::failed);
     },
     {"ops failed: production: cleanup failed"}},
    {"again_within_repeat",
     [](Story& s) {
       s.failed_before(1, now - 11h, now - 11h);
       s.ended(Status::failed);
     },
     {}},
    {"again_a_second_before_repeat",
     [](Story& s) {
       s.failed_before(2, now - 12h, now - 12h + 1s);
       s.ended(Status::failed);
     },
     {}},
    {"again_after_repeat",
     [](Story& s) {
       s.failed_before(2, now - 12h, now - 12h);
       s.ended(Status::failed);
     },
     {"ops failed: production: cleanup failed, 3 times in a row since 2026-11-22T15:00:00Z"}},
    {"a_failure_before_was_not_told",
     [](Story& s) {
       s.failed_before(1, now - 1h, {});
       s.ended(Status::failed);
     },
     {"ops failed: production: cleanup failed, 2 times in a row since 2026-11-23T02:00:00Z"}},
    {"refused_after_a_told_failure",
     [](Story& s) {
       s.failed_before(1, now - 1h, now - 1h);
       s.ended(Status::refused);
     },
     {"ops refused: production: cleanup was refused, 2 times in a row since 2026-11-23T02:00:00Z"}},
    {"several_at_once_are_one",
     [](Story& s) {
       s.ended(Status::failed);
       s.ended(Status::failed);
       s.ended(Status::failed);
     },
     {"ops failed: production: cleanup failed, 3 times in a row since 2026-11-23T03:00:00Z"}},
    {"two_jobs_are_two",
     [](Story& s) {
       s.ended(Status::failed);
       s.ended(Status::failed, {}, "backup");
     },
     {"ops failed: production: cleanup failed", "ops failed: production: backup failed"}},
    // Recoveries.
    {"success_after_nothing", [](Story& s) { s.ended(Status::succeeded); }, {}},
    {"success_after_a_told_failure",
     [](Story& s) {
       s.failed_before(3, now - 48h, now - 24h);
       s.ended(Status::succeeded);
     },
     {"ops recovered: production: cleanup works again"}},
    {"success_after_a_told_refusal",
     [](Story& s) {
       s.failed_before(1, now - 48h, now - 24h, "refused");
       s.ended(Status::succeeded);
     },
     {"ops recovered: production: cleanup works again"}},
    {"success_after_a_failure_that_was_not_told",
     [](Story& s) {
       s.failed_before(1, now - 1h, {});
       s.ended(Status::succeeded);
     },
     {}},
    {"the_retry_succeeded",
     [](Story& s) {
       s.ended(Status::failed).retry_follows = true;
       s.ended(Status::succeeded);
     },
     {}},
    {"a_part_of_the_job_succeeded",
     [](Story& s) {
       s.failed_before(1, now - 1h, now - 1h);
       s.ended(Status::succeeded).run.scope = "purge-logs";
     },
     {}},
    {"failed_and_recovered_at_once",
     [](Story& s) {
       s.ended(Status::failed);
       s.ended(Status::succeeded);
     },
     {"ops failed: production: cleanup failed", "ops recovered: production: cleanup works again"}},
    {"failed_recovered_failed",
     [](Story& s) {
       s.failed_before(1, now - 1h, now - 1h);
       s.ended(Status::succeeded);
       s.ended(Status::failed);
     },
     {"ops recovered: production: cleanup works again", "ops failed: production: cleanup failed"}},
    {"failed_recovered_and_failed_twice_at_once",
     [](Story& s) {
       s.ended(Status::failed);
       s.ended(Status::succeeded);
       s.ended(Status::failed);
       s.ended(Status::failed);
     },
     {"ops failed: production: cleanup failed", "ops recovered: production: cleanup works again",
      "ops failed: production: cleanup failed, 2 times in a row since 2026-11-23T03:00:00Z"}},
    // Done, only where it is asked for.
    {"done_where_it_is_asked_for",
     [](Story& s) {
       s.wants_done();
       s.ended(Status::succeeded);
     },
     {"quiet done: production: cleanup is done"}},
    {"recovered_here_and_done_there",
     [](Story& s) {
       s.wants_done();
       s.failed_before(1, now - 1h, now - 1h);
       s.ended(Status::succeeded);
     },
     {"ops recovered: production: cleanup works again", "quiet done: production: cleanup is done"}},
    // Questions.
    {"waiting", [](Story& s) { s.asks("approval-asked"); }, {"ops waiting: production: cleanup waits for an approval"}},
    {"answered_before_it_was_told", [](Story& s) { s.asks("approval-asked", ledger::Answer::approved); }, {}},
    {"reminder",
     [](Story& s) { s.asks("approval-reminded"); },
     {"ops reminder: production: cleanup still waits for an approval, since 2026-11-23T03:00:00Z"}},
    {"answered_before_the_reminder", [](Story& s) { s.asks("approval-reminded", ledger::Answer::rejected); }, {}},
    {"expired",
     [](Story& s) { s.asks("approval-expired", ledger::Answer::expired); },
     {"ops expired: production: cleanup: nobody has approved in time"}},
    {"break_glass",
     [](Story& s) { s.asks("break-glass", ledger::Answer::approved); },
     {"ops break-glass: production: cleanup: anna has approved alone, against the rule of four eyes"}},
    // Starts.
    {"one_missed",
     [](Story& s) {
       s.at = now - 10s;
       s.event("tick-missed", "cleanup", "", R"({"due":"2026-11-23T01:00:00Z","reason":"nothing ran"})");
     },
     {"ops missed: production: cleanup missed its start of 2026-11-23T01:00:00Z"}},
    {"several_missed_are_one",
     [](Story& s) {
       s.at = now - 10s;
       s.event("tick-missed", "cleanup");
       s.event("tick-missed", "backup");
       s.at = now;
       s.event("tick-missed", "rotate-logs");
     },
     {"ops missed: production: 3 starts were missed"}},
    {"late_and_missed_are_told_apart",
     [](Story& s) {
       s.at = now - 10s;
       s.event("late", "cleanup", "R", R"({"due":"2026-11-23T02:30:00Z"})");
       s.event("tick-missed", "cleanup", "", R"({"due":"2026-11-22T03:00:00Z"})");
     },
     {"ops missed: production: cleanup missed its start of 2026-11-22T03:00:00Z",
      "ops late: production: cleanup has not begun, 30 min after it was due"}},
    {"late_and_begun",
     [](Story& s) {
       s.at = now - 10s;
       s.event("late", "cleanup", "R", R"({"due":"2026-11-23T02:30:00Z","started":"2026-11-23T02:42:00Z"})");
     },
     {"ops late: production: cleanup began 12 min late"}},
    {"late_and_begun_since_then",
     [](Story& s) {
       s.at = now - 10s;
       s.event("late", "cleanup", "R", R"({"due":"2026-11-23T02:30:00Z"})");
       s.history.runs["R"].run = {.id = "R", .job = "cleanup", .started = now};
     },
     {"ops late: production: cleanup began 30 min late"}},
    {"late_and_queued_still",
     [](Story& s) {
       s.at = now - 10s;
       s.event("late", "cleanup", "R", R"({"due":"2026-11-23T02:30:00Z"})");
       s.history.runs["R"].run = {.id = "R", .job = "cleanup", .status = Status::queued, .started = now - 30min};
     },
     {"ops late: production: cleanup has not begun, 30 min after it was due"}},
    // Overruns.
    {"one_that_took_too_long_is_done_after_all",
     [](Story& s) { s.ended(Status::succeeded).overran = true; },
     {"ops running-too-long: production: cleanup is done after all, in 10 min"}},
    {"one_that_took_too_long_and_failed_is_told_of_as_failed",
     [](Story& s) { s.ended(Status::failed).overran = true; },
     {"ops failed: production: cleanup failed"}},
    {"one_that_was_stopped_because_it_took_too_long_has_failed",
     [](Story& s) { s.ended(Status::cancelled).run.cancelled_by = "max_runtime 10 min"; },
     {"ops failed: production: cleanup was stopped: it took too long"}},
    {"running_too_long",
     [](Story& s) {
       s.event("running-too-long", "cleanup", "R");
       s.history.runs["R"].run = {.id = "R", .job = "cleanup", .started = now - 5h};
     },
     {"ops running-too-long: production: cleanup has been running for 5 h"}},
    {"it_has_ended_meanwhile",
     [](Story& s) {
       s.event("running-too-long", "cleanup", "R");
       s.history.runs["R"].run = {.id = "R", .job = "cleanup", .started = now - 5h, .ended = now};
     },
     {}},
    // Notices of other rooms.
    {"backup_stale",
     [](Story& s) { s.event("backup-stale", "backup", "", R"({"text":"the newest backup is 3 days old"})"); },
     {"ops backup-stale: production: backup: the newest backup is 3 days old"}},
    {"secret_rotated",
     [](Story& s) { s.event("secret-rotated", "rotate-secrets", "", R"({"text":"API_KEY was rotated"})"); },
     {"ops secret-rotated: production: rotate-secrets: API_KEY was rotated"}},
    // Tests go where they are sent, whatever the rules say.
    {"test",
     [](Story& s) { s.event("test", "", "", R"({"channel":"quiet","by":"anna"})"); },
     {"quiet test: production: the channel quiet works"}},
    {"test_of_a_channel_that_is_not_there", [](Story& s) { s.event("test", "", "", R"({"channel":"loud"})"); }, {}},
    // Pings.
    {"ping_of_a_start",
     [](Story& s) {
       s.pings();
       s.ended(Status::running);
       s.events[0].kind = "run-begun";
     },
     {"ping:cleanup ping-start: production: cleanup begins"}},
    {"ping_of_a_success",
     [](Story& s) {
       s.pings();
       s.ended(Status::succeeded);
     },
     {"ping:cleanup ping-success: production: cleanup succeeded"}},
    {"ping_of_a_failure",
     [](Story& s) {
       s.pings();
       s.ended(Status::failed);
     },
     {"ping:cleanup ping-fail: production: cleanup failed", "ops failed: production: cleanup failed"}},
    {"ping_of_a_failure_is_never_grouped",
     [](Story& s) {
       s.pings();
       s.failed_before(1, now - 1h, now - 1h);
       s.ended(Status::failed);
     },
     {"ping:cleanup ping-fail: production: cleanup failed"}},
    {"ping_of_a_failure_that_a_retry_follows",
     [](Story& s) {
       s.pings();
       s.ended(Status::failed).retry_follows = true;
     },
     {}},
    {"ping_of_a_cancelled_run",
     [](Story& s) {
       s.pings();
       s.ended(Status::cancelled);
     },
     {"ping:cleanup ping-fail: production: cleanup cancelled"}},
    {"no_ping_of_a_part_of_the_job",
     [](Story& s) {
       s.pings();
       s.ended(Status::succeeded).run.scope = "purge-logs";
     },
     {}},
    {"no_ping_of_another_job",
     [](Story& s) {
       s.pings();
       s.ended(Status::succeeded, {}, "backup");
     },
     {}},
    // What nobody knows of is dealt with all the same.
    {"another_kind", [](Story& s) { s.event("moon-risen"); }, {}},
    {"a_run_that_is_gone", [](Story& s) { s.event("run-ended", "cleanup", "gone"); }, {}},
    {"details_that_are_none",
     [](Story& s) {
       s.at = now - 10s;
       s.event("tick-missed", "cleanup", "", "[not json");
     },
     {"ops missed: production: cleanup missed its start of 2026-11-23T02:59:50Z"}},
};
INSTANTIATE_TEST_SUITE_P(Notify, Rules, testing::ValuesIn(cases), [](const auto& one) { return one.param.name; });

TEST(NotifyRules, EventsOfADigestWaitForOthersUpToTenSecondsAndNothingElseDoes) {
  Story story;
  story.at = now - 9s;
  story.event("tick-missed", "cleanup");
  story.at = now;
  story.event("late", "backup", "R");
  story.ended(Status::failed);
  const Decided decided = story.decided();
  EXPECT_THAT(decided.events, ElementsAre(3));
  EXPECT_EQ(told(decided), std::vector<std::string>{"ops failed: production: cleanup failed"});
  EXPECT_EQ(decided.again, now + 1s);
}

TEST(NotifyRules, AnEventThatIsDatedInTheFutureIsNotWaitedFor) {
  Story story;
  story.at = now + 1h;
  story.event("tick-missed", "cleanup");
  EXPECT_EQ(story.decided().deliveries.size(), 1U);
}

TEST(NotifyRules, ADeliveryNamesAllEventsThatItTellsOf) {
  Story story;
  story.ended(Status::failed);
  story.ended(Status::succeeded, {}, "backup");
  story.ended(Status::failed);
  const Decided decided = story.decided();
  ASSERT_EQ(decided.deliveries.size(), 1U);
  EXPECT_THAT(decided.deliveries[0].events, ElementsAre(1, 3));
  EXPECT_EQ(decided.deliveries[0].job, "cleanup");
  EXPECT_EQ(decided.deliveries[0].made, now);
  EXPECT_EQ(decided.deliveries[0].due, now);
}

TEST(NotifyRules, WhatSeveralRulesSendToAChannelComesOnce) {
  Story story;
  story.settings.rules.push_back({.topics = {Topic::failed}});
  story.ended(Status::failed);
  EXPECT_THAT(told(story.decided()),
              ElementsAre("ops failed: production: cleanup failed", "quiet failed: production: cleanup failed"));
}

TEST(NotifyRules, AChannelIsToldOnlyOfTheJobsOfItsRules) {
  Story story;
  story.settings.rules = {{.topics = {Topic::missed}, .jobs = {"backup"}, .channels = {"quiet"}},
                          {.topics = {Topic::missed}, .channels = {"ops"}}};
  story.at = now - 10s;
  story.event("tick-missed", "backup", "", R"({"due":"2026-11-23T00:00:00Z"})");
  story.event("tick-missed", "cleanup");
  EXPECT_THAT(told(story.decided()),
              ElementsAre("ops missed: production: 2 starts were missed",
                          "quiet missed: production: backup missed its start of 2026-11-23T00:00:00Z"));
}

TEST(NotifyRules, TheSameEventsHaveTheSameMessageIdOnAChannelWhoeverDecidesAndWhenever) {
  Story story;
  story.settings.rules.push_back({.topics = {Topic::failed}});
  story.ended(Status::failed);
  const auto id_of = [](const ledger::Delivery& delivery) { return message_from_json(delivery.message)->id; };
  const Decided first = story.decided();
  const Decided later = decide(story.settings, story.events, story.history, now + 1h);
  EXPECT_EQ(id_of(first.deliveries[0]), id_of(later.deliveries[0]));
  EXPECT_NE(id_of(first.deliveries[0]), id_of(first.deliveries[1]));
  EXPECT_THAT(id_of(first.deliveries[0]), testing::MatchesRegex("n-[0-9a-f]{24}"));
}

TEST(NotifyRules, NoMessageHoldsAnAddress) {
  Story story;
  story.pings();
  story.ended(Status::failed);
  const Decided decided = story.decided();
  ASSERT_EQ(decided.deliveries.size(), 2U);
  for (const ledger::Delivery& delivery : decided.deliveries) {
    EXPECT_THAT(delivery.message, testing::Not(HasSubstr("https://slack")));
    EXPECT_THAT(delivery.message, testing::Not(HasSubstr("https://hc")));
  }
}

TEST(NotifyRules, WithoutChannelsEventsAreDealtWithAndNobodyIsTold) {
  Story story;
  story.settings = {};
  story.ended(Status::failed);
  const Decided decided = story.decided();
  EXPECT_THAT(decided.deliveries, IsEmpty());
  EXPECT_THAT(decided.events, ElementsAre(1));
}

}  // namespace
}  // namespace steward::notify
