#include "jobs/backup/keep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "jobs/backup/manifest.h"
#include "jobs/backup/section.h"

namespace steward::backup {
namespace {

using testing::ElementsAre;
using namespace std::chrono_literals;

Instant at(std::string_view text) { return *parse_instant(text); }

Backup made(Instant when) { return {.manifest = {.name = "app", .run = format_compact(when), .begun = when}}; }

/// One each midnight, `nights` of them, the last at `newest`.
std::vector<Backup> nightly(Instant newest, int nights) {
  std::vector<Backup> out;
  for (int i = nights; i-- > 0;) out.push_back(made(newest - std::chrono::days{i}));
  return out;
}

/// The days that stay, the newest first, each with its reason: "29 daily 1".
std::vector<std::string> staying(const std::vector<Backup>& backups, const Keep& keep, Instant now) {
  const std::vector<Verdict> verdicts = decide(backups, keep, now);
  std::vector<std::string> out;
  for (std::size_t i = backups.size(); i-- > 0;)
    if (verdicts[i].stays)
      out.push_back(format_instant(backups[i].manifest.begun).substr(5, 5) + ' ' + verdicts[i].reason);
  return out;
}

const Instant newest = at("2026-11-29T00:00:00Z"), now = newest + 30min;

TEST(Keep, LastAndDailyAreTheNewestOnesOfSo) {
  EXPECT_THAT(staying(nightly(newest, 30), {.last = 2}, now), ElementsAre("11-29 last 1", "11-28 last 2"));
  EXPECT_THAT(staying(nightly(newest, 30), {.last = 1, .daily = 3}, now),
              ElementsAre("11-29 last 1, daily 1", "11-28 daily 2", "11-27 daily 3"));
}

TEST(Keep, OfADayTheNewestStays) {
  const std::vector<Backup> twice{made(newest - 20h), made(newest - 10h), made(newest)};
  EXPECT_THAT(staying(twice, {.daily = 2}, now), ElementsAre("11-29 daily 1", "11-28 daily 2"));
  EXPECT_EQ(decide(twice, {.daily = 2}, now)[1].stays, true) << "14:00 of the 28th";
  EXPECT_EQ(decide(twice, {.daily = 2}, now)[0].reason, "no rule keeps it");
}

TEST(Keep, DaysWithoutABackupDoNotCount) {
  const std::vector<Backup> gaps{made(newest - 240h), made(newest - 120h), made(newest)};
  EXPECT_THAT(staying(gaps, {.daily = 3}, now), ElementsAre("11-29 daily 1", "11-24 daily 2", "11-19 daily 3"));
}

TEST(Keep, WeeksAreThoseOfIso8601AndMonthsAndYearsThoseOfTheCalendar) {
  // 2026-11-29 is a Sunday: the week ends with it. 2026-11-22 is the Sunday before.
  EXPECT_THAT(staying(nightly(newest, 30), {.weekly = 3}, now),
              ElementsAre("11-29 weekly 1", "11-22 weekly 2", "11-15 weekly 3"));
  EXPECT_THAT(staying(nightly(newest, 90), {.monthly = 3}, now),
              ElementsAre("11-29 monthly 1", "10-31 monthly 2", "09-30 monthly 3"));
  EXPECT_THAT(staying(nightly(newest, 400), {.yearly = 2}, now), ElementsAre("11-29 yearly 1", "12-31 yearly 2"));
}

TEST(Keep, TheOldestFillsAPlaceThatIsFreeAsResticHasIt) {
  EXPECT_THAT(staying(nightly(newest, 10), {.monthly = 3}, now), ElementsAre("11-29 monthly 1", "11-20 monthly 2"));
}

TEST(Keep, WithinIsCountedFromTheNewest) {
  const Keep keep{.within = Age{std::chrono::microseconds{48h}}};
  EXPECT_THAT(staying(nightly(newest, 10), keep, newest + 20h),
              ElementsAre("11-29 within 2 days", "11-28 within 2 days", "11-27 within 2 days"));
}

TEST(Keep, OneThatFailedItsProofCountsForNothingAndIsKeptToBeLookedAt) {
  std::vector<Backup> backups = nightly(newest, 5);
  backups[4].proofs = {{.depth = Depth::restore, .at = newest, .faults = {"table t is missing"}}};
  EXPECT_THAT(staying(backups, {.last = 1}, now), ElementsAre("11-29 its proof failed", "11-28 last 1"));
  backups[0].proofs = {{.depth = Depth::bytes, .at = newest - 15 * 24h, .faults = {"short"}}};
  EXPECT_FALSE(decide(backups, {.last = 1}, now)[0].stays);
}

TEST(Keep, TheNewestThatWasRestoredStaysHoweverOld) {
  std::vector<Backup> backups = nightly(newest, 10);
  backups[1].proofs = {{.depth = Depth::restore, .at = newest}};
  backups[2].proofs = {{.depth = Depth::restore, .at = newest}, {.depth = Depth::bytes, .at = newest, .faults = {"x"}}};
  EXPECT_THAT(staying(backups, {.last = 1}, now),
              ElementsAre("11-29 last 1", "11-22 its proof failed", "11-21 the newest that was restored"));
}

TEST(Keep, NothingGoesWhereTheNewestIsStaleOrNoneIsGood) {
  std::vector<Backup> backups = nightly(newest, 5);
  EXPECT_EQ(staying(backups, {.last = 1}, newest + 27h).size(), 5U);
  EXPECT_EQ(decide(backups, {.last = 1}, newest + 27h)[0].reason,
            "the newest backup is stale: nothing goes until there is a new one");
  for (Backup& one : backups) one.proofs = {{.at = newest, .faults = {"x"}}};
  EXPECT_EQ(staying(backups, {.last = 1}, now).size(), 5U);
}

TEST(Keep, WithoutARuleNothingGoes) { EXPECT_EQ(staying(nightly(newest, 50), {}, now).size(), 50U); }

TEST(Keep, IsReadFromAVariable) {
  const Keep keep = parse_keep("last 3,daily 14 , weekly 8, monthly 12, yearly 2, within 7 days").value();
  EXPECT_EQ(text_of(keep), "last 3, daily 14, weekly 8, monthly 12, yearly 2, within 7 days");
  for (const char* text : {"", "daily", "daily 0", "daily -1", "daily 3x", "hourly 3", "daily 3,,"})
    EXPECT_EQ(parse_keep(text).error().kind, Kind::bad_input) << text;
}

}  // namespace
}  // namespace steward::backup
