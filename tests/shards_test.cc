// A task's plan in shards: handed out, carried out side by side by the real program, killed, and added up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <set>

#include "harness/application.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::SizeIs;

const std::string task_name = "cleanup/purge-signals";

struct ShardsOfRows : testing::Test {
  /// `old` rows that are due, with ids from 1, and behind them `fresh` ones that are not.
  void fill(int old, int fresh) {
    app.sql(
        "insert into signals (id, idea_id, timestamp, engagement_rate, details, content_hash) select i, 1, now() - "
        "case when i <= " +
        std::to_string(old) +
        " then interval '40 days' else interval '1 day' end, 0.5, null, 'x' from "
        "generate_series(1, " +
        std::to_string(old + fresh) + ") i; analyze signals");
  }
  json hand_out(int count, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"shards", task_name, "--count", std::to_string(count), "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Answer answer = app.steward(words);
    EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    digest = answer.json()["digest"];
    return answer.json();
  }
  std::vector<std::string> words(int shard) const {
    return {"run", task_name, "--plan", digest, "--shard", std::to_string(shard), "--json"};
  }
  Answer run(int shard) { return app.steward(words(shard)); }
  Answer summed() { return app.steward({"shards", task_name, "--plan", digest, "--json"}); }

  /// A shard that has come to the row of this id, which somebody else has locked. Whoever destroys the transaction lets
  /// it go on.
  std::unique_ptr<Started> stopped_at(int shard, int id, sql::Transaction& transaction) {
    (void)transaction;
    EXPECT_TRUE(app.db().query("select 1 from signals where id = " + std::to_string(id) + " for update"));
    auto started = app.start(words(shard));
    // Another connection: within a transaction the server shows its sessions as they were at first.
    const auto watcher = sql::connect({.url = app.environment["DATABASE_URL"]});
    EXPECT_TRUE(watcher);
    await(
        [&] {
          const auto waiting = (*watcher)->query(
              "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
              "datname = current_database()");
          return waiting && sql::to_integer(waiting->rows.at(0).at(0)) > 0;
        },
        "the shard waits for the row");
    return started;
  }

  Application app{DatabaseKind::postgres};
  std::string digest{};
};

TEST_F(ShardsOfRows, AreOfNearEqualWorkRunBesideOneAnotherAndAddUpToThePlan) {
  fill(4'000, 700);
  const json handed_out = hand_out(4);
  ASSERT_THAT(handed_out["shards"], SizeIs(4));
  EXPECT_EQ(handed_out["planned"]["items"], 4'000);
  for (const json& shard : handed_out["shards"]) EXPECT_EQ(shard["estimate"]["items"], 1'000) << shard;
  EXPECT_EQ(handed_out["shards"][1]["after"], json{"1000"});
  EXPECT_EQ(handed_out["shards"][1]["last"], json{"2000"});
  EXPECT_EQ(app.count("signals"), 4'700) << "to hand out changes nothing";
  EXPECT_EQ(summed().exit_code, 1);
  EXPECT_EQ(summed().json()["shards"][0]["status"], "not_run");

  std::vector<std::unique_ptr<Started>> running;
  for (int shard = 1; shard <= 4; ++shard) running.push_back(app.start(words(shard)));
  for (auto& one : running) {
    const Answer answer = one->wait();
    EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    EXPECT_EQ(task(answer.json(), "purge-signals")["done"]["items"], 1'000);
  }
  EXPECT_EQ(app.count("signals"), 700);
  const json sum = summed().json();
  EXPECT_EQ(sum["complete"], true) << sum;
  EXPECT_EQ(sum["equals_plan"], true) << sum;
  EXPECT_EQ(sum["done"]["items"], 4'000);
  EXPECT_EQ(summed().exit_code, 0);

  const json runs = app.steward({"runs", "--json"}).json()["runs"];
  ASSERT_THAT(runs, SizeIs(4));
  EXPECT_EQ(runs[0]["plan"], digest);
  EXPECT_EQ(runs[0]["scope"], json{"purge-signals"});
  std::set<int> numbers;
  for (const json& one : runs) numbers.insert(one["shard"].get<int>());
  EXPECT_EQ(numbers.size(), 4u);
}

TEST_F(ShardsOfRows, WhatIsKilledIsRunAgainAloneAndNothingIsDoneTwice) {
  fill(50'000, 10);
  ASSERT_THAT(hand_out(2, {"--allow-removal"})["shards"], SizeIs(2));
  EXPECT_EQ(run(2).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 25'010);
  {
    auto transaction = app.db().begin();
    ASSERT_TRUE(transaction);
    auto shard = stopped_at(1, 25'000, *transaction);
    ::kill(shard->pid(), SIGKILL);
    shard->wait();
    (void)transaction->rollback();
  }
  const std::int64_t left = app.count("signals");
  EXPECT_LT(left, 25'010) << "it was killed before it had done anything";
  EXPECT_GT(left, 10) << "it was killed behind its end";
  EXPECT_EQ(summed().exit_code, 1);

  const Answer again = run(1);
  EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
  EXPECT_EQ(task(again.json(), "purge-signals")["done"]["items"], left - 10);
  EXPECT_EQ(app.count("signals"), 10);
  const json sum = summed().json();
  EXPECT_EQ(sum["equals_plan"], true) << sum;
  EXPECT_EQ(sum["done"]["items"], 50'000);
  EXPECT_THAT(sum["shards"][0]["runs"], SizeIs(2));
  EXPECT_THAT(sum["shards"][1]["runs"], SizeIs(1));
  const Answer third = run(1);
  EXPECT_EQ(third.exit_code, 0) << "once more is once too often, and harmless";
  EXPECT_EQ(task(third.json(), "purge-signals")["done"]["items"], 0);
  EXPECT_EQ(summed().json()["done"]["items"], 50'000);
}

TEST_F(ShardsOfRows, AShardIsNeverRunTwiceAtOnceNorBesideTheWhole) {
  fill(100, 10);
  hand_out(2);
  auto transaction = app.db().begin();
  ASSERT_TRUE(transaction);
  auto shard = stopped_at(1, 50, *transaction);
  ::kill(shard->pid(), SIGSTOP);  // it would go round the row after five seconds
  EXPECT_EQ(run(1).exit_code, 75);
  EXPECT_EQ(app.steward({"run", task_name, "--json"}).exit_code, 75);
  EXPECT_EQ(run(2).exit_code, 0) << "another one goes on beside it";
  (void)transaction->rollback();
  ::kill(shard->pid(), SIGCONT);
  EXPECT_EQ(shard->wait().exit_code, 0);
  EXPECT_EQ(app.count("signals"), 10);
}

TEST_F(ShardsOfRows, NoneIsHandedOutOfAPlanThatABrakeWouldStopAndTheBrakeIsTheWholes) {
  fill(2'000, 10);
  const Answer refused = app.steward({"shards", task_name, "--json"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_EQ(refused.json()["error"]["code"], "brake-share");
  hand_out(2, {"--allow-removal"});
  EXPECT_EQ(run(1).exit_code, 0) << "who has let the whole past its brakes has let its shards";
  EXPECT_EQ(app.count("signals"), 1'010);
  // A share that the whole has not, but a shard alone of what is there now would have.
  app.sql("delete from signals");
  fill(8'000, 2'000);
  hand_out(8);
  app.sql("delete from signals where id > 1000");
  EXPECT_EQ(run(1).exit_code, 0) << "1,000 of 1,000 rows, and of the plan's 10,000 no more than was looked at";
}

TEST_F(ShardsOfRows, AFreezeAndHoldsHoldForShardsAsForAll) {
  fill(100, 10);
  hand_out(2);
  ASSERT_EQ(app.steward({"freeze", "--reason", "an audit", "--json"}).exit_code, 0);
  EXPECT_EQ(run(1).exit_code, 3);
  EXPECT_EQ(app.count("signals"), 110);
  ASSERT_EQ(app.steward({"freeze", "lift"}).exit_code, 0);
  ASSERT_EQ(app.steward({"hold", "add", "--table", "signals", "--key", "7", "--reason", "a case"}).exit_code, 0);
  EXPECT_EQ(run(1).exit_code, 0);
  EXPECT_EQ(run(2).exit_code, 0);
  EXPECT_EQ(app.value("select string_agg(id::text, ',') from signals where id <= 100"), "7");
  const json sum = summed().json();
  EXPECT_EQ(sum["done"]["items"], 99) << sum;
  EXPECT_EQ(sum["left_on_the_way"], 1);
  EXPECT_EQ(sum["equals_plan"], true);
}

TEST_F(ShardsOfRows, AllOfThemRemoveNoMoreThanThePlanHas) {
  fill(100, 10);
  hand_out(2);
  EXPECT_EQ(run(1).exit_code, 0);
  // Old rows that came in late: more than the plan has, though fewer than all that it has.
  app.sql(
      "insert into signals select i, 1, now() - interval '50 days', 0.5, null, 'late' from generate_series(1000, "
      "1004) i");
  const Answer refused = run(2);
  EXPECT_EQ(refused.exit_code, 3) << refused.out;
  EXPECT_EQ(task(refused.json(), "purge-signals")["error"]["code"], "plan-outdated");
  EXPECT_EQ(app.count("signals"), 65) << "50 of the second shard, 10 that are not due, 5 that came late";
}

TEST_F(ShardsOfRows, WhatWouldWaitForAnApprovalIsNotHandedOut) {
  app.file("steward.yaml",
           "databases:\n  app: ${DATABASE_URL}\ncleanup:\n"
           "  purge-signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days, approval: required}\n");
  app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
  fill(100, 10);
  const Answer refused = app.steward({"shards", task_name, "--json"});
  EXPECT_EQ(refused.exit_code, 3) << refused.out;
  EXPECT_EQ(refused.json()["error"]["code"], "shards-approval");
}

TEST_F(ShardsOfRows, AreCutByTheWholeKeyAlsoWhereThatHasSeveralColumns) {
  app.sql(
      "create table visits (site text, number int, at timestamptz not null, primary key (site, number));"
      "insert into visits select 'site ' || i % 3, i, now() - interval '40 days' from generate_series(1, 900) i");
  app.file("steward.yaml",
           "databases:\n  app: ${DATABASE_URL}\ncleanup:\n"
           "  purge-visits: {kind: rows, table: visits, age_column: at, age: 30 days}\n");
  app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
  const json handed_out = app.steward({"shards", "cleanup/purge-visits", "--count", "4", "--json"}).json();
  ASSERT_THAT(handed_out["shards"], SizeIs(4)) << handed_out;
  EXPECT_EQ(handed_out["shards"][1]["last"], (json{"site 1", "448"})) << handed_out;
  for (int shard = 1; shard <= 4; ++shard) {
    const Answer answer = app.steward(
        {"run", "cleanup/purge-visits", "--plan", handed_out["digest"], "--shard", std::to_string(shard), "--json"});
    EXPECT_EQ(task(answer.json(), "purge-visits")["done"]["items"], 225) << answer.out;
  }
  EXPECT_EQ(app.count("visits"), 0);
}

TEST_F(ShardsOfRows, NoSuchShardAndNoSuchPlanAreSaidInOneLine) {
  fill(100, 10);
  hand_out(2);
  EXPECT_THAT(run(3).json()["error"]["message"].get<std::string>(), HasSubstr("has no shard 3"));
  EXPECT_EQ(run(3).exit_code, 2);
  digest = std::string(64, 'a');
  EXPECT_THAT(run(1).json()["error"]["message"].get<std::string>(), HasSubstr("was handed out in shards"));
  EXPECT_EQ(app.steward({"shards", "cleanup"}).exit_code, 2);
}

TEST(Shards, WhatCannotBeCutIsOneShardAndSaysWhy) {
  Application app{DatabaseKind::sqlite};
  app.sql("insert into signals values (1, 1, '2020-01-01T00:00:00Z', 0.5, null, 'x')");
  const json one = app.steward({"shards", task_name, "--json"}).json();
  ASSERT_THAT(one["shards"], SizeIs(1));
  EXPECT_EQ(one["one_because"], "SQLite has one writer at a time");
  const Answer run = app.steward({"run", task_name, "--plan", one["digest"], "--shard", "1", "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_EQ(app.count("signals"), 0);
}

struct ShardsOfObjects : testing::Test {
  Application app{DatabaseKind::sqlite, BucketKind::versity};
  const std::string name = "cleanup/expire-objects";
  void SetUp() override {
    for (int i = 0; i < 60; ++i)
      app.object("exports/" + std::to_string(i % 4) + "/" + std::to_string(100 + i) + ".csv", "object",
                 i < 40 ? 100 : 5);
  }
};

TEST_F(ShardsOfObjects, AreRangesOfKeysAndTogetherRemoveWhatWasPlannedAndNothingElse) {
  const json handed_out = app.steward({"shards", name, "--count", "4", "--json"}).json();
  ASSERT_THAT(handed_out["shards"], SizeIs(4)) << handed_out;
  for (const json& shard : handed_out["shards"]) EXPECT_EQ(shard["estimate"]["items"], 10) << shard;
  const std::string digest = handed_out["digest"];
  std::vector<std::unique_ptr<Started>> running;
  for (int shard = 1; shard <= 4; ++shard)
    running.push_back(app.start({"run", name, "--plan", digest, "--shard", std::to_string(shard), "--json"}));
  for (auto& one : running) {
    const Answer answer = one->wait();
    EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    EXPECT_EQ(task(answer.json(), "expire-objects")["done"]["items"], 10) << answer.out;
  }
  EXPECT_THAT(app.objects(), SizeIs(20)) << "and no lock is left behind";
  const json sum = app.steward({"shards", name, "--plan", digest, "--json"}).json();
  EXPECT_EQ(sum["equals_plan"], true) << sum;
  EXPECT_EQ(sum["done"], (json{{"items", 40}, {"bytes", 240}}));
}

TEST_F(ShardsOfObjects, AShardOfAnotherMachineKeepsTheWholeOutAndTheOtherWayRound) {
  const std::string digest = app.steward({"shards", name, "--count", "2", "--json"}).json()["digest"];
  const auto there = [&](const std::string& key) {
    const std::string text = json{{"steward", "lock"}, {"agent", "steward/0.1 run/x"}, {"host", "web-2"}, {"boot", "x"},
                                  {"pid", 4711},       {"lease_seconds", 120}}
                                 .dump();
    StringSource source(text);
    EXPECT_TRUE(app.bucket().put(key, source));
  };
  const auto shard = [&](int number) {
    return app.steward({"run", name, "--plan", digest, "--shard", std::to_string(number), "--json"});
  };
  const std::string whole = ".steward-lock-expire-objects", part = whole + ".part-" + digest.substr(0, 16) + "-1";
  there(part);
  EXPECT_EQ(app.steward({"run", name, "--json"}).exit_code, 75);
  EXPECT_EQ(shard(1).exit_code, 75);
  EXPECT_EQ(shard(2).exit_code, 0);
  EXPECT_TRUE(app.bucket().remove({.key = part}));
  there(whole);
  EXPECT_EQ(shard(1).exit_code, 75);
  EXPECT_TRUE(app.bucket().remove({.key = whole}));
  EXPECT_EQ(shard(1).exit_code, 0);
  EXPECT_THAT(app.objects(), SizeIs(20));
}

}  // namespace
}  // namespace steward::harness
