// What servers make of an object lock, and that it can be looked at and set.
#include "io/object/object_lock.h"

#include <gmock/gmock.h>

#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::object {
namespace {
using namespace std::chrono_literals;
using testing::HasSubstr;

struct ObjectLock : testing::TestWithParam<const char*> {
  const StoreTarget target = new_bucket(GetParam(), {{"x-amz-bucket-object-lock-enabled", "true"}});
  ObjectLocks locks = ObjectLocks::of(target, test_tuning()).value();
  const Instant tomorrow = std::chrono::floor<std::chrono::seconds>(SystemClock().now()) + 24h;

  void put(const std::string& key, std::optional<Instant> until) const {
    StringSource source("evidence");
    const auto written = opened(target)->put(key, source, {.size = Bytes{8}, .locked_until = until});
    ASSERT_TRUE(written) << written.error().message;
  }
};
INSTANTIATE_TEST_SUITE_P(Object, ObjectLock, testing::Values("STEWARD_TEST_S3_VERSITY", "STEWARD_TEST_S3_RGW"),
                         [](const auto& server) { return std::string(server.param).substr(16); });

TEST_P(ObjectLock, IsSeenAsItWasAskedFor) {
  put("below/a b+ä", tomorrow);
  EXPECT_EQ(locks.until("below/a b+ä").value(), tomorrow);
}

TEST_P(ObjectLock, OfWhatHasNoneIsNothingAndCanBeSet) {
  put("free", {});
  EXPECT_EQ(locks.until("free").value(), std::nullopt);
  const auto set = locks.set("free", tomorrow);
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(locks.until("free").value(), tomorrow);
  EXPECT_FALSE(locks.set("free", tomorrow - 12h)) << "it is never made shorter";
  ASSERT_TRUE(locks.set("free", tomorrow + 12h));
  EXPECT_EQ(locks.until("free").value(), tomorrow + 12h);
}

TEST_P(ObjectLock, InGovernanceModeIsNone) {
  ask(target, {.method = "PUT",
               .key = "k",
               .headers = {{"x-amz-object-lock-mode", "GOVERNANCE"},
                           {"x-amz-object-lock-retain-until-date", format_instant(tomorrow)}},
               .body = "evidence"});
  EXPECT_EQ(locks.until("k").value(), std::nullopt);
}

TEST_P(ObjectLock, OfAKeyThatIsNotThereIsNotFound) {
  const auto none = locks.until("never/was");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Kind::not_found) << none.error().message;
  EXPECT_THAT(none.error().message, HasSubstr("never/was"));
}

TEST(ObjectLockOfAFolder, IsBadInput) {
  EXPECT_EQ(ObjectLocks::of({.url = "file:///tmp"}).error().kind, Kind::bad_input);
}

}  // namespace
}  // namespace steward::object
