#include "jobs/rotation/decide.h"

#include <gmock/gmock.h>

namespace steward::rotation {
namespace {
using testing::HasSubstr;
using namespace std::chrono_literals;

const LogFile log_file{.path = "web.log", .size = 10_MiB, .cuttable = 8_MiB};
const Reopen reopen{.pid_file = "/run/web.pid", .signal = 10};

LogFile used(Users users) {
  LogFile log = log_file;
  log.users = users;
  return log;
}

TEST(DecideOnALog, WhatNobodyWritesToIsRenamed) {
  for (const Users users : {Users::nobody, Users::readers})
    for (const Writer writer : {Writer::automatic, Writer::rename, Writer::cut, Writer::copytruncate}) {
      const Decision decision = decide({.writer = writer, .reopen = reopen}, used(users), {.can_cut = true});
      EXPECT_EQ(decision.way, Way::rename);
      EXPECT_EQ(decision.reason, "");
      EXPECT_FALSE(decision.reopen) << "there is nobody to tell";
    }
}

TEST(DecideOnALog, AutoTakesTheFirstWayThatLosesNothing) {
  const Policy with_reopen{.reopen = reopen}, without{};
  const auto by_reopen = decide(with_reopen, used(Users::appending), {.can_cut = true});
  EXPECT_EQ(by_reopen.way, Way::rename);
  EXPECT_TRUE(by_reopen.reopen);
  EXPECT_EQ(by_reopen.reason, "");
  EXPECT_EQ(decide(without, used(Users::appending), {.can_cut = true}).way, Way::cut);
  for (const Decision& warned : {decide(without, used(Users::appending), {.can_cut = false}),
                                 decide(without, used(Users::overwriting), {.can_cut = true}),
                                 decide(without, used(Users::unknown), {.can_cut = true})}) {
    EXPECT_EQ(warned.way, Way::rename);
    EXPECT_THAT(warned.reason, HasSubstr("goes on writing into the archive"));
  }
  LogFile unknown = used(Users::unknown);
  unknown.unknown_because = "init (pid 1) cannot be looked into";
  EXPECT_THAT(decide(without, unknown, {.can_cut = true}).reason, HasSubstr(unknown.unknown_because));
}

TEST(DecideOnALog, AWriterThatDoesNotAppendIsNeverCutOrEmptiedUnder) {
  for (const Writer writer : {Writer::cut, Writer::copytruncate}) {
    const Decision decision = decide({.writer = writer}, used(Users::overwriting), {.can_cut = true});
    EXPECT_EQ(decision.way, Way::leave);
    EXPECT_THAT(decision.reason, HasSubstr("hole"));
  }
}

TEST(DecideOnALog, ACutThatCannotBeIsNotAskedFor) {
  EXPECT_EQ(decide({.writer = Writer::cut}, used(Users::appending), {.can_cut = false}).way, Way::leave);
  LogFile small = used(Users::appending);
  small.cuttable = {};
  EXPECT_EQ(decide({.writer = Writer::cut}, small, {.can_cut = true}).reason, "less than a block, which cannot be cut");
  EXPECT_EQ(decide({}, small, {.can_cut = true}).way, Way::leave) << "and stays until it is more";
}

TEST(DecideOnALog, CopytruncateSaysWhatItLoses) {
  const Decision decision = decide({.writer = Writer::copytruncate}, used(Users::appending), {});
  EXPECT_EQ(decision.way, Way::copytruncate);
  EXPECT_THAT(decision.reason, HasSubstr("is lost"));
}

TEST(DecideOnALog, ToAnotherFileSystemGoesWhatNobodyHasOpen) {
  const Ground ground{.can_cut = true, .other_device = true};
  EXPECT_EQ(decide({}, used(Users::nobody), ground).way, Way::move);
  EXPECT_EQ(decide({}, used(Users::appending), ground).way, Way::cut);
  for (const Users users : {Users::readers, Users::unknown, Users::overwriting})
    EXPECT_THAT(decide({}, used(users), ground).reason, HasSubstr("another file system")) << static_cast<int>(users);
  EXPECT_EQ(decide({.reopen = reopen}, used(Users::unknown), ground).way, Way::leave);
}

TEST(DecideOnALog, SomeAreLeftWhoeverHasThem) {
  const Ground ground{.can_cut = true};
  LogFile held = log_file, empty = log_file, linked = log_file;
  held.held = true;
  empty.size = {};
  linked.links = 2;
  EXPECT_EQ(decide({}, held, ground).reason, "held");
  EXPECT_EQ(decide({}, empty, ground).reason, "empty");
  EXPECT_EQ(decide({}, linked, ground).reason, "it has several names (hard links)");
  EXPECT_EQ(decide({.min_size = 11_MiB}, log_file, ground).reason, "smaller than 11 MiB");
  EXPECT_EQ(decide({.min_size = 10_MiB}, log_file, ground).way, Way::rename);
}

TEST(DecideOnALog, WhatWasRotatedJustNowIsSparedUnlessItIsAskedForOrTooLarge) {
  LogFile again = log_file;
  again.just_rotated = true;
  EXPECT_EQ(decide({}, again, {}).reason, "rotated less than 5 min ago");
  EXPECT_EQ(decide({}, again, {.again = true}).way, Way::rename);
  EXPECT_EQ(decide({.max_size = 10_MiB}, again, {}).way, Way::leave);
  EXPECT_EQ(decide({.max_size = 9_MiB}, again, {}).way, Way::rename);
}

Archived archived(const std::string& log, const char* time, Bytes size = 1_MiB) {
  ArchiveName name{.log = log, .at = *parse_instant(time)};
  return {.path = name_of(name), .name = std::move(name), .size = size};
}

std::vector<bool> removed(const Policy& policy, const std::vector<Archived>& archives, const char* cutoff) {
  std::vector<bool> out;
  for (const ArchiveDecision& one : decide(policy, archives, *parse_instant(cutoff))) {
    EXPECT_NE(one.reason, "");
    out.push_back(one.remove);
  }
  return out;
}
using testing::ElementsAre;

TEST(DecideOnArchives, GoByTheTimeInTheirNamesStrictlyBeforeTheCutoff) {
  const std::vector<Archived> all{
      archived("web.log", "2026-11-15T01:00:00Z"), archived("web.log", "2026-11-16T01:00:00Z"),
      archived("web.log", "2026-11-16T01:00:01Z"), archived("web.log", "2027-01-01T00:00:00Z")};
  EXPECT_THAT(removed({}, all, "2026-11-16T01:00:00Z"), ElementsAre(true, false, false, false));
}

TEST(DecideOnArchives, ACountIsOfEachLog) {
  const std::vector<Archived> all{archived("a.log", "2026-11-20T00:00:00Z"), archived("a.log", "2026-11-22T00:00:00Z"),
                                  archived("a.log", "2026-11-21T00:00:00Z"), archived("b.log", "2026-11-19T00:00:00Z")};
  EXPECT_THAT(removed({.keep_count = 2}, all, "2026-11-01"), ElementsAre(true, false, false, false));
}

TEST(DecideOnArchives, BytesAreOfAllAndTheOldestGoFirstWithoutAGap) {
  const std::vector<Archived> all{
      archived("a.log", "2026-11-20T00:00:00Z", 1_KiB), archived("a.log", "2026-11-21T00:00:00Z", 5_MiB),
      archived("b.log", "2026-11-22T00:00:00Z", 4_MiB), archived("a.log", "2026-11-23T00:00:00Z", 4_MiB)};
  EXPECT_THAT(removed({.keep_bytes = 10_MiB}, all, "2026-11-01"), ElementsAre(true, true, false, false));
}

}  // namespace
}  // namespace steward::rotation
