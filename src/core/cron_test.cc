#include "core/cron.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace steward {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;

Instant at(std::string_view text) { return parse_instant(text).value(); }
Cron cron(std::string_view text) {
  auto parsed = Cron::parse(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed ? *parsed : Cron::parse("* * * * *").value();
}

std::vector<std::string> firings(std::string_view text, std::string_view zone, Instant after, std::size_t count,
                                 DstRule rule = {}) {
  const Cron parsed = cron(text);
  const Zone there = Zone::load(zone).value();
  std::vector<std::string> result;
  while (result.size() < count) {
    const auto firing = next_firing(parsed, there, rule, after);
    if (!firing) break;
    constexpr std::array marks{"", " after-gap", " first", " second"};
    result.push_back(format_instant(firing->at) + marks.at(static_cast<std::size_t>(firing->dst)));
    after = firing->at;
  }
  return result;
}

using Texts = std::vector<std::string>;

TEST(Cron, FiresWhereAllFieldsMatch) {
  struct Case {
    const char *cron, *after;
    Texts firings;
  };
  const std::vector<Case> table{
      {"* * * * *", "2026-01-01T00:00:00Z", {"2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"}},
      {"* * * * *", "2026-01-01T00:00:59.999999Z", {"2026-01-01T00:01:00Z"}},
      {"0 3 * * *", "2026-01-01T03:00:00Z", {"2026-01-02T03:00:00Z"}},
      {"0 3 * * *", "2026-01-01T02:59:59.5Z", {"2026-01-01T03:00:00Z"}},
      {"*/20 0-1 * * *",
       "2026-01-01T00:10:00Z",
       {"2026-01-01T00:20:00Z", "2026-01-01T00:40:00Z", "2026-01-01T01:00:00Z", "2026-01-01T01:20:00Z",
        "2026-01-01T01:40:00Z", "2026-01-02T00:00:00Z"}},
      {"5-10/2,30 12 * * *",
       "2026-01-01T00:00:00Z",
       {"2026-01-01T12:05:00Z", "2026-01-01T12:07:00Z", "2026-01-01T12:09:00Z", "2026-01-01T12:30:00Z"}},
      {"0 0 1 JAN *", "2026-01-01T00:00:00Z", {"2027-01-01T00:00:00Z"}},
      {"0 0 1 feb-apr/2 *", "2026-01-01T00:00:00Z", {"2026-02-01T00:00:00Z", "2026-04-01T00:00:00Z"}},
      {"0 0 29 2 *", "2026-01-01T00:00:00Z", {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"}},
      {"0 0 29 2 *", "2096-02-29T00:00:00Z", {"2104-02-29T00:00:00Z"}},
      {"0 0 31 * *", "2026-01-31T00:00:00Z", {"2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"}},
      {"0 0 * * 7", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z"}},
      {"0 0 * * Sun", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z"}},
      {"0 0 * * 5-7",
       "2026-01-01T00:00:00Z",
       {"2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-09T00:00:00Z"}},
      {"0 0 * * mon,wed", "2026-01-01T00:00:00Z", {"2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z"}},
      // A union of days, unless one of them starts with a star.
      {"0 0 13 * 5",
       "2026-02-01T00:00:00Z",
       {"2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z",
        "2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z"}},
      {"0 0 30 2 1", "2026-02-20T00:00:00Z", {"2026-02-23T00:00:00Z", "2027-02-01T00:00:00Z"}},
      {"0 0 */2 * 1", "2026-01-01T00:00:00Z", {"2026-01-05T00:00:00Z", "2026-01-19T00:00:00Z"}},
      {"0 0 1-7 * */7", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z", "2026-02-01T00:00:00Z"}},
      {"0 0 1,*/10 * 1",
       "2026-01-01T00:00:00Z",
       {"2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z", "2026-01-12T00:00:00Z"}},
      {"  0\t3  *  *  * ", "2026-01-01T00:00:00Z", {"2026-01-01T03:00:00Z"}},
      {"*/90 * * * *", "2026-01-01T00:00:00Z", {"2026-01-01T01:00:00Z"}},
      {"@hourly", "2026-01-01T00:00:00Z", {"2026-01-01T01:00:00Z"}},
      {"@daily", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
      {"@Midnight", "2026-01-01T00:00:00Z", {"2026-01-02T00:00:00Z"}},
      {"@weekly", "2026-01-01T00:00:00Z", {"2026-01-04T00:00:00Z"}},
      {"@monthly", "2026-01-01T00:00:00Z", {"2026-02-01T00:00:00Z"}},
      {"@yearly", "2026-01-01T00:00:00Z", {"2027-01-01T00:00:00Z"}},
      {"@annually", "2026-01-01T00:00:00Z", {"2027-01-01T00:00:00Z"}},
  };
  for (const Case& c : table) EXPECT_EQ(firings(c.cron, "UTC", at(c.after), c.firings.size()), c.firings) << c.cron;
}

TEST(Cron, HasDebiansRuleWhereClocksChange) {
  struct Case {
    const char *cron, *zone, *after;
    Texts firings;
  };
  const std::vector<Case> table{
      // A gap: right after it, and once.
      {"30 2 * * *",
       "Europe/Berlin",
       "2026-03-28T00:00:00Z",
       {"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z after-gap", "2026-03-30T00:30:00Z"}},
      {"0,30 2 * * *",
       "Europe/Berlin",
       "2026-03-29T00:00:00Z",
       {"2026-03-29T01:00:00Z after-gap", "2026-03-30T00:00:00Z"}},
      {"30 2,3 * * *",
       "Europe/Berlin",
       "2026-03-29T00:00:00Z",
       {"2026-03-29T01:00:00Z after-gap", "2026-03-29T01:30:00Z"}},
      {"0 2,3 * * *",
       "Europe/Berlin",
       "2026-03-29T00:00:00Z",
       {"2026-03-29T01:00:00Z after-gap", "2026-03-30T00:00:00Z"}},
      {"30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", {"2026-03-30T00:30:00Z"}},
      {"30 2 * * 1", "Europe/Berlin", "2026-03-28T00:00:00Z", {"2026-03-30T00:30:00Z"}},
      {"0 0 * * *",
       "America/Santiago",
       "2026-09-05T12:00:00Z",
       {"2026-09-06T04:00:00Z after-gap", "2026-09-07T03:00:00Z"}},
      {"0 0 * * *", "Asia/Beirut", "2026-03-28T12:00:00Z", {"2026-03-28T22:00:00Z after-gap", "2026-03-29T21:00:00Z"}},
      {"30 1 * * *",
       "Antarctica/Troll",
       "2026-03-28T12:00:00Z",
       {"2026-03-29T01:00:00Z after-gap", "2026-03-29T23:30:00Z"}},
      {"15 2 * * *",
       "Australia/Lord_Howe",
       "2026-10-03T00:00:00Z",
       {"2026-10-03T15:30:00Z after-gap", "2026-10-04T15:15:00Z"}},
      // An overlap: the first time.
      {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", {"2026-10-25T00:30:00Z first", "2026-10-26T01:30:00Z"}},
      {"30 2 * * *", "Europe/Berlin", "2026-10-25T00:45:00Z", {"2026-10-26T01:30:00Z"}},
      {"30 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", {"2026-10-26T01:30:00Z"}},
      {"0 3 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", {"2026-10-25T02:00:00Z"}},
      {"0 0 * * *", "America/Santiago", "2026-04-03T12:00:00Z", {"2026-04-04T03:00:00Z", "2026-04-05T04:00:00Z"}},
      {"30 23 * * *",
       "America/Santiago",
       "2026-04-04T12:00:00Z",
       {"2026-04-05T02:30:00Z first", "2026-04-06T03:30:00Z"}},
      {"45 1 * * *",
       "Australia/Lord_Howe",
       "2026-04-04T00:00:00Z",
       {"2026-04-04T14:45:00Z first", "2026-04-05T15:15:00Z"}},
      {"0 1,2 * * *",
       "Antarctica/Troll",
       "2026-10-24T12:00:00Z",
       {"2026-10-24T23:00:00Z first", "2026-10-25T00:00:00Z first", "2026-10-26T01:00:00Z"}},
      // Minute or hour starts with a star: the clock as it goes.
      {"*/20 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", {"2026-03-30T00:00:00Z"}},
      {"*/30 2 * * *",
       "Europe/Berlin",
       "2026-10-24T12:00:00Z",
       {"2026-10-25T00:00:00Z first", "2026-10-25T00:30:00Z first", "2026-10-25T01:00:00Z second",
        "2026-10-25T01:30:00Z second", "2026-10-26T01:00:00Z"}},
      {"0 * * * *",
       "Europe/Berlin",
       "2026-03-28T23:30:00Z",
       {"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}},
      {"0 */2 * * *",
       "Australia/Lord_Howe",
       "2026-10-03T12:00:00Z",
       {"2026-10-03T13:30:00Z", "2026-10-03T17:00:00Z", "2026-10-03T19:00:00Z"}},
      // Jumps that are no summer time: Samoa left 30 December out.
      {"30 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", {"2011-12-29T22:30:00Z", "2011-12-30T22:30:00Z"}},
  };
  for (const Case& c : table)
    EXPECT_EQ(firings(c.cron, c.zone, at(c.after), c.firings.size()), c.firings) << c.cron << ' ' << c.zone;
}

TEST(Cron, HasAnotherRuleWhereOneIsAskedFor) {
  const auto berlin = [](DstRule rule, const char* after, std::size_t count) {
    return firings("30 2 * * *", "Europe/Berlin", at(after), count, rule);
  };
  EXPECT_EQ(berlin({.gap = DstGap::skip}, "2026-03-28T12:00:00Z", 1), (Texts{"2026-03-30T00:30:00Z"}));
  EXPECT_EQ(berlin({.overlap = DstOverlap::second}, "2026-10-24T12:00:00Z", 2),
            (Texts{"2026-10-25T01:30:00Z second", "2026-10-26T01:30:00Z"}));
  EXPECT_EQ(berlin({.overlap = DstOverlap::both}, "2026-10-24T12:00:00Z", 3),
            (Texts{"2026-10-25T00:30:00Z first", "2026-10-25T01:30:00Z second", "2026-10-26T01:30:00Z"}));
  EXPECT_EQ(firings("0,30 2 * * *", "Europe/Berlin", at("2026-10-25T00:15:00Z"), 4, {.overlap = DstOverlap::both}),
            (Texts{"2026-10-25T00:30:00Z first", "2026-10-25T01:00:00Z second", "2026-10-25T01:30:00Z second",
                   "2026-10-26T01:00:00Z"}));
}

TEST(Cron, ThatIsWrongSaysWhichFieldAndWhy) {
  struct Case {
    const char *cron, *message, *hint;
  };
  const std::vector<Case> table{
      {"", "cron \"\": it is empty", "For example: 0 3 * * * is every day at 03:00."},
      {"0 3 * *", "cron \"0 3 * *\": it has 4 fields; expected five: minute, hour, day of month, month, day of week",
       "For example: 0 3 * * * is every day at 03:00."},
      {"0 0 3 * * *",
       "cron \"0 0 3 * * *\": it has 6 fields; expected five: minute, hour, day of month, month, day of week",
       "There are no seconds and no years here."},
      {"60 * * * *", "cron \"60 * * * *\": minute (the first field) is 60: expected 0 to 59", ""},
      {"0 24 * * *", "cron \"0 24 * * *\": hour (the second field) is 24: expected 0 to 23", ""},
      {"0 0 0 * *", "cron \"0 0 0 * *\": day of month (the third field) is 0: expected 1 to 31", ""},
      {"0 0 1 13 *", "cron \"0 0 1 13 *\": month (the fourth field) is 13: expected 1 to 12", ""},
      {"0 0 * * 8", "cron \"0 0 * * 8\": day of week (the fifth field) is 8: expected 0 to 7", ""},
      {"0 0 * * mno", "cron \"0 0 * * mno\": day of week (the fifth field) is \"mno\": expected 0 to 7, or sun to sat",
       "Write 0 to 7, or sun to sat."},
      {"0 0 * * monday",
       "cron \"0 0 * * monday\": day of week (the fifth field) is \"monday\": expected 0 to 7, or sun to sat",
       "Write mon."},
      {"0 0 * mon *", "cron \"0 0 * mon *\": month (the fourth field) is \"mon\": expected 1 to 12, or jan to dec",
       "mon goes into the fifth field, day of week."},
      {"0 0 ? * 1", "cron \"0 0 ? * 1\": day of month (the third field) is \"?\": expected 1 to 31", "Write *."},
      {"0 0 L * *", "cron \"0 0 L * *\": day of month (the third field) is \"L\": expected 1 to 31",
       "There is no last day of the month here: `0 0 1 * *` is the midnight that ends it."},
      {"0 0 * * 5#2", "cron \"0 0 * * 5#2\": day of week (the fifth field) is \"5#2\": expected 0 to 7, or sun to sat",
       "L, W, #, ? and H are other programs' additions: write numbers, ranges, lists and steps."},
      {"5/15 * * * *", "cron \"5/15 * * * *\": minute (the first field) is \"5/15\": a step needs a range",
       "Some programs read 5/15 as 5-59/15, some as 5 alone: write which."},
      {"*/0 * * * *", "cron \"*/0 * * * *\": minute (the first field) has the step \"0\": expected a number above zero",
       ""},
      {"*/ * * * *", "cron \"*/ * * * *\": minute (the first field) has the step \"\": expected a number above zero",
       ""},
      {"1,,2 * * * *", "cron \"1,,2 * * * *\": minute (the first field) has an empty entry", "Write 0 to 59."},
      {"0 22-4 * * *", "cron \"0 22-4 * * *\": hour (the second field) is \"22-4\": it ends before it begins",
       "Write two: 22-23,0-4."},
      {"0 0 * * fri-sun",
       "cron \"0 0 * * fri-sun\": day of week (the fifth field) is \"fri-sun\": it ends before it begins",
       "Sunday at the end is 7: fri-7."},
      {"-5 * * * *", "cron \"-5 * * * *\": minute (the first field) has an empty entry", "Write 0 to 59."},
      {"99999999999999999999 * * * *",
       "cron \"99999999999999999999 * * * *\": minute (the first field) is 99999999999999999999: expected 0 to 59", ""},
      {"0 0 30 2 *",
       "cron \"0 0 30 2 *\": it can never fire: day of month (the third field) is 30, and that month has at most 29 "
       "days",
       "29 in the third field is the last day that there can be."},
      {"0 0 31 4,jun *",
       "cron \"0 0 31 4,jun *\": it can never fire: day of month (the third field) is 31, and those months have at "
       "most 30 "
       "days",
       "30 in the third field is the last day that there can be."},
      {"0 0 31 2 */2",
       "cron \"0 0 31 2 */2\": it can never fire: day of month (the third field) is 31, and that month has at most 29 "
       "days",
       "29 in the third field is the last day that there can be."},
      {"@reboot", "cron \"@reboot\": @reboot is no time: a start of the machine is not a schedule",
       "Run the job from the unit or script that starts the machine: steward run JOB."},
      {"@every 6h", "cron \"@every 6h\": a name stands for all five fields", "Write @every alone."},
      {"@dayly",
       "cron \"@dayly\": there is no such name; expected @hourly, @daily, @midnight, @weekly, @monthly, @yearly or "
       "@annually",
       "Did you mean \"@daily\"?"},
  };
  for (const Case& c : table) {
    const auto parsed = Cron::parse(c.cron);
    ASSERT_FALSE(parsed) << c.cron;
    EXPECT_EQ(parsed.error().kind, Kind::bad_input);
    EXPECT_EQ(parsed.error().message, c.message);
    EXPECT_EQ(parsed.error().hint, c.hint) << c.cron;
  }
}

TEST(Cron, EveryCountsFrom1970) {
  EXPECT_EQ(next_multiple(6h, at("2026-03-29T01:00:00Z")), at("2026-03-29T06:00:00Z"));
  EXPECT_EQ(next_multiple(6h, at("2026-03-29T06:00:00Z")), at("2026-03-29T12:00:00Z"));
  EXPECT_EQ(next_multiple(6h, at("2026-03-29T05:59:59.999999Z")), at("2026-03-29T06:00:00Z"));
  EXPECT_EQ(next_multiple(24h, at("1969-12-31T00:00:00Z")), at("1970-01-01T00:00:00Z"));
  EXPECT_EQ(next_multiple(24h, at("1969-12-30T23:00:00Z")), at("1969-12-31T00:00:00Z"));
}

// --- a walk by minutes ----------------------------------------------------------------------------------------------

/// Debian's cron (cron.c) as it goes through the minutes, with its virtual clock; and what its firings would be under
/// the other rules.
std::set<Instant> walk(const Cron& what, const Zone& zone, DstRule rule, Instant from, Instant to) {
  std::set<Instant> fired;
  std::map<LocalTime, Instant> last_shown;
  const bool wild = what.is_wildcard();
  LocalTime virtual_time = zone.local(from).time;
  for (Instant now = from + 1min; now < to; now += 1min) {
    const LocalTime running = zone.local(now).time;
    const auto difference = duration_cast<minutes>(running - virtual_time).count();
    if (difference == 1 || difference > 180 || difference <= -180) {
      virtual_time = running;
      if (what.matches(running)) fired.insert(now);
    } else if (difference > 1) {
      if (wild && what.matches(running)) fired.insert(now);
      while (virtual_time < running) {
        virtual_time += 1min;
        const bool missed = virtual_time < running;
        if (!wild && what.matches(virtual_time) && !(missed && rule.gap == DstGap::skip)) fired.insert(now);
      }
    } else {
      if (what.matches(running) && (wild || rule.overlap != DstOverlap::first)) fired.insert(now);
    }
    if (!wild && rule.overlap == DstOverlap::second && difference <= 0 && difference > -180)
      fired.erase(last_shown.at(running));
    last_shown[running] = now;
  }
  return fired;
}

struct Dice {
  std::mt19937_64 engine;
  int upto(int most) { return std::uniform_int_distribution<int>(0, most)(engine); }
  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[static_cast<std::size_t>(upto(static_cast<int>(all.size()) - 1))];
  }
  std::string field(int low, int high) {
    const auto value = [&] { return low + upto(high - low); };
    std::string text;
    do {
      if (!text.empty()) text += ',';
      switch (upto(5)) {
        case 0: text += '*'; break;
        case 1: text += fmt::format("*/{}", 1 + upto(high)); break;
        case 2: {
          const int a = value(), b = value();
          text += fmt::format("{}-{}", std::min(a, b), std::max(a, b));
          break;
        }
        case 3: {
          const int a = value(), b = value();
          text += fmt::format("{}-{}/{}", std::min(a, b), std::max(a, b), 1 + upto(5));
          break;
        }
        default: text += std::to_string(value());
      }
    } while (upto(3) == 0);
    return text;
  }
};

TEST(Cron, AgreesWithAWalkThroughTheMinutesByDebiansRule) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::printf("seed %u\n", seed);
  Dice dice{std::mt19937_64{seed}};
  const std::vector<std::string> zones{"Europe/Berlin",     "America/New_York", "Australia/Lord_Howe",
                                       "Antarctica/Troll",  "America/Santiago", "Asia/Beirut",
                                       "Africa/Casablanca", "Europe/Dublin",    "Pacific/Apia",
                                       "Asia/Kathmandu",    "Antarctica/Casey", "Asia/Gaza"};
  int with_firings = 0;
  for (int round = 0; round < 400; ++round) {
    const std::string text =
        fmt::format("{} {} {} {} {}", dice.field(0, 59), dice.field(0, 3 + 20 * dice.upto(1)),
                    dice.upto(2) != 0 ? "*" : dice.field(1, 28), dice.upto(3) != 0 ? "*" : dice.field(1, 12),
                    dice.upto(2) != 0 ? "*" : dice.field(0, 7));
    const auto parsed = Cron::parse(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    const std::string& name = dice.of(zones);
    const Zone zone = Zone::load(name).value();
    const DstRule rule{.gap = DstGap{dice.upto(1)}, .overlap = DstOverlap{dice.upto(2)}};
    // Three days with a change in the middle, where there is one.
    const Instant somewhere = at("2008-01-01T00:00:00Z") + hours{24 * dice.upto(365 * 40)};
    const Instant middle = zone.next_change(somewhere).value_or(OffsetChange{.at = somewhere}).at;
    const Instant from = middle - 36h, to = middle + 36h;
    const auto walked = walk(*parsed, zone, rule, from, to);

    std::set<Instant> found;
    for (Instant now = from;;) {
      const auto next = next_firing(*parsed, zone, rule, now);
      if (!next || next->at >= to) break;
      ASSERT_GT(next->at, now) << text;
      found.insert(next->at);
      now = next->at;
    }
    ASSERT_EQ(found, walked) << text << " in " << name << " about " << format_instant(middle) << " rule "
                             << static_cast<int>(rule.gap) << static_cast<int>(rule.overlap);
    if (!found.empty()) ++with_firings;
    // From any other moment the same follow.
    const Instant any = from + microseconds{dice.upto(72 * 3600 - 1) * 1'000'000LL + dice.upto(999'999)};
    const auto later = found.upper_bound(any);
    const auto next = next_firing(*parsed, zone, rule, any);
    if (later == found.end()) continue;
    ASSERT_EQ(next->at, *later) << text << " in " << name << " after " << format_instant(any);
  }
  EXPECT_GT(with_firings, 50);
}

}  // namespace
}  // namespace steward
