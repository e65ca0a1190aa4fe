// Two configurations side by side: what the new one would remove more or less than the old one.

#include <gtest/gtest.h>

#include "harness/application.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct Against : testing::Test {
  Application app{};

  void SetUp() override {
    for (int i = 1; i <= 30; ++i)
      app.sql("insert into signals values (" + std::to_string(i) + ", 1, '" + days_ago(i * 2) + "', 0.5, null, 'x')");
    app.file("logs/a.log", "x", 40);
    const std::string head = "databases: {app: \"${DATABASE_URL}\"}\ncleanup:\n";
    app.file("old.yaml", head + "  signals: {kind: rows, table: signals, age_column: timestamp, age: 50 days}\n" +
                             "  logs: {kind: files, folder: logs, age: 30 days}\n");
    app.file("new.yaml", head + "  signals: {kind: rows, table: signals, age_column: timestamp, age: 20 days}\n" +
                             "  audit: {kind: rows, table: audit_logs, age_column: timestamp, age: 18 months}\n");
    app.environment["STEWARD_CONFIG"] = "new.yaml";
  }
};

TEST_F(Against, SaysWhatEachTaskRemovesMoreOrLessAndWhatChanged) {
  const json document = app.steward({"plan", "cleanup", "--against", "old.yaml", "--json"}).json();
  EXPECT_EQ(document["more"], 14) << document.dump(1);  // 21 instead of 6 signals, 0 instead of 1 log file
  const json signals = task(document, "signals");
  EXPECT_EQ(signals["more"], 15);
  EXPECT_EQ(signals["before"]["planned"]["items"], 6);
  EXPECT_EQ(signals["after"]["planned"]["items"], 21);
  EXPECT_EQ(signals["changes"], json::array({"what: older than 50 days -> older than 20 days"}));
  EXPECT_EQ(task(document, "logs")["after"], nullptr);
  EXPECT_EQ(task(document, "audit")["before"], nullptr);
  EXPECT_EQ(app.count("signals"), 30);
  EXPECT_TRUE(app.exists("logs/a.log"));
}

TEST_F(Against, IsATableForPeopleAndMarkdownForAComment) {
  const Answer text = app.steward({"plan", "cleanup", "--against", "old.yaml"});
  EXPECT_NE(text.out.find("signals       6     21   +15"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("logs          1      -    -1"), std::string::npos) << text.out;
  const Answer markdown = app.steward({"plan", "cleanup", "--against", "old.yaml", "--markdown"});
  EXPECT_NE(markdown.out.find("**steward**: this change removes 14 items more tonight."), std::string::npos)
      << markdown.out;
  EXPECT_NE(markdown.out.find("| signals | 6 | 21 | +15 | what: older than 50 days -> older than 20 days |"),
            std::string::npos)
      << markdown.out;
}

TEST_F(Against, IsExit3AboveTheLimit) {
  EXPECT_EQ(app.steward({"plan", "cleanup", "--against", "old.yaml", "--limit", "14"}).exit_code, 0);
  const Answer above = app.steward({"plan", "cleanup", "--against", "old.yaml", "--limit", "13"});
  EXPECT_EQ(above.exit_code, 3);
  EXPECT_NE(above.err.find("14 items more than before, the limit is 13"), std::string::npos) << above.err;
}

TEST_F(Against, OneTaskAloneCanBeCompared) {
  const json document = app.steward({"plan", "cleanup/logs", "--against", "old.yaml", "--json"}).json();
  ASSERT_EQ(document["tasks"].size(), 1U) << document.dump(1);
  EXPECT_EQ(document["more"], -1);
}

TEST_F(Against, AMistakeInEitherFileIsExit2) {
  app.file("old.yaml", "cleanup: {x: {kind: rows}}");
  EXPECT_EQ(app.steward({"plan", "cleanup", "--against", "old.yaml"}).exit_code, 2);
  EXPECT_EQ(app.steward({"plan", "cleanup", "--against", "absent.yaml"}).exit_code, 2);
}

TEST_F(Against, ATaskThatCannotBePlannedIsExit1WithItsReason) {
  app.sql("drop table audit_logs");
  const Answer answer = app.steward({"plan", "cleanup", "--against", "old.yaml"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_NE(answer.out.find("there is no table \"audit_logs\""), std::string::npos) << answer.out;
}

}  // namespace
}  // namespace steward::harness
