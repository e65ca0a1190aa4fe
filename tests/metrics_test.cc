// `steward metrics`, as Prometheus's own tool reads it, and the alert rules that we ship.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "harness/application.h"

namespace steward::harness {
namespace {
using testing::HasSubstr;
using testing::Not;

/// promtool, or a failed test.
std::string promtool() {
  const std::string script = std::string(STEWARD_SOURCES) + "/tests/tools/promtool.sh";
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  std::map<std::string, std::string> environment{{"PATH", variable("PATH")}, {"HOME", variable("HOME")}};
  if (const std::string tools = variable("STEWARD_TOOLS"); !tools.empty()) environment["STEWARD_TOOLS"] = tools;
  const Answer installed = run_program({script, "install"}, environment, "/");
  EXPECT_EQ(installed.exit_code, 0) << installed.err;
  std::string path = run_program({script, "path"}, environment, "/").out;
  path.resize(path.find('\n'));
  return path;
}

struct Metrics : testing::Test {
  void SetUp() override {
    app.environment["LOG_DIR"] = app.path("logs");
    app.file("logs/old.log", "12345", 40);
    app.file("logs/new.log", "x", 1);
  }
  Application app;
};

TEST_F(Metrics, AreReadByPromtool) {
  ASSERT_EQ(app.run_cleanup({"--json"})["status"], "succeeded");
  const Answer said = app.steward({"metrics"});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  app.file("metrics.txt", said.out);
  const Answer checked = run_program({"/bin/sh", "-c", promtool() + " check metrics < metrics.txt"},
                                     {{"PATH", "/usr/bin:/bin"}}, app.root());
  EXPECT_EQ(checked.exit_code, 0) << checked.out << checked.err << said.out;
  EXPECT_THAT(said.out, HasSubstr("steward_runs_total{job=\"cleanup\",status=\"succeeded\"} 1\n"));
  EXPECT_THAT(said.out,
              HasSubstr("steward_task_items_total{job=\"cleanup\",task=\"purge-logs\",status=\"succeeded\"} 1\n"));
  EXPECT_THAT(said.out,
              HasSubstr("steward_task_bytes_total{job=\"cleanup\",task=\"purge-logs\",status=\"succeeded\"} 5\n"));
  EXPECT_THAT(said.out, HasSubstr("steward_job_last_success_timestamp_seconds{job=\"cleanup\"} "));
  EXPECT_THAT(said.out, HasSubstr("steward_job_next_tick_timestamp_seconds{job=\"cleanup\"} "));
}

TEST_F(Metrics, AreThereBeforeTheFirstRun) {
  const Answer said = app.steward({"metrics"});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("steward_info{version="));
  EXPECT_THAT(said.out, HasSubstr("steward_approvals_waiting 0\n"));
  EXPECT_THAT(said.out, Not(HasSubstr("steward_runs_total{")));
}

TEST_F(Metrics, TellOfMessagesThatHaveNotArrived) {
  app.environment["SLACK_WEBHOOK_URL"] = "http://127.0.0.1:1/nobody-listens";
  app.steward({"freeze", "--reason", "an audit"});
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 3);
  const Answer said = app.steward({"metrics"});
  EXPECT_THAT(said.out, HasSubstr("steward_notifications_waiting{channel=\"slack\"} 1\n"));
  EXPECT_THAT(said.out, HasSubstr("steward_notification_oldest_timestamp_seconds{channel=\"slack\"} "));
  EXPECT_THAT(said.out, HasSubstr("steward_notifications_given_up{channel=\"slack\"} 0\n"));
  EXPECT_THAT(said.out, Not(HasSubstr("nobody-listens")));
}

TEST_F(Metrics, AreWrittenWholeAndForEverybody) {
  app.file("steward.prom", "what was there");
  const Answer said = app.steward({"metrics", "--output", "steward.prom"});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_EQ(said.out, "");
  EXPECT_THAT(app.content("steward.prom"), HasSubstr("# TYPE steward_runs_total counter\n"));
  struct stat found{};
  ASSERT_EQ(::stat(app.path("steward.prom").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0644U);
  const Answer nowhere = app.steward({"metrics", "--output", "absent/steward.prom"});
  EXPECT_NE(nowhere.exit_code, 0);
  EXPECT_THAT(nowhere.err, HasSubstr("absent"));
}

TEST(AlertRules, FireAtWhatTheyShouldAndAtNothingElse) {
  const std::string sources = STEWARD_SOURCES;
  const Answer tested = run_program({promtool(), "test", "rules", sources + "/tests/prometheus/steward.rules.test.yml"},
                                    {{"PATH", "/usr/bin:/bin"}}, sources);
  EXPECT_EQ(tested.exit_code, 0) << tested.out << tested.err;
}

TEST(AlertRules, AskForMetricsThatThereAre) {
  Application app;
  const std::string text = app.steward({"metrics"}).out;
  const Answer names = run_program({"/bin/sh", "-c",
                                    "grep -oE 'steward_[a-z_]+' '" + std::string(STEWARD_SOURCES) +
                                        "/deploy/prometheus/steward.rules.yml' | sort -u"},
                                   {{"PATH", "/usr/bin:/bin"}}, app.root());
  std::istringstream lines(names.out);
  int asked = 0;
  for (std::string name; std::getline(lines, name); ++asked)
    EXPECT_THAT(text, HasSubstr("# TYPE " + name + " ")) << name;
  EXPECT_GE(asked, 6);
}

}  // namespace
}  // namespace steward::harness
