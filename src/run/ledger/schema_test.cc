// How an older ledger becomes a newer one, and what a lost server does to one.
#include "run/ledger/schema.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "io/sql/connection_contract.h"
#include "run/ledger/agenda.h"
#include "run/ledger/ledger.h"
#include "run/ledger/outbox.h"

namespace steward::ledger {
namespace {

using sql::Dialect;
using sql::kind_of;
using sql::message_of;
using testing::HasSubstr;

const Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + std::chrono::hours(12)};

struct LedgerSchema : testing::TestWithParam<Dialect> {
  void SetUp() override {
    database = sql::TestDatabase::make(GetParam());
    ASSERT_TRUE(database);
    db = std::make_unique<LedgerDatabase>(sql::Target{.url = database->url()}, database->connect());
    steps.assign(migrations().begin(), migrations().end());
    ASSERT_TRUE(migrate(*db, steps));
  }
  std::string copy() const { return database->path().string() + ".before-v" + std::to_string(steps.size()); }
  int version() { return founding(*db).value().version; }

  std::unique_ptr<sql::TestDatabase> database;
  std::unique_ptr<LedgerDatabase> db;
  std::vector<Migration> steps;
};

TEST_P(LedgerSchema, AnOlderLedgerIsMigratedAndKeepsWhatItHas) {
  const std::string id = founding(*db)->id;
  ASSERT_TRUE(db->change([&]() -> Result<void> {
    TRY(db->execute("insert into @archives values ('here', 'a1', 1)"));
    return {};
  }));
  steps.push_back({"alter table @archives add column size bigint", "create index archives_by_id on @archives (id)"});
  const auto migrated = migrate(*db, steps);
  ASSERT_TRUE(migrated) << migrated.error().message;
  EXPECT_EQ(version(), static_cast<int>(steps.size()));
  EXPECT_EQ(founding(*db)->id, id);
  EXPECT_EQ(db->query("select count(*) from @archives where size is null")->rows.size(), 1u);
  EXPECT_TRUE(migrate(*db, steps)) << "again, which does nothing";
}

TEST_P(LedgerSchema, AMigrationThatFailsLeavesTheLedgerAsItWas) {
  const int before = version();
  steps.push_back({"alter table @archives add column size bigint", "alter table @absent add column x bigint"});
  EXPECT_FALSE(migrate(*db, steps));
  EXPECT_EQ(version(), before);
  EXPECT_EQ(kind_of(db->query("select size from @archives")), Kind::not_found);
  EXPECT_TRUE(open({.url = database->url()})) << "the steward of before goes on with it";
}

TEST_P(LedgerSchema, AnOlderProgramRefusesItAfterwards) {
  steps.push_back({"alter table @archives add column size bigint"});
  ASSERT_TRUE(migrate(*db, steps));
  EXPECT_EQ(open({.url = database->url()}).error().code, "ledger-newer");
}

TEST_P(LedgerSchema, WhoMayNotMigrateIsToldThatItIsOlder) {
  const auto older = check_version(*db, schema_version + 1);
  ASSERT_EQ(kind_of(older), Kind::refused);
  EXPECT_EQ(older.error().code, "ledger-older");
}

INSTANTIATE_TEST_SUITE_P(Ledger, LedgerSchema, testing::Values(Dialect::postgres, Dialect::sqlite), sql::dialect_name);

/// The step from steward 0.1's schema to the next, on both databases.
struct LedgerOf01 : LedgerSchema {
  void SetUp() override {
    database = sql::TestDatabase::make(GetParam());
    ASSERT_TRUE(database);
    db = std::make_unique<LedgerDatabase>(sql::Target{.url = database->url()}, database->connect());
    ASSERT_TRUE(migrate(*db, migrations().first(1)));
  }
};
INSTANTIATE_TEST_SUITE_P(Ledger, LedgerOf01, testing::Values(Dialect::postgres, Dialect::sqlite), sql::dialect_name);

TEST_P(LedgerOf01, KeepsItsHoldsAndTakesConditionsScopesAndFreezesFromThenOn) {
  ASSERT_TRUE(db->change([&]() -> Result<void> {
    TRY(db->execute(
        "insert into @holds values ('h-1', 'row', 'mockups', '17', 0, 'case 12', 'ada', 1, null, null, '')"));
    return {};
  }));
  db.reset();
  const auto ledger = open({.url = database->url()}).value();
  const Hold added{.id = "h-2", .kind = "row", .target = "signals", .prefix = true, .condition = "[]", .made = noon};
  ASSERT_TRUE(ledger->add_holds({&added, 1}));
  const std::vector<Hold> holds = ledger->holds(noon).value();
  ASSERT_EQ(holds.size(), 2u);
  EXPECT_EQ(holds[0].key, "17");
  EXPECT_EQ(holds[0].condition, "");
  EXPECT_EQ(holds[1].condition, "[]");
  ASSERT_TRUE(ledger->add_freeze({.id = "f-1", .reason = "moving", .who = "ada", .made = noon}));
  EXPECT_EQ(ledger->freezes(noon).value().size(), 1u);
}

/// The step to the schema that knows of events.
struct LedgerBeforeEvents : LedgerSchema {
  void SetUp() override {
    database = sql::TestDatabase::make(GetParam());
    ASSERT_TRUE(database);
    db = std::make_unique<LedgerDatabase>(sql::Target{.url = database->url()}, database->connect());
    ASSERT_TRUE(migrate(*db, migrations().first(4)));
  }
};
INSTANTIATE_TEST_SUITE_P(Ledger, LedgerBeforeEvents, testing::Values(Dialect::postgres, Dialect::sqlite),
                         sql::dialect_name);

TEST_P(LedgerBeforeEvents, OldRunsAndTicksAreNotToldOfAndNewOnesAre) {
  const auto missed = [](Instant due) {
    return Tick{.job = "backup",
                .due = due,
                .outcome = "missed",
                .reason = "the daemon was down",
                .decided = due + std::chrono::minutes(1),
                .daemon = "web-1"};
  };
  ASSERT_TRUE(db->change([&]() -> Result<void> {
    TRY(db->execute("insert into @audit values (1, ?1, 'ada', 'run.end', 'r1', '{}', '', '')", {stored(noon)}));
    for (const Tick& tick : {missed(noon - std::chrono::minutes(30)), missed(noon)})
      TRY(db->execute("insert into @ticks values (?1, ?2, 'missed', '', null, '', ?3, 'web-1')",
                      {tick.job, stored(tick.due), stored(tick.decided)}));
    return {};
  }));
  db.reset();
  const auto ledger = open({.url = database->url()}).value();
  ASSERT_TRUE(ledger->outbox().collect(noon));
  EXPECT_EQ(ledger->outbox().undispatched(10)->size(), 0u);
  ASSERT_EQ(ledger->agenda().enter(missed(noon + std::chrono::minutes(5)), std::nullopt, std::nullopt), true);
  ASSERT_TRUE(ledger->outbox().collect(noon));
  EXPECT_EQ(ledger->outbox().undispatched(10)->size(), 1u);
}

struct LedgerCopy : LedgerSchema {};
INSTANTIATE_TEST_SUITE_P(Ledger, LedgerCopy, testing::Values(Dialect::sqlite), sql::dialect_name);

TEST_P(LedgerCopy, TheFileIsCopiedBeforeAMigrationAndTheCopyIsTheLedgerOfBefore) {
  // Through WAL, so that what was written last is not in the file itself.
  db.reset();
  const auto ledger = open({.url = database->url()}).value();
  ASSERT_TRUE(ledger->audit("ada", "act", "", "{}", noon));
  db = std::make_unique<LedgerDatabase>(sql::Target{.url = database->url()}, database->connect());
  steps.push_back({"alter table @archives add column size bigint"});
  ASSERT_TRUE(migrate(*db, steps));
  struct stat found{};
  ASSERT_EQ(stat(copy().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u) << "a ledger is its owner's alone";
  const auto before = open({.url = "sqlite:///" + copy()});
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_EQ((*before)->id(), ledger->id());
  EXPECT_EQ((*before)->verify_audit().value(), 1);
}

TEST_P(LedgerCopy, AnEarlierCopyIsReplacedAndARestOfOneIsTidied) {
  std::ofstream(copy() + "x") << "";
  steps.push_back({"alter table @archives add column size bigint"});
  std::ofstream(copy()) << "an earlier try";
  std::ofstream(copy() + ".tmp") << "half of one";
  const auto migrated = migrate(*db, steps);
  ASSERT_TRUE(migrated) << migrated.error().message;
  EXPECT_TRUE(open({.url = "sqlite:///" + copy()}));
  EXPECT_FALSE(std::filesystem::exists(copy() + ".tmp"));
}

TEST_P(LedgerCopy, WhereItCannotBeCopiedItIsNotMigrated) {
  steps.push_back({"alter table @archives add column size bigint"});
  std::filesystem::create_directories(copy() + ".tmp/in the way");
  const auto failed = migrate(*db, steps);
  EXPECT_EQ(kind_of(failed), Kind::unavailable);
  EXPECT_THAT(message_of(failed), HasSubstr("cannot copy the ledger to "));
  EXPECT_EQ(version(), schema_version);
}

TEST_P(LedgerCopy, ANewLedgerIsNotCopied) { EXPECT_FALSE(std::filesystem::exists(copy())); }

TEST_P(LedgerCopy, ALedgerOfSteward01IsMigratedWithItsRunsHoldsAndTrail) {
  const std::string path = database->folder() / "ledger.db";
  {
    std::ifstream dump(std::filesystem::path(STEWARD_TEST_DATA) / "ledger-v1.sql");
    ASSERT_TRUE(dump);
    const auto raw = database->connect({.url = "sqlite:///" + path, .create = true});
    for (std::string line; std::getline(dump, line);) {
      if (line.starts_with("--")) continue;
      const auto done = raw->execute(line);
      ASSERT_TRUE(done) << line << ": " << done.error().message;
    }
  }
  EXPECT_EQ(open({.url = "sqlite:///" + path, .read_only = true}).error().code, "ledger-older");
  const auto ledger = open({.url = "sqlite:///" + path}).value();
  EXPECT_EQ(ledger->id(), "10a5903f98cf4ff5a68262783c2897ec");
  EXPECT_EQ(ledger->runs({}).value().size(), 2u);
  EXPECT_EQ(ledger->runs({}).value()[0].scope, "") << "which tasks were named was not kept";
  EXPECT_EQ(ledger->last_success("cleanup").value()->id, "20261124T073251Z-599261");
  EXPECT_EQ(ledger->last_removed("cleanup", "purge-signals", 5, "").value(), std::vector<std::uint64_t>{1});
  const std::vector<Hold> holds = ledger->holds(noon + std::chrono::days(1)).value();
  ASSERT_EQ(holds.size(), 1u);
  EXPECT_EQ(holds[0].key, "2");
  EXPECT_EQ(holds[0].condition, "");
  EXPECT_EQ(ledger->holds(noon, /*all=*/true).value().size(), 2u);
  EXPECT_TRUE(ledger->freezes(noon, /*all=*/true).value().empty());
  EXPECT_EQ(ledger->hold_generation().value(), 3);
  EXPECT_EQ(ledger->verify_audit().value(), 7);
  ASSERT_TRUE(ledger->outbox().collect(noon));
  EXPECT_TRUE(ledger->outbox().undispatched(10).value().empty()) << "nobody is told of old runs";
  EXPECT_TRUE(std::filesystem::exists(path + ".before-v2")) << "what the steward of before can be given back";
}

TEST_P(LedgerCopy, AFileThatIsMadeIsItsOwnersAloneAndInWal) {
  const std::string path = database->folder() / "ledger.db";
  ASSERT_TRUE(open({.url = "sqlite:///" + path}));
  struct stat found{};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  const auto raw = database->connect({.url = "sqlite:///" + path});
  EXPECT_EQ(raw->query("pragma journal_mode")->rows.at(0).at(0), sql::Value{"wal"});
}

struct LedgerServer : LedgerSchema {
  void end_all_sessions() {
    ASSERT_TRUE(database->server().query(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '" + database->name() + "'"));
  }
};
INSTANTIATE_TEST_SUITE_P(Ledger, LedgerServer, testing::Values(Dialect::postgres), sql::dialect_name);

TEST_P(LedgerServer, ALostConnectionIsOpenedAgainForTheNextChangeAndTheNextRead) {
  const auto ledger = open({.url = database->url()}).value();
  ASSERT_TRUE(ledger->audit("ada", "act", "before", "{}", noon));
  end_all_sessions();
  const auto done = ledger->audit("ada", "act", "after", "{}", noon);
  ASSERT_TRUE(done) << done.error().message;
  end_all_sessions();
  EXPECT_EQ(ledger->verify_audit().value_or(-1), 2);
}

TEST_P(LedgerServer, ALedgerThatHasVanishedIsNotReplacedByAnEmptyOne) {
  const auto ledger = open({.url = database->url()}).value();
  ASSERT_TRUE(database->server().execute("drop database " + database->name() + " with (force)"));
  EXPECT_EQ(kind_of(ledger->audit("ada", "act", "", "{}", noon)), Kind::not_found);
  ASSERT_TRUE(database->server().execute("create database " + database->name()));
}

TEST_P(LedgerServer, ItsTablesAreInASchemaOfTheirOwn) {
  const auto raw = database->connect();
  EXPECT_EQ(raw->query("select count(*) from pg_tables where schemaname = 'public'")->rows.at(0).at(0),
            sql::Value{"0"});
  EXPECT_EQ(raw->describe("steward.runs")->schema, "steward");
}

}  // namespace
}  // namespace steward::ledger
