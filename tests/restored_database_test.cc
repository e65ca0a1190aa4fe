// A database that was restored from a backup has rows again that were archived since: the next plan knows them, and the
// archive gets nothing twice.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "harness/backed_up.h"
#include "harness/child_run.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

struct RestoredDatabase : testing::TestWithParam<DatabaseKind> {
  BackedUp it{GetParam()};
  Application& app = it.app;

  /// Two mockups and 120 entries of the audit log that are old, and one of each that is not.
  void SetUp() override {
    app.mockup(1, "a/one.png", 400);
    app.mockup(2, "a/two.png", 500);
    app.mockup(3, "a/new.png", 3);
    for (int i = 1; i <= 120; ++i) entry(i, 600 + i, "old " + std::to_string(i));
    entry(1000, 2, "new");
  }
  void entry(int id, double age, const std::string& who) {
    app.sql("insert into audit_logs (id, username, timestamp) values (" + std::to_string(id) + ", '" + who + "', '" +
            days_ago(age) + "')");
  }
  /// Last night's backup comes back, as a new database that the application uses from now on.
  void restore_last_nights_backup() {
    const std::string to = it.empty_database();
    const Answer restored = it.restore(to);
    ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    app.environment["DATABASE_URL"] = to;
    now_ = to;
  }
  std::vector<std::string> rows(const std::string& what) const { return rows_of(now_, what); }
  void sql(const std::string& statement) const {
    const auto done = sql::connect({.url = now_}).value()->execute(statement);
    EXPECT_TRUE(done) << done.error().message;
  }
  /// The segments of rows that the archive has.
  std::vector<std::string> segments() const {
    std::vector<std::string> out = app.files("cold");
    std::erase_if(out, [](const std::string& file) { return !file.ends_with(".jsonl.zst"); });
    return out;
  }
  std::string now_ = it.url();
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, RestoredDatabase, testing::Values(DatabaseKind::postgres, DatabaseKind::sqlite),
                         [](const auto& kind) { return kind.param == DatabaseKind::postgres ? "postgres" : "sqlite"; });

TEST_P(RestoredDatabase, HasRowsThatTheNextPlanKnowsAsArchivedAndNothingIsArchivedTwice) {
  ASSERT_EQ(it.run().exit_code, 0);
  const std::vector<std::string> before = rows("audit_logs");
  const json first = app.run_cleanup();
  EXPECT_EQ(task(first, "purge-audit-logs")["done"]["items"], 120);
  EXPECT_EQ(task(first, "archive-mockups")["done"]["items"], 2);
  const std::vector<std::string> archived = segments(), cold = app.files("cold");
  ASSERT_THAT(archived, SizeIs(1));

  restore_last_nights_backup();
  ASSERT_THAT(rows("audit_logs"), SizeIs(121));
  const json plan = app.plan_cleanup();
  const json mockups = task(plan, "archive-mockups"), entries = task(plan, "purge-audit-logs");
  EXPECT_EQ(mockups["planned"]["items"], 0);
  EXPECT_EQ(skipped(mockups, "archived before"), 2);
  EXPECT_THAT(mockups["notes"], Contains(HasSubstr("2 rows are back without their files")));
  EXPECT_EQ(entries["planned"]["items"], 120);
  EXPECT_THAT(entries["notes"], Contains(HasSubstr("120 of these rows were archived before, and are back")));

  const json second = app.run_cleanup();
  EXPECT_EQ(task(second, "purge-audit-logs")["done"]["items"], 120);
  EXPECT_EQ(segments(), archived) << "the archive has them once";
  EXPECT_THAT(rows("audit_logs"), SizeIs(1));
  EXPECT_THAT(rows("mockups"), SizeIs(3)) << "until somebody brings their files back";
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);

  // Each comes back once, from either run.
  const Answer back = app.steward({"archive", "restore", "--table", "audit_logs", "--json"});
  EXPECT_EQ(back.exit_code, 0) << back.out << back.err;
  EXPECT_EQ(rows("audit_logs"), before);
  const Answer files = app.steward({"archive", "restore", "--table", "mockups", "--json"});
  EXPECT_EQ(files.exit_code, 0) << files.out << files.err;
  EXPECT_TRUE(app.exists("media/a/one.png"));
}

TEST_P(RestoredDatabase, RowsThatTwoRunsHaveArchivedInOneSegmentAreForgottenForBoth) {
  ASSERT_EQ(it.run().exit_code, 0);
  app.run_cleanup();
  restore_last_nights_backup();
  app.run_cleanup();
  const Answer forgotten = app.steward(
      {"archive", "forget", "--table", "audit_logs", "--key", "3", "--reason", "request 81", "--yes", "--json"});
  EXPECT_EQ(forgotten.exit_code, 0) << forgotten.out << forgotten.err;
  for (const std::string& file : segments()) {
    const Answer text = run_program({"/usr/bin/zstd", "-dc", app.path("cold/" + file)}, {}, app.root());
    EXPECT_THAT(text.out, Not(HasSubstr("\"old 3\""))) << file;
  }
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  ASSERT_EQ(app.steward({"archive", "restore", "--table", "audit_logs"}).exit_code, 0);
  EXPECT_THAT(rows("audit_logs"), SizeIs(120)) << "the new one, and 119 of the old";
}

TEST_P(RestoredDatabase, WhatWasChangedSinceItCameBackIsArchivedAsItIsNow) {
  ASSERT_EQ(it.run().exit_code, 0);
  app.run_cleanup();
  restore_last_nights_backup();
  sql("update audit_logs set username = 'eve' where id in (3, 4)");
  const json second = app.run_cleanup();
  EXPECT_EQ(task(second, "purge-audit-logs")["done"]["items"], 120);
  EXPECT_THAT(segments(), SizeIs(2)) << "a second one, of the two that are new";
  EXPECT_THAT(rows("audit_logs"), SizeIs(1));
  const Answer listed = app.steward({"archive", "verify", "--json"});
  EXPECT_EQ(listed.exit_code, 0) << listed.out;
}

TEST_P(RestoredDatabase, RowsThatAreBackWithThoseThatReferToThemGoWithThemAndAreArchivedOnce) {
  app.sql(
      "create table orders (id integer primary key, at text); create table lines (id integer primary key, order_id "
      "integer references orders (id)); create index on_orders on lines (order_id)");
  if (GetParam() == DatabaseKind::postgres)
    app.sql("alter table orders alter column at type timestamptz using at::timestamptz");
  for (int i = 1; i <= 3; ++i) app.sql("insert into orders values (" + std::to_string(i) + ", '" + days_ago(60) + "')");
  for (int i = 1; i <= 5; ++i)
    app.sql("insert into lines values (" + std::to_string(i) + ", " + std::to_string(1 + i % 2) + ")");
  app.file("steward.yaml",
           "databases: {app: \"${DATABASE_URL}\"}\n"
           "stores: {cold: cold, backups: backups}\n"
           "cleanup: {old-orders: {kind: rows, table: orders, age_column: at, age: 30 days, references: archive-too, "
           "archive: cold}}\n"
           "backup: {app: {database: app, store: backups}}\n");
  app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  const std::vector<std::string> orders = rows("orders"), lines = rows("lines");
  EXPECT_EQ(task(app.run_cleanup(), "old-orders")["done"]["items"], 3);
  const std::vector<std::string> archived = segments();
  restore_last_nights_backup();
  ASSERT_THAT(rows("lines"), SizeIs(5));
  const json again = task(app.run_cleanup(), "old-orders");
  EXPECT_EQ(again["done"]["items"], 3) << again.dump(1);
  EXPECT_THAT(rows("orders"), IsEmpty());
  EXPECT_THAT(rows("lines"), IsEmpty());
  EXPECT_EQ(segments(), archived);
  ASSERT_EQ(app.steward({"archive", "restore", "--table", "orders"}).exit_code, 0);
  EXPECT_EQ(rows("orders"), orders);
  EXPECT_EQ(rows("lines"), lines);
}

TEST_P(RestoredDatabase, IsNoCauseToReadTheArchiveWhereItWasNotRestored) {
  app.run_cleanup();
  // On the next night others have become old. Nothing but manifests is read: the segment is not even there.
  entry(2000, 700, "late");  // as the last run would have taken, too
  const json late = task(app.plan_cleanup(), "purge-audit-logs");
  EXPECT_EQ(late["planned"]["items"], 1);
  EXPECT_THAT(late.value("notes", json::array()), Not(Contains(HasSubstr("archived before"))));
  app.run_cleanup();
  const std::string segment = app.path("cold/" + segments().front());
  std::filesystem::rename(segment, segment + ".away");
  sql("delete from audit_logs where id = 1000");
  EXPECT_EQ(task(app.plan_cleanup(), "purge-audit-logs")["error"], nullptr);
}

TEST_P(RestoredDatabase, KilledAnywhereItLosesNothingAndTheArchiveHasEachRowOnce) {
  std::vector<std::string> names;
  {
    BackedUp trial(GetParam());
    trial.app.sql("insert into audit_logs (id, username, timestamp) values (1, 'old', '" + days_ago(700) + "')");
    ASSERT_EQ(trial.run().exit_code, 0);
    trial.app.run_cleanup();
    const std::string to = trial.empty_database();
    ASSERT_EQ(trial.restore(to).exit_code, 0);
    trial.app.environment["DATABASE_URL"] = to;
    names = places_of(trial.app, "cleanup");
  }
  std::size_t tried = 0;
  for (const std::size_t n : worth_trying(names)) {
    if (!names[n - 1].starts_with("archive-rows")) continue;
    ++tried;
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + names[n - 1]);
    BackedUp other(GetParam());
    for (int i = 1; i <= 20; ++i)
      other.app.sql("insert into audit_logs (id, username, timestamp) values (" + std::to_string(i) + ", 'old', '" +
                    days_ago(700) + "')");
    ASSERT_EQ(other.run().exit_code, 0);
    const std::vector<std::string> before = rows_of(other.url(), "audit_logs");
    other.app.run_cleanup();
    const std::vector<std::string> archived = other.app.files("cold");
    const std::string to = other.empty_database();
    ASSERT_EQ(other.restore(to).exit_code, 0);
    other.app.environment["DATABASE_URL"] = to;
    std::size_t count = 0;
    const int status = in_a_child(
        other.app,
        [&](std::string_view) {
          if (++count == n) ::kill(::getpid(), SIGKILL);
        },
        "cleanup");
    ASSERT_TRUE(WIFSIGNALED(status));
    other.app.run_cleanup();
    EXPECT_THAT(rows_of(to, "audit_logs"), IsEmpty());
    std::size_t segments = 0;
    for (const std::string& file : other.app.files("cold")) segments += file.ends_with(".jsonl.zst") ? 1 : 0;
    EXPECT_EQ(segments, 1U);
    EXPECT_EQ(other.app.steward({"archive", "verify"}).exit_code, 0);
    ASSERT_EQ(other.app.steward({"archive", "restore", "--table", "audit_logs"}).exit_code, 0);
    EXPECT_EQ(rows_of(to, "audit_logs"), before);
    if (HasFailure()) return;
  }
  EXPECT_GE(tried, 5U);
}

}  // namespace
}  // namespace steward::harness
