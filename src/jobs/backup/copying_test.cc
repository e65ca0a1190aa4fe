// Which backups go to the second store, and what growth says.
#include "jobs/backup/copying.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steward::backup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Instant noon = std::chrono::sys_days{std::chrono::year{2026} / 11 / 29} + std::chrono::hours{12};

Backup of_day(int days_ago, std::uint64_t bytes = 100, bool bad = false) {
  Backup backup{.manifest = {.name = "app", .run = "run" + std::to_string(days_ago)}};
  backup.manifest.begun = noon - std::chrono::days{days_ago};
  backup.manifest.objects = {{.key = "dump.pgc.zst", .size = Bytes{bytes}}};
  if (bad) backup.proofs = {{.depth = Depth::bytes, .at = noon, .faults = {"other bytes"}}};
  return backup;
}
std::vector<Backup> of_days(std::initializer_list<int> days) {
  std::vector<Backup> out;
  for (const int day : days) out.push_back(of_day(day));
  return out;
}

TEST(ToCopy, IsAllThatIsNewerThanTheNewestThere) {
  EXPECT_THAT(to_copy(of_days({3, 2, 1, 0}), {}, {}, noon), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(to_copy(of_days({3, 2, 1, 0}), of_days({3, 2}), {}, noon), ElementsAre(2, 3));
  EXPECT_THAT(to_copy(of_days({3, 2, 1, 0}), of_days({0}), {}, noon), IsEmpty()) << "what was removed there stays so";
  EXPECT_THAT(to_copy({}, of_days({1}), {}, noon), IsEmpty());
}

TEST(ToCopy, IsNothingThatTheRulesThereWouldRemoveAtOnce) {
  EXPECT_THAT(to_copy(of_days({3, 2, 1, 0}), {}, {.last = 2}, noon), ElementsAre(2, 3));
  EXPECT_THAT(to_copy(of_days({40, 20, 10, 0}), of_days({50}), {.monthly = 2}, noon), ElementsAre(0, 3))
      << "the newest of October and of November";
}

TEST(ToCopy, IsNoBackupWhoseProofFailed) {
  const std::vector<Backup> here{of_day(2), of_day(1, 100, true), of_day(0)};
  EXPECT_THAT(to_copy(here, {}, {}, noon), ElementsAre(0, 2));
}

TEST(ToRepair, IsWhatIsGoodHereAndWasFoundBadThere) {
  const std::vector<Backup> here{of_day(3), of_day(2, 100, true), of_day(1), of_day(0)};
  const std::vector<Backup> there{of_day(4, 100, true), of_day(3, 100, true), of_day(2, 100, true), of_day(1)};
  EXPECT_THAT(to_repair(here, there), ElementsAre(0));
  EXPECT_THAT(to_copy(here, there, {}, noon), ElementsAre(3)) << "what is there already is no new copy";
  EXPECT_THAT(to_repair(here, {}), IsEmpty());
}

TEST(ToCopy, IsNotHeldUpByACopyWhoseManifestCannotBeRead) {
  std::vector<Backup> there = of_days({2});
  there.push_back(
      {.manifest = {.name = "app", .run = "run1", .begun = noon}, .proofs = {{.at = noon, .faults = {"no manifest"}}}});
  EXPECT_THAT(to_copy(of_days({2, 1, 0}), there, {}, noon), ElementsAre(2));
  EXPECT_THAT(to_repair(of_days({2, 1, 0}), there), ElementsAre(1));
}

TEST(Growth, IsToldFromTheLastMonth) {
  EXPECT_EQ(text_of(growth({})), "0 backups with 0 B");
  EXPECT_EQ(text_of(growth(of_days({0}))), "1 backup with 100 B");
  EXPECT_EQ(text_of(growth(std::vector{of_day(0), of_day(0)})), "2 backups with 200 B") << "of one day alone";
  std::vector<Backup> nightly;
  for (int day = 59; day >= 0; --day) nightly.push_back(of_day(day, day > 30 ? 1 : 100));
  const Growth month = growth(nightly);
  EXPECT_EQ(month.backups, 60U);
  EXPECT_EQ(month.bytes.count, 31 * 100 + 29 * 1U);
  EXPECT_EQ(month.monthly->count, 3000U) << "what is older says nothing";
  EXPECT_EQ(growth(of_days({2, 1, 0})).monthly->count, 3000U);
}

}  // namespace
}  // namespace steward::backup
