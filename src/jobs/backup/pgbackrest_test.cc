// What is read out of pgBackRest's words, and decided from them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "jobs/backup/pgbackrest_archiving.h"
#include "jobs/backup/pgbackrest_by_hand.h"
#include "jobs/backup/pgbackrest_info.h"
#include "jobs/backup/pgbackrest_program.h"
#include "jobs/backup/pgbackrest_verify.h"

namespace steward::backup {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const Instant now = *parse_instant("2026-11-30T00:00:00Z");

ClusterBackup of(std::string type, std::chrono::hours age) {
  return {.label = type, .type = type, .begun = now - age, .ended = now - age + 1min};
}

struct TypeCase {
  const char* name;
  TypeRule rule;
  std::vector<ClusterBackup> backups;
  const char* type;
};
void PrintTo(const TypeCase& one, std::ostream* out) { *out << one.name; }

struct TypeOfNext : testing::TestWithParam<TypeCase> {};

TEST_P(TypeOfNext, IsWhatTheRuleSays) {
  const TypeChoice choice = type_of_next(GetParam().rule, GetParam().backups, now);
  EXPECT_EQ(choice.type, GetParam().type);
  EXPECT_NE(choice.reason, "");
}

const Age week{std::chrono::microseconds{168h}}, day{std::chrono::microseconds{24h}};
const TypeCase type_cases[] = {
    {"TheFirst", {}, {}, "full"},
    {"TheFirstWhereOnlyOthersAreThere", {}, {of("incr", 1h)}, "full"},
    {"WithoutRules", {}, {of("full", 9000h)}, "incr"},
    {"BeforeAWeek", {.full = week}, {of("full", 165h)}, "incr"},
    {"OnTheSeventhNightSomeMinutesEarlier", {.full = week}, {of("full", 167h)}, "full"},
    {"AnIncrementIsNoFullOne", {.full = week}, {of("full", 200h), of("incr", 1h)}, "full"},
    {"DifferentialEachDay",
     {.full = week, .differential = day},
     {of("full", 100h), of("diff", 30h), of("incr", 1h)},
     "diff"},
    {"NotTwiceADay", {.full = week, .differential = day}, {of("full", 100h), of("diff", 20h)}, "incr"},
    {"AFullOneIsADifferentialOne", {.full = week, .differential = day}, {of("full", 20h)}, "incr"},
};
INSTANTIATE_TEST_SUITE_P(PgBackRest, TypeOfNext, testing::ValuesIn(type_cases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(PgBackRestWords, ALineOfItsLogHasALevel) {
  EXPECT_EQ(log_line("P00   INFO: new backup label = 20261130-012309F").level, "INFO");
  EXPECT_EQ(log_line("P00   INFO: new backup label = 20261130-012309F").text, "new backup label = 20261130-012309F");
  EXPECT_EQ(log_line("P01 DETAIL: backup file /a (0B, 100.00%)").level, "DETAIL");
  EXPECT_EQ(log_line("status: error").level, "");
  EXPECT_EQ(log_line("").level, "");
}

TEST(PgBackRestWords, AnErrorIsItsOwnWithItsNumberAndHints) {
  const Error otherwise{.kind = Kind::unavailable, .message = "cannot"};
  const Error error = error_said(
      "ERROR: [055]: unable to load info file 'a' or 'b':\n       FileMissingError: unable to open missing file 'a'\n"
      "       HINT: backup.info cannot be opened.\n       HINT: has a stanza-create been performed?\n",
      "back up stanza app", otherwise);
  EXPECT_EQ(
      error.message,
      "pgBackRest cannot back up stanza app: unable to load info file 'a' or 'b':; FileMissingError: unable to open "
      "missing file 'a' (error 055)");
  EXPECT_EQ(error.hint, "backup.info cannot be opened. has a stanza-create been performed?");
  EXPECT_EQ(error_said("ERROR: [050]: unable to acquire lock\n", "x", otherwise).kind, Kind::busy);
  EXPECT_EQ(error_said("ERROR: [031]: invalid option\n", "x", otherwise).kind, Kind::bad_input);
  EXPECT_EQ(error_said("Segmentation fault\n", "x", otherwise), otherwise);
}

TEST(PgBackRestWords, AReportOfVerifyIsReadWhateverItsExitCode) {
  const auto report = verify_report(
      "stanza: app\nstatus: error\n  archiveId: 15-1, total WAL checked: 5, total valid WAL: 4\n"
      "    missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n"
      "  backup: F1, status: valid, total files checked: 967, total valid files: 967\n"
      "    missing: 0, checksum invalid: 0, size invalid: 0, other: 0\n"
      "  backup: F2, status: invalid, total files checked: 967, total valid files: 966\n"
      "    missing: 0, checksum invalid: 1, size invalid: 0, other: 0\n");
  ASSERT_TRUE(report);
  EXPECT_THAT(report->backups, ElementsAre(Pair("F1", ""), Pair("F2", "invalid: checksum invalid: 1")));
  EXPECT_THAT(report->log_faults, ElementsAre("the log of 15-1: 4 of 5 segments are whole (checksum invalid: 1)"));
  EXPECT_EQ(verify_report("").error().kind, Kind::corrupt) << "no report is no proof";
  EXPECT_EQ(verify_report("stanza: app\nstatus: error\n  No usable backup.info file\n").error().kind, Kind::unavailable)
      << "what cannot be reached is not broken";
}

TEST(PgBackRestWords, AGapIsBetweenTwoStretchesOfOneTimeline) {
  LogStretches log;
  EXPECT_EQ(log.gap_before("archiveId: 15-1, wal start: 000000010000000000000001, wal stop: 000000010000000000000004"),
            std::nullopt);
  EXPECT_THAT(log.gap_before("archiveId: 15-1, wal start: 000000010000000000000006, wal stop: 000000010000000000000009")
                  .value_or(""),
              HasSubstr("between 000000010000000000000004 and 000000010000000000000006"));
  EXPECT_EQ(log.gap_before("archiveId: 15-1, wal start: 00000002000000000000000A, wal stop: 00000002000000000000000B"),
            std::nullopt)
      << "another timeline begins";
  EXPECT_EQ(log.gap_before("archiveId: 16-2, wal start: 000000010000000000000001, wal stop: 000000010000000000000004"),
            std::nullopt);
  EXPECT_EQ(log.gap_before("backup file /a (0B, 100.00%)"), std::nullopt);
}

constexpr const char* info_json = R"([{"archive":[{"database":{"id":1,"repo-key":1},"id":"15-1","max":"9","min":"5"}],
"backup":[{"annotation":{"steward-read":"2026-11-30T01:00:00Z","steward-bad":"2026-11-30T02:00:00Z checksum invalid: 1","x":"y"},
"archive":{"start":"7","stop":"7"},"backrest":{"format":5,"version":"2.45"},"database":{"id":1,"repo-key":1},"error":true,
"info":{"delta":100,"repository":{"delta":10,"size":20},"size":200},"label":"20261130-012449F","lsn":{"start":"0/7000028","stop":"0/7000138"},
"prior":null,"reference":null,"timestamp":{"start":1796001889,"stop":1796001931},"type":"full"}],
"cipher":"none","db":[{"id":1,"repo-key":1,"system-id":7713768835735706391,"version":"15"}],"name":"app",
"repo":[{"cipher":"none","key":1,"status":{"code":0,"message":"ok"}}],"status":{"code":0,"lock":{"backup":{"held":false}},"message":"ok"}}])";

TEST(PgBackRestInfo, IsReadWithWhatIsKnownOfABackup) {
  const auto stanza = stanza_from(info_json, "app");
  ASSERT_TRUE(stanza) << stanza.error().message;
  ASSERT_EQ(stanza->backups.size(), 1U);
  const ClusterBackup& one = stanza->backups[0];
  EXPECT_EQ(one.copied, 100_B);
  EXPECT_EQ(one.stored, 10_B);
  EXPECT_EQ(one.cluster, 200_B);
  EXPECT_TRUE(one.has_bad_pages);
  const Backup backup = as_backup(one, *stanza, "2.45");
  EXPECT_TRUE(backup.is_bad()) << "what was found last counts";
  EXPECT_EQ(backup.manifest.id(), "app/20261130-012449F");
  EXPECT_EQ(backup.manifest.size(), 10_B);
  EXPECT_EQ(backup.manifest.identity, "7713768835735706391");
  EXPECT_EQ(find_cluster_backup(*stanza, "app/20261130").value().label, one.label);
  EXPECT_EQ(find_cluster_backup(*stanza, "2027").error().kind, Kind::not_found);
}

TEST(PgBackRestInfo, WhatIsWrongWithAStanzaIsSaid) {
  EXPECT_EQ(stanza_from("[]", "app").error().kind, Kind::not_found);
  EXPECT_EQ(stanza_from("no JSON", "app").error().kind, Kind::corrupt);
  const auto other = stanza_from(
      R"([{"archive":[],"backup":[],"db":[],"name":"app","repo":[{"key":1,"status":{"code":99,"message":"[PathOpenError] no rights"}}],
"status":{"code":99,"message":"other"}}])",
      "app");
  EXPECT_EQ(other.error().message, "the stanza app is not well: other: [PathOpenError] no rights");
}

TEST(PgBackRestInfo, AProofIsKeptAsItIsReadBack) {
  EXPECT_THAT(annotations_of({.depth = Depth::restore, .at = now}),
              ElementsAre("steward-restored=2026-11-30T00:00:00Z", "steward-bad="));
  EXPECT_THAT(annotations_of({.at = now, .faults = {"a", "b"}}), ElementsAre("steward-bad=2026-11-30T00:00:00Z a; b"));
}

TEST(PgBackRestArchiving, IsToldOnlyWhereItDoesNotGoWell) {
  EXPECT_THAT(anomalies({.last_archived = now - 9h, .waiting = 0}, now), IsEmpty())
      << "an idle cluster has nothing to archive";
  EXPECT_THAT(anomalies({.last_archived = now - 1min, .waiting = 3, .waiting_since = now - 1min}, now), IsEmpty());
  EXPECT_THAT(anomalies({.failures = 7, .last_archived = now - 1min, .last_failed = now - 2min}, now), IsEmpty())
      << "it has recovered";
  EXPECT_THAT(
      anomalies({.failures = 7, .last_archived = now - 2h, .last_failed = now - 1min, .last_failed_segment = "09"},
                now),
      ElementsAre("archiving of the write-ahead log fails (7 times, 09 at 2026-11-29T23:59:00Z); the last segment was "
                  "archived at 2026-11-29T22:00:00Z"));
  EXPECT_THAT(
      anomalies({.waiting = 14, .waiting_since = now - 12min}, now),
      ElementsAre(
          "14 segments of the write-ahead log wait to be archived, the first for 12 min; none was archived yet"));
  EXPECT_THAT(anomalies({.is_on = false}, now), ElementsAre(HasSubstr("archive_mode is off")));
  EXPECT_THAT(anomalies({.is_on = false, .is_standby = true}, now), IsEmpty());
}

TEST(PgBackRestByHand, BringsBackAnyMoment) {
  const PgBackRest policy{.stanza = "app", .config = "/etc/pg back.conf", .repo = 2};
  EXPECT_EQ(restore_command(policy, {.label = "F1"}),
            "sudo -u postgres pgbackrest --stanza=app '--config=/etc/pg back.conf' --repo=2 --set=F1 --delta restore");
  EXPECT_EQ(restore_command({.stanza = "app", .user = "pg"}, {.label = "F1", .at = now + 1ms, .to = "/srv/new"}),
            "sudo -u pg pgbackrest --stanza=app --set=F1 --pg1-path=/srv/new --type=time '--target=2026-11-30 "
            "00:00:00.001+00' --target-action=promote restore");
  Stanza stanza{.name = "app", .backups = {of("full", 30h), of("incr", 6h)}};
  EXPECT_EQ(backup_before(stanza, now - 7h).value().type, "full");
  EXPECT_EQ(backup_before(stanza, now).value().type, "incr");
  EXPECT_EQ(backup_before(stanza, now - 40h).error().kind, Kind::not_found);
}

}  // namespace
}  // namespace steward::backup
