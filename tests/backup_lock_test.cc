// Backups under S3's object lock: nobody can remove one before its time, on servers of either make; and where the store
// does not keep what it was asked, that is seen and said.

#include <gmock/gmock.h>

#include <algorithm>

#include "harness/backed_up.h"
#include "io/http/scripted_server_test_support.h"
#include "io/object/object_lock.h"
#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::harness {
namespace {

using http::Fault;
using http::FaultProxy;
using http::SeenRequest;
using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* denied = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";
constexpr const char* no_lock =
    "<Error><Code>NoSuchObjectLockConfiguration</Code><Message>There is none.</Message></Error>";

object::StoreTarget bucket_with_locks() {
  return object::new_bucket("STEWARD_TEST_S3_VERSITY", {{"x-amz-bucket-object-lock-enabled", "true"}});
}

/// The dump goes up in parts, whose lock Ceph's RGW 16 forgets.
struct LockedBackup : OnEachS3 {
  BackedUp it{DatabaseKind::postgres, BucketKind::versity};
  const object::StoreTarget bucket = bucket_with_locks();
  void SetUp() override {
    it.app.environment["BACKUP_OBJECT_LOCK"] = "2 days";
    it.app.environment["BACKUP_BUCKET"] = bucket.url;
    it.app.sql(
        "create table much as select i, gen_random_uuid() as a, gen_random_uuid() as b, gen_random_uuid() as c from "
        "generate_series(1, 700000) i");
  }
  std::vector<object::ObjectVersion> versions(const object::StoreTarget& target) const {
    std::vector<object::ObjectVersion> out;
    EXPECT_TRUE(object::opened(target)->list_versions("", [&](const object::ObjectVersion& one) -> Result<bool> {
      if (!one.object.key.contains("proof-") && !one.object.key.contains("probe") && !one.marker) out.push_back(one);
      return true;
    }));
    return out;
  }
  /// The times until which the objects are locked that are current, by the server itself.
  void expect_all_locked(const object::StoreTarget& target, std::chrono::hours at_least) const {
    auto locks = object::ObjectLocks::of(target, object::test_tuning()).value();
    for (const object::ObjectVersion& one : versions(target)) {
      const auto until = locks.until(one.object.key);
      ASSERT_TRUE(until) << until.error().message;
      EXPECT_GT(until->value_or(Instant{}), SystemClock().now() + at_least) << one.object.key;
    }
  }
  Answer run_behind(const FaultProxy& proxy) {
    it.app.environment["BACKUP_AWS_ENDPOINT_URL"] = proxy.url();
    Answer answer = it.run();
    it.app.environment.erase("BACKUP_AWS_ENDPOINT_URL");
    return answer;
  }
  json manifest() const {
    StringSink text;
    EXPECT_TRUE(object::opened(bucket)->get(it.list()[0]["id"].get<std::string>() + "/manifest.json", text));
    return json::parse(text.text);
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, LockedBackup, testing::Values(S3Make::versity, S3Make::rgw), name_of);

TEST_P(LockedBackup, CannotBeRemovedBeforeItsTimeByAnybody) {
  it.app.environment["BACKUP_KEEP"] = "last 1";
  for (int i = 0; i < 2; ++i) {
    const Answer made = it.run();
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  }
  ASSERT_THAT(it.list(), SizeIs(2));
  const Answer expired_now = it.app.steward({"run", "backup/backup-database.expire", "--json"});
  EXPECT_EQ(skipped(task(expired_now.json(), "backup-database.expire"), "the store's object lock keeps it"), 1)
      << expired_now.out;
  EXPECT_THAT(it.list(), SizeIs(2));

  expect_all_locked(bucket, std::chrono::hours{47});
  const auto store = object::opened(bucket);
  for (const object::ObjectVersion& version : versions(bucket)) {
    const auto removed = store->remove({.key = version.object.key, .version_id = version.object.version_id});
    EXPECT_FALSE(removed) << version.object.key;
    if (!removed) {
      EXPECT_EQ(removed.error().kind, Kind::permission) << removed.error().message;
    }
  }
  EXPECT_THAT(versions(bucket), SizeIs(8)) << "two backups of four objects";
  EXPECT_EQ(it.verify("restore").exit_code, 0);
}

TEST_P(LockedBackup, HasACopyThatIsLockedToo) {
  const object::StoreTarget copies = bucket_with_locks();
  it.app.environment["BACKUP_COPY_TO"] = copies.url;
  it.app.environment["BACKUP_COPY_OBJECT_LOCK"] = "4 days";
  it.app.environment["BACKUP_COPY_AWS_ENDPOINT_URL"] = copies.s3.endpoint;
  it.app.environment["BACKUP_COPY_AWS_ACCESS_KEY_ID"] = copies.s3.access_key;
  it.app.environment["BACKUP_COPY_AWS_SECRET_ACCESS_KEY"] = copies.s3.secret_key.reveal();
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  expect_all_locked(copies, std::chrono::hours{95});
}

TEST_P(LockedBackup, IsRefusedWhereTheBucketHasNoLock) {
  it.app.environment["BACKUP_BUCKET"] = it.app.bucket_name() + "/backups";
  const json failed = task(it.run().json(), "backup-database");
  EXPECT_EQ(failed["status"], "failed") << failed.dump(1);
  if (GetParam() == S3Make::versity) {  // RGW says no more than that it has failed
    EXPECT_THAT(failed["error"]["hint"].get<std::string>(),
                HasSubstr("Object lock is switched on when a bucket is made"));
  }
  EXPECT_THAT(it.list(), IsEmpty());
  it.app.environment["BACKUP_BUCKET"] = it.app.path("backups");
  const json in_a_folder = task(it.run().json(), "backup-database");
  EXPECT_THAT(in_a_folder["error"]["message"].get<std::string>(), HasSubstr("cannot be locked"));
}

/// A server that forgets the lock of what went up in parts, and lets nobody set it afterwards. (RGW does so by itself.)
TEST_P(LockedBackup, ThatTheStoreDoesNotKeepLockedIsWholeAndFailsAndItsManifestClaimsNothing) {
  const bool forgets = GetParam() == S3Make::rgw;
  const FaultProxy proxy(bucket.s3.endpoint, [&](const SeenRequest& request) {
    if (!request.target.contains("retention=")) return Fault::none();
    if (request.method == "PUT") return Fault::reply(403, denied);
    return !forgets && request.target.contains("dump.pgc") ? Fault::reply(404, no_lock) : Fault::none();
  });
  const Answer made = run_behind(proxy);
  EXPECT_EQ(made.exit_code, 1);
  const json failed = task(made.json(), "backup-database");
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["done"]["items"], 1) << "it is there";
  EXPECT_THAT(failed["error"]["message"].get<std::string>(),
              AllOf(HasSubstr(" is whole, but not locked: "), HasSubstr("dump.pgc.zst")));
  EXPECT_THAT(failed["error"]["hint"].get<std::string>(), HasSubstr("s3:PutObjectRetention"));
  EXPECT_FALSE(manifest().contains("locked_until"));
  EXPECT_EQ(it.verify("restore").exit_code, 0);
}

TEST_P(LockedBackup, OfWhoseLockNobodyMaySeeAnythingIsMadeAndSaysSo) {
  const FaultProxy proxy(bucket.s3.endpoint, [&](const SeenRequest& request) {
    return request.target.contains("retention=") ? Fault::reply(403, denied) : Fault::none();
  });
  const Answer made = run_behind(proxy);
  EXPECT_EQ(made.exit_code, 0) << made.out;
  EXPECT_THAT(task(made.json(), "backup-database")["notes"], Contains(HasSubstr("s3:GetObjectRetention")));
  EXPECT_TRUE(manifest().contains("locked_until")) << "as the server has taken it";
}

}  // namespace
}  // namespace steward::harness
