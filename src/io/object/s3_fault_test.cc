// S3 when something goes wrong: answers lost, cut, refused, wrong. The server behind the proxy is a real one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <map>

#include "io/http/scripted_server_test_support.h"
#include "io/object/conditionless_server_test_support.h"
#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::object {
namespace {

using http::Fault;
using http::FaultProxy;
using http::Reply;
using http::ScriptedServer;
using http::SeenRequest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* slow_down =
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
constexpr const char* internal_error = "<Error><Code>InternalError</Code><Message>We failed.</Message></Error>";

/// A bucket, and a store that reaches it through a proxy.
struct Behind {
  StoreTarget target;
  FaultProxy proxy;
  std::unique_ptr<Store> store{};
  std::unique_ptr<Store> direct{};
  Behind(const char* variable, FaultProxy::Decide decide, S3Tuning tuning = test_tuning())
      : target(new_bucket(variable)), proxy(target.s3.endpoint, std::move(decide)), direct(opened(target)) {
    StoreTarget through = target;
    through.s3.endpoint = proxy.url();
    store = opened(through, std::move(tuning));
  }
};

/// The fault for the first `times` requests of this method whose target holds `part`.
FaultProxy::Decide first(int times, const std::string& method, const std::string& part, const Fault& fault) {
  return [=](const SeenRequest& request) mutable {
    const bool meant = request.method == method && request.target.contains(part);
    return meant && times-- > 0 ? fault : Fault::none();
  };
}

struct S3Faults : testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Object, S3Faults, testing::Values("STEWARD_TEST_S3_VERSITY", "STEWARD_TEST_S3_RGW"),
                         [](const auto& p) { return std::string(p.param).substr(16); });

TEST_P(S3Faults, APutIsRepeatedAfterALostConnectionASlowDownAndAnInternalError) {
  for (const Fault& fault :
       {Fault::lost_request(), Fault::lost_answer(), Fault::reply(503, slow_down), Fault::reply(500, internal_error)}) {
    Behind behind(GetParam(), first(3, "PUT", "/k", fault));
    put(*behind.store, "k", "content");
    EXPECT_EQ(content_of(*behind.direct, "k"), "content");
  }
}

TEST_P(S3Faults, WhatNeverComesBackIsUnavailableAfterAllAttempts) {
  Behind behind(GetParam(), first(1'000, "PUT", "/k", Fault::reply(503, slow_down)));
  StringSource source("content");
  const auto written = behind.store->put("k", source);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, Kind::unavailable);
  EXPECT_THAT(written.error().message, HasSubstr("cannot write k in s3://steward-"));
  EXPECT_THAT(written.error().message, HasSubstr("SlowDown: Please reduce your request rate., 5 attempts over 0 s"));
  EXPECT_EQ(behind.proxy.seen().size(), 5u);
  EXPECT_THAT(keys_of(*behind.direct), ElementsAre());
}

TEST_P(S3Faults, AnIfAbsentPutWhoseAnswerGotLostIsNotRefusedByItsOwnWork) {
  Behind behind(GetParam(), [cuts = 1](const SeenRequest& request) mutable {
    return request.method == "PUT" && request.has("teward-put: ") && cuts-- > 0 ? Fault::lost_answer() : Fault::none();
  });
  StringSource source("content");
  const auto written = behind.store->put("lock", source, {.only_if_absent = true});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(content_of(*behind.direct, "lock"), "content");
  StringSource other("content");
  EXPECT_EQ(behind.store->put("lock", other, {.only_if_absent = true}).error().code, "exists");
}

TEST_P(S3Faults, AnotherWriterOfTheSameBytesIsStillAnotherWriter) {
  const StoreTarget target = new_bucket(GetParam());
  const auto rival = opened(target);
  // The first attempt's request is lost, and while it is, the rival writes.
  FaultProxy proxy(target.s3.endpoint, [&, n = 0](const SeenRequest& request) mutable {
    if (request.method != "PUT" || !request.has("teward-put: ") || n++ > 0) return Fault::none();
    put(*rival, "lock", "content", {.only_if_absent = true});
    return Fault::lost_request();
  });
  StoreTarget through = target;
  through.s3.endpoint = proxy.url();
  StringSource source("content");
  EXPECT_EQ(opened(through)->put("lock", source, {.only_if_absent = true}).error().code, "exists");
}

TEST_P(S3Faults, AnUploadGoesOnWhenAPartOrItsEndGotLost) {
  const std::string content = random_bytes(12 << 20);
  for (const std::string part : {"partNumber=2", "k?uploads=", "k?uploadId="}) {
    for (const Fault& fault : {Fault::lost_answer(), Fault::reply(500, internal_error)}) {
      Behind behind(GetParam(), [=, times = 2](const SeenRequest& request) mutable {
        return request.method != "DELETE" && request.target.contains(part) && times-- > 0 ? fault : Fault::none();
      });
      const ObjectInfo written = put(*behind.store, "k", content);
      EXPECT_TRUE(content_of(*behind.direct, "k") == content) << part;
      EXPECT_EQ(written.etag, behind.direct->head("k")->etag) << part;
    }
  }
}

/// The sizes of the parts that went through, in their order.
std::vector<std::size_t> parts_seen(const FaultProxy& proxy) {
  std::vector<std::size_t> sizes;
  for (const SeenRequest& request : proxy.seen())
    if (request.method == "PUT" && request.target.contains("partNumber=")) sizes.push_back(request.body.size());
  return sizes;
}
FaultProxy::Decide no_fault() {
  return [](const SeenRequest&) { return Fault::none(); };
}

TEST_P(S3Faults, PartsOfASizeThatIsGuessedAreEqualAndFewEnoughForAServerThatAllowsAThousand) {
  Behind behind(GetParam(), no_fault());
  const std::string content = random_bytes(20 << 20);
  put(*behind.store, "k", content, {.about = 6_GiB});
  const std::size_t part = (std::size_t{6} << 30) / 900 + 1;
  EXPECT_THAT(parts_seen(behind.proxy), ElementsAre(part, part, content.size() - 2 * part));
  EXPECT_TRUE(content_of(*behind.direct, "k") == content);
}

TEST_P(S3Faults, PartsGrowWhereTheGuessWasTooSmallAndStayBelowWhatTheServerAllows) {
  S3Tuning few = test_tuning();
  few.most_parts = 10;
  Behind behind(GetParam(), no_fault(), few);
  const std::string content = random_bytes(52 << 20);
  put(*behind.store, "k", content, {.about = Bytes{1}});
  const std::vector<std::size_t> parts = parts_seen(behind.proxy);
  EXPECT_LE(parts.size(), 10U);
  for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(parts[i], 5U << 20) << i;
  EXPECT_TRUE(content_of(*behind.direct, "k") == content);
}

/// As servers are that allow ten parts, all but the last of one size.
FaultProxy::Decide few_equal_parts() {
  return [sizes = std::map<int, std::size_t>()](const SeenRequest& request) mutable {
    constexpr std::string_view mark = "partNumber=";
    constexpr int most = 10;
    const std::size_t at = request.target.find(mark);
    if (request.method == "PUT" && at != std::string::npos) {
      const int number = std::stoi(request.target.substr(at + mark.size()));
      sizes[number] = request.body.size();
      if (number > most)
        return Fault::reply(400,
                            "<Error><Code>InvalidArgument</Code><Message>Part number too large.</Message></Error>");
    }
    if (request.method == "POST" && request.target.contains("uploadId="))
      for (const auto& [number, size] : sizes)
        if (number < static_cast<int>(sizes.size()) && size != sizes[1])
          return Fault::reply(400,
                              "<Error><Code>InvalidPart</Code><Message>All non-trailing parts must have the same "
                              "length.</Message></Error>");
    return Fault::none();
  };
}

TEST_P(S3Faults, AServerThatTakesFewAndEqualPartsGetsThemWhereTheSizeWasGuessed) {
  S3Tuning few = test_tuning();
  few.most_parts = 10;
  Behind behind(GetParam(), few_equal_parts(), few);
  const std::string content = random_bytes(54 << 20);
  put(*behind.store, "k", content, {.about = 60_MiB});
  EXPECT_LE(parts_seen(behind.proxy).size(), 10U);
  EXPECT_TRUE(content_of(*behind.direct, "k") == content);
}

TEST_P(S3Faults, WherePartsDoNotSuitTheServerItsWordsAndWhatToDoAreSaid) {
  const std::string content = random_bytes(60 << 20);
  const auto refused = [&](S3Tuning tuning, std::optional<Bytes> about) {
    Behind behind(GetParam(), few_equal_parts(), std::move(tuning));
    StringSource source(content);
    const auto written = behind.store->put("k", source, {.about = about});
    EXPECT_FALSE(written);
    EXPECT_THAT(keys_of(*behind.direct), ElementsAre());
    return written ? Error{} : written.error();
  };
  // Nobody has said that it allows fewer than AWS.
  const Error too_many = refused(test_tuning(), Bytes{1});
  EXPECT_THAT(too_many.message, testing::HasSubstr("Part number too large."));
  EXPECT_THAT(too_many.hint, testing::HasSubstr("stores: max_parts"));
  // It was told so, and the object is larger by far than was guessed.
  S3Tuning few = test_tuning();
  few.most_parts = 10;
  const Error too_large = refused(few, Bytes{1});
  EXPECT_THAT(too_large.message, testing::HasSubstr("does not fit into 10 parts"));
  EXPECT_THAT(too_large.hint, testing::HasSubstr("of one size alone"));
}

TEST_P(S3Faults, AnErrorUnderAStatusOf200EndsAnUploadOrIsRepeated) {
  Behind repeated(GetParam(), first(2, "POST", "?uploadId=", Fault::reply(200, internal_error)));
  const std::string content = random_bytes(6 << 20);
  put(*repeated.store, "k", content);
  EXPECT_TRUE(content_of(*repeated.direct, "k") == content);

  Behind final(GetParam(),
               first(1, "POST", "?uploadId=", Fault::reply(200, "<Error><Code>AccessDenied</Code></Error>")));
  StringSource source(content);
  const auto written = final.store->put("k", source);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, Kind::permission);
  EXPECT_THAT(keys_of(*final.direct), ElementsAre());
  // The upload that failed was aborted.
  EXPECT_TRUE(final.direct->list_uploads([](const Upload& upload) -> Result<bool> {
    ADD_FAILURE() << upload.id;
    return true;
  }));
}

TEST_P(S3Faults, AGetGoesOnWhereItsConnectionBroke) {
  const std::string content = random_bytes(3 << 20);
  Behind behind(GetParam(), [n = 0](const SeenRequest& request) mutable {
    return request.method == "GET" && n++ < 4 ? Fault::cut_body(600'000) : Fault::none();
  });
  put(*behind.direct, "k", content);
  EXPECT_TRUE(content_of(*behind.store, "k") == content);
  EXPECT_TRUE(behind.proxy.seen().at(1).has("bytes=600000-"));
  EXPECT_TRUE(behind.proxy.seen().at(1).has("If-Match: \""));
}

TEST_P(S3Faults, AGetThatComesNoFurtherEnds) {
  Behind behind(GetParam(), first(1'000, "GET", "/k", Fault::cut_body(0)));
  put(*behind.direct, "k", "content");
  EXPECT_THAT(content_of(*behind.store, "k"), HasSubstr("5 attempts over 0 s"));
  EXPECT_EQ(behind.proxy.seen().size(), 5u);
}

TEST_P(S3Faults, AnObjectOverwrittenWhileItIsReadIsNotMixed) {
  const StoreTarget target = new_bucket(GetParam());
  const auto direct = opened(target);
  put(*direct, "k", random_bytes(2 << 20));
  FaultProxy proxy(target.s3.endpoint, [&, n = 0](const SeenRequest&) mutable {
    if (n++ == 0) return Fault::cut_body(1'000);
    put(*direct, "k", std::string(2 << 20, 'x'));
    return Fault::none();
  });
  StoreTarget through = target;
  through.s3.endpoint = proxy.url();
  StringSink sink;
  const auto got = opened(through)->get("k", sink);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, "changed");
  EXPECT_EQ(sink.text.size(), 1'000u);
}

TEST_P(S3Faults, AServerThatFallsSilentIsAskedAgain) {
  S3Tuning tuning = test_tuning();
  tuning.stall_timeout = std::chrono::seconds(1);
  const std::string content = random_bytes(1 << 20);
  Behind behind(GetParam(), first(1, "GET", "/k", Fault::stalled_body(1'000)), tuning);
  put(*behind.direct, "k", content);
  EXPECT_TRUE(content_of(*behind.store, "k") == content);
}

TEST_P(S3Faults, AListingCutShortIsAskedForAgain) {
  Behind behind(GetParam(), first(2, "GET", "list-type=2", Fault::cut_body(300)));
  put_all(*behind.direct, numbered_keys(50));
  EXPECT_EQ(keys_of(*behind.store).size(), 50u);
}

TEST_P(S3Faults, ABatchWhoseAnswerGotLostIsSentAgain) {
  Behind behind(GetParam(), first(2, "POST", "?delete=", Fault::lost_answer()));
  put_all(*behind.direct, numbered_keys(50));
  std::vector<Removal> removals;
  for (const std::string& key : numbered_keys(50)) removals.push_back({.key = key});
  const auto done = behind.store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done) EXPECT_FALSE(removed.error);
  EXPECT_THAT(keys_of(*behind.direct), ElementsAre());
}

TEST_P(S3Faults, ErrorsInsideABatchsAnswerAreReadAndWhatMayHelpIsTriedAgain) {
  const char* answer =
      "<DeleteResult><Deleted><Key>gone</Key></Deleted><Error><Key>slow</Key><Code>SlowDown</Code></Error>"
      "<Error><Key>denied</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
      "<Error><Key>locked</Key><Code>InvalidRequest</Code><Message>Object is WORM protected</Message></Error>"
      "<Error><Key>missing</Key><Code>NoSuchKey</Code></Error></DeleteResult>";
  Behind behind(GetParam(), first(1, "POST", "?delete=", Fault::reply(200, answer)));
  std::vector<Removal> removals;
  for (const char* key : {"slow", "denied", "gone", "unanswered", "locked", "missing"}) {
    put(*behind.direct, key, "1");
    removals.push_back({.key = key});
  }
  const auto done = behind.store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done) {
    const bool kept = removed.key == "denied" || removed.key == "locked";
    EXPECT_EQ(removed.error.has_value(), kept) << removed.key;
    if (kept) {
      EXPECT_EQ(removed.error.value_or(Error{}).kind, Kind::permission) << removed.key;
    }
  }
  EXPECT_THAT((*done)[1].error->message, HasSubstr("cannot remove denied in s3://"));
  EXPECT_THAT((*done)[4].error->message, HasSubstr("an object lock keeps it"));
  // "slow" and "unanswered" went by a DELETE of their own; the others were not touched by the scripted answer.
  EXPECT_THAT(keys_of(*behind.direct), ElementsAre("denied", "gone", "locked", "missing"));
}

TEST_P(S3Faults, ABatchThatTheServerCannotReadGoesKeyByKey) {
  Behind behind(GetParam(),
                first(1'000, "POST", "?delete=", Fault::reply(400, "<Error><Code>MalformedXML</Code></Error>")));
  put_all(*behind.direct, numbered_keys(30));
  std::vector<Removal> removals;
  for (const std::string& key : numbered_keys(30)) removals.push_back({.key = key});
  ASSERT_TRUE(behind.store->remove_many(removals));
  EXPECT_THAT(keys_of(*behind.direct), ElementsAre());
}

TEST_P(S3Faults, ABatchThatNobodyAnswersIsAnErrorAsAWhole) {
  Behind behind(GetParam(), first(1'000, "POST", "?delete=", Fault::lost_request()));
  put(*behind.direct, "k", "1");
  const std::vector<Removal> removals{{.key = "k"}};
  const auto done = behind.store->remove_many(removals);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Kind::unavailable);
  EXPECT_THAT(done.error().message, HasSubstr("cannot remove 1 objects from s3://"));
}

TEST_P(S3Faults, ServersWithoutConditionsAreAskedByAFreshLook) {
  const StoreTarget target = new_bucket(GetParam());
  const auto direct = opened(target);
  FaultProxy proxy(target.s3.endpoint, [](const SeenRequest& request) {
    const bool conditional =
        request.has("If-Match: ") || request.has("If-None-Match: ") || request.body.contains("<ETag>");
    return conditional && !request.has("bytes=") ? Fault::reply(501, "<Error><Code>NotImplemented</Code></Error>")
                                                 : Fault::none();
  });
  StoreTarget through = target;
  through.s3.endpoint = proxy.url();
  const auto store = opened(through);
  const auto features = store->features();
  ASSERT_TRUE(features) << features.error().message;
  EXPECT_FALSE(features->conditional_put);
  EXPECT_FALSE(features->conditional_remove);
  const std::string listed = put(*store, "k", "old", {.only_if_absent = true}).etag;
  StringSource again("again");
  EXPECT_EQ(store->put("k", again, {.only_if_absent = true}).error().code, "exists");
  put(*direct, "k", "overwritten");
  EXPECT_EQ(store->remove({.key = "k", .etag = listed}).error().code, "changed");
  const std::vector<Removal> removals{{.key = "k", .etag = listed}};
  EXPECT_EQ((*store->remove_many(removals))[0].error->code, "changed");
  EXPECT_EQ(content_of(*direct, "k"), "overwritten");
  EXPECT_TRUE(store->remove({.key = "k", .etag = direct->head("k")->etag}));
}

TEST_P(S3Faults, RemovalsThatAreToldToSlowDownAllGoInTheEnd) {
  // Three of four are turned away for ever: five attempts would not be enough for each.
  Behind behind(GetParam(), [n = 0](const SeenRequest& request) mutable {
    return request.method == "DELETE" && n++ % 4 != 3 ? Fault::reply(503, slow_down) : Fault::none();
  });
  put_all(*behind.direct, numbered_keys(60));
  EXPECT_FALSE(behind.store->asked_for_less());
  std::vector<Removal> removals;
  for (const std::string& key : numbered_keys(60))
    removals.push_back({.key = key, .not_modified_since = SystemClock().now() + std::chrono::hours(1)});
  const auto done = behind.store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done) EXPECT_FALSE(removed.error) << removed.error->message;
  EXPECT_THAT(keys_of(*behind.direct), ElementsAre());
  EXPECT_EQ(behind.store->asked_for_less(), "SlowDown: Please reduce your request rate.");
}

TEST_P(S3Faults, AServerThatTurnsEveryRemovalAwayIsGivenUp) {
  Behind behind(GetParam(), first(1'000, "DELETE", "/k", Fault::reply(503, slow_down)));
  put(*behind.direct, "k", "1");
  const auto removed = behind.store->remove({.key = "k"});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, Kind::unavailable);
  EXPECT_THAT(removed.error().message, HasSubstr("SlowDown: Please reduce your request rate., 8 times over, and "
                                                 "nothing else came through"));
  EXPECT_EQ(behind.proxy.seen().size(), 8u);
}

// ---- a server that ignores every condition ----

struct S3WithoutConditions : testing::TestWithParam<const char*> {
  StoreTarget target = new_bucket(GetParam());
  std::unique_ptr<Store> direct = opened(target);
  ConditionlessServer server{target};
  std::unique_ptr<Store> store = [this] {
    StoreTarget through = target;
    through.s3.endpoint = server.url();
    return opened(through);
  }();
  /// 40 objects as they were listed; "many/7" has been overwritten since.
  std::vector<Removal> listed(std::chrono::seconds ago) {
    put_all(*direct, numbered_keys(40));
    std::vector<Removal> removals;
    EXPECT_TRUE(direct->list("many/", [&](const ObjectInfo& object) -> Result<bool> {
      EXPECT_TRUE(object.listed);
      removals.push_back({.key = object.key, .etag = object.etag, .listed = object.listed.value() - ago});
      return true;
    }));
    put(*direct, "many/7", "overwritten");
    return removals;
  }
};
INSTANTIATE_TEST_SUITE_P(Object, S3WithoutConditions, testing::Values("STEWARD_TEST_S3_VERSITY", "STEWARD_TEST_S3_RGW"),
                         [](const auto& p) { return std::string(p.param).substr(16); });

TEST_P(S3WithoutConditions, NoFeatureIsClaimedThatIsNone) {
  const auto features = store->features();
  ASSERT_TRUE(features) << features.error().message;
  EXPECT_TRUE(features->probed);
  EXPECT_FALSE(features->conditional_put);
  EXPECT_FALSE(features->conditional_replace);
  EXPECT_FALSE(features->conditional_remove);
  EXPECT_THAT(keys_of(*direct), ElementsAre()) << "nothing is left of the probes";
}

TEST_P(S3WithoutConditions, WhatWasListedJustNowGoesInBatchesWithNoSecondLook) {
  const std::vector<Removal> removals = listed({});
  ASSERT_TRUE(store->features());
  const std::size_t looks = server.count("HEAD", "many/"), batches = server.count("POST", "?delete=");
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done) EXPECT_FALSE(removed.error) << removed.key;
  EXPECT_EQ(server.count("HEAD", "many/"), looks);
  EXPECT_EQ(server.count("DELETE", "many/"), 0u);
  EXPECT_GT(server.count("POST", "?delete="), batches);
  EXPECT_THAT(keys_of(*direct), ElementsAre());
}

TEST_P(S3WithoutConditions, WhatWasListedLongerAgoIsLookedAtAgainAndStaysIfItHasChanged) {
  const std::vector<Removal> removals = listed(std::chrono::minutes(1));
  ASSERT_TRUE(store->features());
  const std::size_t batches = server.count("POST", "?delete=");
  const auto done = store->remove_many(removals);
  ASSERT_TRUE(done) << done.error().message;
  for (const Removed& removed : *done)
    EXPECT_EQ(removed.error.value_or(Error{}).code, removed.key == "many/7" ? "changed" : "") << removed.key;
  EXPECT_EQ(server.count("HEAD", "many/"), 40u);
  EXPECT_EQ(server.count("DELETE", "many/"), 39u);
  EXPECT_EQ(server.count("POST", "?delete="), batches);
  EXPECT_EQ(content_of(*direct, "many/7"), "overwritten");
  EXPECT_THAT(keys_of(*direct), ElementsAre("many/7"));
}

TEST_P(S3WithoutConditions, APutIfEtagIsPrecededByALook) {
  const std::string first = put(*direct, "k", "one").etag;
  put(*store, "k", "two", {.if_etag = first});
  StringSource late("three");
  EXPECT_EQ(store->put("k", late, {.if_etag = first}).error().code, "changed");
  EXPECT_EQ(content_of(*direct, "k"), "two");
}

// ---- answers of a server that is none, or a strange one ----

StoreTarget scripted(const ScriptedServer& server) {
  StoreTarget target{.url = "s3://bucket"};
  target.s3 = {.endpoint = server.url(), .access_key = "AK", .secret_key = Secret("very-secret")};
  return target;
}

Error list_error(Store& store) {
  const auto listed = store.list("", [](const ObjectInfo&) -> Result<bool> { return true; });
  EXPECT_FALSE(listed);
  return listed ? Error{} : listed.error();
}

TEST(S3Answers, WhatIsNoS3IsCorruptAndSaysSo) {
  for (const std::string body : {"<html>hello</html>", "", "<ListBucketResult><Contents>",
                                 "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"}) {
    ScriptedServer server([&](const SeenRequest&) { return Reply::of(200, body); });
    const Error error = list_error(*opened(scripted(server)));
    EXPECT_EQ(error.kind, Kind::corrupt) << body;
    EXPECT_THAT(error.hint, HasSubstr("really an S3 endpoint"));
  }
}

TEST(S3Answers, AListingOfOtherPrefixesIsCorrupt) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::of(200,
                     "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>other/k</Key><Size>1</Size>"
                     "<LastModified>2026-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>");
  });
  StoreTarget target = scripted(server);
  target.url += "/mine";
  EXPECT_EQ(list_error(*opened(target)).kind, Kind::corrupt);
}

TEST(S3Answers, AnObjectCountsAsListedFromTheMomentItsPageWasAskedFor) {
  using Moment = std::chrono::steady_clock::time_point;
  std::array<std::atomic<Moment>, 4> asked{};
  std::atomic<std::size_t> pages = 0;
  ScriptedServer server([&](const SeenRequest& request) {
    const std::size_t page = pages++;
    asked.at(page) = std::chrono::steady_clock::now();
    const bool versions = request.target.contains("versions=");
    const char* const more = page % 2 == 0 ? "true" : "false";
    return Reply::of(
        200, fmt::format("<{0}><IsTruncated>{1}</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
                         "<NextKeyMarker>k</NextKeyMarker><{2}><Key>k{3}</Key><VersionId>v</VersionId>"
                         "<IsLatest>true</IsLatest><Size>1</Size><LastModified>2026-01-01T00:00:00Z</LastModified>"
                         "</{2}></{0}>",
                         versions ? "ListVersionsResult" : "ListBucketResult", more, versions ? "Version" : "Contents",
                         page));
  });
  const auto store = opened(scripted(server));
  std::vector<std::pair<Moment, Moment>> listed;  // and when it was handed over
  const auto note = [&](const ObjectInfo& object) {
    listed.emplace_back(object.listed.value_or(Moment::max()), std::chrono::steady_clock::now());
    return Result<bool>(true);
  };
  ASSERT_TRUE(store->list("", note));
  ASSERT_TRUE(store->list_versions("", [&](const ObjectVersion& version) { return note(version.object); }));
  ASSERT_EQ(listed.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_LE(listed[i].first, asked.at(i).load()) << i;
    if (i > 0) {
      EXPECT_GE(listed[i].first, listed[i - 1].second) << i << " has a page of its own";
    }
  }
}

TEST(S3Answers, AListingThatNeverEndsIsCorrupt) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::of(200,
                     "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</"
                     "NextContinuationToken></ListBucketResult>");
  });
  EXPECT_THAT(list_error(*opened(scripted(server))).message, HasSubstr("the same page again"));
}

TEST(S3Answers, TheWrongRegionIsNamedTogetherWithTheRightOne) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::of(
        301, "<Error><Code>PermanentRedirect</Code><Endpoint>bucket.s3.eu-west-1.amazonaws.com</Endpoint></Error>",
        "x-amz-bucket-region: eu-west-1\r\nLocation: http://127.0.0.1:9/\r\n");
  });
  const Error error = list_error(*opened(scripted(server)));
  EXPECT_EQ(error, (Error{Kind::bad_input,
                          "cannot list s3://bucket: bucket bucket is in region eu-west-1, and us-east-1 was asked",
                          "Set AWS_REGION to eu-west-1."}));
}

TEST(S3Answers, AMalformedAuthorizationNamesItsRegion) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::of(400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-north-1</Region></Error>");
  });
  EXPECT_EQ(list_error(*opened(scripted(server))).hint, "Set AWS_REGION to eu-north-1.");
}

TEST(S3Answers, AClockThatIsOffIsSaidToBeByHowMuch) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::of(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                     "Date: Mon, 23 Nov 2026 15:00:00 GMT\r\n");
  });
  FakeClock clock;
  clock.time = *parse_instant("2026-11-23T15:40:00Z");
  StoreTarget target = scripted(server);
  target.clock = &clock;
  const Error error = list_error(*opened(target));
  EXPECT_EQ(error.kind, Kind::refused);
  EXPECT_EQ(error.code, "clock");
  EXPECT_THAT(error.message, HasSubstr("this machine's clock is 40 min ahead of the clock of 127.0.0.1:"));
}

TEST(S3Answers, NoMessageShowsAKey) {
  for (const int status : {400, 403, 404, 409, 500}) {
    ScriptedServer server([&](const SeenRequest& request) {
      return Reply::of(status, "<Error><Code>Odd</Code><Message>odd</Message><StringToSign>" + request.head +
                                   "</StringToSign></Error>");
    });
    const Error error = list_error(*opened(scripted(server)));
    EXPECT_THAT(error.message + error.hint, Not(HasSubstr("very-secret")));
    EXPECT_THAT(error.message + error.hint, Not(HasSubstr("Signature=")));
  }
}

TEST(S3Answers, NobodyThereNamesHostPortAndAttempts) {
  std::string gone;
  {
    ScriptedServer server([](const SeenRequest&) { return Reply{}; });
    gone = server.url();
  }
  StoreTarget target{.url = "s3://bucket",
                     .s3 = {.endpoint = gone, .access_key = "AK", .secret_key = Secret("very-secret")}};
  const Error error = list_error(*opened(target));
  EXPECT_EQ(error, (Error{Kind::unavailable,
                          "cannot list s3://bucket: no connection to " + gone.substr(7) + ", 5 attempts over 0 s",
                          "Check the address and the network."}));
}

}  // namespace
}  // namespace steward::object
