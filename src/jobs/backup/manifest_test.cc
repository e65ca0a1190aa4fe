#include "jobs/backup/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "io/files/scratch.h"
#include "jobs/backup/by_hand.h"

namespace steward::backup {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

const Instant then = *parse_instant("2026-11-29T00:00:01.5Z");

Manifest some(const std::string& run = "20261129T000000Z-4f2a91", const std::string& name = "app") {
  return {.name = name,
          .run = run,
          .database = "postgresql://app@db/app",
          .identity = "7/16385",
          .server = "PostgreSQL 15.18",
          .client = "pg_dump (PostgreSQL) 15.18",
          .encoding = "UTF8",
          .database_size = 17_MiB,
          .snapshot = "743:743:",
          .lsn = "0/4D9F070",
          .begun = then,
          .ended = then + 5s,
          .objects = {{.key = "globals.sql.zst", .size = 3_B, .uncompressed = 9_B, .sha256 = "aa"},
                      {.key = "dump.pgc.zst", .size = 5_B, .uncompressed = 70_B, .sha256 = "bb"}},
          .tables = 3,
          .rows = 17,
          .large_objects = 1,
          .steward = "0.1.0",
          .by_hand = {"cat it"}};
}

struct BackupsInAStore : testing::Test {
  files::Scratch scratch{};
  std::unique_ptr<object::Store> store = object::open({.url = "file://" + scratch.path()}).value();
  void put(const std::string& key, const std::string& text) const {
    StringSource source(text);
    ASSERT_TRUE(store->put(key, source));
  }
  void put(const Manifest& manifest) const { put(manifest.key_of(manifest_key), to_json(manifest).dump()); }
};

TEST(BackupManifest, ComesBackAsItWasWritten) {
  const Manifest manifest = some();
  const Manifest read = manifest_from(to_json(manifest).dump()).value();
  EXPECT_EQ(to_json(read), to_json(manifest));
  EXPECT_EQ(read.begun, then);
  EXPECT_EQ(read.size(), 8_B);
  EXPECT_EQ(read.id(), "app/20261129T000000Z-4f2a91");
}

TEST(BackupManifest, OfANewerFormatIsRefusedAndNoneIsCorrupt) {
  nlohmann::json document = to_json(some());
  document["format"] = 4;
  document.erase("sha256");
  EXPECT_EQ(manifest_from(document.dump()).error().code, "backup-newer");
  for (const char* text : {"", "{", "{}", R"({"kind":"steward-backup","format":1})", R"({"kind":"other"})"})
    EXPECT_EQ(manifest_from(text).error().kind, Kind::corrupt) << text;
}

TEST(BackupManifest, OfWhichAnyBitIsAnotherIsCorrupt) {
  const std::string whole = to_json(some()).dump(2) + '\n';
  ASSERT_TRUE(manifest_from(whole));
  for (std::size_t i = 0; i < whole.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string broken = whole;
      broken[i] = static_cast<char>(broken[i] ^ (1 << bit));
      const auto read = manifest_from(broken);
      ASSERT_FALSE(read) << "bit " << bit << " of byte " << i;
      ASSERT_EQ(read.error().kind, Kind::corrupt) << "bit " << bit << " of byte " << i;
    }
}

TEST(BackupManifest, OfAnEarlierFormatNeedsNoHash) {
  nlohmann::json earlier = to_json(some());
  earlier["format"] = 2;
  EXPECT_FALSE(manifest_from(earlier.dump())) << "what it has is looked at";
  earlier.erase("sha256");
  ASSERT_TRUE(manifest_from(earlier.dump()));
  EXPECT_EQ(manifest_from(earlier.dump())->run, some().run);
}

TEST_F(BackupsInAStore, AreThoseThatHaveAManifestTheOldestFirst) {
  Manifest later = some("20261130T000000Z-000001");
  later.begun = then + 24h;
  put(later);
  put(some());
  put("app/20261128T000000Z-000002/dump.pgc.zst", "half");
  put("other.txt", "not ours");
  put("a/b/c/manifest.json", "not ours");
  const std::vector<Backup> all = list_backups(*store).value();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].manifest.run, some().run);
  EXPECT_EQ(all[1].manifest.run, later.run);
  EXPECT_THAT(list_backups(*store, "ap").value(), IsEmpty());
}

TEST_F(BackupsInAStore, OfWhichOneIsBrokenAreSeenAllTheSame) {
  put(some());
  put("app/20261128T000000Z-000002/manifest.json", "{");
  put(some().key_of("proof-20261129T000000Z.json"), "");
  const std::vector<Backup> all = list_backups(*store).value();
  ASSERT_THAT(all, SizeIs(2));
  const bool first_is_good = all[0].manifest.run == some().run;
  EXPECT_EQ(all[first_is_good ? 0 : 1].standing(), "not proved") << "a proof that cannot be read proves nothing";
  const Backup& broken = all[first_is_good ? 1 : 0];
  EXPECT_EQ(broken.standing(), "bad");
  EXPECT_EQ(broken.manifest.id(), "app/20261128T000000Z-000002");
  EXPECT_THAT(broken.proofs[0].faults[0], testing::HasSubstr("cannot be read"));
}

TEST_F(BackupsInAStore, AreFoundByTheBeginningOfTheirNames) {
  put(some());
  Manifest other = some("20261129T000000Z-77", "shop");
  other.begun = then + 1h;
  put(other);
  EXPECT_EQ(find_backup(*store, "app/2026").value().manifest.name, "app");
  EXPECT_EQ(find_backup(*store, "20261129T000000Z-7").value().manifest.name, "shop");
  EXPECT_EQ(find_backup(*store, "latest", "app").value().manifest.name, "app");
  EXPECT_EQ(find_backup(*store, "app/latest", "shop").value().manifest.name, "app");
  EXPECT_EQ(find_backup(*store, "latest").error().hint, "Say of which you mean the newest, as in shop/latest.");
  EXPECT_EQ(find_backup(*store, "latest", "renamed").error().kind, Kind::bad_input);
  EXPECT_EQ(find_backup(*store, "none/latest").error().kind, Kind::not_found);
  EXPECT_EQ(find_backup(*store, "2026").error().kind, Kind::bad_input);
  EXPECT_EQ(find_backup(*store, "2027").error().kind, Kind::not_found);
}

TEST_F(BackupsInAStore, OfOneNameHaveOneNewestHoweverTheDatabaseIsCalledNow) {
  put(some());
  Manifest later = some("20261130T000000Z-000001");
  later.begun = then + 24h;
  put(later);
  EXPECT_EQ(find_backup(*store, "latest").value().manifest.run, later.run);
  EXPECT_EQ(find_backup(*store, "latest", "renamed").value().manifest.run, later.run);
}

TEST_F(BackupsInAStore, AreWhatTheirLastProofSays) {
  put(some());
  const auto standing = [&] { return std::string(list_backups(*store).value()[0].standing()); };
  EXPECT_EQ(standing(), "not proved");
  ASSERT_TRUE(write_proof(*store, some(), {.depth = Depth::bytes, .at = then + 1h}));
  EXPECT_EQ(standing(), "read");
  ASSERT_TRUE(write_proof(*store, some(), {.depth = Depth::restore, .at = then + 2h}));
  EXPECT_EQ(standing(), "restored");
  ASSERT_TRUE(write_proof(*store, some(), {.depth = Depth::bytes, .at = then + 3h, .faults = {"short"}}));
  EXPECT_EQ(standing(), "bad");
  ASSERT_TRUE(write_proof(*store, some(), {.depth = Depth::bytes, .at = then + 4h}));
  EXPECT_EQ(standing(), "read") << "what was restored before the fault says nothing any more";
}

TEST_F(BackupsInAStore, DebrisIsWhatHasNoManifestAndIsOldAltogether) {
  put(some());
  put(some().key_of("dump.pgc.zst"), "whole");
  put("app/20261128T000000Z-000002/dump.pgc.zst", "half");
  put("other/20261128T000000Z-000002/dump.pgc.zst", "half");
  const Instant now = SystemClock().now();
  EXPECT_THAT(debris(*store, "app", now - 1h).value(), IsEmpty());
  const auto old = debris(*store, "app", now + 1h).value();
  ASSERT_THAT(old, SizeIs(1));
  EXPECT_EQ(old[0].key, "app/20261128T000000Z-000002/dump.pgc.zst");
}

TEST(ByHand, AreTheCommandsOfStockPrograms) {
  EXPECT_THAT(
      by_hand(some(), "s3://backups/app's"),
      ElementsAre(
          R"(aws s3 cp 's3://backups/app'\''s/app/20261129T000000Z-4f2a91/globals.sql.zst' - | zstd -d | psql -X -d "$TARGET")",
          R"(aws s3 cp 's3://backups/app'\''s/app/20261129T000000Z-4f2a91/dump.pgc.zst' - | zstd -d | pg_restore --exit-on-error -d "$TARGET")"));
  EXPECT_THAT(by_hand({.name = "app", .run = "r", .objects = {{.key = "database.sqlite.zst"}}}, "file:///srv/b"),
              ElementsAre("cat /srv/b/app/r/database.sqlite.zst | zstd -d -o restored.db"));
}

}  // namespace
}  // namespace steward::backup
