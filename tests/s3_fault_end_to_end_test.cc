// S3 goes away, or is overloaded, in the middle of a run of the real program. Nothing is lost, the reason is said, and
// the next run finishes exactly.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "harness/application.h"
#include "io/http/scripted_server_test_support.h"
#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::harness {
namespace {

using http::Fault;
using http::SeenRequest;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* slow_down =
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

bool is_removal(const SeenRequest& request) { return request.method == "DELETE" && request.target.contains(".csv"); }

struct ExpireObjectsBehindAProxy : testing::Test {
  static constexpr int old_objects = 60, young_objects = 5;
  Application app{DatabaseKind::sqlite, BucketKind::versity};
  const std::string endpoint = app.environment["AWS_ENDPOINT_URL"];
  void SetUp() override {
    for (int i = 0; i < old_objects; ++i) app.object("old/" + std::to_string(i) + ".csv", "object", 100);
    for (int i = 0; i < young_objects; ++i) app.object("young/" + std::to_string(i) + ".csv", "object", 5);
  }
  json run(const std::string& through, int exit_code) {
    app.environment["AWS_ENDPOINT_URL"] = through;
    const Answer answer = app.steward({"run", "cleanup/expire-objects", "--json"});
    EXPECT_EQ(answer.exit_code, exit_code) << answer.out << answer.err;
    return task(answer.json(), "expire-objects");
  }
};

TEST_F(ExpireObjectsBehindAProxy, ThatCutsEverythingMidwayFailsClearlyAndTheNextRunFinishes) {
  std::atomic<int> removals = 0;
  std::atomic<bool> cut = false;
  http::FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    if (is_removal(request) && ++removals > 25) cut = true;
    return cut ? Fault::lost_request() : Fault::none();
  });
  const json failed = run(proxy.url(), 1);
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["error"]["kind"], "unavailable") << failed.dump(1);
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("attempts over"));
  EXPECT_EQ(failed["done"]["items"], 25);
  EXPECT_EQ(app.objects().size(), std::size_t{old_objects + young_objects} - 25 + 1) << "and the lock of that run";

  const json finished = run(endpoint, 0);
  EXPECT_EQ(finished["planned"]["items"], old_objects - 25);
  EXPECT_EQ(finished["done"]["items"], old_objects - 25);
  EXPECT_EQ(app.objects().size(), std::size_t{young_objects});
}

TEST_F(ExpireObjectsBehindAProxy, ThatLosesAnswersButNotRequestsCountsWhatWentAsGone) {
  std::atomic<int> removals = 0;
  http::FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    return is_removal(request) && removals++ % 3 == 0 ? Fault::lost_answer() : Fault::none();
  });
  const json done = run(proxy.url(), 0);
  EXPECT_EQ(done["done"]["items"], old_objects) << done.dump(1);
  EXPECT_EQ(app.objects().size(), std::size_t{young_objects});
}

TEST_F(ExpireObjectsBehindAProxy, ThatSaysSlowDownForAWhileIsWaitedFor) {
  std::atomic<int> removals = 0;
  http::FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    return is_removal(request) && removals++ < 30 ? Fault::reply(503, slow_down) : Fault::none();
  });
  const json done = run(proxy.url(), 0);
  EXPECT_EQ(done["done"]["items"], old_objects) << done.dump(1);
  EXPECT_TRUE(done["skipped"].empty()) << done.dump(1);
  EXPECT_EQ(done["notes"], json::array({"the store asks for fewer requests at once, and gets fewer (SlowDown: Please "
                                        "reduce your request rate.)"}));
  EXPECT_EQ(app.objects().size(), std::size_t{young_objects});
}

/// Six old mockups, three old audit entries; a cold store in a bucket of its own, behind a proxy.
struct ArchiveBehindAProxy : testing::Test {
  static constexpr int mockups = 6, audits = 3;
  Application app{DatabaseKind::sqlite, BucketKind::versity};
  const std::string endpoint = app.environment["AWS_ENDPOINT_URL"];
  object::StoreTarget cold = object::new_bucket("STEWARD_TEST_S3_VERSITY");

  void SetUp() override {
    for (int i = 1; i <= mockups; ++i) app.mockup(i, picture(i), 400, "pixels of " + std::to_string(i));
    for (int i = 1; i <= audits; ++i)
      app.sql("insert into audit_logs values (" + std::to_string(i) + ", 'ann', 'login', '{}', '" + days_ago(600) +
              "')");
    app.environment["COLD_STORAGE_PATH"] = cold.url;
    app.environment["STEWARD_DISABLE"] = "expire-objects";
  }
  static std::string picture(int id) { return std::to_string(id) + ".png"; }
  Answer run(const std::string& through) {
    app.environment["AWS_ENDPOINT_URL"] = through;
    return app.steward({"run", "cleanup", "--json"});
  }
  /// Each row has its file, or it has left and the archive has its bytes.
  void expect_nothing_lost() {
    const auto store = object::opened(cold);
    std::string copies;
    for (const std::string& key : object::keys_of(*store, "mockups/"))
      if (key.ends_with(".png")) copies += object::content_of(*store, key) + '\n';
    for (int i = 1; i <= mockups; ++i) {
      const bool has_row = app.value("select count(*) from mockups where id = " + std::to_string(i)) == "1";
      const std::string bytes = "pixels of " + std::to_string(i);
      EXPECT_TRUE(has_row ? app.content("media/" + picture(i)) == bytes : copies.contains(bytes + '\n')) << i;
    }
  }
  void expect_finishes_exactly() {
    const Answer done = run(endpoint);
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_EQ(app.count("mockups"), 0);
    EXPECT_EQ(app.count("audit_logs"), 0);
    EXPECT_TRUE(app.files("media").empty());
    const Answer verified = app.steward({"archive", "verify"});
    EXPECT_EQ(verified.exit_code, 0) << verified.out << verified.err;
    const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
    EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    EXPECT_EQ(app.count("mockups"), mockups);
    EXPECT_EQ(app.count("audit_logs"), audits);
    for (int i = 1; i <= mockups; ++i) EXPECT_EQ(app.content("media/" + picture(i)), "pixels of " + std::to_string(i));
  }
};

struct CutAfter : ArchiveBehindAProxy, testing::WithParamInterface<int> {};

TEST_P(CutAfter, SoManyWritesNothingIsLostAndTheNextRunFinishes) {
  std::atomic<int> writes = 0;
  std::atomic<bool> cut = false;
  http::FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    if (request.method == "PUT" && request.target.starts_with("/" + cold.url.substr(5)) && writes++ >= GetParam())
      cut = true;
    return cut ? Fault::lost_request() : Fault::none();
  });
  const Answer failed = run(proxy.url());
  ASSERT_TRUE(cut) << "the run ended before";
  EXPECT_NE(failed.exit_code, 0) << failed.out;
  EXPECT_THAT(failed.out, HasSubstr("attempts over"));
  expect_nothing_lost();
  expect_finishes_exactly();
}
INSTANTIATE_TEST_SUITE_P(EndToEnd, CutAfter, testing::Values(0, 1, 2, 4, 7, 8, 9, 10, 11));

TEST_F(ArchiveBehindAProxy, ThatSaysSlowDownForAWhileIsWaitedFor) {
  std::atomic<int> requests = 0;
  http::FaultProxy proxy(
      endpoint, [&](const SeenRequest&) { return requests++ % 2 == 0 ? Fault::reply(503, slow_down) : Fault::none(); });
  const Answer done = run(proxy.url());
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_EQ(app.count("mockups"), 0);
  expect_nothing_lost();
}

}  // namespace
}  // namespace steward::harness
