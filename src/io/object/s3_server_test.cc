// What only S3 has, on real servers: keys and clocks that are wrong, versions, locks, policies, uploads, TLS, and
// objects that are truly old.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "io/http/scripted_server_test_support.h"
#include "io/object/s3_test_support.h"
#include "io/object/s3_xml.h"
#include "io/object/store_test_support.h"

namespace steward::object {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

struct S3Server : testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Object, S3Server, testing::Values("STEWARD_TEST_S3_VERSITY", "STEWARD_TEST_S3_RGW"),
                         [](const auto& p) { return std::string(p.param).substr(16); });

Error list_error(Store& store) {
  const auto listed = store.list("", [](const ObjectInfo&) -> Result<bool> { return true; });
  EXPECT_FALSE(listed);
  return listed ? Error{} : listed.error();
}

/// "k 7 bytes latest", "k marker", in the order of the listing.
std::vector<std::string> versions_of(Store& store, const std::string& prefix = "") {
  std::vector<std::string> found;
  const auto listed = store.list_versions(prefix, [&](const ObjectVersion& version) -> Result<bool> {
    found.push_back(version.object.key +
                    (version.marker ? " marker" : fmt::format(" {} bytes", version.object.size.count)) +
                    (version.latest ? " latest" : ""));
    return true;
  });
  EXPECT_TRUE(listed) << listed.error().message;
  return found;
}

/// The listing's keys by ranges, of pages so small that there are some; and how it went.
std::multiset<std::string> keys_by_ranges(Store& store, Ranged& ranged) {
  std::multiset<std::string> keys;
  const auto answer = store.list_by_ranges("", {}, [&](const ObjectInfo& object) -> Result<bool> {
    EXPECT_TRUE(object.listed);
    keys.insert(object.key);
    return true;
  });
  EXPECT_TRUE(answer) << answer.error().message;
  ranged = answer.value_or(Ranged::stopped);
  return keys;
}
std::size_t ranges_begun(const http::FaultProxy& proxy) {
  return static_cast<std::size_t>(std::ranges::count_if(proxy.seen(), [](const http::SeenRequest& request) {
    return request.target.contains("start-after") && !request.target.contains("max-keys=1&");
  }));
}

TEST_P(S3Server, AListingByRangesHasEachKeyOnce) {
  for (const char* below : {"", "/a prefix"}) {
    StoreTarget target = new_bucket(GetParam());
    target.url += below;
    std::vector<std::string> keys;
    for (int i = 0; i < 400; ++i) keys.push_back(fmt::format("logs/2026/{:02}/{:03}", i % 12 + 1, i));
    for (int i = 0; i < 200; ++i) keys.push_back(fmt::format("\u00fc/{}%2F+ {}", i % 3, i));
    put_all(*opened(target), keys);
    const http::FaultProxy proxy(target.s3.endpoint, [](const http::SeenRequest&) { return http::Fault::none(); });
    target.s3.endpoint = proxy.url();
    S3Tuning tuning = test_tuning();
    tuning.page = 10;
    Ranged ranged{};
    EXPECT_EQ(keys_by_ranges(*opened(target, tuning), ranged), std::multiset<std::string>(keys.begin(), keys.end()));
    EXPECT_EQ(ranged, Ranged::whole);
    EXPECT_GT(ranges_begun(proxy), 0U) << "then this shows nothing";
  }
}

/// A gateway to folders may give "d17/…" before "d17-old", where S3 gives it behind.
TEST_P(S3Server, AListingByRangesOfKeysThatFoldersSortOtherwiseIsWholeOrSaidNotToBe) {
  const StoreTarget target = new_bucket(GetParam());
  std::vector<std::string> keys;
  for (int i = 0; i < 400; ++i) keys.push_back(fmt::format("d{}/{:03}", i % 40 + 10, i));
  for (int i = 10; i < 50; ++i) keys.push_back(fmt::format("d{}-old", i));
  for (int i = 10; i < 50; ++i) keys.push_back(fmt::format("d{}.txt", i));
  const auto store = opened(target);
  put_all(*store, keys);
  S3Tuning tuning = test_tuning();
  tuning.page = 10;
  Ranged ranged{};
  const std::multiset<std::string> listed = keys_by_ranges(*opened(target, tuning), ranged);
  if (ranged == Ranged::whole) {
    EXPECT_EQ(listed, std::multiset<std::string>(keys.begin(), keys.end()));
  }
  EXPECT_NE(ranged, Ranged::stopped);
  EXPECT_EQ(keys_of(*store), std::multiset<std::string>(keys.begin(), keys.end()));
}

TEST_P(S3Server, AWrongSecretIsSaidInOneLineThatDoesNotShowIt) {
  StoreTarget target = new_bucket(GetParam());
  target.s3.secret_key = Secret("not-the-right-one");
  const auto store = opened(target);
  for (const Error& error : {list_error(*store), store->head("k").error()}) {
    EXPECT_EQ(error.kind, Kind::permission);
    EXPECT_THAT(error.message, HasSubstr("the secret key does not fit the access key"));
    EXPECT_THAT(error.message + error.hint, Not(HasSubstr("not-the-right-one")));
    EXPECT_THAT(error.hint, HasSubstr("AWS_SECRET_ACCESS_KEY"));
  }
}

TEST_P(S3Server, AnUnknownAccessKeyIsSaidInOneLine) {
  StoreTarget target = new_bucket(GetParam());
  target.s3.access_key = "AKUNKNOWN";
  const Error error = list_error(*opened(target));
  EXPECT_EQ(error.kind, Kind::permission);
  EXPECT_THAT(error.message, HasSubstr("does not know the access key"));
}

TEST_P(S3Server, NoSuchBucketNamesBucketAndServer) {
  const StoreTarget target = target_on(GetParam(), "s3://no-such-bucket-here");
  const std::string server = target.s3.endpoint.substr(7);
  EXPECT_EQ(list_error(*opened(target)),
            (Error{Kind::not_found,
                   "cannot list s3://no-such-bucket-here: there is no bucket no-such-bucket-here at " + server,
                   "Check the bucket's name and AWS_ENDPOINT_URL."}));
}

TEST_P(S3Server, AClockThatIsOffIsRefused) {
  const LateClock late(40min);
  StoreTarget target = new_bucket(GetParam());
  target.clock = &late;
  const Error error = list_error(*opened(target));
  EXPECT_EQ(error.kind, Kind::refused);
  EXPECT_EQ(error.code, "clock");
  EXPECT_THAT(error.message, HasSubstr("behind the clock of 127.0.0.1:"));
}

TEST_P(S3Server, AVersionedBucketSaysThatTheBytesStay) {
  const StoreTarget target = new_bucket(GetParam());
  EXPECT_FALSE(opened(target)->features()->versions);
  EXPECT_FALSE(opened(target)->features()->was_versioned);
  set_versioning(target, "Enabled");
  const auto store = opened(target);
  EXPECT_TRUE(store->features()->versions);
  EXPECT_TRUE(store->features()->was_versioned);
  EXPECT_NE(put(*store, "k", "content").version_id, "");
  EXPECT_NE(store->head("k")->version_id, "");
  const std::vector<Removal> removals{{.key = "k"}};
  EXPECT_FALSE((*store->remove_many(removals))[0].error);
  EXPECT_THAT(keys_of(*store), ElementsAre());
  // The bytes and the delete marker of "k"; nothing is left of the probe.
  EXPECT_THAT(versions_of(*store), ElementsAre("k marker latest", "k 7 bytes"));
  set_versioning(target, "Suspended");
  EXPECT_FALSE(opened(target)->features()->versions);
  EXPECT_TRUE(opened(target)->features()->was_versioned);
}

TEST_P(S3Server, VersionsAreListedNewestFirstAcrossPages) {
  StoreTarget target = new_bucket(GetParam());
  target.url += "/below";
  put(*opened(target), "a b+c%2F", "written without versions");
  set_versioning(target_on(GetParam(), target.url.substr(0, target.url.rfind('/'))), "Enabled");
  const auto store = opened(target);
  put(*store, "a b+c%2F", "12");
  EXPECT_TRUE(store->remove({.key = "a b+c%2F"}));
  std::vector<std::string> many;  // a page of 1,000 ends between the versions of one key
  for (int i = 0; i < 350; ++i) many.push_back(fmt::format("many/{:03}", i));
  for (int i = 0; i < 3; ++i) put_all(*store, many);
  std::vector<std::string> wanted{"a b+c%2F marker latest", "a b+c%2F 2 bytes", "a b+c%2F 24 bytes"};
  for (const std::string& key : many) {
    wanted.push_back(key + " 1 bytes latest");
    wanted.push_back(key + " 1 bytes");
    wanted.push_back(key + " 1 bytes");
  }
  std::vector<std::string> found = versions_of(*store);
  const auto of_a =
      std::ranges::find(found, wanted[0]);  // where markers come last, it is a key's turn when the page ends
  ASSERT_LE(of_a, found.end() - 3);
  std::rotate(found.begin(), of_a, of_a + 3);
  EXPECT_EQ(found, wanted);
  EXPECT_THAT(versions_of(*store, "many/001"),
              ElementsAre("many/001 1 bytes latest", "many/001 1 bytes", "many/001 1 bytes"));
}

TEST_P(S3Server, AVersionAloneIsRemovedAndTheOthersStay) {
  const StoreTarget target = new_bucket(GetParam());
  set_versioning(target, "Enabled");
  const auto store = opened(target);
  const std::string one = put(*store, "k", "1").version_id, two = put(*store, "k", "12").version_id,
                    three = put(*store, "k", "123").version_id;
  put(*store, "other", "1");
  const std::vector<Removal> removals{{.key = "k", .version_id = one, .noncurrent = true},
                                      {.key = "k", .version_id = two, .noncurrent = true},
                                      {.key = "k", .version_id = three, .noncurrent = true},
                                      {.key = "other"}};
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE((*done)[0].error);
  EXPECT_FALSE((*done)[1].error);
  EXPECT_EQ((*done)[2].error.value_or(Error{}).code, "changed") << "it is current";
  EXPECT_FALSE((*done)[3].error);
  EXPECT_THAT(versions_of(*store, "k"), ElementsAre("k 3 bytes latest"));
  EXPECT_THAT(versions_of(*store, "other"), ElementsAre("other marker latest", "other 1 bytes"));
  EXPECT_EQ(content_of(*store, "k"), "123");
  // Whoever removes the marker brings back what it hid.
  std::string marker, hidden;
  (void)store->list_versions("other", [&](const ObjectVersion& version) -> Result<bool> {
    (version.marker ? marker : hidden) = version.object.version_id;
    return true;
  });
  EXPECT_TRUE(store->remove({.key = "other", .version_id = marker}));
  EXPECT_EQ(store->remove({.key = "other", .version_id = hidden, .noncurrent = true}).error().code, "changed");
  EXPECT_EQ(content_of(*store, "other"), "1");
}

TEST_P(S3Server, WhatWasWrittenWithoutVersionsIsAVersionToo) {
  const StoreTarget target = new_bucket(GetParam());
  put(*opened(target), "k", "1");
  set_versioning(target, "Enabled");
  const auto store = opened(target);
  EXPECT_EQ(store->remove({.key = "k", .version_id = "null", .noncurrent = true}).error().code, "changed");
  put(*store, "k", "12");
  EXPECT_TRUE(store->remove({.key = "k", .version_id = "null", .noncurrent = true}));
  EXPECT_THAT(versions_of(*store), ElementsAre("k 2 bytes latest"));
}

TEST_P(S3Server, ALockedVersionIsReportedAndTheOthersGo) {
  const StoreTarget target = new_bucket(GetParam(), {{"x-amz-bucket-object-lock-enabled", "true"}});
  const std::string until = format_instant(SystemClock().now() + 24h);
  ask(target, {.method = "PUT",
               .key = "locked",
               .headers = {{"x-amz-object-lock-mode", "GOVERNANCE"}, {"x-amz-object-lock-retain-until-date", until}},
               .body = "evidence"});
  const auto store = opened(target);
  if (!store->features()->versions) set_versioning(target, "Enabled");
  const std::string locked = store->head("locked")->version_id;
  put(*store, "locked", "later");
  const std::string free = put(*store, "free", "1").version_id;
  put(*store, "free", "12");
  const std::vector<Removal> removals{{.key = "locked", .version_id = locked, .noncurrent = true},
                                      {.key = "free", .version_id = free, .noncurrent = true}};
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_TRUE((*done)[0].error);
  EXPECT_EQ((*done)[0].error->kind, Kind::permission) << (*done)[0].error->message;
  EXPECT_FALSE((*done)[1].error);
  EXPECT_THAT(versions_of(*store), ElementsAre("free 2 bytes latest", "locked 5 bytes latest", "locked 8 bytes"));
}

TEST_P(S3Server, IncompleteUploadsAreListedAndAborted) {
  StoreTarget target = new_bucket(GetParam());
  const auto begin = [&](const std::string& key) {
    return *read_upload_id(ask(target, {.method = "POST", .key = key, .query = {{"uploads", ""}}}).body);
  };
  const std::string outside = begin("outside");
  const std::string inside = begin("below/a b+c");
  target.url += "/below";
  const auto store = opened(target);
  std::vector<Upload> uploads;
  const auto take = [&](const Upload& upload) -> Result<bool> {
    uploads.push_back(upload);
    return true;
  };
  ASSERT_TRUE(store->list_uploads(take));
  ASSERT_EQ(uploads.size(), 1u);
  EXPECT_EQ(uploads[0].key, "a b+c");
  EXPECT_EQ(uploads[0].id, inside);
  EXPECT_LT(std::chrono::abs(uploads[0].begun - SystemClock().now()), 5min);
  const Upload upload = uploads[0];
  EXPECT_TRUE(store->abort_upload(upload));
  EXPECT_TRUE(store->abort_upload(upload)) << "again is a success";
  uploads.clear();
  ASSERT_TRUE(store->list_uploads(take));
  EXPECT_TRUE(uploads.empty());
}

TEST_P(S3Server, AnObjectUnderALockIsReportedOrKeptAsAVersion) {
  const StoreTarget target = new_bucket(GetParam(), {{"x-amz-bucket-object-lock-enabled", "true"}});
  const std::string until = format_instant(SystemClock().now() + 24h);
  ask(target, {.method = "PUT",
               .key = "locked",
               .headers = {{"x-amz-object-lock-mode", "GOVERNANCE"}, {"x-amz-object-lock-retain-until-date", until}},
               .body = "evidence"});
  const auto store = opened(target);
  const std::string version = store->head("locked")->version_id;
  const std::vector<Removal> removals{{.key = "locked"}};
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  // With versions S3 puts a delete marker before it; without, the lock forbids it. The bytes stay either way.
  if ((*done)[0].error) {
    EXPECT_EQ((*done)[0].error->kind, Kind::permission) << (*done)[0].error->message;
  }
  S3Call call{.key = "locked"};
  if (!version.empty()) call.query = {{"versionId", version}};
  EXPECT_EQ(ask(target, call).body, "evidence");
}

TEST_P(S3Server, VirtualHostStyleReachesTheSameBucket) {
  StoreTarget target = new_bucket(GetParam());
  put(*opened(target), "a//b c", "content");
  const std::string port = target.s3.endpoint.substr(target.s3.endpoint.rfind(':'));
  target.s3.endpoint = "http://localhost" + port;
  target.s3.virtual_host = true;
  const auto store = opened(target);
  EXPECT_EQ(content_of(*store, "a//b c"), "content");
  EXPECT_EQ(keys_of(*store).size(), 1u);
  EXPECT_TRUE(store->remove({.key = "a//b c"}));
  EXPECT_THAT(keys_of(*store), ElementsAre());
}

TEST(S3Tls, APrivateAuthorityIsTrustedWhereItIsNamedAndOnlyThere) {
  StoreTarget target = target_on("STEWARD_TEST_S3_TLS", "s3://" + random_bucket());
  target.s3.ca_file = from_environment("STEWARD_TEST_S3_TLS_CA");
  ask(target, {.method = "PUT"});
  const auto store = opened(target);
  put(*store, "k", "content");
  EXPECT_EQ(content_of(*store, "k"), "content");
  target.s3.ca_file.clear();
  const Error error = list_error(*opened(target));
  EXPECT_EQ(error.kind, Kind::refused);
  EXPECT_EQ(error.code, "certificate");
  EXPECT_THAT(error.hint, HasSubstr("AWS_CA_BUNDLE"));
  target.s3.ca_file = "/no/such/file.pem";
  EXPECT_EQ(list_error(*opened(target)).kind, Kind::bad_input);
}

TEST(S3Rgw, DeniedKeysAreReportedAndTheOthersGo) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_RGW");
  const auto store = opened(target);
  std::vector<Removal> removals;
  for (const char* key : {"free/1", "denied/1", "free/2"}) {
    put(*store, key, "1");
    removals.push_back({.key = key});
  }
  const std::string bucket = target.url.substr(5);
  const std::string policy =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::)" +
      bucket + R"(/denied/*"}]})";
  ask(target, {.method = "PUT", .query = {{"policy", ""}}, .body = policy});
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE((*done)[0].error);
  EXPECT_FALSE((*done)[2].error);
  ASSERT_TRUE((*done)[1].error);
  EXPECT_EQ((*done)[1].error->kind, Kind::permission);
  EXPECT_THAT((*done)[1].error->message, HasSubstr("cannot remove denied/1 in s3://"));
  EXPECT_EQ(store->remove({.key = "denied/1"}).error().kind, Kind::permission);
  EXPECT_THAT(keys_of(*store), ElementsAre("denied/1"));
}

TEST(S3Rgw, WhereProbingIsDeniedFeaturesAreAbsentAndNothingFails) {
  const StoreTarget target = new_bucket("STEWARD_TEST_S3_RGW");
  put(*opened(target), "k", "1");
  const std::string policy =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":["s3:PutObject","s3:GetBucketVersioning"],"Resource":["arn:aws:s3:::*"]}]})";
  ask(target, {.method = "PUT", .query = {{"policy", ""}}, .body = policy});
  const auto store = opened(target);
  const auto features = store->features();
  ASSERT_TRUE(features) << features.error().message;
  EXPECT_FALSE(features->conditional_put);
  EXPECT_FALSE(features->conditional_remove);
  EXPECT_TRUE(store->remove({.key = "k", .etag = store->head("k")->etag}));
}

TEST(S3Rgw, WhatWasWrittenFortyDaysAgoIsFortyDaysOld) {
  const StoreTarget now = new_bucket("STEWARD_TEST_S3_RGW");
  const LateClock late(std::chrono::days(40));
  StoreTarget then = target_on("STEWARD_TEST_S3_RGW_OLD", now.url);
  then.clock = &late;
  put(*opened(then), "old", "1");
  put(*opened(now), "young", "1");
  const auto store = opened(now);
  const Instant month_ago = SystemClock().now() - std::chrono::days(30);
  EXPECT_LT(store->head("old")->modified, month_ago);
  EXPECT_GT(store->head("young")->modified, month_ago);
  const std::vector<Removal> removals{{.key = "old", .not_modified_since = month_ago},
                                      {.key = "young", .not_modified_since = month_ago}};
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE((*done)[0].error);
  EXPECT_EQ((*done)[1].error.value_or(Error{}).code, "changed");
  EXPECT_THAT(keys_of(*store), ElementsAre("young"));
}

}  // namespace
}  // namespace steward::object
