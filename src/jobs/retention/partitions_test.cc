#include "jobs/retention/partitions.h"

#include <gtest/gtest.h>

namespace steward::retention {
namespace {

TEST(PartitionBounds, AreReadAsTheServerWritesThem) {
  EXPECT_EQ(bounds_in("FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00')"),
            (Bounds{"2026-01-01 00:00:00+00", "2026-02-01 00:00:00+00"}));
  EXPECT_EQ(bounds_in("FOR VALUES FROM (0) TO (100)"), (Bounds{"0", "100"}));
  EXPECT_EQ(bounds_in("FOR VALUES FROM ('-5') TO ('100')"), (Bounds{"-5", "100"}));
  EXPECT_EQ(bounds_in("FOR VALUES FROM (MINVALUE) TO ('2026-02-01')"), (Bounds{std::nullopt, "2026-02-01"}));
  EXPECT_EQ(bounds_in("FOR VALUES FROM ('2026-02-01') TO (MAXVALUE)"), (Bounds{"2026-02-01", std::nullopt}));
}

TEST(PartitionBounds, OfOtherKindsAreNone) {
  for (const char* other : {"", "DEFAULT", "FOR VALUES IN ('a', 'b')", "FOR VALUES WITH (modulus 4, remainder 0)",
                            "FOR VALUES FROM (1, 'a') TO (2, 'b')", "FOR VALUES FROM () TO ()"})
    EXPECT_EQ(bounds_in(other), std::nullopt) << other;
}

}  // namespace
}  // namespace steward::retention
