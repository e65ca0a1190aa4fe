// What steward forgets of its own work: old logs, plans and lists, and never what an unfinished run needs.

#include <gtest/gtest.h>

#include <memory>

#include "harness/application.h"
#include "run/ledger/ledger.h"
#include "run/ledger/outbox.h"
#include "run/state.h"
#include "run/upkeep.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct TidyState : testing::Test {
  Application app;
  std::unique_ptr<ledger::Ledger> ledger{};
  SystemClock clock{};
  void SetUp() override {
    ASSERT_EQ(app.steward({"status"}).exit_code, 0);  // makes the state directory
    auto opened = ledger::open({.url = "sqlite:///" + app.path("state/ledger.db")});
    ASSERT_TRUE(opened);
    ledger = *std::move(opened);
  }
  StateDirectory state() const { return StateDirectory::open(app.path("state")).value(); }
  void log(const std::string& run, double days_old, std::string_view content = "{}\n") {
    app.file("state/runs/" + run + "/log.jsonl", content, days_old);
  }
  /// A run in the ledger that began so long ago.
  void run(const std::string& id, int days_old, ledger::Status status, const std::string& digest,
           const std::string& items) {
    const Instant began = clock.now() - std::chrono::days(days_old);
    ASSERT_TRUE(ledger->begin_run({.id = id,
                                   .job = "cleanup",
                                   .started = began,
                                   .heartbeat = began,
                                   .process = {.host = "elsewhere"},
                                   .plan_digest = digest,
                                   .plan = json{{"tasks", {{{"items", items}}}}}.dump()}));
    if (status == ledger::Status::running) return;
    ASSERT_TRUE(ledger->end_run(id, status, began, ""));
  }
};

TEST_F(TidyState, RemovesWhatIsOldAndKeepsWhatAnUnfinishedRunNeeds) {
  log("old", 91);
  log("young", 89);
  log("waits", 500);
  for (const char* name : {"old", "waits"}) {
    app.file("state/plans/" + std::string(name) + ".json", "{}", 430);
    app.file("state/plans/items-" + std::string(name) + ".jsonl", "{}", 430);
    app.file("state/manifests/" + std::string(name) + "/purge-logs.jsonl", "{}", 430);
  }
  app.file("state/plans/young.json", "{}", 380);
  app.file("state/manifests/young/purge-logs.jsonl", "{}", 380);
  app.file("state/other.txt", "mine", 5000);
  run("waits", 500, ledger::Status::waiting, "waits", "waits");
  run("old", 500, ledger::Status::succeeded, "old", "old");
  ASSERT_TRUE(ledger->outbox().collect(clock.now()));
  ASSERT_EQ(ledger->outbox().add_event({.kind = "test", .key = "test/1", .at = clock.now() - std::chrono::days(380)}),
            true);
  const std::int64_t lines = ledger->verify_audit().value();

  const json planned = app.steward({"tidy-state", "--plan", "--json"}).json();
  EXPECT_EQ(planned["parts"][0]["files"], 1) << planned;
  EXPECT_EQ(planned["parts"][1]["files"], 2) << planned;
  EXPECT_EQ(planned["parts"][2]["files"], 1) << planned;
  EXPECT_EQ(planned["runs"]["plans_forgotten"], 1) << planned;
  EXPECT_EQ(planned["events"]["forgotten"], 4) << planned;  // two that began, and their ends
  EXPECT_TRUE(app.exists("state/runs/old/log.jsonl")) << "a plan changes nothing";
  EXPECT_EQ(ledger->verify_audit().value(), lines);

  const Answer done = app.steward({"tidy-state"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_EQ(app.files("state/runs"), (std::vector<std::string>{"waits/log.jsonl", "young/log.jsonl"}));
  EXPECT_EQ(app.files("state/plans"), (std::vector<std::string>{"items-waits.jsonl", "waits.json", "young.json"}));
  EXPECT_EQ(app.files("state/manifests"),
            (std::vector<std::string>{"waits/purge-logs.jsonl", "young/purge-logs.jsonl"}));
  EXPECT_FALSE(app.exists("state/runs/old")) << "its folder goes with it";
  EXPECT_TRUE(app.exists("state/other.txt"));
  EXPECT_EQ(ledger->run("old")->plan, "");
  EXPECT_NE(ledger->run("waits")->plan, "");
  EXPECT_EQ(ledger->outbox().undispatched(10)->size(), 1U) << "the young one stays";
  EXPECT_EQ(ledger->verify_audit().value(), lines + 1);
  EXPECT_EQ(ledger->audit_lines(1)->at(0).act, "state.tidy");
  EXPECT_EQ(app.steward({"tidy-state", "--json"}).json()["parts"][0]["files"], 0);
  EXPECT_EQ(ledger->verify_audit().value(), lines + 1) << "nothing went, and nothing is said";
}

TEST_F(TidyState, LogsBeyondTheirLimitGoByTheOldestDaysAndTheNewestStays) {
  const std::string kib(1024, 'x');
  for (int day = 1; day <= 5; ++day) log("day" + std::to_string(day), day, kib);
  const Upkeep three = plan_upkeep(state(), *ledger, clock.now(), {.logs_together = 3_KiB}).value();
  EXPECT_EQ(three.parts[0].files, 2u);
  ASSERT_TRUE(carry_out(three, state(), *ledger, clock, "ada"));
  EXPECT_EQ(app.files("state/runs"), (std::vector<std::string>{"day1/log.jsonl", "day2/log.jsonl", "day3/log.jsonl"}));
  const Upkeep none = plan_upkeep(state(), *ledger, clock.now(), {.logs_together = 0_B}).value();
  ASSERT_TRUE(carry_out(none, state(), *ledger, clock, "ada"));
  EXPECT_EQ(app.files("state/runs"), std::vector<std::string>{"day1/log.jsonl"});
}

TEST_F(TidyState, EachRunDoesItAtItsEndAndAFreezeKeepsEverything) {
  log("old", 91);
  ASSERT_EQ(app.steward({"freeze", "--reason", "evidence"}).exit_code, 0);
  app.steward({"run", "cleanup"});
  const Answer frozen = app.steward({"tidy-state", "--json"});
  EXPECT_EQ(frozen.exit_code, 3);
  EXPECT_EQ(frozen.json()["error"]["code"], "freeze");
  EXPECT_EQ(frozen.json()["error"]["page"], "docs/refusals.md#freeze");
  EXPECT_TRUE(app.exists("state/runs/old/log.jsonl"));
  ASSERT_EQ(app.steward({"freeze", "lift"}).exit_code, 0);
  ASSERT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  EXPECT_FALSE(app.exists("state/runs/old"));
}

TEST_F(TidyState, StatusShowsTheBytesOfEachPart) {
  log("young", 1, "12345");
  app.file("state/plans/a.json", "123");
  app.file("state/manifests/young/purge-logs.jsonl", "1234567");
  const json state = app.steward({"status", "--json"}).json()["state"];
  EXPECT_EQ(state["run_logs"], 5) << state;
  EXPECT_EQ(state["plans"], 3) << state;
  EXPECT_EQ(state["removal_lists"], 7) << state;
  EXPECT_GT(state["ledger"], 0) << state;
}

}  // namespace
}  // namespace steward::harness
