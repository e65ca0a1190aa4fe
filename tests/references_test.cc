// Rows that others refer to: what becomes of those is the policy's to say, and nothing of it is lost. `kind: rows` and
// `kind: rows-with-files` are the same to who refers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/referred.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(EndToEnd, References, testing::ValuesIn(kinds),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(References, KeepTheirRowsWhereNothingIsSaid) {
  configure("");
  const json step = task(app.plan_cleanup(), "t");
  EXPECT_EQ(step["planned"]["items"], 1) << step.dump(1);
  EXPECT_EQ(skipped(step, "referenced by bids"), 1);
  EXPECT_EQ(skipped(step, "referenced by listings"), 1);
  EXPECT_FALSE(step.contains("consequences"));
  app.run_cleanup();
  EXPECT_EQ(all(), before("mockup 3"));
}

TEST_P(References, AreInThePlanWithTheirNumberAndWhatBecomesOfThem) {
  configure("{listings: set-null, bids: archive-too}");
  const json step = task(app.plan_cleanup(), "t");
  EXPECT_EQ(step["planned"]["items"], 3) << step.dump(1);
  EXPECT_THAT(step["strategy"].get<std::string>(),
              HasSubstr("delete rows of " + full("bids") + " that refer by mockup_id, set mockup_id of " +
                        full("listings") + " to NULL, delete"));
  EXPECT_THAT(step["filter"].get<std::string>(),
              HasSubstr(", not referenced but by " + full("bids") + " (mockup_id): archive-too, " + full("listings") +
                        " (mockup_id): set-null"));
  EXPECT_EQ(step["consequences"],
            json::array({{{"target", full("bids") + " (mockup_id)"}, {"what", "archive-too"}, {"rows", 2}},
                         {{"target", full("listings") + " (mockup_id)"}, {"what", "set-null"}, {"rows", 3}}}));
  EXPECT_THAT(step["notes"].dump(), HasSubstr("3 rows of " + full("listings") +
                                              " refer to these by mockup_id: set to NULL, and set back by a restore"));
  EXPECT_EQ(all(), everything);
}

TEST_P(References, AreSetToNullAndSetBack) {
  configure("set-null");
  app.sql("delete from bids");
  const auto rows = all();
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(run["done"]["items"], 3) << run.dump(1);
  EXPECT_THAT(run["notes"].dump(), HasSubstr("3 rows of " + full("listings") + " (mockup_id) set to NULL"));
  EXPECT_EQ(app.value("select count(*) from listings where mockup_id is null"), "3");
  EXPECT_EQ(app.value("select count(*) from mockups"), "1");
  expect_restored(rows, "of rows that referred to these 0 are back, and 3 refer to them again");
}

TEST_P(References, GoAlongAndComeBack) {
  configure("archive-too");
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 3);
  EXPECT_EQ(app.value("select id from listings"), "9") << "what refers to a young row stays";
  EXPECT_EQ(app.count("bids"), 0);
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  expect_restored(everything, "of rows that referred to these 5 are back, and 0 refer to them again");
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 0) << "what was restored is held";
  EXPECT_EQ(all(), everything);
}

TEST_P(References, GoEachTableItsOwnWayAndASecondRestoreChangesNothing) {
  configure("{listings: set-null, bids: archive-too}");
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 3);
  expect_restored(everything, "2 are back, and 3 refer to them again");
  expect_restored(everything, "2 are back, and 3 refer to them again");
}

TEST_P(References, OfTablesThatAreNotNamedAreAsOthersSays) {
  configure("{others: set-null, tables: {bids: keep}}");
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(run["done"]["items"], 2) << run.dump(1);
  EXPECT_EQ(skipped(run, "referenced by bids"), 1);
}

TEST_P(References, WhichWereChangedSinceAreNotSetBack) {
  configure("{listings: set-null, bids: archive-too}");
  app.run_cleanup();
  app.sql("update listings set mockup_id = 4 where id = 1; delete from listings where id = 2");
  app.sql("insert into bids values (2, 4, 'another')");
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  const json step = task(restored.json(), "restore");
  EXPECT_EQ(step["done"]["items"], 3) << restored.out;
  EXPECT_EQ(skipped(step, "of rows that referred: it has been changed since"), 1);
  EXPECT_EQ(skipped(step, "of rows that referred: it is gone"), 1);
  EXPECT_EQ(skipped(step, "of rows that referred: a row with its key is there, and differs"), 1);
  EXPECT_EQ(app.value("select mockup_id from listings where id = 1"), "4");
  EXPECT_EQ(app.value("select mockup_id from listings where id = 3"), "2");
  EXPECT_EQ(app.value("select note from bids where id = 2"), "another");
}

TEST_P(References, ToARowThatIsNotBackStayAsTheyAre) {
  configure("{listings: set-null, bids: archive-too}");
  app.run_cleanup();
  app.sql("insert into mockups values (1, 77, 'other.png', '" + days_ago(1) + "')");
  const json step = task(app.steward({"archive", "restore", "--all", "--json"}).json(), "restore");
  EXPECT_EQ(skipped(step, "of rows that referred: what it refers to is not back"), 4) << step.dump(1);
  EXPECT_EQ(app.value("select mockup_id from listings where id = 1"), "NULL");
  EXPECT_EQ(app.value("select mockup_id from listings where id = 3"), "2");
}

TEST_P(References, OfARowThatReferredToTwoComeBackWhenBothAreThere) {
  app.sql("create table pairs (id integer primary key, a " + key_type() + " references mockups(id), b " + key_type() +
          " references mockups(id)); insert into pairs values (1, 1, 3), (2, 3, 2)");
  configure("{others: archive-too}");
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 3);
  EXPECT_EQ(app.count("pairs"), 0);
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(task(restored.json(), "restore")["skipped"].size(), 0U) << restored.out;
  EXPECT_EQ(app.value("select a || ' ' || b from pairs where id = 2"), "3 2");
  EXPECT_EQ(all(), everything);
}

TEST_P(References, FromAHeldRowKeep) {
  configure("{listings: set-null, bids: archive-too}");
  EXPECT_EQ(app.steward({"hold", "add", "--table", "listings", "--key", "2", "--reason", "case 12"}).exit_code, 0);
  const json plan = task(app.plan_cleanup(), "t");
  EXPECT_EQ(skipped(plan, "referenced by listings, which is held"), 1) << plan.dump(1);
  EXPECT_EQ(plan["consequences"][1]["rows"], 1);
  app.run_cleanup();
  EXPECT_EQ(app.value("select count(*) from mockups where id = 1"), "1");
  EXPECT_EQ(app.value("select count(*) from listings where mockup_id = 1"), "2");
  EXPECT_EQ(app.value("select count(*) from mockups"), "2");
}

TEST_P(References, FromARowThatAnotherPolicyHoldsKeep) {
  configure("{listings: set-null, bids: archive-too}",
            "  bids: {kind: rows, table: bids, age_column: at, age: 12 months, archive: cold, "
            "hold_when: {column: note, equals: dear}}\n");
  app.sql("alter table bids add column at " + std::string(postgres() ? "timestamptz" : "text") +
          "; update bids set note = 'dear' where id = 1");
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(skipped(run, "referenced by bids, which is held"), 1) << run.dump(1);
  EXPECT_EQ(app.count("bids"), 2);
}

TEST_P(References, FromARowThatIsReferencedItselfKeep) {
  app.sql("create table stamps (id integer primary key, bid_id " + key_type() +
          " references bids(id) on delete cascade); insert into stamps values (1, 1)");
  configure("{listings: set-null, bids: archive-too}");
  const json run = task(app.run_cleanup(), "t");
  EXPECT_EQ(skipped(run, "referenced by bids, which is referenced itself"), 1) << run.dump(1);
  EXPECT_EQ(app.count("stamps"), 1);
  EXPECT_EQ(app.count("bids"), 2);
  EXPECT_EQ(app.value("select count(*) from listings where mockup_id = 1"), "2") << "a row that stays loses nothing";
}

TEST_P(References, ThatCannotBeNullAreSaidInOneLine) {
  app.sql("create table strict (id integer primary key, mockup_id " + key_type() + " not null references mockups(id))");
  configure("set-null");
  const json step = task(app.plan_cleanup(), "t");
  EXPECT_EQ(step["error"]["message"],
            "references: " + full("strict") + ".mockup_id is NOT NULL: it cannot be set to NULL")
      << step.dump(1);
  EXPECT_THAT(step["error"]["hint"].get<std::string>(), HasSubstr("references: {tables: {strict: keep}}"));
  EXPECT_EQ(app.steward({"run", "cleanup"}).exit_code, 1);
  EXPECT_EQ(all(), everything);
}

TEST_P(References, OfATableWithoutAKeyAreSaidInOneLine) {
  app.sql("create table loose (mockup_id " + key_type() + " references mockups(id))");
  configure("archive-too");
  EXPECT_EQ(task(app.plan_cleanup(), "t")["error"]["message"],
            "references: " + full("loose") + " has no primary key: which of its rows referred could not be recorded");
}

TEST_P(References, OfATableToItselfCanOnlyKeep) {
  app.sql("alter table mockups add column parent " + key_type() + " references mockups(id)");
  configure("set-null");
  EXPECT_EQ(task(app.plan_cleanup(), "t")["error"]["message"],
            "references: " + full("mockups") + " refers to itself: such rows can only be kept");
  configure("{others: set-null, tables: {mockups: keep}}");
  EXPECT_EQ(task(app.plan_cleanup(), "t")["planned"]["items"], 3);
}

TEST_P(References, OfATableThatDoesNotReferAreAMistake) {
  configure("{listing: set-null}");
  const json error = task(app.plan_cleanup(), "t")["error"];
  EXPECT_EQ(error["message"], "references: no column of listing refers to " + full("mockups"));
  EXPECT_THAT(error["hint"].get<std::string>(), HasSubstr("listings"));
}

TEST_P(References, OfRowsWithFilesDoNotGoAlong) {
  app.sql("alter table bids add column scan text; alter table bids add column at " +
          std::string(postgres() ? "timestamptz" : "text"));
  configure("archive-too",
            "  scans: {kind: rows-with-files, table: bids, age_column: at, age: 12 months, "
            "file_column: scan, root: media, archive: cold}\n");
  EXPECT_EQ(task(app.plan_cleanup(), "t")["error"]["message"],
            "references: rows of " + full("bids") + " name files (scans): they cannot go along");
}

TEST_P(References, WithoutAForeignKeyAreTreatedAlike) {
  app.sql("create table loans (id integer primary key, about " + key_type() + "); insert into loans values (1, 3)");
  configure("{others: set-null}", "", "referenced_by: {table: loans, column: about}");
  EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 3);
  EXPECT_EQ(app.value("select about from loans"), "NULL");
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.value("select about from loans"), "3");
}

TEST_P(References, CascadesDoNothingThatThePolicyDoesNotSay) {
  app.sql("create table c (id integer primary key, mockup_id " + key_type() +
          " references mockups(id) on delete cascade); create table n (id integer primary key, mockup_id " +
          key_type() +
          " references mockups(id) on delete set null);"
          "insert into c values (1, 3); insert into n values (1, 3)");
  configure("{c: set-null, n: archive-too, listings: set-null, bids: keep}");
  app.run_cleanup();
  EXPECT_EQ(app.value("select mockup_id from c"), "NULL");
  EXPECT_EQ(app.count("n"), 0);
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.value("select mockup_id from c"), "3");
  EXPECT_EQ(app.value("select mockup_id from n"), "3");
  EXPECT_EQ(all(), everything);
}

TEST_P(References, OfHostileNamesAndSeveralColumnsComeBack) {
  app.sql(
      "create table \"o'dd \"\"t\" (\"sel\"\"ect\" text, \"k 2\" text, who text, x text, y text,"
      " primary key (\"k 2\", \"sel\"\"ect\"));"
      "create table \"p'\"\"arent\" (a text, b text, \"wh'en\" " +
      std::string(postgres() ? "timestamptz" : "text") + ", primary key (b, a))");
  app.sql(
      "drop table \"o'dd \"\"t\"; create table \"o'dd \"\"t\" (\"sel\"\"ect\" text, \"k 2\" text, who text, x text, "
      "y text, primary key (\"k 2\", \"sel\"\"ect\"), foreign key (x, y) references \"p'\"\"arent\" (b, a))");
  const std::string old = days_ago(500);
  app.sql("insert into \"p'\"\"arent\" values ('a\"1', '{b,\\', '" + old + "'), ('', 'NULL', '" + old + "')");
  app.sql("insert into \"o'dd \"\"t\" values ('k''1', '[\"', 'x', '{b,\\', 'a\"1'), ('k2', '\\', null, 'NULL', '')");
  const auto rows = [&] {
    return app.value("select count(*) from \"p'\"\"arent\"") +
           app.value(
               "select count(*) from \"o'dd \"\"t\" where x "
               "= '{b,\\' and y = 'a\"1' and who = 'x'") +
           app.value("select count(*) from \"o'dd \"\"t\" where y = ''");
  };
  for (const std::string what : {"set-null", "archive-too"}) {
    app.file("steward.yaml",
             "databases: {app: \"${DATABASE_URL}\"}\nstores: {cold: ./cold}\ncleanup:\n"
             "  t: {kind: rows, table: \"p'\\\"arent\", age_column: \"wh'en\", age: 12 months, references: " +
                 what + ", archive: {to: cold, folder: " + what + "}}\n");
    EXPECT_EQ(task(app.run_cleanup(), "t")["done"]["items"], 2) << what;
    EXPECT_EQ(rows(), "000");
    EXPECT_EQ(app.count("\"o'dd \"\"t\""), what == "set-null" ? 2 : 0);
    EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
    EXPECT_EQ(rows(), "211") << what;
    app.sql("update \"p'\"\"arent\" set \"wh'en\" = \"wh'en\"");
    const json list = app.steward({"hold", "list", "--json"}).json();
    for (const json& hold : list["holds"])
      EXPECT_EQ(app.steward({"hold", "release", hold["id"].get<std::string>()}).exit_code, 0);
  }
}

TEST_P(References, NeedAnArchive) {
  app.file("steward.yaml",
           "databases: {app: \"${DATABASE_URL}\"}\ncleanup:\n  t: {kind: rows, table: mockups, "
           "age_column: created_at, age: 12 months, references: set-null}\n");
  const Answer check = app.steward({"config", "check"});
  EXPECT_EQ(check.exit_code, 2);
  EXPECT_THAT(check.out, HasSubstr("steward.yaml:3:87: what refers to these rows could not be brought back without an "
                                   "archive"));
}

TEST_P(References, ThatAreMoreThanThePlanIsForAreRefused) {
  configure("{listings: set-null, bids: archive-too}");
  const json plan = app.plan_cleanup();
  app.sql("insert into listings values (50, 3)");
  const json run = app.run_cleanup({"--plan", plan["digest"].get<std::string>()});
  EXPECT_EQ(task(run, "t")["error"]["code"], "plan-outdated") << run.dump(1);
  EXPECT_EQ(task(run, "t")["error"]["message"],
            "t: 4 rows of " + full("listings") + " (mockup_id) refer to them now, the plan has 3");
  EXPECT_EQ(app.count("mockups"), 4);
}

TEST_P(References, OfMostOfATableTripABrake) {
  configure("{listings: set-null, bids: archive-too}");
  app.sql(postgres() ? "insert into bids select i, 1, 'many' from generate_series(10, 1500) i"
                     : "insert into bids with recursive n(i) as (select 10 union all select i + 1 from n where i < "
                       "1500) select i, 1, 'many' from n");
  const json step = task(app.plan_cleanup(), "t");
  EXPECT_EQ(step["brake"]["code"], "brake-share") << step.dump(1);
  EXPECT_THAT(step["brake"]["message"].get<std::string>(),
              HasSubstr("t would remove 1,493 of 1,493 rows of " + full("bids") + " (mockup_id) along"));
  EXPECT_EQ(task(app.run_cleanup({"--allow-removal", "t"}), "t")["done"]["items"], 3);
  EXPECT_EQ(app.count("bids"), 0);
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.count("bids"), 1493);
}

TEST_P(References, AreBesideTheOldWayInAComparison) {
  configure("");
  app.file("old.yaml", app.content("steward.yaml"));
  configure("{listings: set-null, bids: archive-too}");
  const json document = app.steward({"plan", "cleanup", "--against", "old.yaml", "--json"}).json();
  EXPECT_EQ(task(document, "t")["more"], 2) << document.dump(1);
  EXPECT_THAT(task(document, "t")["changes"].dump(),
              HasSubstr("rows of " + full("listings") + " (mockup_id) set-null: - -> 3"));
}

}  // namespace
}  // namespace steward::harness
