// Each edge of the five tasks, under a name that says what is promised. On SQLite with folders, and on PostgreSQL with
// S3.

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "harness/application.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Shape {
  const char* name;
  DatabaseKind database;
  BucketKind bucket;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }
const Shape shapes[] = {{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                        {"postgres_and_s3", DatabaseKind::postgres, BucketKind::versity}};
std::string shape_name(const testing::TestParamInfo<Shape>& shape) { return shape.param.name; }

// --- archive-mockups ------------------------------------------------------------------------------------------------

struct Mockups : testing::TestWithParam<Shape> {
  Application app{GetParam().database, GetParam().bucket};
  json plan() { return task(app.plan_cleanup(), "archive-mockups"); }
  json run() { return task(app.run_cleanup(), "archive-mockups"); }
  /// Planned nothing, for this reason, and a run leaves row and file.
  void expect_kept(const std::string& reason) {
    const json planned = plan();
    EXPECT_EQ(planned["planned"]["items"], 0) << planned.dump(1);
    EXPECT_EQ(skipped(planned, reason), 1) << planned.dump(1);
    const json done = run();
    EXPECT_EQ(done["status"], "succeeded") << done.dump(1);
    EXPECT_EQ(app.count("mockups"), 1);
  }
};

TEST_P(Mockups, ARowWithoutAFileNameIsKept) {
  app.sql("insert into mockups values (1, 1, NULL, '" + days_ago(400) + "')");
  expect_kept("no file");
}
TEST_P(Mockups, ARowWithAnEmptyFileNameIsKept) {
  app.sql("insert into mockups values (1, 1, '', '" + days_ago(400) + "')");
  expect_kept("no file");
}
TEST_P(Mockups, ARowWhoseFileIsMissingIsKept) {
  app.mockup(1, "a.png", 400, std::nullopt);
  expect_kept("file missing");
}
TEST_P(Mockups, APathThatLeavesTheRootByDotsIsKept) {
  app.file("secret.png", "x");
  app.mockup(1, "../secret.png", 400, std::nullopt);
  expect_kept("outside the root");
  EXPECT_TRUE(app.exists("secret.png"));
}
TEST_P(Mockups, AnAbsolutePathOutsideTheRootIsKept) {
  app.file("secret.png", "x");
  app.mockup(1, app.path("secret.png"), 400, std::nullopt);
  expect_kept("outside the root");
}
TEST_P(Mockups, APathThroughASymlinkIsKept) {
  app.file("elsewhere/a.png", "x");
  fs::create_symlink(app.path("elsewhere"), app.path("media/link"));
  app.mockup(1, "link/a.png", 400, std::nullopt);
  expect_kept("outside the root");
  EXPECT_TRUE(app.exists("elsewhere/a.png"));
}
TEST_P(Mockups, AFileThatIsASymlinkIsKept) {
  app.file("elsewhere/a.png", "x");
  fs::create_symlink(app.path("elsewhere/a.png"), app.path("media/a.png"));
  app.mockup(1, "a.png", 400, std::nullopt);
  expect_kept("outside the root");
}
TEST_P(Mockups, ARowThatAForeignKeyReferencesIsKept) {
  app.mockup(1, "a.png", 400);
  app.sql("insert into listings values (1, 1)");
  expect_kept("referenced by listings");
}
TEST_P(Mockups, ARowThatACascadingForeignKeyReferencesIsKeptAndSoIsItsChild) {
  app.sql("create table comments (id integer primary key, mockup_id " +
          std::string(GetParam().database == DatabaseKind::sqlite ? "integer" : "bigint") +
          " references mockups(id) on delete cascade)");
  app.mockup(1, "a.png", 400);
  app.sql("insert into comments values (1, 1)");
  expect_kept("referenced by comments");
  EXPECT_EQ(app.count("comments"), 1);
}
TEST_P(Mockups, AHeldRowIsKept) {
  app.mockup(1, "a.png", 400);
  EXPECT_EQ(app.steward({"hold", "add", "--table", "mockups", "--key", "1", "--reason", "case 12"}).exit_code, 0);
  expect_kept("held");
}
TEST_P(Mockups, ARowWhoseFileIsHeldIsKept) {
  app.mockup(1, "a.png", 400);
  EXPECT_EQ(app.steward({"hold", "add", "--path", app.path("media/a.png"), "--reason", "case 12"}).exit_code, 0);
  expect_kept("held");
}
TEST_P(Mockups, AReleasedHoldHoldsNoMore) {
  app.mockup(1, "a.png", 400);
  const json hold =
      app.steward({"hold", "add", "--table", "mockups", "--key", "1", "--reason", "case 12", "--json"}).json();
  EXPECT_EQ(app.steward({"hold", "release", hold["id"]}).exit_code, 0);
  EXPECT_EQ(run()["done"]["items"], 1);
}
TEST_P(Mockups, AHoldOutlivesALostLedger) {
  app.mockup(1, "a.png", 400);
  app.mockup(2, "b.png", 400);
  app.steward({"hold", "add", "--table", "mockups", "--key", "1", "--reason", "case 12"});
  app.run_cleanup();  // makes the archive, and writes the hold beside it
  EXPECT_EQ(app.files("cold/holds").size(), 1U);
  fs::remove_all(app.path("state"));
  EXPECT_EQ(app.steward({"ledger", "adopt"}).exit_code, 0);
  app.run_cleanup();
  EXPECT_EQ(app.count("mockups"), 1);
}
TEST_P(Mockups, AColumnThatIsNullIsKeptAndListed) {
  app.sql("insert into mockups values (1, 1, 'a.png', NULL)");
  app.file("media/a.png", "x");
  expect_kept("created_at is NULL");
}

TEST_P(Mockups, TwoOldRowsThatShareAFileAreTwoItemsAndThenItGoes) {
  app.mockup(1, "a.png", 400, "pixels");
  app.mockup(2, "./a.png", 410, std::nullopt);
  EXPECT_EQ(plan()["planned"]["items"], 2);
  EXPECT_EQ(run()["done"]["items"], 2);
  EXPECT_EQ(app.count("mockups"), 0);
  EXPECT_FALSE(app.exists("media/a.png"));
}
TEST_P(Mockups, TheFileStaysWhileANewRowNeedsItInWhateverSpelling) {
  for (const std::string& spelling : {std::string("a/b.png"), std::string("./a//b.png"), std::string("a/x/../b.png"),
                                      app.path("media/a/b.png"), "file://" + app.path("media/a/b.png")}) {
    SCOPED_TRACE(spelling);
    app.sql("delete from mockups");
    app.mockup(1, "a/b.png", 400, "pixels");
    fs::create_directories(app.path("media/a/x"));
    app.mockup(2, spelling, 5, std::nullopt);
    EXPECT_EQ(run()["done"]["items"], 1);
    EXPECT_EQ(app.value("select id from mockups"), "2");
    EXPECT_EQ(app.content("media/a/b.png"), "pixels");
    app.sql("delete from mockups");
    fs::remove_all(app.path("cold"));
    fs::remove_all(app.path("state"));
  }
}
TEST_P(Mockups, TheFileStaysWhileANewRowNeedsItThroughASymlink) {
  app.mockup(1, "a/b.png", 400, "pixels");
  fs::create_symlink("a", app.path("media/alias"));
  fs::create_symlink("a/b.png", app.path("media/latest.png"));
  app.mockup(2, "alias/b.png", 5, std::nullopt);
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.content("media/a/b.png"), "pixels");
  app.sql("update mockups set image_url = 'latest.png'");
  app.mockup(3, "a/b.png", 400, std::nullopt);
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.content("media/a/b.png"), "pixels");
}

TEST_P(Mockups, PathsAreTakenAsStored) {
  app.mockup(1, "100%25 off?.png", 400, "percent");
  app.file("media/sp ace/\xc3\xbc ' & #.png", "unicode");
  app.sql("insert into mockups values (3, 1, 'sp ace/\xc3\xbc '' & #.png', '" + days_ago(400) + "')");
  EXPECT_EQ(run()["done"]["items"], 2);
  EXPECT_FALSE(app.exists("media/100%25 off?.png"));
  EXPECT_FALSE(app.exists("media/sp ace/\xc3\xbc ' & #.png"));
}

TEST_P(Mockups, AbsoluteAndFileUrlsInsideTheRootAreArchived) {
  app.file("media/a.png", "a");
  app.file("media/b.png", "b");
  app.mockup(1, app.path("media/a.png"), 400, std::nullopt);
  app.mockup(2, "file://" + app.path("media/b.png"), 400, std::nullopt);
  EXPECT_EQ(run()["done"]["items"], 2);
  EXPECT_TRUE(app.files("media").empty());
}

TEST_P(Mockups, ADestinationWithTheSameBytesIsFineAndOneWithOthersIsKeptApart) {
  app.sql("insert into mockups values (1, 1, 'a.png', '2024-11-02T10:00:00Z')");
  app.sql("insert into mockups values (2, 1, 'b.png', '2024-11-02T10:00:00Z')");
  app.file("media/a.png", "same");
  app.file("media/b.png", "mine");
  app.file("cold/mockups/2024/11/1-a.png", "same");
  app.file("cold/mockups/2024/11/2-b.png", "other");
  EXPECT_EQ(run()["done"]["items"], 2);
  EXPECT_EQ(app.content("cold/mockups/2024/11/1-a.png"), "same");
  EXPECT_EQ(app.content("cold/mockups/2024/11/2-b.png"), "other") << "never overwritten";
  EXPECT_EQ(app.files("cold/mockups/2024/11").size(), 3U);
  app.steward({"archive", "restore", "--all"});
  EXPECT_EQ(app.content("media/b.png"), "mine");
}

TEST_P(Mockups, AnEmptyFileIsArchivedAndComesBack) {
  app.mockup(1, "empty.png", 400, "");
  EXPECT_EQ(run()["done"]["items"], 1);
  app.steward({"archive", "restore", "--all"});
  EXPECT_TRUE(app.exists("media/empty.png"));
  EXPECT_EQ(app.content("media/empty.png"), "");
}

TEST_P(Mockups, AFileComesBackWithItsModeAndTime) {
  app.mockup(1, "a.png", 400);
  app.file("media/a.png", "x", 100);
  fs::permissions(app.path("media/a.png"), fs::perms(0644));
  const auto time = fs::last_write_time(app.path("media/a.png"));
  run();
  app.steward({"archive", "restore", "--all"});
  EXPECT_EQ(fs::status(app.path("media/a.png")).permissions(), fs::perms(0644));
  EXPECT_EQ(fs::last_write_time(app.path("media/a.png")), time);
}

TEST_P(Mockups, AfterADatabaseRestoreTheRowIsKnownAsArchivedBefore) {
  app.mockup(1, "a.png", 400);
  run();
  app.mockup(1, "a.png", 400, std::nullopt);
  const json planned = plan();
  EXPECT_EQ(skipped(planned, "archived before"), 1) << planned.dump(1);
  EXPECT_NE(planned["notes"].dump().find("steward archive restore"), std::string::npos);
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_TRUE(app.exists("media/a.png")) << "the file is brought back beside the row that is there";
}

TEST_P(Mockups, RestoreNeverOverwritesAFileOrARow) {
  app.mockup(1, "a.png", 400, "old");
  app.mockup(2, "b.png", 400, "old");
  run();
  app.file("media/a.png", "somebody else's");
  app.sql("insert into mockups values (2, 99, 'other.png', '" + days_ago(1) + "')");
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0);
  EXPECT_EQ(skipped(task(restored.json(), "restore"), "another file is in its place"), 1) << restored.out;
  EXPECT_EQ(skipped(task(restored.json(), "restore"), "a row with its key is there, and differs"), 1);
  EXPECT_EQ(app.content("media/a.png"), "somebody else's");
  EXPECT_EQ(app.value("select idea_id from mockups where id = 2"), "99");
}

TEST_P(Mockups, RestoreSkipsARowWhoseColumnIsGoneAndSaysWhich) {
  app.mockup(1, "a.png", 400);
  run();
  app.sql("alter table mockups drop column idea_id");
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(skipped(task(restored.json(), "restore"), "its column idea_id is gone"), 1) << restored.out;
  EXPECT_EQ(app.count("mockups"), 0);
}

TEST_P(Mockups, OneKeyOfATableComesBackAlone) {
  app.mockup(1, "a.png", 400);
  app.mockup(2, "b.png", 400);
  run();
  EXPECT_EQ(app.steward({"archive", "restore", "--table", "mockups", "--key", "2"}).exit_code, 0);
  EXPECT_EQ(app.value("select id from mockups"), "2");
  EXPECT_EQ(app.files("media"), std::vector<std::string>{"b.png"});
}

TEST_P(Mockups, AChangedCopyIsFoundByVerifyAndNotRestored) {
  app.sql("insert into mockups values (1, 1, 'a.png', '2024-11-02T10:00:00Z')");
  app.file("media/a.png", "pixels");
  run();
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  std::ofstream(app.path("cold/mockups/2024/11/1-a.png")) << "broken";
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 1);
  EXPECT_NE(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_FALSE(app.exists("media/a.png"));
}

TEST_P(Mockups, OneDamagedCopyDoesNotKeepTheOthersAway) {
  app.sql(
      "insert into mockups values (1, 1, 'a.png', '2024-11-02T10:00:00Z'), (2, 1, 'b.png', '2024-11-02T10:00:00Z'), "
      "(3, 1, 'c.png', '2024-11-02T10:00:00Z')");
  for (const char* name : {"a", "b", "c"}) app.file("media/" + std::string(name) + ".png", name);
  run();
  std::ofstream(app.path("cold/mockups/2024/11/2-b.png")) << "broken";
  fs::remove(app.path("cold/mockups/2024/11/3-c.png"));
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 1) << restored.out;
  EXPECT_EQ(task(restored.json(), "restore")["done"]["items"], 1);
  EXPECT_EQ(skipped(task(restored.json(), "restore"), "its copy is damaged or gone"), 2) << restored.out;
  EXPECT_EQ(app.content("media/a.png"), "a");
  EXPECT_EQ(app.files("media"), std::vector<std::string>{"a.png"});
}

TEST_P(Mockups, ThousandsOfHoldsAreNoBurden) {
  for (int i = 1; i <= 3; ++i) app.mockup(i, std::to_string(i) + ".png", 400);
  run();
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  auto ledger = sql::connect({.url = "sqlite:///" + app.path("state/ledger.db")});
  ASSERT_TRUE(ledger);
  const auto more = (*ledger)->execute(
      "with recursive n(i) as (select 10 union all select i + 1 from n where i < 70010) insert into holds "
      "(id, kind, target, hold_key, is_prefix, reason, who, made, hold_until, released, released_by) select 'h-' || i, "
      "kind, target, cast(i as text), is_prefix, reason, who, made, hold_until, released, "
      "released_by "
      "from n, (select * from holds limit 1)");
  ASSERT_TRUE(more) << more.error().message;
  app.mockup(4, "4.png", 400);
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 1) << done.dump(1);
  EXPECT_EQ(skipped(done, "held"), 3);
}

TEST_P(Mockups, AHoldOnATableThatIsNoneIsRefused) {
  const Answer answer = app.steward({"hold", "add", "--table", "mockup", "--key", "1", "--reason", "case 12"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_NE(answer.err.find("mockups"), std::string::npos) << "it names the nearest: " << answer.err;
}

TEST_P(Mockups, ADamagedHoldBesideTheArchiveStopsEveryRemoval) {
  app.mockup(1, "a.png", 400);
  run();
  app.file("cold/holds/h-1.json", "{");
  app.mockup(2, "b.png", 400);
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 1);
  EXPECT_EQ(app.count("mockups"), 1);
}

TEST_P(Mockups, ThePlanChangesNothing) {
  app.mockup(1, "a.png", 400);
  plan();
  EXPECT_FALSE(app.exists("cold")) << "the cold store is made by run";
  EXPECT_EQ(app.count("mockups"), 1);
  EXPECT_EQ(app.files("media"), std::vector<std::string>{"a.png"});
}

TEST_P(Mockups, ARunOfAPlanDoesNoMoreThanThePlan) {
  app.mockup(1, "a.png", 400);
  const std::string digest = app.plan_cleanup()["digest"];
  EXPECT_EQ(task(app.run_cleanup({"--plan", digest.substr(0, 12)}), "archive-mockups")["done"]["items"], 1);
  app.mockup(2, "b.png", 400);
  app.mockup(3, "c.png", 400);
  const Answer refused = app.steward({"run", "cleanup/archive-mockups", "--plan", digest.substr(0, 12), "--json"});
  EXPECT_EQ(refused.exit_code, 3) << refused.out;
  EXPECT_EQ(task(refused.json(), "archive-mockups")["error"]["code"], "plan-outdated");
  EXPECT_EQ(app.count("mockups"), 2);
}

TEST_P(Mockups, AColdStoreThatIsNotMountedIsRefused) {
  app.mockup(1, "a.png", 400);
  run();
  fs::rename(app.path("cold"), app.path("unmounted"));
  fs::create_directory(app.path("cold"));
  app.mockup(2, "b.png", 400);
  const json refused = run();
  EXPECT_EQ(refused["status"], "refused");
  EXPECT_EQ(refused["error"]["code"], "archive-missing");
  EXPECT_EQ(app.count("mockups"), 1);
  EXPECT_TRUE(app.exists("media/b.png"));
}

INSTANTIATE_TEST_SUITE_P(Edges, Mockups, testing::ValuesIn(shapes), shape_name);

// --- rows -----------------------------------------------------------------------------------------------------------

struct Rows : testing::TestWithParam<Shape> {
  Application app{GetParam().database, GetParam().bucket};
  void signals(int n, double days_old, int from = 1) {
    const std::string series =
        GetParam().database == DatabaseKind::sqlite
            ? "(with recursive n(i) as (select " + std::to_string(from) + " union all select i + 1 from n where i < " +
                  std::to_string(from + n - 1) + ") select i from n)"
            : "generate_series(" + std::to_string(from) + ", " + std::to_string(from + n - 1) + ") as s(i)";
    app.sql("insert into signals select i, 1, '" + days_ago(days_old) + "', 0.5, null, 'x' from " + series);
  }
};

TEST_P(Rows, ManyBatchesAreDrainedToTheLastRow) {
  signals(25'003, 40);
  signals(5'000, 5, 100'001);
  const json run = task(app.run_cleanup(), "purge-signals");
  EXPECT_EQ(run["done"]["items"], 25'003) << run.dump(1);
  EXPECT_EQ(app.count("signals"), 5'000);
}

TEST_P(Rows, AHeldRowStaysAndIsNotPlanned) {
  signals(3, 40);
  app.steward({"hold", "add", "--table", "signals", "--key", "2", "--reason", "audit"});
  EXPECT_EQ(task(app.plan_cleanup(), "purge-signals")["planned"]["items"], 2);
  app.run_cleanup();
  EXPECT_EQ(app.value("select id from signals"), "2");
}

TEST_P(Rows, TheBrakeRefusesToEmptyATableAndOneRunMayPassIt) {
  signals(1'000, 40);
  const json planned = task(app.plan_cleanup(), "purge-signals");
  EXPECT_EQ(planned["brake"]["code"], "brake-share");
  const Answer refused = app.steward({"run", "cleanup/purge-signals", "--json"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_EQ(app.count("signals"), 1'000);
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals", "--allow-removal", "purge-signals"}).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 0);
}

TEST_P(Rows, ARowThatIsReferencedStaysWhateverItsOnDelete) {
  app.sql("create table notes (id integer primary key, signal_id " +
          std::string(GetParam().database == DatabaseKind::sqlite ? "integer" : "bigint") +
          " references signals(id) on delete cascade)");
  signals(3, 40);
  app.sql("insert into notes values (1, 2)");
  const json run = task(app.run_cleanup(), "purge-signals");
  EXPECT_EQ(run["done"]["items"], 2);
  EXPECT_EQ(skipped(run, "referenced by notes"), 1);
  EXPECT_EQ(app.count("notes"), 1);
}

TEST_P(Rows, NullAndUnreadableTimesAreKeptAndListed) {
  app.sql("insert into signals values (1, 1, NULL, 0.5, null, 'x')");
  if (GetParam().database == DatabaseKind::sqlite)
    app.sql("insert into signals values (2, 1, 'last tuesday', 0.5, null, 'x')");
  else
    app.sql("insert into signals values (2, 1, '-infinity', 0.5, null, 'x')");
  const json run = task(app.run_cleanup(), "purge-signals");
  EXPECT_EQ(run["done"]["items"], 0);
  EXPECT_EQ(skipped(run, "timestamp is NULL"), 1) << run.dump(1);
  EXPECT_EQ(skipped(run, "timestamp is not a moment in time"), 1);
}

TEST_P(Rows, AuditRowsAreInTheArchiveBeforeTheyGo) {
  app.sql("insert into audit_logs values (1, 'ann', 'say \"hi\"', '{\"k\": null}', '" + days_ago(600) + "')");
  app.sql("insert into audit_logs values (2, NULL, NULL, NULL, '" + days_ago(600) + "')");
  const json run = app.run_cleanup();
  EXPECT_EQ(task(run, "purge-audit-logs")["done"]["items"], 2);
  std::string segment;
  for (const std::string& file : app.files("cold/audit_logs"))
    if (file.ends_with(".jsonl.zst")) segment = file;
  const Answer text =
      run_program({"zstd", "-dc", app.path("cold/audit_logs/" + segment)}, {{"PATH", "/usr/bin:/bin"}}, app.root());
  EXPECT_NE(text.out.find("\"username\":\"ann\""), std::string::npos) << text.out;
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 2);
}

TEST_P(Rows, AViewIsRefusedWithTheReason) {
  app.sql("alter table signals rename to real_signals");
  app.sql("create view signals as select * from real_signals");
  const json run = task(app.run_cleanup(), "purge-signals");
  EXPECT_EQ(run["status"], "failed");
  EXPECT_NE(run["error"]["message"].get<std::string>().find("is a view"), std::string::npos) << run.dump(1);
}

INSTANTIATE_TEST_SUITE_P(Edges, Rows, testing::ValuesIn(shapes), shape_name);

// --- log files ------------------------------------------------------------------------------------------------------

struct Logs : testing::Test {
  Application app{};
  json run() { return task(app.run_cleanup(), "purge-logs"); }
};

TEST_F(Logs, OnlyTheNamesOfLogsGo) {
  for (const char* name : {"a.log", "a.log.1", "a.log-20250101", "a.log.gz", "a.log.zst", "a.log.xz", "a.log.bz2",
                           ".hidden.log", "deep/er/b.log"})
    app.file("logs/" + std::string(name), "x", 40);
  for (const char* name : {"notes.txt", "a.log.txt", "log", "a.logx", "archive/a.log", "deep/archive/b.log"})
    app.file("logs/" + std::string(name), "x", 40);
  EXPECT_EQ(run()["done"]["items"], 9);
  EXPECT_EQ(app.files("logs"), (std::vector<std::string>{"a.log.txt", "a.logx", "archive/a.log", "deep/archive/b.log",
                                                         "log", "notes.txt"}));
}
TEST_F(Logs, ThirtyDaysAreThirtyTimes24Hours) {
  app.file("logs/just-old.log", "x", 30.001);
  app.file("logs/not-yet.log", "x", 29.999);
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.files("logs"), std::vector<std::string>{"not-yet.log"});
}
TEST_F(Logs, AFileThatAProcessHasOpenStays) {
  app.file("logs/open.log", "x", 40);
  std::ifstream held(app.path("logs/open.log"));
  const json done = run();
  EXPECT_EQ(skipped(done, "open or locked by a process"), 1) << done.dump(1);
  EXPECT_TRUE(app.exists("logs/open.log"));
}
TEST_F(Logs, AFileThatIsOpenTakesNoOthersPlaceInThePlan) {
  for (const char* name : {"a.log", "b.log", "c.log"}) app.file("logs/" + std::string(name), "x", 40);
  std::ifstream held(app.path("logs/b.log"));
  const json done = app.run_cleanup();
  EXPECT_EQ(task(done, "purge-logs")["planned"]["items"], 2) << done.dump(1);
  EXPECT_EQ(task(done, "purge-logs")["done"]["items"], 2) << done.dump(1);
  EXPECT_EQ(app.files("logs"), std::vector<std::string>{"b.log"});
  std::istringstream list(app.content("state/manifests/" + done["run"].get<std::string>() + "/purge-logs.jsonl"));
  std::set<std::string> removed;
  for (std::string line; std::getline(list, line);) {
    const json entry = json::parse(line);
    if (entry.contains("removed")) removed.insert(entry["removed"]);
    if (entry.contains("not_removed")) removed.erase(entry["not_removed"]);
  }
  EXPECT_EQ(removed, (std::set{app.path("logs/a.log"), app.path("logs/c.log")}));
}
TEST_F(Logs, ASymlinkIsNeitherFollowedNorRemoved) {
  app.file("elsewhere/a.log", "x", 40);
  fs::create_directory_symlink(app.path("elsewhere"), app.path("logs/link"));
  fs::create_symlink(app.path("elsewhere/a.log"), app.path("logs/b.log"));
  EXPECT_EQ(run()["done"]["items"], 0);
  EXPECT_TRUE(app.exists("elsewhere/a.log"));
  EXPECT_TRUE(app.exists("logs/b.log"));
}
TEST_F(Logs, AHeldFolderStays) {
  app.file("logs/2025/a.log", "x", 40);
  app.file("logs/b.log", "x", 40);
  app.steward({"hold", "add", "--path", app.path("logs/2025/"), "--prefix", "--reason", "audit"});
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_TRUE(app.exists("logs/2025/a.log"));
}
TEST_F(Logs, AFileThatARowNeedsStays) {
  app.environment["MEDIA_ROOT"] = ".";
  app.file("logs/picture.log", "x", 40);
  app.sql("insert into mockups values (1, 1, 'logs/picture.log', '" + days_ago(1) + "')");
  EXPECT_EQ(skipped(run(), "a row needs it"), 1);
  EXPECT_TRUE(app.exists("logs/picture.log"));
}
TEST_F(Logs, StewardsOwnFilesStayWhereverTheFolderPoints) {
  app.environment["LOG_DIR"] = ".";
  app.file("cold/x.log", "x", 40);
  app.file("state/x.log", "x", 40);
  app.file("y.log", "x", 40);
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_TRUE(app.exists("cold/x.log"));
  EXPECT_TRUE(app.exists("state/x.log"));
}
TEST_F(Logs, ANameThatIsNotUtf8GoesAndIsShownEscaped) {
  app.file("logs/a\xff.log", "x", 40);
  const json planned = task(app.plan_cleanup(), "purge-logs");
  EXPECT_EQ(planned["samples"][0]["item"], "a\\xff.log");
  EXPECT_EQ(run()["done"]["items"], 1);
}
TEST_F(Logs, WhatWasRemovedIsOnTheList) {
  app.file("logs/a.log", "12345", 40);
  const json done = app.run_cleanup();
  const std::string list = app.content("state/manifests/" + done["run"].get<std::string>() + "/purge-logs.jsonl");
  EXPECT_EQ(json::parse(list)["removed"], app.path("logs/a.log"));
  EXPECT_EQ(json::parse(list)["bytes"], 5);
}

// --- objects --------------------------------------------------------------------------------------------------------

struct Objects : testing::TestWithParam<Shape> {
  Application app{GetParam().database, GetParam().bucket};
  json run() { return task(app.run_cleanup(), "expire-objects"); }
};

TEST_P(Objects, MoreThanABatchGoesAndTheNewStay) {
  for (int i = 0; i < 60; ++i) app.object("old/" + std::to_string(i), "x", 100);
  for (int i = 0; i < 40; ++i) app.object("new/" + std::to_string(i), "x", 10);
  EXPECT_EQ(run()["done"]["items"], 60);
  EXPECT_EQ(app.objects().size(), 40U);
}
TEST_P(Objects, AHeldPrefixStays) {
  app.object("keep/a", "x", 100);
  app.object("go/b", "x", 100);
  if (GetParam().bucket == BucketKind::folder)
    app.steward({"hold", "add", "--path", app.path("bucket/keep/"), "--prefix", "--reason", "audit"});
  else
    app.steward({"hold", "add", "--object", app.bucket_name() + "/keep/", "--prefix", "--reason", "audit"});
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.objects(), std::vector<std::string>{"keep/a"});
}
TEST_P(Objects, APrefixKeepsTheRestOfTheBucketOutOfIt) {
  app.object("exports/a", "x", 100);
  app.object("exports2/b", "x", 100);
  app.environment["S3_BUCKET"] = app.bucket_name() + "/exports";
  EXPECT_EQ(run()["done"]["items"], 1);
  EXPECT_EQ(app.objects(), std::vector<std::string>{"exports2/b"});
}
TEST_P(Objects, TheRetentionIsAVariable) {
  app.object("a", "x", 8);
  app.environment["S3_RETENTION_DAYS"] = "7";
  EXPECT_EQ(run()["done"]["items"], 1);
}
INSTANTIATE_TEST_SUITE_P(Edges, Objects, testing::ValuesIn(shapes), shape_name);

// --- one bucket for everything --------------------------------------------------------------------------------------

TEST(OneBucket, NothingThatARowNeedsOrThatIsOursExpires) {
  Application app(DatabaseKind::postgres, BucketKind::versity);
  app.environment["COLD_STORAGE_PATH"] = app.bucket_name() + "/cold";
  app.object("images/old.png", "old pixels", 500);
  app.object("images/new.png", "new pixels", 500);
  app.object("exports/a.csv", "x", 500);
  app.mockup(1, app.bucket_name() + "/images/old.png", 400, std::nullopt);
  app.mockup(2, app.bucket_name() + "/images/new.png", 10, std::nullopt);
  const json first = app.run_cleanup();
  EXPECT_EQ(first["status"], "succeeded") << first.dump(1);
  EXPECT_EQ(task(first, "archive-mockups")["done"]["items"], 1);
  EXPECT_EQ(task(first, "expire-objects")["done"]["items"], 1) << first.dump(1);
  const auto keys = app.objects();
  EXPECT_TRUE(std::ranges::find(keys, "images/new.png") != keys.end());
  EXPECT_TRUE(std::ranges::find(keys, "images/old.png") == keys.end());
  EXPECT_TRUE(std::ranges::find(keys, "exports/a.csv") == keys.end());
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  StringSink sink;
  EXPECT_TRUE(app.bucket().get("images/old.png", sink));
  EXPECT_EQ(sink.text, "old pixels");
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
}

}  // namespace
}  // namespace steward::harness
