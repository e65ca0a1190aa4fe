// Backups while S3 fails: keys that end in the middle, a server that asks for less, a network that is cut, answers that
// are lost, a key with few rights. The server behind the proxy is a real one. Every failure says what to do and leaves
// no half object.

#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>

#include "harness/backed_up.h"
#include "io/http/scripted_server_test_support.h"
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
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* slow_down =
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
constexpr const char* expired =
    "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>";
constexpr const char* denied = "<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>";

/// "…&partNumber=2&…" -> 2; 0 where it is no part.
int part_of(const SeenRequest& request) {
  constexpr std::string_view mark = "partNumber=";
  const std::size_t at = request.target.find(mark);
  return request.method != "PUT" || at == std::string::npos ? 0 : std::stoi(request.target.substr(at + mark.size()));
}

/// A database whose dump goes up in several parts, and its store, which the backup reaches through a proxy.
struct StoreShape {
  const char* name;
  S3Make make;
  std::string format;
};
void PrintTo(const StoreShape& shape, std::ostream* out) { *out << shape.name; }
struct BackupBehindAProxy : testing::TestWithParam<StoreShape> {
  S3Of server{GetParam().make};
  BackedUp it{in_format(GetParam().format), BucketKind::versity};
  Application& app = it.app;
  const std::string endpoint = app.environment["AWS_ENDPOINT_URL"];

  void fill() {
    // Noise, which no compression makes small.
    app.sql(
        "create table much as select i, gen_random_uuid() as a, gen_random_uuid() as b, gen_random_uuid() as c from "
        "generate_series(1, 700000) i");
  }
  Answer run(FaultProxy& proxy, std::vector<std::string> more = {}) {
    app.environment["BACKUP_AWS_ENDPOINT_URL"] = proxy.url();
    Answer answer = it.run(std::move(more));
    app.environment.erase("BACKUP_AWS_ENDPOINT_URL");
    return answer;
  }
  std::vector<std::string> uploads() {
    std::vector<std::string> out;
    EXPECT_TRUE(app.bucket().list_uploads([&](const object::Upload& upload) -> Result<bool> {
      out.push_back(upload.key);
      return true;
    }));
    return out;
  }
  void expect_nothing_is_left() {
    EXPECT_THAT(it.list(), IsEmpty());
    EXPECT_THAT(object::keys_of(app.bucket(), "backups/"), IsEmpty());
    EXPECT_THAT(uploads(), IsEmpty());
  }
  void expect_one_that_is_whole() {
    ASSERT_THAT(it.list(), SizeIs(1));
    EXPECT_EQ(it.verify("restore").exit_code, 0);
    EXPECT_THAT(uploads(), IsEmpty());
  }
};

INSTANTIATE_TEST_SUITE_P(EndToEnd, BackupBehindAProxy,
                         testing::Values(StoreShape{"custom", S3Make::versity, "custom"},
                                         StoreShape{"directory", S3Make::versity, "directory"},
                                         StoreShape{"rgw", S3Make::rgw, "custom"}),
                         [](const auto& shape) { return shape.param.name; });

TEST_P(BackupBehindAProxy, WhoseKeysEndInTheMiddleFailsAndSaysWhatToDo) {
  fill();
  FaultProxy proxy(endpoint, [](const SeenRequest& request) {
    return part_of(request) >= 2 ? Fault::reply(403, expired) : Fault::none();
  });
  const json failed = task(run(proxy).json(), "backup-database");
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["error"]["kind"], "permission") << failed.dump(1);
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("the temporary keys have ended"));
  EXPECT_THAT(failed["error"]["hint"].get<std::string>(), HasSubstr("Get new ones"));
  expect_nothing_is_left();
}

TEST_P(BackupBehindAProxy, ThatAsksForLessAgainAndAgainIsWaitedFor) {
  fill();
  std::mutex mutex;
  std::map<std::string, int> asked;
  FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    const std::lock_guard lock(mutex);
    const bool writes = request.method == "PUT" || request.method == "POST";
    return writes && ++asked[request.method + request.target] <= 3 ? Fault::reply(503, slow_down) : Fault::none();
  });
  const Answer made = run(proxy);
  EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  expect_one_that_is_whole();
}

TEST_P(BackupBehindAProxy, ThatAsksForLessForEverFailsAndLeavesNothing) {
  fill();
  FaultProxy proxy(endpoint, [](const SeenRequest& request) {
    return part_of(request) >= 2 ? Fault::reply(503, slow_down) : Fault::none();
  });
  const json failed = task(run(proxy).json(), "backup-database");
  EXPECT_EQ(failed["error"]["kind"], "unavailable") << failed.dump(1);
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), AllOf(HasSubstr("SlowDown"), HasSubstr("attempts over")));
  expect_nothing_is_left();
}

TEST_P(BackupBehindAProxy, WhoseNetworkIsCutGoesOnAtThePart) {
  fill();
  std::atomic<int> cuts = 0;
  FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    if (part_of(request) != 2 || cuts >= 3) return Fault::none();
    return ++cuts == 2 ? Fault::lost_answer() : Fault::lost_request();
  });
  const Answer made = run(proxy);
  EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(cuts, 3);
  std::map<int, int> sent;
  std::map<int, std::size_t> sizes;
  for (const SeenRequest& request : proxy.seen())
    if (const int part = part_of(request); part > 0) {
      ++sent[part];
      sizes[part] = request.body.size();
    }
  ASSERT_GE(sent.size(), 2U) << "the dump goes up in parts";
  for (const auto& [part, times] : sent) EXPECT_EQ(times, part == 2 ? 4 : 1) << part;
  for (const auto& [part, size] : sizes) {
    if (part < static_cast<int>(sizes.size())) {
      EXPECT_EQ(size, sizes[1]) << "all but the last are of one size";
    }
  }
  expect_one_that_is_whole();
}

TEST_P(BackupBehindAProxy, WhoseNetworkIsGoneForGoodLeavesAnUploadThatTheRunOfTheNextDayEnds) {
  fill();
  std::atomic<bool> gone = false;
  FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    if (part_of(request) == 2) gone = true;
    return gone ? Fault::lost_request() : Fault::none();
  });
  const json failed = task(run(proxy).json(), "backup-database");
  EXPECT_EQ(failed["error"]["kind"], "unavailable") << failed.dump(1);
  EXPECT_THAT(it.list(), IsEmpty());
  for (const std::string& key : object::keys_of(app.bucket(), "backups/"))
    EXPECT_THAT(key, HasSubstr("/dump-00000")) << "no reader sees a part of an object, and none the backup";
  EXPECT_THAT(uploads(), SizeIs(1));

  EXPECT_EQ(it.run().exit_code, 0);
  EXPECT_THAT(uploads(), SizeIs(1)) << "it may be of a run that goes on";
  if (GetParam().make == S3Make::rgw) return;  // whose uploads cannot be made older
  // A day later, as the server tells its age.
  const std::filesystem::path data = object::from_environment("STEWARD_TEST_S3_VERSITY_DATA");
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(data / app.bucket_name().substr(5) / ".sgwtmp"))
    std::filesystem::last_write_time(entry.path(),
                                     std::filesystem::last_write_time(entry.path()) - std::chrono::hours{25});
  EXPECT_EQ(it.run().exit_code, 0);
  EXPECT_THAT(uploads(), IsEmpty());
  EXPECT_THAT(it.list(), SizeIs(2));
}

TEST_P(BackupBehindAProxy, ThatLosesTheAnswerToTheManifestKnowsItsOwnWork) {
  std::atomic<int> lost = 0;
  FaultProxy proxy(endpoint, [&](const SeenRequest& request) {
    const bool seals = request.method == "PUT" && request.target.contains("manifest.json");
    return seals && lost++ < 1 ? Fault::lost_answer() : Fault::none();
  });
  const Answer made = run(proxy);
  EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_GE(lost, 2);
  expect_one_that_is_whole();
}

TEST_P(BackupBehindAProxy, ThatLosesEachAnswerToTheManifestFailsAndRemovesNothingOfWhatIsWhole) {
  FaultProxy proxy(endpoint, [](const SeenRequest& request) {
    return request.target.contains("manifest.json") ? Fault::lost_answer() : Fault::none();
  });
  const json failed = task(run(proxy).json(), "backup-database");
  EXPECT_EQ(failed["status"], "failed");
  EXPECT_EQ(failed["error"]["kind"], "unavailable") << failed.dump(1);
  expect_one_that_is_whole();
}

/// May put and get, and list objects; not remove, and not list uploads.
Fault few_rights(const SeenRequest& request) {
  const bool lists_uploads = request.method == "GET" && request.target.contains("uploads=");
  const bool removes = request.method == "DELETE" || (request.method == "POST" && request.target.contains("delete="));
  return lists_uploads || removes ? Fault::reply(403, denied) : Fault::none();
}

TEST_P(BackupBehindAProxy, WithAKeyThatMayNotDeleteNorListUploadsBacksUpAndIsProved) {
  app.environment["BACKUP_PROOF"] = "7 days";
  FaultProxy proxy(endpoint, few_rights);
  for (int i = 0; i < 2; ++i) {
    const Answer made = run(proxy);
    EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  }
  EXPECT_THAT(it.list(), SizeIs(2));
  EXPECT_EQ(it.list()[0]["standing"], "restored");
}

TEST_P(BackupBehindAProxy, WithAKeyThatMayNotDeleteIsToldWhatKeepNeeds) {
  ASSERT_EQ(it.run().exit_code, 0);
  ASSERT_EQ(it.run().exit_code, 0);
  app.environment["BACKUP_KEEP"] = "last 1";
  FaultProxy proxy(endpoint, few_rights);
  const Answer made = run(proxy);
  EXPECT_EQ(made.exit_code, 4) << "the backup is made: " << made.out;
  const json expire = task(made.json(), "backup-database.expire");
  EXPECT_EQ(expire["error"]["kind"], "permission") << expire.dump(1);
  EXPECT_THAT(it.list(), SizeIs(3)) << "nothing has gone by half";
  for (const json& one : it.list()) EXPECT_EQ(it.verify("bytes", one["id"]).exit_code, 0);
}

/// A failure with such a key leaves what no manifest names, and no run takes it for a backup.
TEST_P(BackupBehindAProxy, WithAKeyThatMayNotDeleteFailsWithTheFirstError) {
  FaultProxy proxy(endpoint, [](const SeenRequest& request) {
    if (request.method == "PUT" && request.target.contains("contents.jsonl")) return Fault::reply(403, denied);
    return few_rights(request);
  });
  const json failed = task(run(proxy).json(), "backup-database");
  EXPECT_THAT(failed["error"]["message"].get<std::string>(), HasSubstr("contents.jsonl.zst"));
  EXPECT_THAT(it.list(), IsEmpty());
  FaultProxy next(endpoint, few_rights);
  EXPECT_EQ(run(next).exit_code, 0);
  expect_one_that_is_whole();
}

}  // namespace
}  // namespace steward::harness
