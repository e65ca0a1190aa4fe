// What keeps everything where it is: freezes, holds by condition and by glob, archives of other ledgers and of other
// environments. On SQLite with folders, and on PostgreSQL with S3.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "harness/application.h"
#include "harness/world.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Shape shapes[] = {{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                        {"postgres_and_s3", DatabaseKind::postgres, BucketKind::versity}};
std::string shape_name(const testing::TestParamInfo<Shape>& shape) { return shape.param.name; }

std::vector<std::string> acts_in(const Application& app) {
  std::vector<std::string> acts;
  const auto ledger = sql::connect({.url = "sqlite:///" + app.path("state/ledger.db")});
  if (!ledger) return acts;
  const auto rows = (*ledger)->query("select act from audit order by number");
  for (const sql::Row& row : rows ? rows->rows : std::vector<sql::Row>{}) acts.push_back(sql::to_text(row[0]));
  return acts;
}

// --- freeze ----------------------------------------------------------------------------------------------------------

struct Freezes : testing::TestWithParam<Shape> {
  World world{GetParam()};
  Application& app = world.app;
  json freeze(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"freeze", "--reason", "moving the database", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Answer answer = app.steward(words);
    EXPECT_EQ(answer.exit_code, 0) << answer.err;
    return answer.json();
  }
};
INSTANTIATE_TEST_SUITE_P(Safeguards, Freezes, testing::ValuesIn(shapes), shape_name);

TEST_P(Freezes, RefuseEveryTaskThatRemovesAndThePlanCarriesItAsItsBrake) {
  const auto rows = world.all_rows();
  const std::string id = freeze()["id"];
  const Answer run = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(run.exit_code, 3) << run.out << run.err;
  EXPECT_EQ(run.json()["status"], "refused");
  for (const json& task : run.json()["tasks"]) {
    EXPECT_EQ(task["status"], "refused") << task;
    EXPECT_EQ(task["error"]["code"], "freeze") << task;
    EXPECT_EQ(task["error"]["hint"], "When removals may go on: steward freeze lift " + id + ".");
    EXPECT_EQ(task["done"]["items"], 0);
  }
  EXPECT_EQ(world.all_rows(), rows);
  EXPECT_EQ(app.count("signals"), 30);
  EXPECT_EQ(app.files("logs").size(), 4u);
  EXPECT_EQ(app.objects().size(), 4u);
  EXPECT_FALSE(app.exists("cold/steward-archive.json"));

  const Answer plan = app.steward({"plan", "cleanup", "--json"});
  EXPECT_EQ(plan.exit_code, 0);
  for (const json& task : plan.json()["tasks"]) EXPECT_EQ(task["brake"]["code"], "freeze") << task;
  EXPECT_NE(app.steward({"status"}).out.find("moving the database"), std::string::npos);
  EXPECT_EQ(app.steward({"status", "--json"}).json()["freezes"], json::array({id}));
  EXPECT_NE(app.steward({"doctor"}).out.find("moving the database"), std::string::npos);

  EXPECT_EQ(app.steward({"freeze", "lift"}).exit_code, 0);
  EXPECT_EQ(app.steward({"run", "cleanup", "--json"}).exit_code, 0);
  world.expect_finished("after the freeze was lifted");
}

TEST_P(Freezes, NoFlagOfARunGoesPastThem) {
  freeze();
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals", "--allow-removal", "purge-signals"}).exit_code, 3);
  EXPECT_EQ(app.count("signals"), 30);
}

TEST_P(Freezes, LetNothingBeForgottenEither) {
  app.run_cleanup();
  const std::vector<std::string> cold = app.files("cold");
  freeze();
  const Answer forgotten = app.steward(
      {"archive", "forget", "--table", "audit_logs", "--key", "1", "--reason", "request 81", "--yes", "--json"});
  EXPECT_EQ(forgotten.exit_code, 3) << forgotten.out << forgotten.err;
  EXPECT_EQ(app.files("cold"), cold);
}

TEST_P(Freezes, LetRestoresGoOn) {
  app.run_cleanup();
  freeze();
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(world.all_rows(), world.rows);
}

TEST_P(Freezes, AreOverWhenTheirTimeHasCome) {
  const std::string id = freeze({"--until", "2999-01-01"})["id"];
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 3);
  const auto ledger = sql::connect({.url = "sqlite:///" + app.path("state/ledger.db")});
  ASSERT_TRUE(ledger);
  ASSERT_TRUE((*ledger)->execute("update freezes set freeze_until = made + 1"));
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 10);
  EXPECT_EQ(app.steward({"freeze", "list"}).out, "Nothing is frozen.\n");
  EXPECT_EQ(app.steward({"freeze", "list", "--all", "--json"}).json()["freezes"][0]["id"], id);
}

TEST_P(Freezes, ALiftWithoutAnIdIsForTheOnlyOneAndEachIsOnTheTrail) {
  EXPECT_EQ(app.steward({"freeze", "lift"}).exit_code, 1);
  const std::string first = freeze()["id"], second = freeze()["id"];
  const Answer several = app.steward({"freeze", "lift"});
  EXPECT_EQ(several.exit_code, 2);
  EXPECT_NE(several.err.find(first), std::string::npos) << several.err;
  EXPECT_EQ(app.steward({"freeze", "lift", first}).exit_code, 0);
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 3) << "the other is in force";
  EXPECT_EQ(app.steward({"freeze", "lift"}).exit_code, 0);
  const std::vector<std::string> acts = acts_in(app);
  EXPECT_EQ(std::ranges::count(acts, "freeze.set"), 2);
  EXPECT_EQ(std::ranges::count(acts, "freeze.lift"), 2);
}

TEST_P(Freezes, ANeedlessOrUnreadableOneIsRefusedWithWhatToWrite) {
  EXPECT_EQ(app.steward({"freeze"}).exit_code, 2);
  EXPECT_EQ(app.steward({"freeze", "--reason", " "}).exit_code, 2);
  EXPECT_EQ(app.steward({"freeze", "--reason", "moving", "--until", "soon"}).exit_code, 2);
  EXPECT_EQ(app.steward({"freeze", "--reason", "moving", "--until", "2020-01-01"}).exit_code, 2);
  EXPECT_EQ(app.steward({"freeze", "list"}).out, "Nothing is frozen.\n");
}

// --- holds by condition ----------------------------------------------------------------------------------------------

struct Conditions : testing::TestWithParam<Shape> {
  World world{GetParam()};
  Application& app = world.app;
  Answer hold(const std::string& table, std::vector<std::string> conditions, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"hold", "add", "--table", table, "--reason", "case 12"};
    for (const std::string& condition : conditions) words.insert(words.end(), {"--where", condition});
    words.insert(words.end(), more.begin(), more.end());
    return app.steward(words);
  }
  std::int64_t remaining(const std::string& where) {
    return std::stoll(app.value("select count(*) from signals where timestamp < '" + days_ago(30) + "' and " + where));
  }
};
INSTANTIATE_TEST_SUITE_P(Safeguards, Conditions, testing::ValuesIn(shapes), shape_name);

TEST_P(Conditions, HoldTheRowsOfEveryKindOfTaskThatMeetThem) {
  app.sql("update signals set content_hash = 'disputed' where id <= 3");
  app.sql("update audit_logs set username = 'eve' where id <= 2");
  ASSERT_EQ(hold("signals", {"content_hash = disputed"}).exit_code, 0);
  ASSERT_EQ(hold("audit_logs", {"username in eve, mallory"}).exit_code, 0);
  ASSERT_EQ(hold("mockups", {"id >= 2", "id < 4"}).exit_code, 0);
  const json planned = app.plan_cleanup();
  EXPECT_EQ(skipped(task(planned, "purge-signals"), "held"), 3) << planned.dump(1);
  EXPECT_EQ(skipped(task(planned, "purge-audit-logs"), "held"), 2) << planned.dump(1);
  EXPECT_EQ(skipped(task(planned, "archive-mockups"), "held"), 2) << planned.dump(1);
  app.run_cleanup();
  EXPECT_EQ(app.value("select count(*) from signals where content_hash = 'disputed'"), "3");
  EXPECT_EQ(app.count("signals"), 13);
  EXPECT_EQ(app.value("select count(*) from audit_logs where username = 'eve'"), "2");
  EXPECT_EQ(app.value("select count(*) from mockups where id in (2, 3)"), "2");
  EXPECT_EQ(app.value("select count(*) from mockups where id in (1, 4, 5)"), "0");
}

TEST_P(Conditions, AreAllMetByWhatIsHeldAndNotMetByNull) {
  app.sql("update signals set content_hash = null where id = 1");
  app.sql("update signals set engagement_rate = 0.9 where id in (1, 2, 3)");
  app.sql("update signals set content_hash = 'y' where id = 3");
  ASSERT_EQ(hold("signals", {"engagement_rate >= 0.9", "content_hash != y"}).exit_code, 0);
  app.run_cleanup();
  EXPECT_EQ(app.value("select min(id) from signals"), "2");
  EXPECT_EQ(app.count("signals"), 11) << "1 is NULL there, 3 is y";
}

TEST_P(Conditions, AreParametersAndNeverSql) {
  ASSERT_EQ(hold("signals", {"content_hash = x' or '1'='1"}).exit_code, 0);
  app.run_cleanup();
  EXPECT_EQ(app.count("signals"), 10) << "nothing has that hash";
}

TEST_P(Conditions, OnAColumnThatIsNoneAreRefusedWhenTheyAreAdded) {
  const Answer answer = hold("signals", {"content_hsh = x"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_NE(answer.err.find("content_hash"), std::string::npos) << "it names the nearest: " << answer.err;
  EXPECT_EQ(hold("signals", {"content_hash"}).exit_code, 2);
  EXPECT_EQ(hold("signals", {"content_hash = x"}, {"--key", "1"}).exit_code, 2);
  EXPECT_EQ(app.steward({"hold", "add", "--path", "/a", "--where", "a = b", "--reason", "x"}).exit_code, 2);
  if (GetParam().database == DatabaseKind::postgres) {
    EXPECT_EQ(hold("signals", {"id = seven"}).exit_code, 2) << "the column is a number";
  }
  EXPECT_EQ(app.steward({"hold", "list"}).out, "Nothing is held.\n");
}

TEST_P(Conditions, OnAColumnThatHasVanishedRefuseEveryRemovalOfThatTable) {
  ASSERT_EQ(hold("signals", {"content_hash = x"}).exit_code, 0);
  app.sql("alter table signals drop column content_hash");
  const Answer run = app.steward({"run", "cleanup/purge-signals", "--json"});
  EXPECT_EQ(run.exit_code, 3) << run.out;
  EXPECT_EQ(task(run.json(), "purge-signals")["error"]["code"], "hold-column") << run.out;
  EXPECT_EQ(app.count("signals"), 30);
  const std::string id = app.steward({"hold", "list", "--json"}).json()["holds"][0]["id"];
  EXPECT_NE(task(run.json(), "purge-signals")["error"]["hint"].get<std::string>().find("steward hold release " + id),
            std::string::npos);
  EXPECT_EQ(app.steward({"hold", "release", id}).exit_code, 0);
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 10);
}

TEST_P(Conditions, OutliveALostLedgerBesideTheArchive) {
  app.run_cleanup({"--allow-removal", "purge-signals"});
  app.sql("update signals set timestamp = '" + days_ago(40) + "'");
  app.sql("update signals set content_hash = 'disputed' where id = 21");
  ASSERT_EQ(hold("signals", {"content_hash = disputed"}).exit_code, 0);
  ASSERT_EQ(app.steward({"hold", "add", "--path", app.path("logs/*"), "--reason", "case 12"}).exit_code, 0);
  fs::remove_all(app.path("state"));
  const json holds = app.steward({"hold", "list", "--json"}).json()["holds"];
  ASSERT_EQ(holds.size(), 2u);
  EXPECT_EQ(app.steward({"ledger", "adopt"}).exit_code, 0);
  app.run_cleanup();
  EXPECT_EQ(app.value("select id from signals"), "21");
}

TEST_P(Conditions, AreForAnOlderStewardAHoldOnMore) {
  app.run_cleanup();
  ASSERT_EQ(hold("signals", {"content_hash = x"}).exit_code, 0);
  ASSERT_EQ(app.steward({"hold", "add", "--path", app.path("logs/*.log"), "--reason", "case 12"}).exit_code, 0);
  for (const std::string& file : app.files("cold/holds")) {
    const json beside = json::parse(app.content("cold/holds/" + file));
    EXPECT_EQ(beside["prefix"], true) << "it knows key and prefix alone, and holds all that begins so: " << beside;
  }
}

TEST_P(Conditions, AGlobHoldsFilesAndAStarMatchesSlashesToo) {
  app.file("logs/deep/er/pay-1.log", "x", 40);
  app.file("logs/deep/other.log", "x", 40);
  fs::create_symlink("logs", app.path("log-alias"));
  ASSERT_EQ(app.steward({"hold", "add", "--path", "log-alias/*pay-?.log", "--reason", "case 12"}).exit_code, 0);
  EXPECT_EQ(skipped(task(app.plan_cleanup(), "purge-logs"), "held"), 1);
  app.run_cleanup();
  EXPECT_EQ(app.files("logs"), (std::vector<std::string>{"3.log", "4.log", "deep/er/pay-1.log"}));
}

TEST_P(Conditions, AGlobHoldsObjects) {
  app.object("legal/2025/a.csv", "x", 100);
  app.object("other/2025/a.csv", "x", 100);
  const bool s3 = GetParam().bucket == BucketKind::versity;
  const std::string at = s3 ? app.bucket_name() : app.path("bucket");
  ASSERT_EQ(app.steward({"hold", "add", s3 ? "--object" : "--path", at + "/legal*.csv", "--reason", "x"}).exit_code, 0);
  app.run_cleanup();
  EXPECT_EQ(app.objects(), (std::vector<std::string>{"3.csv", "4.csv", "legal/2025/a.csv"}));
}

TEST_P(Conditions, AreAskedByHoldTestWhichNamesEachThatKeepsAnItem) {
  app.sql("update signals set content_hash = 'disputed' where id = 2");
  ASSERT_EQ(hold("signals", {"content_hash = disputed"}).exit_code, 0);
  ASSERT_EQ(app.steward({"hold", "add", "--table", "signals", "--key", "2", "--reason", "audit"}).exit_code, 0);
  const Answer held = app.steward({"hold", "test", "--table", "signals", "--key", "2", "--json"});
  EXPECT_EQ(held.exit_code, 0) << held.err;
  EXPECT_EQ(held.json()["held"], true);
  EXPECT_EQ(held.json()["by"].size(), 2u) << held.out;
  const Answer free = app.steward({"hold", "test", "--table", "signals", "--key", "3", "--json"});
  EXPECT_EQ(free.exit_code, 1);
  EXPECT_EQ(free.json()["held"], false);
  EXPECT_EQ(app.steward({"hold", "test", "--table", "signals", "--key", "999", "--json"}).json()["there"], false);
  EXPECT_EQ(app.steward({"hold", "test", "--table", "signal", "--key", "3"}).exit_code, 1);
  EXPECT_EQ(app.steward({"hold", "test", "--table", "signals"}).exit_code, 2);
  ASSERT_EQ(app.steward({"hold", "add", "--object", "s3://b/legal/", "--prefix", "--reason", "audit"}).exit_code, 0);
  EXPECT_EQ(app.steward({"hold", "test", "--object", "s3://b/legal/a"}).exit_code, 0);
  EXPECT_EQ(app.steward({"hold", "test", "--object", "s3://b/other/a"}).exit_code, 1);
  EXPECT_EQ(app.steward({"hold", "test", "--path", app.path("logs/1.log")}).exit_code, 1);
}

// --- whose archive it is ---------------------------------------------------------------------------------------------

struct Archives : testing::TestWithParam<Shape> {
  World world{GetParam()};
  Application& app = world.app;
  json id_file() { return json::parse(app.content("cold/steward-archive.json")); }
  /// More that is old, for another run.
  void age_signals() { app.sql("update signals set timestamp = '" + days_ago(40) + "'"); }
};
INSTANTIATE_TEST_SUITE_P(Safeguards, Archives, testing::ValuesIn(shapes), shape_name);

TEST_P(Archives, OfAnotherLedgerRefuseEveryRemovalUntilTheyAreAdopted) {
  app.run_cleanup();
  age_signals();
  fs::rename(app.path("state"), app.path("state-of-before"));
  const Answer run = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(run.exit_code, 3) << run.out;
  for (const json& task : run.json()["tasks"]) {
    EXPECT_EQ(task["error"]["code"], "ledger-foreign") << task;
    EXPECT_NE(task["error"]["hint"].get<std::string>().find("steward ledger adopt"), std::string::npos);
  }
  EXPECT_EQ(app.count("signals"), 10);
  EXPECT_EQ(task(app.plan_cleanup(), "purge-signals")["brake"]["code"], "ledger-foreign");
  EXPECT_NE(app.steward({"status"}).out.find("steward ledger adopt"), std::string::npos);

  EXPECT_EQ(app.steward({"ledger", "adopt"}).exit_code, 0);
  EXPECT_EQ(std::ranges::count(acts_in(app), "archive.adopt"), 1);
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 0);

  // The ledger of before hears of it.
  app.environment["STEWARD_STATE_DIR"] = app.path("state-of-before");
  app.sql("insert into signals values (99, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
  const Answer before = app.steward({"run", "cleanup/purge-signals", "--json"});
  EXPECT_EQ(before.exit_code, 3);
  EXPECT_NE(before.out.find("adopted on "), std::string::npos) << before.out;
  EXPECT_EQ(app.count("signals"), 1);
}

TEST_P(Archives, OfSteward01BecomeThisLedgersAndThatIsSaidOnce) {
  app.run_cleanup();
  json without = id_file();
  const std::string id = without["id"];
  without.erase("ledger");
  app.file("cold/steward-archive.json", without.dump());
  age_signals();
  const Answer first = app.steward({"run", "cleanup/purge-signals"});
  EXPECT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_NE(first.err.find("belonged to no ledger"), std::string::npos) << first.err;
  EXPECT_EQ(id_file()["id"], id);
  EXPECT_EQ(id_file()["ledger"].get<std::string>().size(), 32u);
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).err.find("belonged to no ledger"), std::string::npos);
}

TEST_P(Archives, OfAnotherEnvironmentAreNotWrittenAndNothingIsRemoved) {
  app.environment["STEWARD_ENV"] = "production";
  app.run_cleanup();
  age_signals();
  EXPECT_EQ(id_file()["environment"], "production");
  app.environment["STEWARD_ENV"] = "staging";
  const Answer run = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(run.exit_code, 3) << run.out;
  for (const json& task : run.json()["tasks"]) EXPECT_EQ(task["error"]["code"], "environment-foreign") << task;
  EXPECT_EQ(app.count("signals"), 10);
  EXPECT_EQ(id_file()["environment"], "production");
  EXPECT_EQ(app.steward({"ledger", "adopt"}).exit_code, 0);
  EXPECT_EQ(id_file()["environment"], "staging");
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
}

TEST_P(Archives, TakeTheNameOfTheirEnvironmentWhenItGetsOne) {
  app.run_cleanup();
  EXPECT_EQ(id_file()["environment"], "");
  app.environment["STEWARD_ENV"] = "production";
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  EXPECT_EQ(id_file()["environment"], "production");
}

// --- status ----------------------------------------------------------------------------------------------------------

TEST(Status, ARunOfOneTaskIsNoSuccessOfTheJobAndSaysWhichItWas) {
  World world(shapes[0]);
  Application& app = world.app;
  ASSERT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 0);
  json job = app.steward({"status", "--json"}).json()["jobs"][0];
  EXPECT_TRUE(job["last"].is_null()) << job;
  EXPECT_TRUE(job["last_success"].is_null()) << job;
  EXPECT_EQ(job["parts"][0]["scope"], json::array({"purge-signals"})) << job;
  EXPECT_NE(app.steward({"runs"}).out.find("cleanup/purge-signals"), std::string::npos);
  ASSERT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  job = app.steward({"status", "--json"}).json()["jobs"][0];
  EXPECT_FALSE(job["last_success"].is_null()) << job;
  EXPECT_TRUE(job["parts"].empty()) << "none since then: " << job;
}

struct HoldOnAKeyOfTwoColumns : testing::TestWithParam<DatabaseKind> {};

TEST_P(HoldOnAKeyOfTwoColumns, CoversWhatBeginsSoAndRefusesWhatIsNoKey) {
  Application app(GetParam());
  const std::string time = GetParam() == DatabaseKind::postgres ? "timestamptz" : "text";
  app.sql("create table order_lines (order_id integer, line integer, made " + time + ", primary key (order_id, line))");
  for (const char* key : {"5, 1", "5, 2", "51, 1", "6, 1"})
    app.sql("insert into order_lines values (" + std::string(key) + ", '" + days_ago(400) + "')");
  app.file("steward.yaml",
           "databases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  t: {kind: rows, table: order_lines, age_column: made, "
           "age: 30 "
           "days}\n");
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  EXPECT_EQ(app.steward({"hold", "add", "--table", "order_lines", "--key", "5", "--prefix", "--reason", "x"}).exit_code,
            2);
  EXPECT_EQ(
      app.steward({"hold", "add", "--table", "order_lines", "--key", "[\"5\",", "--prefix", "--reason", "case 12"})
          .exit_code,
      0);
  EXPECT_EQ(app.steward({"hold", "test", "--table", "order_lines", "--key", "[\"5\",\"2\"]"}).exit_code, 0);
  EXPECT_EQ(app.steward({"hold", "test", "--table", "order_lines", "--key", "[\"51\",\"1\"]"}).exit_code, 1);
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  EXPECT_EQ(app.value("select count(*) from order_lines"), "2");
  EXPECT_EQ(app.value("select count(*) from order_lines where order_id = 5"), "2");
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, HoldOnAKeyOfTwoColumns,
                         testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace steward::harness
