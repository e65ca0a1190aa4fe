// What people type and get: bad input in one clear line, exit codes, JSON, secrets unseen, two at once.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "harness/application.h"
#include "run/ledger/ledger.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct BadInput {
  const char* name;
  std::vector<std::string> words;
  std::map<std::string, std::string> variables;
  int exit_code;
  std::string says;
  std::string hints;
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.name; }

struct Bad : testing::TestWithParam<BadInput> {};

TEST_P(Bad, GetsOneClearLineAndAHintAndChangesNothing) {
  const BadInput& bad = GetParam();
  Application app;
  app.mockup(1, "a.png", 400);
  app.file("logs/a.log", "x", 40);
  for (const auto& [name, value] : bad.variables) app.environment[name] = value;
  const Answer answer = app.steward(bad.words);
  EXPECT_EQ(answer.exit_code, bad.exit_code) << answer.out << answer.err;
  const std::string all = answer.out + answer.err;
  EXPECT_NE(all.find(bad.says), std::string::npos) << all;
  EXPECT_NE(all.find(bad.hints), std::string::npos) << all;
  EXPECT_EQ(all.find("s3cret"), std::string::npos) << "a secret is shown: " << all;
  if (bad.exit_code == 2) {
    EXPECT_LE(std::count(answer.err.begin(), answer.err.end(), '\n'), 2) << answer.err;
    EXPECT_TRUE(answer.out.empty()) << answer.out;
  }
  EXPECT_EQ(app.count("mockups"), 1);
  EXPECT_TRUE(app.exists("logs/a.log"));
}

const BadInput bad_inputs[] = {
    {"unknown_command", {"clenaup"}, {}, 2, "", "steward --help"},
    {"unknown_job", {"run", "clenup"}, {}, 2, "there is no job \"clenup\"", "Did you mean \"cleanup\"?"},
    {"unknown_task",
     {"run", "cleanup/purge-signal"},
     {},
     2,
     "cleanup has no task \"purge-signal\"",
     "Did you mean \"purge-signals\"?"},
    {"unknown_flag", {"plan", "cleanup", "--dryrun"}, {}, 2, "--dryrun", ""},
    {"no_job", {"run"}, {}, 2, "JOB", ""},
    {"retention_ninety",
     {"plan", "cleanup"},
     {{"S3_RETENTION_DAYS", "ninety"}},
     2,
     "S3_RETENTION_DAYS is \"ninety\"",
     "S3_RETENTION_DAYS=90"},
    {"retention_negative",
     {"run", "cleanup"},
     {{"S3_RETENTION_DAYS", "-1"}},
     2,
     "S3_RETENTION_DAYS is \"-1\"",
     "S3_RETENTION_DAYS=90"},
    {"retention_zero",
     {"run", "cleanup"},
     {{"S3_RETENTION_DAYS", "0"}},
     2,
     "S3_RETENTION_DAYS is \"0\"",
     "S3_RETENTION_DAYS=90"},
    {"retention_fraction", {"run", "cleanup"}, {{"S3_RETENTION_DAYS", "7.5"}}, 2, "S3_RETENTION_DAYS is \"7.5\"", ""},
    {"database_of_another_kind",
     {"run", "cleanup"},
     {{"DATABASE_URL", "mysql://u:s3cret@db/app"}},
     2,
     "DATABASE_URL",
     ""},
    {"database_without_a_scheme", {"run", "cleanup"}, {{"DATABASE_URL", "localhost/app"}}, 2, "DATABASE_URL", ""},
    {"bucket_that_is_none", {"run", "cleanup"}, {{"S3_BUCKET", "a b"}}, 2, "S3_BUCKET is \"a b\"", "s3://"},
    {"system_folder_as_logs", {"run", "cleanup"}, {{"LOG_DIR", "/etc"}}, 2, "LOG_DIR is \"/etc\"", "log files alone"},
    {"below_a_system_folder", {"run", "cleanup"}, {{"LOG_DIR", "/usr/lib/x"}}, 2, "LOG_DIR is", ""},
    {"root_as_logs", {"run", "cleanup"}, {{"LOG_DIR", "/"}}, 2, "LOG_DIR is \"/\"", ""},
    {"disabled_that_is_no_task",
     {"run", "cleanup"},
     {{"STEWARD_DISABLE", "purge-signal"}},
     2,
     "STEWARD_DISABLE is \"purge-signal\"",
     "Did you mean"},
    {"plan_that_is_none", {"run", "cleanup", "--plan", "xyz"}, {}, 2, "\"xyz\" is not a plan's digest", "eight"},
    {"plan_that_is_not_saved",
     {"run", "cleanup", "--plan", "0123456789"},
     {},
     1,
     "no saved plan begins with 0123456789",
     "steward plan"},
    {"brake_of_no_task",
     {"run", "cleanup", "--allow-removal", "purge-everything"},
     {},
     2,
     "--allow-removal names no task",
     ""},
    {"hold_on_nothing", {"hold", "add", "--reason", "x"}, {}, 2, "one of them", "--table"},
    {"hold_without_a_reason",
     {"hold", "add", "--table", "mockups", "--key", "1", "--reason", " "},
     {},
     2,
     "a hold needs a reason",
     ""},
    {"hold_until_yesterday",
     {"hold", "add", "--table", "mockups", "--key", "1", "--reason", "x", "--until", "2020-01-01"},
     {},
     2,
     "which has passed",
     ""},
    {"hold_until_whenever",
     {"hold", "add", "--table", "mockups", "--key", "1", "--reason", "x", "--until", "whenever"},
     {},
     2,
     "not a date",
     ""},
    {"restore_of_nothing", {"archive", "restore"}, {}, 2, "nothing was named to restore", "--all"},
    {"restore_without_an_archive", {"archive", "restore", "--all"}, {}, 1, "", ""},
    {"run_that_is_none", {"runs", "show", "2020"}, {}, 1, "2020", ""},
    {"shell_that_is_none", {"completion", "tcsh"}, {}, 2, "no completion for \"tcsh\"", "bash, zsh or fish"},
    {"database_that_is_not_there",
     {"run", "cleanup/purge-signals"},
     {{"DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:1/app"}},
     1,
     "127.0.0.1",
     ""},
    {"sqlite_file_that_is_not_there",
     {"run", "cleanup/purge-signals"},
     {{"DATABASE_URL", "sqlite:///nowhere.db"}},
     1,
     "nowhere.db",
     ""},
    {"explicit_log_folder_absent",
     {"run", "cleanup/purge-logs"},
     {{"LOG_DIR", "nowhere"}},
     1,
     "there is no folder",
     "LOG_DIR"},
};
INSTANTIATE_TEST_SUITE_P(CommandLine, Bad, testing::ValuesIn(bad_inputs), [](const auto& c) { return c.param.name; });

struct WrongKey : testing::Test {
  Application app{DatabaseKind::sqlite, BucketKind::versity};
};
TEST_F(WrongKey, IsOneLineWithoutTheKey) {
  app.environment["AWS_SECRET_ACCESS_KEY"] = "s3cret-and-wrong";
  const Answer answer = app.steward({"run", "cleanup/expire-objects"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_EQ((answer.out + answer.err).find("s3cret"), std::string::npos);
  EXPECT_NE((answer.out + answer.err).find(app.bucket_name().substr(5)), std::string::npos) << answer.out << answer.err;
}
TEST_F(WrongKey, ABucketThatIsNotThereIsNamed) {
  app.environment["S3_BUCKET"] = "no-such-bucket-here";
  const Answer answer = app.steward({"run", "cleanup/expire-objects"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_NE((answer.out + answer.err).find("no-such-bucket-here"), std::string::npos);
}

TEST(CommandLine, NothingConfiguredIsExit2AndNamesTheVariables) {
  Application app;
  app.environment = {{"PATH", "/usr/bin:/bin"}, {"STEWARD_STATE_DIR", app.path("state")}};
  std::filesystem::remove_all(app.path("logs"));
  const Answer answer = app.steward({"run", "cleanup"});
  EXPECT_EQ(answer.exit_code, 2) << answer.out;
  EXPECT_NE(answer.err.find("DATABASE_URL"), std::string::npos) << answer.err;
}
TEST(CommandLine, ATaskThatIsNotConfiguredIsListedWithTheVariableToSet) {
  Application app;
  app.environment.erase("S3_BUCKET");
  const json expire = task(app.run_cleanup(), "expire-objects");
  EXPECT_EQ(expire["status"], "not_configured");
  EXPECT_EQ(expire["needs"], json::array({"S3_BUCKET"}));
}
TEST(CommandLine, TheDefaultLogFolderAbsentIsNotConfigured) {
  Application app;
  app.environment.erase("LOG_DIR");
  std::filesystem::remove_all(app.path("logs"));
  EXPECT_EQ(task(app.run_cleanup(), "purge-logs")["status"], "not_configured");
}
TEST(CommandLine, AnEmptyVariableIsUnset) {
  Application app;
  app.environment["S3_BUCKET"] = "";
  app.environment["S3_RETENTION_DAYS"] = "";
  EXPECT_EQ(task(app.run_cleanup(), "expire-objects")["status"], "not_configured");
}
TEST(CommandLine, ADisabledTaskIsOffAndSaysWhoSaidSo) {
  Application app;
  app.environment["STEWARD_DISABLE"] = "purge-logs, expire-objects";
  app.file("logs/a.log", "x", 40);
  const json plan = app.plan_cleanup();
  EXPECT_EQ(task(plan, "purge-logs")["status"], "off");
  EXPECT_EQ(task(plan, "purge-logs")["reason"], "off (by STEWARD_DISABLE)");
  EXPECT_EQ(task(app.run_cleanup(), "expire-objects")["status"], "off");
  EXPECT_TRUE(app.exists("logs/a.log"));
}
TEST(CommandLine, ErrorsAreJsonWhereJsonIsAskedFor) {
  Application app;
  const Answer answer = app.steward({"run", "clenup", "--json"});
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_EQ(answer.json()["error"]["kind"], "bad-input");
  EXPECT_EQ(app.steward({"--json", "nonsense"}).json()["error"]["kind"], "bad-input");
}
TEST(CommandLine, HelpHasExamplesAndTheVersionIsPrinted) {
  Application app;
  const Answer help = app.steward({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("steward plan cleanup"), std::string::npos);
  EXPECT_EQ(app.steward({"--version"}).out.substr(0, 8), "steward ");
}
TEST(CommandLine, CompletionScriptsAreWellFormed) {
  Application app;
  const Answer script = app.steward({"completion", "bash"});
  app.file("completion", script.out);
  EXPECT_EQ(run_program({"bash", "-n", app.path("completion")}, {{"PATH", "/usr/bin:/bin"}}, app.root()).exit_code, 0);
  // What bash is offered behind these words.
  const auto offered = [&](const std::string& words) {
    const std::string ask = "source completion; COMP_WORDS=(" + words +
                            "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _steward; echo \"${COMPREPLY[*]}\"";
    return run_program({"bash", "-c", ask}, {{"PATH", "/usr/bin:/bin"}}, app.root()).out;
  };
  EXPECT_THAT(offered("steward app"), testing::Eq("approvals\n"));
  EXPECT_THAT(offered("steward backup ''"), testing::HasSubstr("list verify restore"));
  EXPECT_THAT(offered("steward archive show --ma"), testing::Eq("--match\n"));
  EXPECT_THAT(offered("steward run cleanup/purge-s"), testing::Eq("cleanup/purge-signals\n"));
  EXPECT_THAT(offered("steward hold list --j"), testing::Eq("--json\n"));
  // They are made from the grammar itself: some of what was once forgotten.
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string words = app.steward({"completion", shell}).out;
    for (const char* word : {"serve", "token", "pause", "backup", "approvals", "break-glass"})
      EXPECT_THAT(words, testing::HasSubstr(word)) << shell;
  }
  EXPECT_NE(app.steward({"completion", "zsh"}).out.find("compdef"), std::string::npos);
  EXPECT_NE(app.steward({"completion", "fish"}).out.find("complete -c steward"), std::string::npos);
}
TEST(CommandLine, ATaskThatLosesGroundIsForecastAndNeedsAttention) {
  Application app;
  for (int i = 0; i < 30; ++i) app.file("logs/" + std::to_string(i) + ".log", "x", 40);
  json plan = app.plan_cleanup();
  EXPECT_EQ(task(plan, "purge-logs")["forecast"]["trend"], "unknown");
  EXPECT_EQ(app.steward({"status"}).out.find("FORECAST"), std::string::npos) << "nothing has run";

  // Three nights, each of which leaves a little more. The fourth is tonight.
  const auto ledger = ledger::open({.url = "sqlite:///" + app.path("state/ledger.db")}).value();
  for (const auto& [days, planned, done] : {std::tuple(3, 20, 10), {2, 24, 10}, {1, 28, 10}}) {
    for (json& step : plan["tasks"])
      if (step["task"] == "purge-logs") step["planned"] = {{"items", planned}, {"bytes", planned << 20}};
    const std::string id = "night-" + std::to_string(3 - days);
    const Instant then = *parse_instant(days_ago(days));
    ASSERT_TRUE(ledger->begin_run({.id = id, .job = "cleanup", .started = then, .heartbeat = then}));
    ASSERT_TRUE(ledger->set_plan(id, "0f", plan.dump()));
    const json detail{{"task", "purge-logs"},
                      {"status", "cancelled"},
                      {"planned", task(plan, "purge-logs")["planned"]},
                      {"done", {{"items", done}, {"bytes", done << 20}}}};
    ASSERT_TRUE(ledger->record_task(id, {.task = "purge-logs", .status = "cancelled", .detail = detail.dump()}));
    ASSERT_TRUE(ledger->end_run(id, ledger::Status::cancelled, then + std::chrono::hours(1), ""));
  }

  const std::string reason =
      "losing ground: 14 items (14 MiB) a night come, 10 items (10 MiB) go, so that what waits is never gone";
  const json again = app.plan_cleanup();
  const json forecast = task(again, "purge-logs")["forecast"];
  EXPECT_EQ(forecast["trend"], "losing_ground") << forecast;
  EXPECT_EQ(forecast["backlog"]["items"], 30);
  EXPECT_EQ(forecast["come_a_night"], json({{"items", 14.0}, {"bytes", 14.0 * (1 << 20)}}));
  EXPECT_EQ(forecast["nights"], nullptr);
  EXPECT_NE(app.steward({"plan", "cleanup"}).out.find("    forecast  " + reason), std::string::npos);

  const json status = app.steward({"status", "--json"}).json();
  ASSERT_EQ(status["forecasts"].size(), 1U) << status;
  EXPECT_EQ(status["forecasts"][0]["task"], "purge-logs");
  EXPECT_EQ(status["forecasts"][0]["backlog"]["items"], 18);
  const Answer shown = app.steward({"status"});
  EXPECT_NE(shown.out.find("! purge-logs is " + reason + ": steward plan cleanup/purge-logs"), std::string::npos)
      << shown.out;
}
TEST(CommandLine, EveryCommandAnswersInJson) {
  Application app;
  app.mockup(1, "a.png", 400);
  app.run_cleanup();
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"plan", "cleanup"},
                                                                                     {"status"},
                                                                                     {"runs"},
                                                                                     {"runs", "show", "latest"},
                                                                                     {"archive", "list"},
                                                                                     {"archive", "verify"},
                                                                                     {"hold", "list"},
                                                                                     {"doctor"},
                                                                                     {"config", "show"},
                                                                                     {"ledger", "verify"}}) {
    std::vector<std::string> all = words;
    all.emplace_back("--json");
    const Answer answer = app.steward(all);
    EXPECT_EQ(answer.exit_code, 0) << words[0] << answer.out << answer.err;
    EXPECT_TRUE(answer.json().is_object()) << words[0];
  }
}
TEST(CommandLine, TheConfigurationIsShownWithoutSecrets) {
  Application app;
  app.environment["DATABASE_URL"] = "postgresql+asyncpg://app:s3cret@127.0.0.1:1/app?ssl=disable";
  const Answer shown = app.steward({"config", "show"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ((shown.out + shown.err).find("s3cret"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("asyncpg"), std::string::npos) << "it says what was dropped: " << shown.out;
}
TEST(CommandLine, RunsAreListedShownAndLogged) {
  Application app;
  app.mockup(1, "a.png", 400);
  const std::string run = app.run_cleanup()["run"];
  EXPECT_EQ(app.steward({"runs", "--json"}).json()["runs"][0]["run"], run);
  EXPECT_EQ(app.steward({"runs", "show", run.substr(0, 20), "--json"}).json()["tasks"][0]["done"]["items"], 1);
  EXPECT_NE(app.steward({"runs", "log", "latest"}).out.find("archive-mockups"), std::string::npos);
}

TEST(TwoAtOnce, ASecondRunOnTheSameTargetDoesNothingAndExits75) {
  Application app;
  app.file("logs/a.log", "x", 40);
  const int folder = ::open(app.path("logs").c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(folder, LOCK_EX | LOCK_NB), 0);
  const Answer busy = app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(busy.exit_code, 75) << busy.out << busy.err;
  EXPECT_EQ(busy.json()["error"]["kind"], "busy");
  EXPECT_TRUE(app.exists("logs/a.log"));
  ::close(folder);
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
}
TEST(TwoAtOnce, OnPostgresTheLockIsInTheDatabase) {
  Application app(DatabaseKind::postgres);
  app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
  {
    auto held = app.db().begin();
    ASSERT_TRUE(held);
    ASSERT_TRUE(app.db().try_transaction_lock("steward table signals"));
    EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 75);
  }
  EXPECT_EQ(app.count("signals"), 1);
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 0);
}

}  // namespace
}  // namespace steward::harness
