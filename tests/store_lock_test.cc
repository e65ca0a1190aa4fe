// Two machines and one bucket: the lock of expire-objects lies in the bucket itself. A state directory of its own
// stands for the other machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <csignal>
#include <mutex>

#include "harness/application.h"
#include "io/http/scripted_server_test_support.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using Objects = std::vector<std::string>;

constexpr const char* lock_key = ".steward-lock-expire-objects";

/// Lets everything through until the first removal of an object of the application's; holds that back until it is told.
class Gate {
 public:
  http::Fault operator()(const http::SeenRequest& request) {
    if (request.method != "DELETE" || !request.target.contains(".csv")) return http::Fault::none();
    std::unique_lock lock(mutex_);
    reached_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    return http::Fault::none();
  }
  void await_removal() {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] { return reached_; })) << "no removal came";
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_{};
  std::condition_variable changed_{};
  bool reached_ = false, open_ = false;
};

struct StoreLock : testing::Test {
  Application app{DatabaseKind::sqlite, BucketKind::versity};
  const std::vector<std::string> run{"run", "cleanup/expire-objects", "--json"};
  void SetUp() override {
    for (int i = 1; i <= 4; ++i) app.object(std::to_string(i) + ".csv", "object", i <= 2 ? 100 : 5);
  }
  std::map<std::string, std::string> elsewhere() const { return {{"STEWARD_STATE_DIR", app.path("other-state")}}; }
  static std::string lock_of_another_host() {
    return json{{"steward", "lock"}, {"agent", "steward/0.1 run/x"}, {"host", "web-2"}, {"boot", "x"},
                {"pid", 4711},       {"lease_seconds", 120}}
        .dump();
  }
};

TEST_F(StoreLock, ARunOfAnotherStateDirectoryIsKeptOutAndAfterAKillGoesOnAtOnce) {
  Gate gate;
  http::FaultProxy proxy(app.environment["AWS_ENDPOINT_URL"], std::ref(gate));
  const auto first = app.start(run, {{"AWS_ENDPOINT_URL", proxy.url()}});
  gate.await_removal();

  const Answer second = app.start(run, elsewhere())->wait();
  EXPECT_EQ(second.exit_code, 75) << second.out << second.err;
  const std::string message = second.json()["error"]["message"];
  EXPECT_THAT(message, HasSubstr("another run is working on " + app.bucket_name() + ": steward cleanup "));
  EXPECT_THAT(message, HasSubstr(", process " + std::to_string(first->pid()) + " on "));
  EXPECT_THAT(app.objects(), ElementsAre(lock_key, "1.csv", "2.csv", "3.csv", "4.csv"));

  ::kill(first->pid(), SIGKILL);
  EXPECT_EQ(first->wait().exit_code, 128 + SIGKILL);
  const Answer third = app.start(run, elsewhere())->wait();
  gate.open();
  EXPECT_EQ(third.exit_code, 0) << third.out << third.err;
  EXPECT_EQ(task(third.json(), "expire-objects")["done"]["items"], 2);
  EXPECT_EQ(app.objects(), (Objects{"3.csv", "4.csv"})) << "and no lock is left";
}

TEST_F(StoreLock, TheFirstRunEndsAsIfNothingHadBeen) {
  Gate gate;
  http::FaultProxy proxy(app.environment["AWS_ENDPOINT_URL"], std::ref(gate));
  const auto first = app.start(run, {{"AWS_ENDPOINT_URL", proxy.url()}});
  gate.await_removal();
  EXPECT_EQ(app.start(run, elsewhere())->wait().exit_code, 75);
  gate.open();
  const Answer done = first->wait();
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_EQ(app.objects(), (Objects{"3.csv", "4.csv"}));
}

TEST_F(StoreLock, OfAHostThatIsGoneIsTakenOverWhenItHasEndedAndNotBefore) {
  app.object(lock_key, lock_of_another_host());
  const Answer busy = app.start(run)->wait();
  EXPECT_EQ(busy.exit_code, 75) << busy.out;
  EXPECT_THAT(busy.json()["error"]["message"].get<std::string>(), HasSubstr("process 4711 on web-2; its lock ends at"));
  EXPECT_EQ(app.objects().size(), 5U);

  app.object(lock_key, lock_of_another_host(), 1);
  const Answer done = app.start(run)->wait();
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_EQ(app.objects(), (Objects{"3.csv", "4.csv"}));
}

TEST_F(StoreLock, AndItsLeftoversAreNoItemsHoweverOld) {
  app.object(lock_key, lock_of_another_host(), 200);
  app.object(".steward-lock-of-another-version", lock_of_another_host(), 200);
  app.object(".steward-probe-0123456789abcdef", "probe", 200);
  const json plan = task(app.plan_cleanup(), "expire-objects");
  EXPECT_EQ(plan["planned"]["items"], 2);
  EXPECT_TRUE(plan["skipped"].empty()) << plan.dump(1);
  const Answer done = app.start(run)->wait();
  EXPECT_EQ(task(done.json(), "expire-objects")["done"]["items"], 2);
  EXPECT_EQ(app.objects(),
            (Objects{".steward-lock-of-another-version", ".steward-probe-0123456789abcdef", "3.csv", "4.csv"}));
}

}  // namespace
}  // namespace steward::harness
