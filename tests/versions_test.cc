// Buckets that keep versions, on both servers that do: which versions go, which stay and why, and a run that is killed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "harness/child_run.h"
#include "harness/versioned.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

struct Versions : testing::TestWithParam<const char*> {
  Versioned bucket{GetParam()};

  /// Each key a case of its own.
  static void fill(Versioned& bucket) {
    bucket.put("both-old", 1);  // not current for 40 days
    bucket.put("both-old", 20);
    bucket.put("fresh", 2);  // current until just now
    bucket.put("fresh", 21, Of::now);
    bucket.put("gone-long-ago", 3);
    bucket.mark("gone-long-ago");
    bucket.put("gone-now", 4);
    bucket.mark("gone-now", Of::now);
    bucket.put("single", 5);
  }
  static std::vector<std::string> filled() {
    return {"both-old 20 latest",
            "both-old 1",
            "fresh 21 latest",
            "fresh 2",
            "gone-long-ago marker latest",
            "gone-long-ago 3",
            "gone-now marker latest",
            "gone-now 4",
            "single 5 latest"};
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, Versions, testing::Values("STEWARD_TEST_S3_VERSITY", "STEWARD_TEST_S3_RGW"),
                         [](const auto& p) { return std::string(p.param).substr(16); });

TEST_P(Versions, OnesThatAreNotCurrentGoByTheTimeWhenAnotherTookTheirPlace) {
  fill(bucket);
  ASSERT_EQ(bucket.versions(), filled());
  const json plan = bucket.plan();
  EXPECT_EQ(plan["planned"]["items"], 2) << plan.dump(1);
  EXPECT_EQ(plan["planned"]["bytes"], 4);
  EXPECT_EQ(plan["population"], 9);
  EXPECT_THAT(plan["filter"].get<std::string>(), HasSubstr("successor's LastModified < cutoff"));
  EXPECT_EQ(bucket.versions(), filled()) << "a plan writes nothing";
  const json run = bucket.run();
  EXPECT_EQ(run["done"]["items"], 2) << run.dump(1);
  EXPECT_EQ(run["done"]["bytes"], 4);
  EXPECT_THAT(bucket.versions(),
              ElementsAre("both-old 20 latest", "fresh 21 latest", "fresh 2", "gone-long-ago marker latest",
                          "gone-now marker latest", "gone-now 4", "single 5 latest"));
}

TEST_P(Versions, AMarkerThatHidesNothingAnyMoreGoesAtTheNextRun) {
  bucket.put("k", 3);
  bucket.mark("k");
  bucket.put("young", 3, Of::now);
  bucket.mark("young", Of::now);
  bucket.run();
  EXPECT_THAT(bucket.versions(), ElementsAre("k marker latest", "young marker latest", "young 3"));
  const json plan = bucket.plan();
  EXPECT_EQ(plan["planned"]["items"], 1);
  EXPECT_THAT(plan["notes"].dump(), HasSubstr("1 of them are delete markers, which hold no bytes"));
  EXPECT_EQ(bucket.run()["done"]["items"], 1);
  EXPECT_THAT(bucket.versions(), ElementsAre("young marker latest", "young 3"));
  EXPECT_EQ(bucket.run()["done"]["items"], 0);
}

TEST_P(Versions, CurrentOnesGetAMarkerAndThePlanSaysThatTheBytesStay) {
  fill(bucket);
  bucket.configure("");
  const json plan = bucket.plan();
  EXPECT_EQ(plan["planned"]["items"], 2) << plan.dump(1);
  EXPECT_THAT(plan["notes"].dump(), HasSubstr("their bytes stay as noncurrent versions"));
  EXPECT_EQ(bucket.run()["done"]["items"], 2);
  EXPECT_THAT(bucket.versions(),
              ElementsAre("both-old marker latest", "both-old 20", "both-old 1", "fresh 21 latest", "fresh 2",
                          "gone-long-ago marker latest", "gone-long-ago 3", "gone-now marker latest", "gone-now 4",
                          "single marker latest", "single 5"));
}

TEST_P(Versions, AllAreBoth) {
  fill(bucket);
  bucket.configure("all");
  const json plan = bucket.plan();
  EXPECT_EQ(plan["planned"]["items"], 4) << plan.dump(1);
  EXPECT_THAT(plan["notes"].dump(), HasSubstr("2 of them are current: each gets a delete marker, and their 25 B stay"));
  const json run = bucket.run();
  EXPECT_EQ(run["done"]["items"], 4) << run.dump(1);
  EXPECT_THAT(bucket.versions(), ElementsAre("both-old marker latest", "both-old 20", "fresh 21 latest", "fresh 2",
                                             "gone-long-ago marker latest", "gone-now marker latest", "gone-now 4",
                                             "single marker latest", "single 5"));
}

TEST_P(Versions, WhatIsHeldNeededOrStewardsStaysInAllItsVersions) {
  for (const char* key : {"held/a", "named.png", "cold/a", "free"})
    for (const int size : {1, 2}) bucket.put(key, static_cast<std::size_t>(size));
  bucket.app.sql("insert into mockups values (1, 1, '" + bucket.target.url + "/named.png', '" + days_ago(5) + "')");
  bucket.configure(
      "all",
      "  files:\n    kind: rows-with-files\n    table: mockups\n    age_column: created_at\n    age: 12 months\n"
      "    file_column: image_url\n    archive: inside\n    enabled: false\n");
  bucket.app.file("inside.yaml", "stores: {inside: \"" + bucket.target.url + "/cold\"}\n");
  bucket.app.environment["STEWARD_CONFIG"] = "steward.yaml:inside.yaml";
  ASSERT_EQ(
      bucket.app.steward({"hold", "add", "--object", bucket.target.url + "/held/*", "--reason", "case 12"}).exit_code,
      0);
  const json plan = bucket.plan();
  EXPECT_EQ(plan["planned"]["items"], 2) << plan.dump(1);
  const json run = bucket.run();
  EXPECT_EQ(run["done"]["items"], 2) << run.dump(1);
  for (const char* reason : {"held", "a row needs it", "belongs to steward"})
    EXPECT_EQ(skipped(plan, reason), 2) << reason << plan.dump(1);
  std::vector<std::string> left = bucket.versions();
  std::erase_if(left, [](const std::string& version) { return version.starts_with("cold/holds/"); });
  EXPECT_THAT(left, ElementsAre("cold/a 2 latest", "cold/a 1", "free marker latest", "free 2", "held/a 2 latest",
                                "held/a 1", "named.png 2 latest", "named.png 1"));
}

TEST_P(Versions, OneThatBecomesCurrentAgainBeforeItIsRemovedStays) {
  bucket.put("k", 3);
  bucket.mark("k");
  bucket.put("other", 1);
  bucket.put("other", 2);
  const int status = in_a_child(bucket.app, [&](std::string_view place) {
    if (place != "expire-objects: listed") return;
    std::string marker;
    (void)bucket.store().list_versions("k", [&](const object::ObjectVersion& version) -> Result<bool> {
      if (version.marker) marker = version.object.version_id;
      return true;
    });
    if (!bucket.store().remove({.key = "k", .version_id = marker})) ::_exit(92);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_THAT(bucket.versions(), ElementsAre("k 3 latest", "other 2 latest"));
}

TEST_P(Versions, KilledAnywhereTheNextRunFinishesAndNothingElseHasGone) {
  fill(bucket);
  const std::vector<std::string> places = places_of(bucket.app);
  ASSERT_GT(places.size(), 2U);
  for (const std::size_t n : worth_trying(places)) {
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + places[n - 1]);
    Versioned fresh(GetParam());
    fill(fresh);
    std::size_t count = 0;
    const int status = in_a_child(fresh.app, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(fresh.app.steward({"run", "cleanup"}).exit_code, 0);
    EXPECT_THAT(fresh.versions(), ElementsAre("both-old 20 latest", "fresh 21 latest", "fresh 2",
                                              "gone-now marker latest", "gone-now 4", "single 5 latest"));
  }
}

TEST_P(Versions, OneUnderALockIsReportedAndTheOthersGo) {
  Versioned locked(GetParam(), /*with_lock=*/true);
  locked.put_locked("locked");
  locked.put("locked", 2);
  locked.put("free", 3);
  locked.put("free", 4);
  const Answer answer = locked.app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  const json run = task(answer.json(), "t");
  EXPECT_EQ(run["done"]["items"], 1) << run.dump(1);
  EXPECT_EQ(skipped(run, "the bucket does not allow it (object lock or rights)"), 1) << run.dump(1);
  EXPECT_THAT(locked.versions(), ElementsAre("free 4 latest", "locked 2 latest", "locked 1"));
}

TEST(VersionsOfRgw, ThatARuleOfTheBucketDeniesAreReportedAndTheOthersGo) {
  Versioned bucket("STEWARD_TEST_S3_RGW");
  for (const char* key : {"denied/a", "free"})
    for (const int size : {1, 2}) bucket.put(key, static_cast<std::size_t>(size));
  const std::string policy =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObjectVersion","Resource":"arn:aws:s3:::)" +
      bucket.target.url.substr(5) + R"(/denied/*"}]})";
  object::ask(bucket.target, {.method = "PUT", .query = {{"policy", ""}}, .body = policy});
  const Answer answer = bucket.app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(skipped(task(answer.json(), "t"), "the bucket does not allow it (object lock or rights)"), 1);
  EXPECT_THAT(bucket.versions(), ElementsAre("denied/a 2 latest", "denied/a 1", "free 2 latest"));
}

TEST(VersionsOfAFolder, AreNone) {
  Application app(DatabaseKind::sqlite, BucketKind::folder);
  app.object("old.csv", "x", 100);
  app.file("steward.yaml",
           "stores: {exports: ./bucket}\ncleanup: {t: {kind: objects, store: exports, age: 30 days, versions: "
           "noncurrent}}\n");
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(plan["planned"]["items"], 0);
  EXPECT_THAT(plan["notes"].dump(), HasSubstr("nothing is noncurrent"));
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 0);
  EXPECT_EQ(app.objects(), std::vector<std::string>{"old.csv"});
}

TEST_P(Versions, RightsToRemoveThemAreAmongTheGrants) {
  const json policy = bucket.app.steward({"doctor", "--grants", "--json"}).json()["bucket_policy"];
  EXPECT_THAT(policy.dump(), HasSubstr("s3:DeleteObjectVersion\"],\"Effect\":\"Allow\",\"Resource\":\"arn:aws:s3:::" +
                                       bucket.target.url.substr(5) + "/*"));
}

}  // namespace
}  // namespace steward::harness
