// The real program where Dagster has started it: what it tells Dagster, what the ledger has of it, and whose a tick is.
// Dagster's own side of it is in dagster/tests.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "app/pipes/pipes.h"
#include "harness/served_api.h"

namespace steward::harness {
namespace {
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;

struct InDagster : testing::Test {
  void SetUp() override {
    app.file("logs/old.log", "x", 40);
    app.file("logs/new.log", "x", 4);
    app.file("steward.yaml",
             "databases:\n  app: ${DATABASE_URL}\nstores:\n  cold: file://" + app.path("cold") +
                 "\ncleanup:\n  logs: {kind: files, folder: logs, age: 30 days}\n"
                 "  signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days, archive: cold}\n"
                 "jobs:\n  cleanup: {scheduler: dagster}\n");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
    app.sql("insert into signals values (1, 1, '2020-01-01T00:00:00Z', 0.5, null, 'x')");
  }

  /// Runs it as a step of Dagster's, for these assets (empty: an op).
  Answer in_dagster(const std::vector<std::string>& words, const std::vector<std::string>& assets = {}) {
    const std::string path = app.path("messages");
    std::ofstream(path, std::ios::trunc).close();
    const json context{{"run_id", "8c1f0a2b-0000"},
                       {"job_name", "cleanup_job"},
                       {"retry_number", 0},
                       {"asset_keys", assets.empty() ? json(nullptr) : json(assets)},
                       {"extras", json::object()}};
    const std::map<std::string, std::string> dagster{{"DAGSTER_PIPES_CONTEXT", pipes::encode({{"data", context}})},
                                                     {"DAGSTER_PIPES_MESSAGES", pipes::encode({{"path", path}})}};
    return app.start(words, dagster)->wait();
  }
  std::vector<json> messages() const {
    std::vector<json> out;
    std::istringstream lines(app.content("messages"));
    for (std::string line; std::getline(lines, line);) out.push_back(json::parse(line));
    return out;
  }
  std::vector<json> params_of(std::string_view method) const {
    std::vector<json> out;
    for (const json& message : messages())
      if (message["method"] == method) out.push_back(message["params"]);
    return out;
  }
  std::vector<std::string> verdicts() const {
    std::vector<std::string> out;
    for (const json& check : params_of("report_asset_check"))
      out.push_back(check["asset_key"].get<std::string>() + " " + check["check_name"].get<std::string>() +
                    (check["passed"].get<bool>() ? " passed" : " failed"));
    return out;
  }
  json latest() { return app.steward({"runs", "show", "latest", "--json"}).json(); }

  Application app{};
};

TEST_F(InDagster, EachTaskIsAMaterialisationWithItsFiguresAndItsChecks) {
  ASSERT_EQ(in_dagster({"run", "cleanup"}).exit_code, 0) << app.content("messages");
  const std::vector<json> made = params_of("report_asset_materialization");
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0]["asset_key"], "steward/cleanup/logs");
  const json& metadata = made[0]["metadata"];
  EXPECT_EQ(metadata["items"], (json{{"raw_value", 1}, {"type", "int"}}));
  EXPECT_EQ(metadata["bytes"], (json{{"raw_value", 1}, {"type", "int"}}));
  EXPECT_EQ(metadata["final"], (json{{"raw_value", true}, {"type", "bool"}}));
  EXPECT_EQ(metadata["plan"]["type"], "md");
  EXPECT_THAT(metadata["plan"]["raw_value"].get<std::string>(), HasSubstr("| planned | 1 item, 1 B, final |"));
  EXPECT_EQ(metadata["steward_run"]["raw_value"], latest()["run"]);
  EXPECT_FALSE(metadata.contains("dashboard")) << "nobody has said where it is";
  EXPECT_THAT(verdicts(), ElementsAre("steward/cleanup/logs plan_equals_run passed",
                                      "steward/cleanup/signals plan_equals_run passed",
                                      "steward/cleanup/signals archive_verified passed"));
  EXPECT_EQ(params_of("closed"), std::vector<json>{json::object()});
}

TEST_F(InDagster, TheLedgerNamesDagstersRunAndDagsterTheLedgers) {
  ASSERT_EQ(in_dagster({"run", "cleanup"}).exit_code, 0);
  EXPECT_EQ(latest()["trigger"], "dagster");
  EXPECT_EQ(latest()["actor"], "dagster run 8c1f0a2b-0000");
  EXPECT_EQ(latest()["dagster_run"], "8c1f0a2b-0000");
  const std::vector<json> said = params_of("report_custom_message");
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0]["payload"]["steward"]["run"], latest()["run"]);
  EXPECT_EQ(said[1]["payload"]["steward"]["status"], "succeeded");
}

TEST_F(InDagster, ABackupIsCheckedForItsAgeAndItsProof) {
  app.environment.erase("STEWARD_CONFIG");
  app.environment["BACKUP_BUCKET"] = "file://" + app.path("backups");
  app.environment["BACKUP_PROOF"] = "7 days";
  ASSERT_EQ(in_dagster({"run", "backup"}).exit_code, 0) << app.content("messages");
  EXPECT_THAT(verdicts(), IsSupersetOf({"steward/backup/backup-database plan_equals_run passed",
                                        "steward/backup/backup-database backup_proved_and_fresh passed"}));
  for (const json& check : params_of("report_asset_check")) {
    if (check["check_name"] != "backup_proved_and_fresh") continue;
    EXPECT_EQ(check["metadata"]["proof_is_configured"]["raw_value"], true);
    EXPECT_EQ(check["metadata"]["proved"]["type"], "timestamp");
  }
}

TEST_F(InDagster, OnlyTheAssetsOfTheStepAreReported) {
  ASSERT_EQ(in_dagster({"run", "cleanup"}, {"steward/cleanup/signals"}).exit_code, 0);
  ASSERT_EQ(params_of("report_asset_materialization").size(), 1u);
  EXPECT_EQ(verdicts().size(), 2u);
}

TEST_F(InDagster, TheDashboardsAddressGoesAlongWhereItIsKnown) {
  app.environment["STEWARD_PUBLIC_URL"] = "https://ops.example/steward";
  ASSERT_EQ(in_dagster({"run", "cleanup/logs"}).exit_code, 0);
  EXPECT_EQ(
      params_of("report_asset_materialization")[0]["metadata"]["dashboard"],
      (json{{"raw_value", "https://ops.example/steward/runs/" + latest()["run"].get<std::string>()}, {"type", "url"}}));
}

TEST_F(InDagster, ATaskThatFailsIsAnExceptionWithItsHintAndWhatSucceededIsMaterialised) {
  app.sql("drop table signals");
  EXPECT_EQ(in_dagster({"run", "cleanup"}).exit_code, 4);
  EXPECT_EQ(params_of("report_asset_materialization").size(), 1u);
  ASSERT_EQ(params_of("closed").size(), 1u);
  const json exception = params_of("closed")[0]["exception"];
  EXPECT_EQ(exception["name"], "StewardRunNotDone");
  EXPECT_THAT(exception["message"].get<std::string>(), HasSubstr(" of cleanup: partial, 1 of 2 tasks"));
  EXPECT_THAT(exception["cause"]["message"].get<std::string>(), HasSubstr("signals"));
  EXPECT_EQ(exception["cause"]["context"], nullptr);
}

TEST_F(InDagster, ARunThatDoesNotBeginSaysWhy) {
  EXPECT_EQ(in_dagster({"run", "cleanup/no-such-task"}).exit_code, 2);
  EXPECT_EQ(params_of("closed")[0]["exception"]["name"], "BadInput");
  EXPECT_EQ(in_dagster({"run", "clenaup"}).exit_code, 2);
  EXPECT_EQ(params_of("closed")[0]["exception"]["message"], "there is no job \"clenaup\"");
}

TEST_F(InDagster, ParametersThatAreNoneEndItBeforeAnythingIsDone) {
  const Answer answer = app.start({"run", "cleanup"}, {{"DAGSTER_PIPES_CONTEXT", "?"}})->wait();
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_THAT(answer.err, HasSubstr("speaking to Dagster: DAGSTER_PIPES_CONTEXT: it is not base64"));
  EXPECT_TRUE(app.exists("logs/old.log"));
}

TEST_F(InDagster, OtherCommandsSayNothingToDagster) {
  EXPECT_EQ(in_dagster({"plan", "cleanup"}).exit_code, 0);
  EXPECT_TRUE(messages().empty());
}

TEST_F(InDagster, ATickHasOneRunWhoeverAsksAndHoweverOften) {
  const std::string tick = "2026-11-29T03:00:00Z";
  ASSERT_EQ(in_dagster({"run", "cleanup", "--tick", tick}).exit_code, 0) << app.content("messages");
  const std::string first = latest()["run"];
  EXPECT_EQ(latest()["status"], "succeeded");
  app.file("logs/late.log", "x", 40);
  const Answer again = app.steward({"run", "cleanup", "--tick", tick, "--json"});
  EXPECT_EQ(again.exit_code, 3);
  EXPECT_EQ(again.json()["error"]["code"], "tick-fired");
  EXPECT_EQ(again.json()["error"]["message"],
            "the tick 2026-11-29T03:00:00Z of cleanup has fired, by dagster run 8c1f0a2b-0000: run " + first);
  EXPECT_TRUE(app.exists("logs/late.log"));
  EXPECT_EQ(app.steward({"run", "cleanup", "--tick", "2026-11-29T04:00:00Z"}).exit_code, 0)
      << "another hour is another";
  const json past = app.steward({"schedule", "cleanup", "--past", "--json"}).json();
  EXPECT_EQ(past["ticks"][1]["outcome"], "fired") << past;
  EXPECT_EQ(past["ticks"][1]["run"], first);
}

TEST_F(InDagster, ATickIsAMomentThatHasCome) {
  EXPECT_EQ(app.steward({"run", "cleanup", "--tick", "soon"}).exit_code, 2);
  EXPECT_EQ(app.steward({"run", "cleanup", "--tick", "2999-01-01T00:00:00Z"}).exit_code, 2);
  EXPECT_EQ(app.steward({"run", "cleanup", "--tick", "2026-11-29"}).exit_code, 2);
}

TEST_F(InDagster, ATickIsToldWhatIsInItsWay) {
  const std::string tick = "2020-02-03T03:00:00Z";
  const auto told = [&] { return app.steward({"schedule", "cleanup", "--tick", tick, "--json"}).json(); };
  EXPECT_EQ(told(), (json{{"job", "cleanup"},
                          {"tick", tick},
                          {"starts", true},
                          {"outcome", nullptr},
                          {"reason", nullptr},
                          {"until", nullptr}}));
  std::string with_blackout = app.content("steward.yaml");
  with_blackout.replace(with_blackout.find("{scheduler: dagster}"), 20,
                        "{scheduler: dagster, blackout: {from: 2020-02-03, to: 2020-02-04}}");
  app.file("steward.yaml", with_blackout);
  EXPECT_EQ(told(), (json{{"job", "cleanup"},
                          {"tick", tick},
                          {"starts", false},
                          {"outcome", "blackout"},
                          {"reason", "blackout 2020-02-03 to 2020-02-04, until 2020-02-05T00:00:00Z"},
                          {"until", "2020-02-05T00:00:00Z"}}));
  EXPECT_EQ(app.steward({"schedule", "cleanup", "--tick", tick}).out,
            "cleanup is not to start: blackout 2020-02-03 to 2020-02-04, until 2020-02-05T00:00:00Z\n");
  EXPECT_EQ(app.steward({"schedule", "cleanup", "--tick", "2020-02-05T00:00:00Z"}).out, "cleanup is to start.\n");
  EXPECT_EQ(app.steward({"schedule", "--tick", tick}).exit_code, 2) << "of which job";
  EXPECT_EQ(app.steward({"schedule", "cleanup", "--tick", "soon"}).exit_code, 2);
}

TEST_F(InDagster, ATickWhoseJobIsUnderWayIsToldSo) {
  // Somebody else holds the database: the run is at work until it is told to stop.
  auto transaction = app.db().begin();
  ASSERT_TRUE(transaction);
  ASSERT_TRUE(app.db().query("update signals set engagement_rate = 1"));
  auto running = app.start({"run", "cleanup/signals"}, {});
  await([&] { return latest()["status"] == "running"; }, "it is at work");
  const json told = app.steward({"schedule", "cleanup", "--tick", "2026-11-23T03:00:00Z", "--json"}).json();
  EXPECT_EQ(told["outcome"], "overlap");
  EXPECT_EQ(told["reason"], "run " + latest()["run"].get<std::string>() + " is under way");
  // One that is killed is under way no more, though the ledger has not heard of it.
  ::kill(running->pid(), SIGKILL);
  running->wait();
  EXPECT_EQ(app.steward({"schedule", "cleanup", "--tick", "2026-11-23T03:00:00Z", "--json"}).json()["starts"], true);
  (void)transaction->rollback();
}

TEST_F(InDagster, TheCatalogueSaysWhatThereIsAndConnectsToNothing) {
  app.environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing";
  const json document = app.steward({"catalogue", "--json"}).json();
  EXPECT_EQ(document["format"], 1);
  const json cleanup = document["jobs"][0];
  EXPECT_EQ(cleanup["job"], "cleanup");
  EXPECT_EQ(cleanup["schedule"]["owner"], "dagster");
  EXPECT_EQ(cleanup["schedule"]["cron"], "0 * * * *") << "Dagster is the only one that fires it, and does so hourly";
  EXPECT_EQ(cleanup["tasks"][0]["kind"], "purge");
  EXPECT_EQ(cleanup["tasks"][1]["kind"], "archive");
  EXPECT_EQ(cleanup["tasks"][1]["checks"], (json{"plan_equals_run", "archive_verified"}));
  EXPECT_EQ(document["jobs"][2]["configured"], false);
  EXPECT_EQ(app.steward({"catalog", "--json"}).json(), document);
}

TEST_F(InDagster, WhenTheProcessThatStartedItIsGoneItStops) {
  // Somebody else holds the database: the run waits until it is told to stop.
  auto transaction = app.db().begin();
  ASSERT_TRUE(transaction);
  ASSERT_TRUE(app.db().query("update signals set engagement_rate = 1"));
  const json context{{"run_id", "8c1f0a2b-0000"}, {"extras", json::object()}};
  app.environment["DAGSTER_PIPES_CONTEXT"] = pipes::encode({{"data", context}});
  app.environment["DAGSTER_PIPES_MESSAGES"] = pipes::encode({{"path", app.path("messages")}});
  auto parent = std::make_unique<Started>(
      std::vector<std::string>{"/bin/sh", "-c", steward_binary() + " run cleanup/signals & wait"}, app.environment,
      app.root());
  await([&] { return app.content("messages").find("signals: 1 item") != std::string::npos; }, "it is at work");
  ::kill(parent->pid(), SIGKILL);
  parent->wait();
  await([&] { return app.content("messages").find("\"closed\"") != std::string::npos; }, "it has stopped");
  (void)transaction->rollback();
  await([&] { return latest()["status"] == "cancelled"; }, "the ledger has it as cancelled");
}

/// A daemon beside Dagster: what it leaves to Dagster is Dagster's to fire.
struct LeftToDagster : Serve {
  void SetUp() override {
    Serve::SetUp();
    configure("schedule: '* * * * *', scheduler: dagster");
  }
};

TEST_F(LeftToDagster, TheDaemonFiresNothingAndDagsterTheSameTickOnce) {
  auto serving = daemon({"--listen", "off"});
  const auto ticks = [&] { return ledger->agenda().ticks({.job = "cleanup", .limit = 5}).value(); };
  await_minutes([&] { return !ticks().empty(); }, "a tick has come");
  const ledger::Tick left = ticks().back();
  EXPECT_EQ(left.outcome, "left");
  const std::string due = format_instant(left.due);
  EXPECT_EQ(app.steward({"run", "cleanup", "--tick", due}).exit_code, 0);
  EXPECT_EQ(app.steward({"run", "cleanup", "--tick", due}).exit_code, 3);
  EXPECT_EQ(ledger->runs({.job = "cleanup"})->size(), 1u);
  ::kill(serving->pid(), SIGTERM);
  EXPECT_EQ(serving->wait().exit_code, 0);
}

/// The API beside Dagster.
struct ServedBesideDagster : ServedApi {
  std::string run_in_dagster() {
    const json context{{"run_id", "8c1f0a2b-0000"}, {"extras", json::object()}};
    const std::map<std::string, std::string> dagster{
        {"DAGSTER_PIPES_CONTEXT", pipes::encode({{"data", context}})},
        {"DAGSTER_PIPES_MESSAGES", pipes::encode({{"path", app.path("messages")}})}};
    EXPECT_EQ(app.start({"run", "cleanup"}, dagster)->wait().exit_code, 0);
    return ledger->run("latest")->id;
  }
};

TEST_F(ServedBesideDagster, ARunsDocumentLeadsToDagstersRunWhereItIsKnownWhereThatIs) {
  serve();
  const http::Header viewer = token("viewer");
  const std::string path = "/api/v1/runs/" + run_in_dagster();
  EXPECT_EQ(ask("GET", path, {viewer}).document()["dagster_run"], "8c1f0a2b-0000");
  EXPECT_EQ(ask("GET", path, {viewer}).document()["dagster_url"], nullptr);
  app.file("steward.yaml", app.content("steward.yaml") + "serve: {dagster_url: \"https://dagster.example/\"}\n");
  poke(*serving);
  await(
      [&] {
        return ask("GET", path, {viewer}).document()["dagster_url"] == "https://dagster.example/runs/8c1f0a2b-0000";
      },
      "the link to Dagster");
  stop();
}

}  // namespace
}  // namespace steward::harness
