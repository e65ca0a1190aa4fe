#include "jobs/rotation/archive_name.h"

#include <gtest/gtest.h>

namespace steward::rotation {
namespace {

const Instant at = *parse_instant("2026-11-23T01:00:00Z");

TEST(ArchiveName, IsReadAsItIsWritten) {
  for (const ArchiveName& name :
       {ArchiveName{.log = "web.log", .at = at}, ArchiveName{.log = "web.log", .at = at, .number = 12},
        ArchiveName{.log = "web.log", .at = at, .compressed = ".gz"},
        ArchiveName{.log = "a.b.1.log", .at = at, .number = 1, .compressed = ".zst"},
        ArchiveName{.log = "\xff .log", .at = at}}) {
    const auto read = parse_archive_name(name_of(name));
    ASSERT_TRUE(read) << name_of(name);
    EXPECT_EQ(read->log, name.log);
    EXPECT_EQ(read->at, name.at);
    EXPECT_EQ(read->number, name.number);
    EXPECT_EQ(read->compressed, name.compressed);
  }
  EXPECT_EQ(name_of({.log = "web.log", .at = at}), "web.log.20261123T010000Z");
}

TEST(ArchiveName, WhatNobodyHereWouldWriteIsNone) {
  for (const char* name :
       {"", "web.log", ".20261123T010000Z", "web.log.20261123T010000", "web.log.20261123T010000Z.", "web.log.1",
        "web.log.20261323T010000Z", "web.log.20261123T250000Z", "web.log.20260230T010000Z", "web.log.2026-11-23T01:00",
        "web.log.20261123T010000Z.0", "web.log.20261123T010000Z.01", "web.log.20261123T010000Z.xz",
        "web.log.20261123T010000Z.gz.gz", "web.log.20261123t010000z", "web.log.20261123T010000Z.1.2"})
    EXPECT_FALSE(parse_archive_name(name)) << name;
}

TEST(ArchiveName, OfAnArchiveIsNoneOfALog) {
  // A log may be called like an archive's beginning; what stands last is the stamp.
  const auto read = parse_archive_name("web.log.20261122T010000Z.20261123T010000Z");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->log, "web.log.20261122T010000Z");
}

}  // namespace
}  // namespace steward::rotation
