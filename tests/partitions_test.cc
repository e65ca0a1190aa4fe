// Whole partitions on a real PostgreSQL: what is dropped, what goes row by row and why, and what comes back.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "harness/child_run.h"
#include "harness/partitioned.h"
#include "run/ledger/ledger.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Partitions : testing::Test, Partitioned {
  /// Nothing was dropped, the old rows are gone all the same, and the plan says why.
  void expect_rows_because(const std::string& reason) {
    const json step = plan();
    EXPECT_THAT(notes(step), HasSubstr(reason)) << step.dump(1);
    EXPECT_THAT(step.value("strategy", ""), testing::StartsWith("delete in batches")) << step.dump(1);
    const json done = run();
    EXPECT_EQ(done["status"], "succeeded") << done.dump(1);
    EXPECT_TRUE(attached("e1")) << done.dump(1);
    EXPECT_TRUE(attached("e2")) << done.dump(1);
  }
};

TEST_F(Partitions, ThatAreOldAreDroppedAndTheOneWithTheCutoffGoesByRows) {
  const json step = plan();
  EXPECT_EQ(step["planned"]["items"], 30) << step.dump(1);
  EXPECT_GT(step["planned"]["bytes"], 0);
  EXPECT_THAT(
      step.value("strategy", ""),
      testing::StartsWith("drop 2 whole partitions (public.e1, public.e2; 20 rows), whose space comes back to the "
                          "system; 10 rows: delete in batches"));
  EXPECT_EQ(step["samples"][0]["item"], "partition public.e1, 10 rows");
  const json done = run();
  EXPECT_EQ(done["status"], "succeeded") << done.dump(1);
  EXPECT_EQ(done["done"]["items"], 30) << done.dump(1);
  EXPECT_EQ(done["done"]["bytes"], step["planned"]["bytes"]);
  EXPECT_FALSE(there("e1"));
  EXPECT_FALSE(there("e2"));
  EXPECT_TRUE(attached("e3"));
  EXPECT_EQ(app.count("events"), 10);
  EXPECT_EQ(app.count("e3"), 0);
  const json again = run();
  EXPECT_EQ(again["planned"]["items"], 0) << again.dump(1);
}

TEST_F(Partitions, StayWhereTheConfigurationLeavesThemAlone) {
  configure("    partitions: rows\n");
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 30) << done.dump(1);
  EXPECT_TRUE(attached("e1"));
  EXPECT_EQ(app.count("e1"), 0);
}

TEST_F(Partitions, GoByRowsWhereThePolicyHasConditions) {
  configure("    where: {column: note, like: \"it%\"}\n");
  expect_rows_because("no partition goes as a whole: the policy has conditions (where)");
  EXPECT_EQ(app.count("events"), 10);
}

TEST_F(Partitions, ThatHoldAHeldRowGoByRows) {
  const std::string key = app.value("select '[\"' || id || '\",\"' || at || '\"]' from events where id = 5");
  ASSERT_EQ(app.steward({"hold", "add", "--table", "events", "--key", key, "--reason", "case"}).exit_code, 0) << key;
  const json step = plan();
  EXPECT_THAT(notes(step), HasSubstr("public.e1 goes row by row, though all in it is old: rows in it stay (held)"));
  const json done = run();
  EXPECT_TRUE(attached("e1")) << done.dump(1);
  EXPECT_FALSE(there("e2"));
  EXPECT_EQ(app.count("e1"), 1);
}

TEST_F(Partitions, ThatAHoldNamesStay) {
  ASSERT_EQ(app.steward({"hold", "add", "--table", "e2", "--key", "", "--prefix", "--reason", "case"}).exit_code, 0);
  EXPECT_THAT(notes(plan()), HasSubstr("a hold names it"));
  run();
  EXPECT_TRUE(attached("e2"));
  EXPECT_EQ(app.count("e2"), 10) << "nor do its rows go by way of the table that it is of";
  EXPECT_FALSE(there("e1"));
}

TEST_F(Partitions, ThatAHoldNamesKeepTheRowsThatItIsAbout) {
  app.sql(
      "create table deep (like events including all) partition by range (at); insert into deep select * from e2 "
      "where false");
  app.sql(fmt::format("drop table e2; alter table events attach partition deep for values from ('{}') to ('{}')",
                      day(90), day(60)));
  app.sql(fmt::format("create table deepest partition of deep for values from ('{}') to ('{}')", day(90), day(60)));
  rows(11, 70);
  const auto hold = [&](const std::string& table, const std::string& where) {
    return app.steward({"hold", "add", "--table", table, "--where", where, "--reason", "case"}).exit_code;
  };
  ASSERT_EQ(hold("e1", "id = 3"), 0);
  ASSERT_EQ(hold("public.deep", "id in 12, 13"), 0);
  ASSERT_EQ(hold("deepest", "id = 14"), 0);
  ASSERT_EQ(hold("e4", "id = 1"), 0);
  for (const char* archive : {"", "    archive: cold\n"}) {
    configure(std::string("    partitions: rows\n") + archive);
    run();
    EXPECT_EQ(app.value("select string_agg(id::text, ',' order by id) from events where id < 31"), "3,12,13,14");
  }
  const std::string key = app.value("select '[\"' || id || '\",\"' || at || '\"]' from events where id = 12");
  const Answer test = app.steward({"hold", "test", "--table", "events", "--key", key});
  EXPECT_THAT(test.out, HasSubstr("case")) << test.out << test.err;
}

TEST_F(Partitions, WithAReferencedRowGoByRows) {
  app.sql(
      "create table notes (id bigint primary key, event bigint, at timestamptz, foreign key (event, at) references "
      "events (id, at))");
  app.sql("insert into notes select 1, id, at from events where id = 15");
  EXPECT_THAT(notes(plan()),
              HasSubstr("public.e2 goes row by row, though all in it is old: rows in it stay (referenced "
                        "by notes)"));
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 29) << done.dump(1);
  EXPECT_FALSE(there("e1")) << "references to a table do not keep the partitions that none of them means";
  EXPECT_EQ(app.count("e2"), 1);
}

TEST_F(Partitions, NeverTheDefaultNorOneWithoutAnUpperBound) {
  app.sql("create table e0 partition of events default");
  rows(41, 200);
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 40) << done.dump(1);
  EXPECT_TRUE(attached("e0"));
  EXPECT_EQ(app.count("e0"), 0);
  EXPECT_FALSE(there("e1")) << "with a default partition they are detached and dropped at once";
}

TEST_F(Partitions, FromTheBeginningOfTimeGoUnlessARowHasNoMoment) {
  app.sql(fmt::format("create table e0 partition of events for values from (minvalue) to ('{}')", day(120)));
  app.sql("insert into events values (99, '-infinity', 'x')");
  EXPECT_THAT(notes(plan()), HasSubstr("public.e0 goes row by row, though all in it is old: rows in it stay (of no age "
                                       "that can be read)"));
  run();
  EXPECT_EQ(app.count("e0"), 1);
  app.sql("delete from e0");
  run();
  EXPECT_FALSE(there("e0"));
}

TEST_F(Partitions, GoByRowsWhereATriggerWaitsForDeletedRows) {
  app.sql("create table log (id bigint)");
  ASSERT_TRUE(
      app.db().query("create function noted() returns trigger language plpgsql as $$ begin insert into log "
                     "values (old.id); return old; end $$"));
  app.sql("create trigger noted before delete on events for each row execute function noted()");
  expect_rows_because("the trigger noted is for rows that are deleted");
  EXPECT_EQ(app.count("log"), 30);
}

TEST_F(Partitions, GoByRowsWhereSubscribersHearOfDeletes) {
  app.sql("create publication p for table events with (publish_via_partition_root = true)");
  expect_rows_because("the publication p sends deletes to its subscribers, and no drop");
}

TEST_F(Partitions, GoByRowsWhereAViewStandsOnThem) {
  app.sql("create view v1 as select * from e1; create view v2 as select * from e2");
  expect_rows_because("view v1 depends on it");
}

TEST_F(Partitions, OfAnotherColumnGoByRowsAndThePlanSaysWhatTheyArePartitionedBy) {
  app.sql("alter table events add made timestamptz; update events set made = at");
  configure("", "made");
  expect_rows_because("the table is partitioned by RANGE (at), not by RANGE (made)");
}

TEST_F(Partitions, BelowAListAreFoundAndATreeGoesAtOnce) {
  app.sql("drop table events");
  app.sql(
      "create table events (id bigint, site text, at timestamptz, primary key (id, site, at)) partition by list "
      "(site)");
  app.sql("create table n partition of events for values in ('n') partition by range (at)");
  app.sql(fmt::format("create table n1 partition of n for values from ('{}') to ('{}') partition by list (site)",
                      day(120), day(60)));
  app.sql("create table n1a partition of n1 for values in ('n')");
  app.sql(fmt::format("create table n2 partition of n for values from ('{}') to ('{}')", day(60), day(-10)));
  app.sql("insert into events values (1, 'n', '" + days_ago(80) + "'), (2, 'n', '" + days_ago(40) + "'), (3, 'n', '" +
          days_ago(5) + "')");
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 2) << done.dump(1);
  EXPECT_FALSE(there("n1"));
  EXPECT_FALSE(there("n1a"));
  EXPECT_EQ(app.count("n2"), 1);
}

TEST_F(Partitions, OfDatesAreOldWhenTheirLastDayHasEnded) {
  app.sql("drop table events");
  app.sql("create table events (id bigint, at date, primary key (id, at)) partition by range (at)");
  part("e1", 60, 30);  // its last day is 31 days ago, which ended 30 days ago at midnight
  part("e2", 30, 29);  // 30 days ago has not ended 30 days ago
  app.sql(fmt::format("insert into events values (1, '{}'), (2, '{}')", day(40), day(30)));
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 1) << done.dump(1);
  EXPECT_FALSE(there("e1"));
  EXPECT_TRUE(attached("e2"));
}

TEST_F(Partitions, OfTimesWithoutAnOffsetAreOldInTheirZone) {
  app.sql("drop table events");
  app.sql("create table events (id bigint, at timestamp, primary key (id, at)) partition by range (at)");
  // Its end is two hours short of the cutoff in UTC, and beyond it eleven hours west of there.
  const std::string end =
      app.value("select (now() at time zone 'UTC' - interval '30 days 2 hours')::timestamp(0)::text");
  app.sql("create table e1 partition of events for values from ('2000-01-01') to ('" + end + "')");
  app.sql("insert into events values (1, '2001-01-01')");
  configure("    time_zone: Pacific/Midway\n");
  run();
  EXPECT_TRUE(attached("e1"));
  EXPECT_EQ(app.count("e1"), 0);
  configure("");
  run();
  EXPECT_FALSE(there("e1"));
}

TEST_F(Partitions, OfSecondsSince1970GoAsWell) {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(SystemClock().now().time_since_epoch()).count();
  app.sql("drop table events");
  app.sql("create table events (id bigint, at bigint, primary key (id, at)) partition by range (at)");
  app.sql(fmt::format("create table e1 partition of events for values from (0) to ({})", now - 31 * 86'400));
  app.sql(fmt::format("create table e2 partition of events for values from ({}) to (maxvalue)", now - 31 * 86'400));
  app.sql(fmt::format("insert into events values (1, {}), (2, {}), (3, {})", now - 50 * 86'400, now - 30 * 86'400 - 60,
                      now));
  configure("    age_format: epoch-seconds\n");
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 2) << done.dump(1);
  EXPECT_FALSE(there("e1"));
  EXPECT_EQ(app.count("e2"), 1);
}

TEST_F(Partitions, GoByRowsForAUserWhoDoesNotOwnThemAndThePlanSaysWhoDoes) {
  const std::string role = app.value("select current_database()") + "_role";
  app.sql("create role " + role + " login password 'secret'");
  app.sql("grant select, delete on events to " + role);
  const std::string owner = app.environment["DATABASE_URL"];
  std::string& url = app.environment["DATABASE_URL"];
  const std::size_t begin = url.find("://") + 3;
  url.replace(begin, url.find('@') - begin, role + ":secret");
  expect_rows_because("postgres owns it, and " + role + " is not a member of that role");
  EXPECT_EQ(app.count("events"), 10);
  url = owner;
  app.sql("drop owned by " + role);
  app.sql("drop role " + role);
}

TEST_F(Partitions, ThatHaveMoreRowsThanThePlanStayAndGoNextTime) {
  bool added = false;
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place != "partitions: next" || added) return;
    added = true;
    const auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
    if (!(*other)->execute("insert into events values (100, '" + days_ago(100) + "', 'late')")) ::_exit(94);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(attached("e1"));
  EXPECT_EQ(app.count("e1"), 11) << "nor do its rows go in place of others";
  EXPECT_FALSE(there("e2"));
  EXPECT_EQ(app.count("e3"), 0);
  EXPECT_EQ(run()["done"]["items"], 11);
  EXPECT_FALSE(there("e1"));
}

TEST_F(Partitions, AreAskedAboutNewHoldsBeforeTheyGo) {
  bool added = false;
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place != "partitions: before commit" || added) return;
    added = true;
    const auto ledger = ledger::open({.url = "sqlite:///" + app.path("state/ledger.db")});
    const ledger::Hold hold{.id = "h-1",
                            .kind = "row",
                            .target = "events",
                            .prefix = true,
                            .reason = "case 12",
                            .who = "test",
                            .made = SystemClock{}.now()};
    if (!ledger || !(*ledger)->add_holds({&hold, 1})) ::_exit(94);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(attached("e1")) << "it had been detached, and is back";
  EXPECT_EQ(app.count("events"), 40);
  EXPECT_EQ(app.value("select coalesce(obj_description('e1'::regclass, 'pg_class'), 'none')"), "none");
}

/// A transaction that has read the table and goes on.
struct Reader {
  explicit Reader(const Application& app)
      : db(sql::connect({.url = app.environment.at("DATABASE_URL")}).value()), transaction(db->begin().value()) {
    EXPECT_TRUE(db->query("select count(*) from events"));
  }
  std::unique_ptr<sql::Connection> db;
  sql::Transaction transaction;
};

TEST_F(Partitions, ThatALongTransactionReadsAreLeftForTheNextRunWhichDoesNotHang) {
  {
    Reader reader(app);
    await(
        [&] {
          return app.value(
                     "select count(*) from pg_stat_activity where xact_start < clock_timestamp() - interval "
                     "'1 second' and datname = current_database()") == "1";
        },
        "the reader is a second old");
    const json done = run();
    EXPECT_EQ(done["status"], "succeeded") << done.dump(1);
    EXPECT_THAT(done["skipped"].dump(), HasSubstr("its partition stays: it is in use (a transaction of process "));
    EXPECT_TRUE(attached("e1"));
    EXPECT_EQ(app.count("e3"), 0) << "rows go meanwhile";
  }
  EXPECT_EQ(run()["done"]["items"], 20);
  EXPECT_FALSE(there("e1"));
}

TEST_F(Partitions, ThatAreStillSeenWhenTheyWereDetachedArePutBackByTheNextRun) {
  std::optional<Reader> reader;
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "partitions: marked" && !reader) reader.emplace(app);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 20) << done.dump(1);
  EXPECT_THAT(notes(done), HasSubstr("was interrupted as it dropped the partition public.e1: it is back in "
                                     "public.events"))
      << done.dump(1);
  EXPECT_FALSE(there("e1"));
  EXPECT_FALSE(there("e2"));
  EXPECT_EQ(app.count("events"), 10);
}

TEST_F(Partitions, ThatSomebodyElseIsDetachingAreLeftAlone) {
  std::optional<Reader> reader(app);
  auto other = sql::connect({.url = app.environment["DATABASE_URL"]}).value();
  std::jthread detaching([&] { EXPECT_FALSE(other->execute("alter table events detach partition e1 concurrently")); });
  await([&] { return app.value("select count(*) from pg_inherits where inhdetachpending") == "1"; }, "it is pending");
  other->cancel();
  detaching.join();
  reader.reset();
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 20) << done.dump(1);
  EXPECT_TRUE(there("e1")) << "whose rows the table does not have any more";
  EXPECT_EQ(app.count("e1"), 10);
  EXPECT_FALSE(there("e2"));
}

TEST_F(Partitions, GoToTheArchiveFirstAndComeBackWherePartitionsTakeThem) {
  configure("    archive: cold\n");
  EXPECT_THAT(plan().value("strategy", ""), testing::StartsWith("archive and drop 2 whole partitions (public.e1, "));
  const std::string before = app.value("select string_agg(e::text, ';' order by id) from events e");
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 30) << done.dump(1);
  EXPECT_FALSE(there("e1"));
  EXPECT_EQ(app.count("events"), 10);
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  // One of the two partitions is there again.
  part("e1", 120, 90);
  const Answer restored = app.steward({"archive", "restore", "--all", "--json"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  const json answer = restored.json();
  EXPECT_EQ(app.count("events"), 30) << answer.dump(1);
  EXPECT_THAT(answer.dump(), HasSubstr("no partition of public.events takes it: make one for its time"));
  part("e2", 90, 60);
  EXPECT_EQ(app.steward({"archive", "restore", "--all"}).exit_code, 0);
  EXPECT_EQ(app.value("select string_agg(e::text, ';' order by id) from events e"), before);
}

TEST_F(Partitions, ThatChangeWhileTheyAreArchivedStayWithTheirRowsAndTheirSegmentsAreUndone) {
  configure("    archive: cold\n");
  bool changed = false;
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place != "partitions: to be marked" || changed) return;
    changed = true;
    const auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
    if (!(*other)->execute("update events set note = 'changed' where id = 3")) ::_exit(94);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(attached("e1"));
  EXPECT_EQ(app.count("e1"), 10);
  EXPECT_FALSE(there("e2"));
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  EXPECT_EQ(run()["done"]["items"], 10);
  EXPECT_FALSE(there("e1"));
}

TEST_F(Partitions, KeepTheirCommentWhenTheyArePutBack) {
  app.sql("comment on table e1 is 'the team''s own'");
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place == "partitions: detached") ::kill(::getpid(), SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(attached("e1"));
  EXPECT_THAT(app.value("select obj_description('e1'::regclass, 'pg_class')"), testing::StartsWith("steward: run "));
  ASSERT_EQ(app.steward({"hold", "add", "--table", "events", "--key", "", "--prefix", "--reason", "case"}).exit_code,
            0);
  run();
  EXPECT_TRUE(attached("e1"));
  EXPECT_EQ(app.value("select obj_description('e1'::regclass, 'pg_class')"), "the team's own");
  EXPECT_EQ(app.count("events"), 40);
}

TEST_F(Partitions, WaitForNoSnapshotOfTheRunsOwn) {
  const int status = in_a_child(app, [&](std::string_view place) {
    if (place != "partitions: marked") return;
    const auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
    const auto rows = (*other)->query(
        "select count(*) from pg_stat_activity where datname = current_database() and backend_xmin is not null and pid "
        "<> "
        "pg_backend_pid()");
    if (!rows || sql::to_integer(rows->rows[0][0]) != 0) ::_exit(94);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(Partitions, AreDroppedThroughATransactionPoolerToo) {
  const std::string folder = "/tmp/steward-partition-pooler-" + std::to_string(::getpid());
  const auto call = [&](const std::string& what) {
    return std::system((std::string(STEWARD_SOURCES) + "/tests/servers/pgbouncer.sh " + what + " > /dev/null").c_str());
  };
  std::string& url = app.environment["DATABASE_URL"];
  const std::size_t at = url.find('@') + 1;
  const std::string server = url.substr(at, url.find('/', at) - at);
  ASSERT_EQ(call("start " + folder + ' ' + server), 0);
  std::string port;
  std::ifstream(folder + "/port") >> port;
  url.replace(at, server.size(), "127.0.0.1:" + port);
  const json done = run();
  EXPECT_EQ(done["done"]["items"], 30) << done.dump(1);
  EXPECT_FALSE(there("e1"));
  EXPECT_EQ(app.value("select coalesce(obj_description('e3'::regclass, 'pg_class'), 'none')"), "none");
  EXPECT_EQ(call("stop " + folder), 0);
  std::filesystem::remove_all(folder);
}

TEST_F(Partitions, AreNoMatterForTheMarkOfAnotherTable) {
  app.sql("create table other (id bigint); comment on table other is 'steward: run x {\"parent\": 1}'");
  EXPECT_EQ(run()["done"]["items"], 30);
  EXPECT_TRUE(there("other"));
}

}  // namespace
}  // namespace steward::harness
