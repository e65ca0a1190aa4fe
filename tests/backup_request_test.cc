// A backup into S3, with a fault at each of its requests in turn: an answer that is lost, a request that never arrives,
// a kill. Whatever it is, there is a whole backup or none, and the next run tidies what is left.

#include <gmock/gmock.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <set>

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
using testing::IsEmpty;
using testing::SizeIs;

/// A world of its own for each fault.
struct Faulty {
  explicit Faulty(const std::string& format) : it(in_format(format), BucketKind::versity) {
    it.app.sql("insert into audit_logs (id, username) values (1, 'ann'), (2, 'bea')");
  }
  BackedUp it;
  const std::string endpoint = it.app.environment["AWS_ENDPOINT_URL"];

  std::unique_ptr<Started> start(const FaultProxy& proxy) const {
    return it.app.start({"run", "backup", "--json"}, {{"BACKUP_AWS_ENDPOINT_URL", proxy.url()}});
  }
  std::vector<std::string> uploads() {
    std::vector<std::string> out;
    EXPECT_TRUE(it.app.bucket().list_uploads([&](const object::Upload& upload) -> Result<bool> {
      out.push_back(upload.key);
      return true;
    }));
    return out;
  }
  /// All that lies in the bucket is as if a day had gone by.
  void a_day_goes_by() const {
    namespace fs = std::filesystem;
    const fs::path data = object::from_environment("STEWARD_TEST_S3_VERSITY_DATA");
    for (const auto& entry : fs::recursive_directory_iterator(data / it.app.bucket_name().substr(5)))
      fs::last_write_time(entry.path(), fs::last_write_time(entry.path()) - std::chrono::hours{25});
  }
  void expect_nothing_else() {
    std::set<std::string> folders, ids;
    for (const std::string& key : object::keys_of(it.app.bucket(), "backups/")) {
      const std::string in_store = key.substr(std::string_view("backups/").size());
      folders.insert(in_store.substr(0, in_store.rfind('/')));
    }
    for (const json& one : it.list()) ids.insert(one["id"]);
    EXPECT_EQ(folders, ids);
    EXPECT_THAT(uploads(), IsEmpty());
  }
  void expect_all_are_whole() const {
    for (const json& one : it.list()) EXPECT_EQ(it.verify("restore", one["id"]).exit_code, 0) << one.dump();
  }
};

struct EachRequest : testing::TestWithParam<std::string> {
  /// How many requests an undisturbed backup makes.
  static std::size_t requests() {
    const Faulty world(GetParam());
    const FaultProxy proxy(world.endpoint, [](const SeenRequest&) { return Fault::none(); });
    EXPECT_EQ(world.start(proxy)->wait().exit_code, 0);
    return proxy.seen().size();
  }
};
INSTANTIATE_TEST_SUITE_P(OfABackup, EachRequest, testing::ValuesIn(dump_formats),
                         [](const auto& format) { return format.param; });

TEST_P(EachRequest, MayLoseItsAnswerOrItselfAndTheBackupIsMade) {
  const std::size_t all = requests();
  ASSERT_GE(all, 10U);
  for (std::size_t n = 1; n <= all; ++n) {
    SCOPED_TRACE("request " + std::to_string(n) + " of " + std::to_string(all));
    Faulty world(GetParam());
    std::atomic<std::size_t> count = 0;
    const FaultProxy proxy(world.endpoint, [&](const SeenRequest&) {
      if (++count != n) return Fault::none();
      return n % 2 == 0 ? Fault::lost_answer() : Fault::lost_request();
    });
    const Answer made = world.start(proxy)->wait();
    EXPECT_EQ(made.exit_code, 0) << proxy.seen()[n - 1].method << ' ' << proxy.seen()[n - 1].target << made.out;
    EXPECT_THAT(world.it.list(), SizeIs(1));
    EXPECT_EQ(world.it.verify("bytes").exit_code, 0);
    EXPECT_THAT(world.uploads(), IsEmpty());
    if (HasFailure()) return;  // one is enough to read
  }
}

TEST_P(EachRequest, MayBeTheLastOneAndLeavesAWholeBackupOrWhatTheNextRunTidies) {
  const std::size_t all = requests();
  ASSERT_GE(all, 10U);
  for (std::size_t n = 1; n <= all; ++n) {
    SCOPED_TRACE("killed at request " + std::to_string(n) + " of " + std::to_string(all));
    Faulty world(GetParam());
    std::atomic<std::size_t> count = 0;
    std::atomic<pid_t> pid = 0;
    const FaultProxy proxy(world.endpoint, [&](const SeenRequest&) {
      if (++count != n) return Fault::none();
      pid.wait(0);
      ::kill(pid, SIGKILL);
      // With every second one the server has done what it was asked for.
      return n % 2 == 0 ? Fault::none() : Fault::lost_request();
    });
    const auto run = world.start(proxy);
    pid = run->pid();
    pid.notify_all();
    EXPECT_EQ(run->wait().exit_code, 128 + SIGKILL);
    const std::size_t whole = world.it.list().size();
    world.expect_all_are_whole();
    world.a_day_goes_by();
    const Answer next = world.it.run();
    EXPECT_EQ(next.exit_code, 0) << next.out << next.err;
    EXPECT_THAT(world.it.list(), SizeIs(whole + 1));
    world.expect_nothing_else();
    if (HasFailure()) return;  // one is enough to read
  }
}

}  // namespace
}  // namespace steward::harness
