#include "core/instant.h"

#include <gtest/gtest.h>

#include <vector>

namespace steward {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;

constexpr Instant at(int y, unsigned mo, unsigned d, int h = 0, int mi = 0, int s = 0, int us = 0) {
  return sys_days{year{y} / month{mo} / day{d}} + hours{h} + minutes{mi} + seconds{s} + microseconds{us};
}

struct Case {
  std::string text;
  Instant instant;
};

TEST(Instant, IsShownAsRfc3339InUtc) {
  const std::vector<Case> table{
      {"1970-01-01T00:00:00Z", Instant{}},
      {"2026-11-23T01:00:00Z", at(2026, 11, 23, 1)},
      {"2026-11-23T01:00:00.25Z", at(2026, 11, 23, 1, 0, 0, 250'000)},
      {"2026-11-23T01:00:00.000001Z", at(2026, 11, 23, 1, 0, 0, 1)},
      {"2024-02-29T23:59:59.999999Z", at(2024, 2, 29, 23, 59, 59, 999'999)},
      {"1969-12-31T23:59:59.999999Z", Instant{} - 1us},
      {"0001-01-01T00:00:00Z", at(1, 1, 1)},
      {"9999-12-31T23:59:59Z", at(9999, 12, 31, 23, 59, 59)},
  };
  for (const Case& row : table) {
    EXPECT_EQ(format_instant(row.instant), row.text);
    EXPECT_EQ(parse_instant(row.text), row.instant) << row.text;
  }
}

TEST(Instant, HasACompactFormForNames) {
  EXPECT_EQ(format_compact(at(2026, 11, 23, 1)), "20261123T010000Z");
  EXPECT_EQ(format_compact(at(2026, 11, 23, 1, 2, 3, 999'999)), "20261123T010203Z");
  EXPECT_EQ(format_compact(Instant{} - 1us), "19691231T235959Z");
}

TEST(Instant, IsReadInTheFormsThatDatabasesWrite) {
  const Instant one = at(2026, 11, 23, 1);
  const std::vector<Case> table{
      {"2026-11-23T01:00:00Z", one},
      {"2026-11-23t01:00:00z", one},
      {"2026-11-23 01:00:00", one},
      {"2026-11-23 01:00", one},
      {"  2026-11-23 01:00:00 \n", one},
      {"2026-11-23 01:00:00.0", one},
      {"2026-11-23 02:00:00+01", one},
      {"2026-11-23 02:00:00+0100", one},
      {"2026-11-23 02:00:00+01:00", one},
      {"2026-11-23 02:00:00 +01:00", one},
      {"2026-11-22 20:30:00-04:30", one},
      {"2026-11-23 01:00:00-00", one},
      {"2026-11-23T01:00:00.123456Z", one + 123'456us},
      {"2026-11-23T01:00:00,5Z", one + 500ms},
      {"2026-11-23T01:00:00.1234569Z", one + 123'456us},
      {"2026-11-23T24:00:00Z", at(2026, 11, 24)},
      {"2016-12-31T23:59:60Z", at(2017, 1, 1)},
      {"1890-01-01 00:19:32+00:19:32", at(1890, 1, 1, 0, 0, 32)},
  };
  for (const Case& row : table) EXPECT_EQ(parse_instant(row.text), row.instant) << row.text;
}

TEST(Instant, ADateAloneIsItsEnd) {
  EXPECT_EQ(parse_instant("2026-11-23"), at(2026, 11, 24));
  EXPECT_EQ(parse_instant("2024-02-28"), at(2024, 2, 29));
  EXPECT_EQ(parse_instant("2026-12-31"), at(2027, 1, 1));
}

TEST(Instant, AnythingElseIsNone) {
  for (const std::string text : {"",
                                 " ",
                                 "now",
                                 "infinity",
                                 "-infinity",
                                 "2026",
                                 "2026-11",
                                 "2026-13-01",
                                 "2026-02-30",
                                 "2023-02-29",
                                 "2026-00-10",
                                 "26-11-23",
                                 "2026-1-2",
                                 "2026/11/23",
                                 "23.11.2026",
                                 "2026-11-23T",
                                 "2026-11-23T1:00",
                                 "2026-11-23T01",
                                 "2026-11-23T25:00:00Z",
                                 "2026-11-23T24:00:01Z",
                                 "2026-11-23T01:60:00Z",
                                 "2026-11-23T01:00:61Z",
                                 "2026-11-23T01:00:00.Z",
                                 "2026-11-23T01:00:00+1",
                                 "2026-11-23T01:00:00+16:00",
                                 "2026-11-23T01:00:00+01:60",
                                 "2026-11-23T01:00:00 UTC",
                                 "2026-11-23T01:00:00Zx",
                                 "2026-11-23 BC",
                                 "1763859600",
                                 "2026-11-23T01:00:00+01:00:99x",
                                 "+2026-11-23"})
    EXPECT_FALSE(parse_instant(text)) << text;
}

TEST(Instant, EveryDayOfFourHundredYearsComesBack) {
  for (sys_days day = sys_days{year{1800} / 1 / 1}; day < sys_days{year{2200} / 1 / 1}; day += days{1})
    ASSERT_EQ(parse_instant(format_instant(Instant{day} + 1h)), Instant{day} + 1h);
}

struct SpanCase {
  microseconds span;
  std::string text;
};
TEST(Span, IsShownForPeople) {
  const std::vector<SpanCase> table{
      {-1s, "0 s"},
      {0s, "0 s"},
      {999ms, "0 s"},
      {59s, "59 s"},
      {60s, "1 min"},
      {61s, "1 min 1 s"},
      {9min + 59s, "9 min 59 s"},
      {12min + 34s, "12 min"},
      {1h, "1 h"},
      {4h + 10min, "4 h 10 min"},
      {47h + 59min, "47 h 59 min"},
      {48h, "2 days"},
      {days{3} + 1h, "3 days"},
  };
  for (const SpanCase& row : table) EXPECT_EQ(format_span(row.span), row.text);
}

TEST(Clock, AFakeOneStandsStillUntilItIsMoved) {
  FakeClock clock;
  EXPECT_EQ(clock.now(), clock.now());
  clock.time += 24h;
  EXPECT_EQ(clock.now(), Instant{} + 24h);
}

TEST(Clock, TheMachinesOneDoesNotRunBackwardsHere) {
  const SystemClock clock;
  const Instant first = clock.now();
  EXPECT_LE(first, clock.now());
}

}  // namespace
}  // namespace steward
