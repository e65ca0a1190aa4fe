// Rows that others refer to, while others are at work and while the run is killed: nothing is lost, nothing is done
// that was not recorded, and both come back.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "harness/child_run.h"
#include "harness/referred.h"
#include "run/ledger/ledger.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct ReferencesAtWork : testing::TestWithParam<ReferredKind> {
  static constexpr const char* both_ways = "{listings: set-null, bids: archive-too}";
  /// A checkpoint of the task, whichever of the two kinds it is.
  std::string place(const std::string& name) const {
    return (GetParam().with_files ? "archive-files: " : "archive-rows: ") + name;
  }
  /// Runs `cleanup`, and somebody else's statements at the first checkpoint of that name. Whether it succeeded.
  static bool run_with(ReferredWorld& world, const std::string& at, const std::string& statements) {
    const int status = in_a_child(world.app, [&, once = false](std::string_view name) mutable {
      if (name != at || std::exchange(once, true)) return;
      const auto other = sql::connect({.url = world.postgres() ? world.app.environment.at("DATABASE_URL")
                                                               : "sqlite:///" + world.app.path("app.db")});
      if (!other || !(*other)->execute(statements)) ::_exit(90);
    });
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  static std::map<std::string, std::string> who_refers(ReferredWorld& world) {
    std::map<std::string, std::string> found = world.all();
    std::erase_if(found,
                  [](const auto& one) { return !one.first.starts_with("listing ") && !one.first.starts_with("bid "); });
    return found;
  }
  static std::string reason_of(ReferredWorld& world) {
    const json shown = world.app.steward({"runs", "show", "latest", "--json"}).json();
    return shown.dump();
  }
};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ReferencesAtWork, testing::ValuesIn(kinds),
                         [](const auto& kind) { return kind.param.name; });

std::vector<ReferredKind> kinds_where(bool (*fits)(const ReferredKind&)) {
  std::vector<ReferredKind> out;
  std::ranges::copy_if(kinds, std::back_inserter(out), fits);
  return out;
}

/// Where two can write at once: on SQLite, whoever writes has the whole database.
struct ReferencesBesideOthers : ReferencesAtWork {};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ReferencesBesideOthers, testing::ValuesIn(kinds_where([](const auto& kind) {
                           return kind.database == DatabaseKind::postgres;
                         })),
                         [](const auto& kind) { return kind.param.name; });

/// Files go a hundred at a time; a segment of rows has 5,000.
struct ReferencesInBatches : ReferencesAtWork {};
INSTANTIATE_TEST_SUITE_P(EndToEnd, ReferencesInBatches,
                         testing::ValuesIn(kinds_where([](const auto& kind) { return kind.with_files; })),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(ReferencesAtWork, KilledAnywhereTheNextRunFinishesAndEverythingComesBack) {
  std::vector<std::string> places;
  {
    ReferredWorld world(GetParam());
    world.configure(both_ways);
    places = places_of(world.app);
    EXPECT_EQ(world.app.count("mockups"), 1);
  }
  ASSERT_NE(std::ranges::find(places, place("before commit")), places.end());
  for (const std::size_t n : worth_trying(places)) {
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + places[n - 1]);
    ReferredWorld world(GetParam());
    world.configure(both_ways);
    std::size_t count = 0;
    const int status = in_a_child(world.app, [&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    // What refers is as it was as long as what it refers to is there, and not at all or nowhere afterwards.
    if (world.app.count("mockups") == 4)
      EXPECT_EQ(world.app.value("select count(*) from listings where mockup_id is not null"), "4");
    else
      EXPECT_EQ(world.app.value("select count(*) from listings where mockup_id is not null"), "1");
    const Answer again = world.app.steward({"run", "cleanup", "--json"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    EXPECT_EQ(world.app.count("mockups"), 1) << again.out;
    EXPECT_EQ(world.app.count("bids"), 0);
    EXPECT_EQ(world.app.steward({"archive", "verify"}).exit_code, 0);
    world.expect_restored(world.everything, "2 are back, and 3 refer to them again");
    if (HasFailure()) return;  // one place is enough to read
  }
}

TEST_P(ReferencesAtWork, OneThatComesAfterTheRecordKeepsItsRow) {
  for (const std::string statement :
       {"insert into listings values (70, 1)", "insert into bids values (70, 1, 'late')",
        "update listings set mockup_id = 1 where id = 9", "update listings set mockup_id = 4 where id = 2",
        "delete from bids where id = 2", "update bids set note = 'changed' where id = 1"}) {
    SCOPED_TRACE(statement);
    const bool more = statement.starts_with("insert") || statement.ends_with("= 9");
    ReferredWorld world(GetParam());
    world.configure(both_ways);
    ReferredWorld untouched(GetParam());
    untouched.app.sql(statement);
    ASSERT_TRUE(run_with(world, place("verified recorded"), statement));
    EXPECT_THAT(reason_of(world), HasSubstr("what refers to it has changed since it was recorded, or is in use"));
    EXPECT_LE(world.app.count("mockups"), 2) << "the others go";
    // Rows without files are taken up again by the same run, and recorded anew, as far as the plan covers that.
    if (GetParam().with_files || more) {
      EXPECT_EQ(world.app.value("select count(*) from mockups where id = 1"), "1");
      EXPECT_EQ(world.app.value("select mockup_id from listings where id = 1"), "1") << "and lets go nothing of it";
      EXPECT_EQ(world.app.value("select mockup_id from bids where id = 1"), "1");
      EXPECT_EQ(task(world.app.run_cleanup(), "t")["done"]["items"], 1) << "the next run takes it as it is now";
    }
    EXPECT_EQ(world.app.value("select count(*) from mockups where id = 1"), "0");
    EXPECT_EQ(world.app.steward({"archive", "restore", "--all"}).exit_code, 0);
    EXPECT_EQ(world.app.count("mockups"), 4);
    EXPECT_EQ(who_refers(world), who_refers(untouched));
  }
}

TEST_P(ReferencesAtWork, AHoldThatComesBeforeTheCommitKeepsTheRow) {
  ReferredWorld world(GetParam());
  world.configure(both_ways);
  const int status = in_a_child(world.app, [&, once = false](std::string_view name) mutable {
    if (name != place("before commit") || std::exchange(once, true)) return;
    const auto ledger = ledger::open({.url = "sqlite:///" + world.app.path("state/ledger.db")});
    const ledger::Hold hold{.id = "h-1",
                            .kind = "row",
                            .target = "listings",
                            .key = "3",
                            .reason = "case 12",
                            .who = "test",
                            .made = SystemClock{}.now()};
    if (!ledger || !(*ledger)->add_holds({&hold, 1})) ::_exit(90);
  });
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(world.app.value("select count(*) from mockups where id = 2"), "1");
  EXPECT_EQ(world.app.value("select mockup_id from listings where id = 3"), "2");
  EXPECT_EQ(world.app.value("select count(*) from mockups"), "2");
}

TEST_P(ReferencesBesideOthers, OneThatIsAddedWhileItsRowIsWaitedForKeepsIt) {
  ReferredWorld world(GetParam());
  world.configure(both_ways);
  const auto other = sql::connect({.url = world.app.environment["DATABASE_URL"]});
  ASSERT_TRUE(other);
  auto transaction = (*other)->begin();
  ASSERT_TRUE(transaction);
  ASSERT_TRUE((*other)->execute("insert into listings values (70, 3)"));  // which locks mockup 3 against its deletion
  const auto run = world.app.start({"run", "cleanup", "--json"});
  await(
      [&] {
        return world.app.value(
                   "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                   "datname = current_database()") != "0";
      },
      "the run waits for the lock of mockup 3");
  ASSERT_TRUE(transaction->commit());
  const Answer answer = run->wait();
  EXPECT_EQ(answer.exit_code, 0) << answer.out;
  EXPECT_EQ(world.app.value("select count(*) from mockups where id = 3"), "1") << answer.out;
  EXPECT_EQ(world.app.value("select mockup_id from listings where id = 70"), "3");
  EXPECT_EQ(world.app.count("mockups"), 2);
}

TEST_P(ReferencesBesideOthers, OneThatSomebodyElseHasIsNotWaitedFor) {
  ReferredWorld world(GetParam());
  world.configure(both_ways);
  const auto other = sql::connect({.url = world.app.environment["DATABASE_URL"]});
  ASSERT_TRUE(other);
  auto transaction = (*other)->begin();
  ASSERT_TRUE(transaction);
  ASSERT_TRUE((*other)->query("select 1 from listings where id = 3 for update"));
  const json run = task(world.app.run_cleanup(), "t");
  EXPECT_GE(skipped(run, "what refers to it has changed since it was recorded, or is in use"), 1) << run.dump(1);
  EXPECT_EQ(run["done"]["items"], 2);
  ASSERT_TRUE(transaction->rollback());
  EXPECT_EQ(world.app.value("select mockup_id from listings where id = 3"), "2");
  EXPECT_EQ(task(world.app.run_cleanup(), "t")["done"]["items"], 1);
}

TEST_P(ReferencesAtWork, ATriggerThatKeepsOneKeepsTheRowAndTheRest) {
  ReferredWorld world(GetParam());
  world.configure(both_ways);
  if (world.postgres()) {
    ASSERT_TRUE(world.app.db().query(
        "create function keep() returns trigger language plpgsql as $$ begin return null; end $$"));
  }
  ASSERT_TRUE(world.app.db().query(
      world.postgres() ? "create trigger keep before update on listings for each row execute function keep()"
                       : "create trigger keep before update on listings begin select raise(ignore); end"));
  const Answer answer = world.app.steward({"run", "cleanup", "--json"});
  EXPECT_EQ(task(answer.json(), "t")["error"]["code"], "kept-by-trigger") << answer.out;
  EXPECT_EQ(world.all(), world.everything);
  world.app.sql(world.postgres() ? "drop trigger keep on listings" : "drop trigger keep");
  EXPECT_EQ(task(world.app.run_cleanup(), "t")["done"]["items"], 3);
}

TEST_P(ReferencesAtWork, ATriggerThatRefersAnewKeepsTheRowThoughItWouldCascade) {
  ReferredWorld world(GetParam());
  world.app.sql("delete from bids; create table again (id integer primary key, mockup_id " + world.key_type() +
                " references mockups(id) on delete cascade)");
  const std::string insert = "insert into again select count(*), old.mockup_id from again; ";
  if (world.postgres()) {
    ASSERT_TRUE(world.app.db().query("create function anew() returns trigger language plpgsql as $$ begin " + insert +
                                     "return new; end $$"));
  }
  ASSERT_TRUE(world.app.db().query(
      world.postgres() ? "create trigger anew after update on listings for each row execute function anew()"
                       : "create trigger anew after update on listings begin " + insert + "end"));
  world.configure("set-null");
  world.app.steward({"run", "cleanup"});
  EXPECT_EQ(world.app.value("select count(*) from mockups where id < 3"), "2");
  EXPECT_EQ(world.app.value("select count(*) from listings where mockup_id is not null"), "4");
  EXPECT_EQ(world.app.count("again"), 0);
}

TEST_P(ReferencesInBatches, MoreThanThePlanHasAreLeftToTheNext) {
  ReferredWorld world(GetParam());
  world.configure(both_ways);
  // The last of two batches: files go a hundred at a time.
  for (int i = 100; i < 200; ++i) world.app.mockup(i, std::to_string(i) + ".png", 400, "pixels");
  ASSERT_TRUE(run_with(world, place("batch done"), "insert into listings values (70, 199)"));
  EXPECT_THAT(reason_of(world), HasSubstr("more rows refer to it than were planned"));
  EXPECT_EQ(world.app.value("select count(*) from mockups"), "2");
  EXPECT_EQ(world.app.value("select mockup_id from listings where id = 70"), "199");
  EXPECT_EQ(task(world.app.run_cleanup(), "t")["done"]["items"], 1);
}

TEST_P(ReferencesAtWork, TwoRunsAtOnceDoItOnce) {
  ReferredWorld world(GetParam());
  world.configure(both_ways);
  const auto one = world.app.start({"run", "cleanup", "--json"});
  const auto two = world.app.start({"run", "cleanup", "--json"});
  const int first = one->wait().exit_code, second = two->wait().exit_code;
  EXPECT_TRUE(first == 0 || first == 75) << first;
  EXPECT_TRUE(second == 0 || second == 75) << second;
  EXPECT_EQ(world.app.count("mockups"), 1);
  world.expect_restored(world.everything, "2 are back, and 3 refer to them again");
}

}  // namespace
}  // namespace steward::harness
