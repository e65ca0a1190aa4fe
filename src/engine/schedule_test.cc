#include "engine/schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

namespace steward::engine {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;

Instant at(std::string_view text) { return parse_instant(text).value(); }
Zone zone(std::string_view name) { return Zone::load(name).value(); }
Schedule cron(std::string_view text, std::string_view zone_name = "UTC") {
  return {.timing = Cron::parse(text).value(), .zone = zone(zone_name)};
}

/// A YAML flow map would be read like this; only what the tests write.
Node node(std::string text) { return {.kind = Node::Kind::scalar, .text = std::move(text), .at = {"s.yaml", 3, 5}}; }
Node map(std::vector<std::pair<std::string, Node>> members) {
  Node made{.kind = Node::Kind::map, .at = {"s.yaml", 2, 3}};
  for (auto& [key, value] : members)
    made.members.push_back({.key = key, .at = {"s.yaml", 3, 1}, .value = std::move(value)});
  return made;
}
/// The schedule of `cleanup` with these keys, and the mistakes in it.
std::pair<Schedule, std::vector<std::string>> read(std::vector<std::pair<std::string, Node>> members) {
  Node section = map({{"cleanup", map(std::move(members))}});
  std::vector<Error> errors;
  check(section, map_of(schedule_shape()), "jobs", errors);
  if (!errors.empty()) return {Schedule{}, {errors.front().message}};
  auto schedules = read_schedules(section, errors);
  std::vector<std::string> messages;
  for (const Error& error : errors) messages.push_back(error.message);
  return {schedules.at("cleanup"), messages};
}

TEST(Schedules, AreReadWithTheirDefaults) {
  const auto [schedule, errors] = read({{"schedule", node("30 2 * * 1")}});
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(text_of(schedule), "30 2 * * 1");
  EXPECT_EQ(schedule.zone.name(), "UTC");
  EXPECT_EQ(schedule.missed, Missed::latest);
  EXPECT_EQ(schedule.overlap, Overlap::skip);
  EXPECT_EQ(schedule.owner, Owner::steward);
  EXPECT_FALSE(schedule.approval.required);
  EXPECT_EQ(schedule.origin, "s.yaml:2:3");
}

TEST(Schedules, AreReadWithEveryKey) {
  const auto [schedule, errors] = read(
      {{"schedule", map({{"every", node("6h")}})},
       {"time_zone", node("Europe/Berlin")},
       {"dst_gap", node("skip")},
       {"dst_overlap", node("both")},
       {"missed", node("all")},
       {"missed_window", node("12h")},
       {"missed_limit", node("3")},
       {"overlap", node("queue")},
       {"concurrency", node("database")},
       {"jitter", node("10m")},
       {"blackout", map({{"from", node("8:00")}, {"to", node("18:00")}, {"days", node("mon-fri")}})},
       {"max_runtime", node("4h")},
       {"expected_runtime", node("2h")},
       {"retries", node("3")},
       {"pause", map({{"reason", node("moving")}, {"until", node("2027-01-31")}})},
       {"scheduler", node("dagster")},
       {"approval", map({{"when", node("required")}, {"expires_in", node("3 days")}, {"four_eyes", node("true")}})},
       {"start_grace", node("15m")},
       {"nice", node("10")},
       {"memory", node("1 GiB")}});
  EXPECT_EQ(errors, std::vector<std::string>{});
  EXPECT_EQ(text_of(schedule), "every 6 hours");
  EXPECT_EQ(schedule.zone.name(), "Europe/Berlin");
  EXPECT_EQ(schedule.dst, (DstRule{.gap = DstGap::skip, .overlap = DstOverlap::both}));
  EXPECT_EQ(schedule.missed, Missed::all);
  EXPECT_EQ(schedule.missed_window, 12h);
  EXPECT_EQ(schedule.missed_limit, 3U);
  EXPECT_EQ(schedule.overlap, Overlap::queue);
  EXPECT_EQ(schedule.concurrency, "database");
  EXPECT_EQ(schedule.jitter, 10min);
  ASSERT_EQ(schedule.blackouts.size(), 1U);
  EXPECT_EQ(schedule.blackouts[0].text, "8:00 to 18:00 on mon-fri");
  EXPECT_EQ(schedule.max_runtime, 4h);
  EXPECT_EQ(schedule.expected_runtime, 2h);
  EXPECT_EQ(schedule.retries.max, 3U);
  ASSERT_TRUE(schedule.pause);
  EXPECT_EQ(schedule.pause->until, at("2027-01-31T23:00:00Z")) << "the end of that day, in Berlin";
  EXPECT_EQ(schedule.owner, Owner::dagster);
  EXPECT_TRUE(schedule.approval.required);
  EXPECT_TRUE(schedule.approval.four_eyes);
  EXPECT_EQ(schedule.approval.expires_in, 72h);
  EXPECT_EQ(schedule.start_grace, 15min);
  EXPECT_EQ(schedule.nice, 10);
  EXPECT_EQ(schedule.memory, Bytes{1 << 30});
}

TEST(Schedules, ThatAreWrongSayWhereAndWhy) {
  struct Case {
    std::vector<std::pair<std::string, Node>> members;
    std::string message;
  };
  const std::vector<Case> table{
      {{{"schedule", node("0 0 30 2 *")}},
       "s.yaml:3:5: cron \"0 0 30 2 *\": it can never fire: day of month (the third field) is 30, and that month has "
       "at most "
       "29 days"},
      {{{"schedule", map({{"every", node("2 months")}})}}, "s.yaml:3:5: every is a span of time, not calendar months"},
      {{{"schedule", map({{"every", node("30 s")}})}}, "s.yaml:3:5: every is 30 s: expected a minute or more"},
      {{{"schedule", map({{"every", node("6h")}, {"cron", node("@daily")}})}},
       "s.yaml:2:3: a schedule has either cron or every"},
      {{{"time_zone", node("Berlin")}}, "s.yaml:3:5: there is no time zone \"Berlin\" in /usr/share/zoneinfo"},
      {{{"missed", node("never")}}, "s.yaml:3:5: missed is \"never\": expected skip, latest or all"},
      {{{"nice", node("20")}}, "s.yaml:3:5: nice is 20: expected 1 to 19"},
      {{{"memory", node("1 MiB")}}, "s.yaml:3:5: memory is 1 MiB: expected 128 MiB or more"},
      {{{"blackout", map({{"from", node("8")}, {"to", node("18:00")}})}},
       "s.yaml:3:5: \"8\" is neither a time of day nor a date and time"},
      {{{"blackout", map({{"from", node("08:00")}, {"to", node("18:00")}, {"days", node("everyday")}})}},
       "s.yaml:3:5: days is \"everyday\": expected days of the week, as cron writes them"},
      {{{"blackout", map({{"from", node("2026-12-24")}, {"to", node("2026-12-20")}})}},
       "s.yaml:3:5: a blackout ends before it begins"},
      {{{"shedule", node("@daily")}},
       "s.yaml:3:1: unknown key \"shedule\" in job \"cleanup\"; expected schedule, time_zone, dst_gap, dst_overlap, "
       "missed, "
       "missed_window, missed_limit, overlap, concurrency, jitter, blackout, max_runtime, expected_runtime, retries, "
       "pause, "
       "scheduler, "
       "approval, "
       "start_grace, ping, nice or memory"},
  };
  for (const Case& c : table) {
    const auto [schedule, errors] = read(c.members);
    ASSERT_FALSE(errors.empty()) << c.message;
    EXPECT_EQ(errors.front(), c.message);
  }
}

TEST(Schedules, OfAJobThatThereIsNotNameTheNearest) {
  std::vector<Error> errors;
  read_schedules(map({{"back-up", map({})}}), errors);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "s.yaml:3:1: there is no job \"back-up\"");
  EXPECT_EQ(errors[0].hint, "Did you mean \"backup\"?");
}

TEST(Schedules, OfRotateSecretsAlwaysNeedAnApproval) {
  EXPECT_TRUE(built_in_schedules().at("rotate-secrets").approval.required);
  std::vector<Error> errors;
  const auto schedules =
      read_schedules(map({{"rotate-secrets", map({{"approval", map({{"when", node("none")}})}})}}), errors);
  EXPECT_TRUE(schedules.at("rotate-secrets").approval.required);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message, "s.yaml:3:5: this job never runs without an approval");
}

TEST(Blackouts, CoverTheirWindowsInTheSchedulesZone) {
  struct Case {
    Blackout blackout;
    const char* instant;
    bool covered;
  };
  const auto daily = [](minutes from, minutes to, std::uint8_t weekdays) {
    return Blackout{.window = DailyWindow{.from = from, .to = to, .weekdays = weekdays}};
  };
  const Blackout day = daily(8h, 18h, 0b0111110), night = daily(22h, 4h, 0b0000010), whole = daily(0h, 24h, 0b0000001),
                 christmas{.window = OneWindow{.from = at("2026-12-24T12:00:00Z"), .to = at("2026-12-26T12:00:00Z")}};
  const std::vector<Case> table{
      // Monday, 23 November 2026; Berlin is an hour ahead.
      {day, "2026-11-23T06:59:59.9Z", false},     {day, "2026-11-23T07:00:00Z", true},
      {day, "2026-11-23T16:59:59Z", true},        {day, "2026-11-23T17:00:00Z", false},
      {day, "2026-11-22T12:00:00Z", false},       {night, "2026-11-23T20:59:00Z", false},
      {night, "2026-11-23T21:00:00Z", true},      {night, "2026-11-24T02:59:00Z", true},
      {night, "2026-11-24T03:00:00Z", false},     {night, "2026-11-23T02:00:00Z", false},
      {whole, "2026-11-21T23:00:00Z", true},      {whole, "2026-11-22T23:00:00Z", false},
      {christmas, "2026-12-24T11:59:59Z", false}, {christmas, "2026-12-24T12:00:00Z", true},
      {christmas, "2026-12-26T12:00:00Z", false},
  };
  const Zone berlin = zone("Europe/Berlin");
  for (const Case& c : table) EXPECT_EQ(covers(c.blackout, berlin, at(c.instant)), c.covered) << c.instant;
}

TEST(Blackouts, EndAtTheFirstMomentThatTheyDoNotCover) {
  struct Case {
    Blackout blackout;
    const char* instant;
    const char* end;
  };
  const auto daily = [](minutes from, minutes to) {
    return Blackout{.window = DailyWindow{.from = from, .to = to, .weekdays = 0x7f}};
  };
  const Blackout day = daily(8h, 18h), night = daily(22h, 4h), whole = daily(0h, 24h), round = daily(8h, 8h),
                 spring = daily(1h, 2h + 30min),
                 christmas{.window = OneWindow{.from = at("2026-12-24T12:00:00Z"), .to = at("2026-12-26T12:00:00Z")}};
  const std::vector<Case> table{
      {day, "2026-11-23T07:00:00Z", "2026-11-23T17:00:00Z"},
      {day, "2026-11-23T16:59:59.9Z", "2026-11-23T17:00:00Z"},
      {night, "2026-11-23T21:00:00Z", "2026-11-24T03:00:00Z"},
      {night, "2026-11-24T02:59:00Z", "2026-11-24T03:00:00Z"},
      {whole, "2026-11-23T12:00:00Z", "2026-11-23T23:00:00Z"},
      {round, "2026-11-23T07:00:00Z", "2026-11-24T07:00:00Z"},
      {round, "2026-11-23T06:59:00Z", "2026-11-23T07:00:00Z"},
      {christmas, "2026-12-24T12:00:00Z", "2026-12-26T12:00:00Z"},
      // 02:30 does not exist on 29 March, and comes twice on 25 October.
      {spring, "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"},
      {spring, "2026-10-25T00:15:00Z", "2026-10-25T00:30:00Z"},
      {spring, "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"},
  };
  const Zone berlin = zone("Europe/Berlin");
  for (const Case& c : table) {
    EXPECT_TRUE(covers(c.blackout, berlin, at(c.instant))) << c.instant;
    const Instant end = end_of(c.blackout, berlin, at(c.instant));
    EXPECT_EQ(format_instant(end), c.end) << c.instant;
    EXPECT_TRUE(covers(c.blackout, berlin, end - 1us)) << c.instant;
  }
}

TEST(LatestTicks, AreTheNewestAndSayWhetherThereWereMore) {
  const auto shown = [](const Ticks& ticks) {
    std::string text;
    for (const Instant tick : ticks.ticks) text += format_instant(tick) + ' ';
    return text + (ticks.more ? "more" : "all");
  };
  const Schedule daily = cron("0 3 * * *"), minutely = cron("* * * * *"), yearly = cron("@yearly");
  EXPECT_EQ(shown(latest_ticks(daily, at("2026-11-20T03:00:00Z"), at("2026-11-22T03:00:00Z"), 10)),
            "2026-11-21T03:00:00Z 2026-11-22T03:00:00Z all");
  EXPECT_EQ(shown(latest_ticks(daily, at("2025-11-20T03:00:00Z"), at("2026-11-22T02:00:00Z"), 2)),
            "2026-11-20T03:00:00Z 2026-11-21T03:00:00Z more");
  EXPECT_EQ(shown(latest_ticks(daily, at("2026-11-22T03:00:00Z"), at("2026-11-22T04:00:00Z"), 2)), "all");
  EXPECT_EQ(shown(latest_ticks(minutely, at("2000-01-01T00:00:00Z"), at("2026-11-22T02:00:30Z"), 2)),
            "2026-11-22T01:59:00Z 2026-11-22T02:00:00Z more");
  EXPECT_EQ(shown(latest_ticks(yearly, at("2020-06-01T00:00:00Z"), at("2022-06-01T00:00:00Z"), 1)),
            "2022-01-01T00:00:00Z more");
  EXPECT_EQ(shown(latest_ticks(yearly, at("2021-06-01T00:00:00Z"), at("2022-06-01T00:00:00Z"), 1)),
            "2022-01-01T00:00:00Z all");
}

TEST(Jitter, IsTheSameForAJobAndSpreadOverJobs) {
  EXPECT_EQ(jitter_of("cleanup", 0s), 0s);
  EXPECT_EQ(jitter_of("cleanup", 10min), jitter_of("cleanup", 10min));
  std::set<seconds> places;
  for (int i = 0; i < 1000; ++i) {
    const seconds place = jitter_of(fmt::format("job-{}", i), 599s);
    EXPECT_GE(place, 0s);
    EXPECT_LE(place, 599s);
    places.insert(place / 60 * 60);
  }
  EXPECT_EQ(places.size(), 10U) << "each of the ten minutes has some";
}

TEST(Retries, WaitTwiceAsLongEachTimeUpToALimit) {
  const Retries retries{.max = 9, .backoff = 60s, .max_backoff = 600s};
  seconds expected = 60s;
  for (unsigned retry = 1; retry <= 9; ++retry) {
    const seconds delay = retry_delay(retries, retry, "20261123T030000Z-4f2a91");
    EXPECT_GE(delay, expected * 3 / 4);
    EXPECT_LE(delay, expected * 5 / 4);
    expected = std::min(expected * 2, 600s);
  }
  EXPECT_NE(retry_delay(retries, 3, "a"), retry_delay(retries, 3, "b"));
}

TEST(Words, SayWhatCommonExpressionsMean) {
  const std::vector<std::pair<const char*, const char*>> table{
      {"0 3 * * *", "every day at 03:00"},
      {"5 17 * * mon", "every Monday at 17:05"},
      {"0 5 * * 7", "every Sunday at 05:00"},
      {"0 5 * * 1-5", "Monday to Friday at 05:00"},
      {"0 0 1 * *", "on day 1 of every month at 00:00"},
      {"*/15 * * * *", "every 15 minutes of the hour"},
      {"7 * * * *", "every hour at minute 7"},
      {"* * * * *", "every minute"},
      {"@hourly", "hourly"},
      {"0 3 */2 * 1", "0 3 */2 * 1"},
      {"*/15,7 * * * *", "*/15,7 * * * *"},
      {"0 0 1 1 1", "0 0 1 1 1"},
  };
  for (const auto& [text, words] : table) EXPECT_EQ(words_of(cron(text)), words);
  EXPECT_EQ(words_of(Schedule{.timing = Every{24h}}), "every day");
  EXPECT_EQ(words_of(Schedule{.timing = Every{90min}}), "every 90 minutes");
}

}  // namespace
}  // namespace steward::engine
