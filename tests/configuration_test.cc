// A team's configuration file on a real database and a real bucket: what is written in it is what is done.

#include <gtest/gtest.h>

#include "harness/application.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct Configured : testing::TestWithParam<DatabaseKind> {
  Application app{GetParam(), GetParam() == DatabaseKind::postgres ? BucketKind::versity : BucketKind::folder};

  bool postgres() const { return GetParam() == DatabaseKind::postgres; }
  void configure(const std::string& cleanup) {
    app.file("steward.yaml",
             "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold, other: ./other, exports: \"" +
                 app.bucket_name() + "\"}\ncleanup:\n" + cleanup);
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
  }
  json run(const std::string& task_name = "t") {
    const json document = app.run_cleanup();
    return task(document, task_name);
  }
  std::string ids(const std::string& table) {
    std::string out;
    const auto rows = app.db().query("select id from " + table + " order by id");
    EXPECT_TRUE(rows);
    for (const sql::Row& row : rows->rows) out += sql::to_text(row[0]) + ' ';
    return out;
  }
};

TEST_P(Configured, AFileReplacesTheBuiltInTasks) {
  app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
  configure("  logs: {kind: files, folder: logs, age: 10 days}\n");
  app.file("logs/a.log", "x", 20);
  const json document = app.run_cleanup();
  ASSERT_EQ(document["tasks"].size(), 1U) << document.dump(1);
  EXPECT_EQ(task(document, "logs")["done"]["items"], 1);
  EXPECT_EQ(app.count("signals"), 1);
}

TEST_P(Configured, HoldTestNamesTheRuleThatKeepsARow) {
  app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'keep'), (2, 1, '" + days_ago(40) +
          "', 0.5, null, 'x')");
  configure(
      "  t: {kind: rows, table: signals, age_column: timestamp, age: 30 days, hold_when: {column: content_hash, "
      "equals: "
      "keep}}\n");
  const Answer kept = app.steward({"hold", "test", "--table", "signals", "--key", "1", "--json"});
  EXPECT_EQ(kept.exit_code, 0) << kept.out << kept.err;
  ASSERT_EQ(kept.json()["by"].size(), 1U) << kept.out;
  EXPECT_EQ(kept.json()["by"][0]["task"], "t");
  EXPECT_EQ(kept.json()["by"][0]["why"], "content_hash = keep");
  EXPECT_EQ(app.steward({"hold", "test", "--table", "signals", "--key", "2"}).exit_code, 1);
}

TEST_P(Configured, OnlyRowsThatMeetEveryConditionGoAndHeldOnesStay) {
  app.sql("create table orders (id integer primary key, made " + std::string(postgres() ? "timestamptz" : "text") +
          ", status text, total numeric, \"Legal Hold\" boolean)");
  const std::string old = "'" + days_ago(400) + "'", young = "'" + days_ago(5) + "'";
  app.sql("insert into orders values (1, " + old + ", 'done', 5, false), (2, " + old + ", 'open', 5, false), (3, " +
          old + ", 'done', 50, false), (4, " + old + ", 'done', 5, true), (5, " + young + ", 'done', 5, false), (6, " +
          old + ", 'failed', 9.99, null), (7, " + old + ", null, 5, false)");
  configure(
      "  t:\n    kind: rows\n    table: orders\n    age_column: made\n    age: 12 months\n"
      "    where:\n      - {column: status, in: [done, failed]}\n      - {column: total, less_than: 10}\n"
      "    hold_when: {column: Legal Hold, equals: true}\n");
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(plan["planned"]["items"], 2) << plan.dump(1);
  EXPECT_EQ(skipped(plan, "held by its column Legal Hold"), 1);
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 2) << done.dump(1);
  EXPECT_EQ(ids("orders"), "2 3 4 5 7 ");
}

TEST_P(Configured, AColumnOfSecondsSince1970SaysHowOldARowIs) {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().now().time_since_epoch()).count();
  app.sql("create table events (id integer primary key, at bigint)");
  const auto insert = [&](int id, std::int64_t at) {
    app.sql("insert into events values (" + std::to_string(id) + ", " + std::to_string(at) + ")");
  };
  insert(1, now - 40 * 86'400);
  insert(2, now - 20 * 86'400);
  insert(3, (now - 40 * 86'400) * 1'000);  // milliseconds by mistake: in the year 50,000
  app.sql("insert into events values (4, null)");
  configure("  t: {kind: rows, table: events, age_column: at, age: 30 days, age_format: epoch-seconds}\n");
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 1) << done.dump(1);
  EXPECT_EQ(ids("events"), "2 3 4 ");
  EXPECT_EQ(skipped(done, "at is NULL"), 1);
  EXPECT_EQ(skipped(done, "at is not a moment in time"), 1);
}

TEST_P(Configured, AnIntegerWithoutAFormatIsNoTime) {
  if (!postgres()) return;  // SQLite's columns have no types: what cannot be read as a time stays, and is listed
  app.sql("create table events (id integer primary key, at bigint)");
  configure("  t: {kind: rows, table: events, age_column: at, age: 30 days}\n");
  EXPECT_EQ(run()["error"]["hint"],
            "If it counts seconds or milliseconds since 1970, say so with age_format: epoch-seconds.");
}

TEST_P(Configured, AReferenceWithoutAForeignKeyKeepsARow) {
  app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x'), (2, 1, '" + days_ago(40) +
          "', 0.5, null, 'x')");
  app.sql("create table notes (id integer primary key, signal_id integer)");
  app.sql("insert into notes values (1, 2)");
  configure(
      "  t: {kind: rows, table: signals, age_column: timestamp, age: 30 days, referenced_by: {table: notes, column: "
      "signal_id}}\n");
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 1) << done.dump(1);
  EXPECT_EQ(skipped(done, "referenced by notes"), 1);
  EXPECT_EQ(ids("signals"), "2 ");
}

TEST_P(Configured, TwoPoliciesOnOneTableArchiveToFoldersOfTheirOwnAndAllComesBack) {
  app.sql("insert into audit_logs values (1, 'ann', 'login', '{}', '" + days_ago(100) +
          "'), (2, 'bob', 'pay', '{}', '" + days_ago(100) + "'), (3, 'ann', 'pay', '{}', '" + days_ago(800) + "')");
  configure(
      "  logins: {kind: rows, table: audit_logs, age_column: timestamp, age: 30 days, where: {column: action, equals: "
      "login}, archive: {to: cold, folder: logins}}\n"
      "  payments: {kind: rows, table: audit_logs, age_column: timestamp, age: 24 months, archive: other}\n");
  const json document = app.run_cleanup();
  EXPECT_EQ(task(document, "logins")["done"]["items"], 1) << document.dump(1);
  EXPECT_EQ(task(document, "payments")["done"]["items"], 1) << document.dump(1);
  EXPECT_EQ(ids("audit_logs"), "2 ");
  EXPECT_FALSE(app.files("cold/logins").empty());
  EXPECT_FALSE(app.files("other/audit_logs").empty());
  const json listed = app.steward({"archive", "list", "--json"}).json();
  EXPECT_EQ(listed["runs"].size(), 2U) << listed.dump(1);
  // A page of one row each leads from one archive into the other, and to an end.
  const json first = app.steward({"archive", "show", "--limit", "1", "--json"}).json();
  ASSERT_EQ(first["rows"].size(), 1U) << first.dump(1);
  const json second =
      app.steward({"archive", "show", "--limit", "1", "--after", first["next"].get<std::string>(), "--json"}).json();
  ASSERT_EQ(second["rows"].size(), 1U) << second.dump(1);
  EXPECT_NE(first["rows"][0]["archive"], second["rows"][0]["archive"]);
  EXPECT_NE(first["rows"][0]["key"], second["rows"][0]["key"]);
  EXPECT_TRUE(second["next"].is_null()) << second.dump(1);
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(ids("audit_logs"), "1 2 3 ");
}

TEST_P(Configured, APolicyThatIsOffSaysWhere) {
  configure("  t: {kind: files, folder: logs, age: 30 days, enabled: false}\n");
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(plan["reason"], "off (by steward.yaml:4:57)") << plan.dump(1);
}

TEST_P(Configured, AHoldCoversARowWhateverTheTableIsCalled) {
  app.sql("create table \"Odd Table\" (id integer primary key, at " + std::string(postgres() ? "timestamptz" : "text") +
          ")");
  app.sql("insert into \"Odd Table\" values (1, '" + days_ago(40) + "'), (2, '" + days_ago(40) + "')");
  configure("  t: {kind: rows, table: Odd Table, age_column: at, age: 30 days}\n");
  EXPECT_EQ(app.steward({"hold", "add", "--table", "Odd Table", "--key", "2", "--reason", "case 12"}).exit_code, 0);
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.steward({"hold", "add", "--table", "no_table", "--key", "2", "--reason", "case 12"}).exit_code, 1);
}

TEST_P(Configured, ATableWithoutAPrimaryKeyIsPurgedAndNotArchived) {
  app.sql("create table visits (who text, at " + std::string(postgres() ? "timestamptz" : "text") + ")");
  app.sql("insert into visits values ('a', '" + days_ago(40) + "'), ('a', '" + days_ago(40) + "'), ('b', '" +
          days_ago(4) + "')");
  configure(
      "  kept: {kind: rows, table: visits, age_column: at, age: 30 days, archive: cold}\n"
      "  t: {kind: rows, table: visits, age_column: at, age: 30 days}\n");
  const json document = app.run_cleanup();
  EXPECT_NE(task(document, "kept")["error"].dump().find("has no primary key: an archived row could not be told from "
                                                        "another"),
            std::string::npos)
      << document.dump(1);
  EXPECT_EQ(task(document, "t")["done"]["items"], 2) << "two that are alike are two";
  EXPECT_EQ(app.value("select who from visits"), "b");
}

TEST_P(Configured, ATableOfAwkwardNamesWithAKeyOfTextIsArchivedAndComesBack) {
  const std::string time = postgres() ? "timestamptz" : "text";
  app.sql("create table \"Order\" (\"select\" text, \"Group \"\"1\" integer, \"from\" " + time +
          ", note text, primary key (\"select\", \"Group \"\"1\"))");
  app.sql("insert into \"Order\" values ('it''s', 1, '" + days_ago(40) + "', 'one'), ('[\"', 2, '" + days_ago(40) +
          "', null), ('it''s', 2, '" + days_ago(4) + "', 'young')");
  configure("  t: {kind: rows, table: Order, age_column: from, age: 30 days, archive: cold}\n");
  EXPECT_EQ(run()["done"]["items"], 2);
  EXPECT_EQ(app.value("select note from \"Order\""), "young");
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(app.value("select count(*) from \"Order\" where (\"select\" = 'it''s' and \"Group \"\"1\" = 1 and note = "
                      "'one') or (\"select\" = '[\"' and note is null)"),
            "2");
}

TEST_P(Configured, ObjectsOfANamedStoreExpire) {
  app.object("old.csv", "x", 20);
  app.object("new.csv", "x", 1);
  configure("  t: {kind: objects, store: exports, age: 10 days}\n");
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.objects(), std::vector<std::string>{"new.csv"});
}

TEST_P(Configured, AMistakeIsExit2AndNothingIsDone) {
  app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
  configure("  t: {kind: rows, table: signals, age_column: timestamp, age: 30 days}\n  u: {kind: rows}\n");
  const Answer answer = app.steward({"run", "cleanup"});
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_NE(answer.err.find("steward.yaml:5:6: rows policy \"u\" has no table"), std::string::npos) << answer.err;
  EXPECT_NE(answer.err.find("`steward config check` shows 2 more."), std::string::npos) << answer.err;
  EXPECT_EQ(app.count("signals"), 1);
  const Answer checked = app.steward({"config", "check"});
  EXPECT_EQ(checked.exit_code, 2);
  EXPECT_NE(checked.out.find("3 errors."), std::string::npos) << checked.out;
}

TEST_P(Configured, AMissingFileIsExit2) {
  const Answer answer = app.steward({"--config", "nowhere.yaml", "plan", "cleanup"});
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_EQ(answer.err,
            "steward: the configuration file nowhere.yaml: No such file or directory\n  Check --config and "
            "STEWARD_CONFIG.\n");
}

TEST_P(Configured, AFlagComesBeforeTheVariable) {
  configure("  t: {kind: files, folder: logs, age: 30 days}\n");
  app.file("other.yaml", "cleanup: {o: {kind: files, folder: logs, age: 30 days}}");
  const json plan = app.steward({"plan", "cleanup", "--config", "other.yaml", "--json"}).json();
  EXPECT_EQ(plan["tasks"][0]["task"], "o");
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, Configured, testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         [](const auto& kind) {
                           return std::string(kind.param == DatabaseKind::sqlite ? "sqlite" : "postgres");
                         });

TEST(ConfiguredZone, TimesWithoutAnOffsetAreOfTheConfiguredZone) {
  Application app(DatabaseKind::postgres);
  app.sql("create table visits (id integer primary key, at timestamp)");
  // 90 minutes ago in UTC; read as Kiritimati's (UTC+14) it is 15 and a half hours ago.
  app.sql("insert into visits values (1, (now() at time zone 'UTC') - interval '90 minutes')");
  app.file(
      "steward.yaml",
      "time_zone: Pacific/Kiritimati\ndatabases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  utc: {kind: rows, table: "
      "visits, age_column: at, age: 10h, time_zone: UTC}\n  theirs: {kind: rows, table: visits, age_column: at, age: "
      "10h}\n");
  const json plan = app.steward({"plan", "cleanup", "--config", "steward.yaml", "--json"}).json();
  EXPECT_EQ(task(plan, "utc")["planned"]["items"], 0) << plan.dump(1);
  EXPECT_EQ(task(plan, "theirs")["planned"]["items"], 1) << plan.dump(1);
}

/// Berlin's clocks were put back at 01:00Z on 26 October 2025, and forward at 01:00Z on 30 March. The age is such that
/// the cutoff is at that instant, or up to a minute after it.
struct ZoneChange : testing::TestWithParam<DatabaseKind> {
  Application app{GetParam()};
  /// The ids of the rows that are old, of these times.
  std::string old(const std::string& cutoff, const std::string& type, const std::vector<std::string>& times) {
    app.sql("create table visits (id integer primary key, at " +
            (GetParam() == DatabaseKind::postgres ? type : std::string("text")) + ")");
    for (std::size_t i = 0; i < times.size(); ++i)
      app.sql("insert into visits values (" + std::to_string(i + 1) + ", '" + times[i] + "')");
    const auto minutes = std::chrono::floor<std::chrono::minutes>(SystemClock().now() - *parse_instant(cutoff)).count();
    app.file("steward.yaml",
             "databases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  t: {kind: rows, table: visits, "
             "age_column: at, age: " +
                 std::to_string(minutes) + "m, time_zone: Europe/Berlin}\n");
    app.environment["STEWARD_CONFIG"] = "steward.yaml";
    const json plan = task(app.plan_cleanup(), "t");
    EXPECT_TRUE(plan["error"].is_null()) << plan.dump(1);
    app.steward({"run", "cleanup"});
    std::string left;
    for (std::size_t i = 1; i <= times.size(); ++i)
      if (app.value("select count(*) from visits where id = " + std::to_string(i)) == "0") left += std::to_string(i);
    return left;
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ZoneChange, testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         [](const auto& p) { return testing::PrintToString(p.param); });

TEST_P(ZoneChange, ATimeThatCameTwiceIsTheLaterOne) {
  EXPECT_EQ(old("2025-10-26T00:30:00Z", "timestamp",
                {"2025-10-26 01:50:00", "2025-10-26 02:10:00", "2025-10-26 02:59:59", "2025-10-26 03:00:00"}),
            "1");
}

TEST_P(ZoneChange, ATimeThatNeverWasIsTheLaterOneToo) {
  EXPECT_EQ(old("2025-03-30T01:15:00Z", "timestamp",
                {"2025-03-30 01:55:00", "2025-03-30 02:05:00", "2025-03-30 02:30:00", "2025-03-30 03:10:00",
                 "2025-03-30 03:30:00"}),
            "124");
}

TEST_P(ZoneChange, ADateIsItsEndInItsZone) {
  EXPECT_EQ(old("2025-10-26T22:30:00Z", "date", {"2025-10-24", "2025-10-25", "2025-10-26"}), "12");
}

TEST_P(ZoneChange, AZoneThatThereIsNotIsToldWithItsPlace) {
  app.file("steward.yaml",
           "databases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  t: {kind: rows, table: signals, "
           "age_column: timestamp, age: 1m, time_zone: Europe/Berln}\n");
  const Answer answer = app.steward({"config", "check", "--config", "steward.yaml"});
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_NE(answer.out.find("steward.yaml:3:"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("Did you mean \"Europe/Berlin\"?"), std::string::npos) << answer.out;
}

}  // namespace
}  // namespace steward::harness
