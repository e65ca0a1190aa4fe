// What only SQLite has: files, storage classes, locks of other programs, steward_instant.
#include "io/sql/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <latch>
#include <thread>

#include "io/sql/connection_contract.h"

namespace steward::sql {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

struct Sqlite : testing::Test {
  void SetUp() override {
    database = TestDatabase::make(Dialect::sqlite);
    ASSERT_TRUE(database);
    db = database->connect();
    ASSERT_TRUE(db);
  }
  void run(std::initializer_list<std::string_view> statements) {
    for (const std::string_view statement : statements) {
      const auto done = db->execute(statement);
      ASSERT_TRUE(done) << done.error().message;
    }
  }
  std::string one(std::string_view statement, std::vector<Value> parameters = {}) {
    return ConnectionContract::one(*db, statement, std::move(parameters));
  }
  std::string url(const std::string& name) const { return "sqlite:///" + (database->folder() / name).string(); }

  std::unique_ptr<TestDatabase> database;
  std::unique_ptr<Connection> db;
};

TEST_F(Sqlite, InstantsAreReadAsTheCoreReadsThem) {
  EXPECT_EQ(one("select steward_instant('1970-01-01T00:00:01.5Z')"), "1500000");
  EXPECT_EQ(one("select steward_instant('1970-01-01 01:00:00+01:00')"), "0");
  EXPECT_EQ(one("select steward_instant('1970-01-01')"), "86400000000") << "a date is its end";
  EXPECT_EQ(one("select steward_instant('1969-12-31 23:59:59')"), "-1000000");
  EXPECT_EQ(one("select typeof(steward_instant('2024-02-29 10:00'))"), "integer");
}

TEST_F(Sqlite, InstantsWithoutAnOffsetAreOfTheZoneThatIsNamed) {
  EXPECT_EQ(one("select steward_instant('1970-01-01 01:00', 'Europe/Berlin')"), "0");
  EXPECT_EQ(one("select steward_instant('1970-01-01 00:00:00.25Z', 'Europe/Berlin')"), "250000");
  EXPECT_EQ(one("select steward_instant('1970-01-01', 'Europe/Berlin')"), "82800000000") << "a date is its end there";
  EXPECT_EQ(one("select steward_instant(17, 'Europe/Berlin') is null"), "1");
  EXPECT_NE(db->query("select steward_instant('1970-01-01', 'Europe/Berln')")
                .error()
                .message.find("there is no time zone \"Europe/Berln\""),
            std::string::npos);
}

TEST_F(Sqlite, WhatIsNoInstantIsNull) {
  for (const char* expression : {"'yesterday'", "''", "null", "17", "1700000000.5", "x'31'", "'2023-02-29'"})
    EXPECT_EQ(one(fmt::format("select steward_instant({}) is null", expression)), "1") << expression;
}

TEST_F(Sqlite, ForeignKeysAreOn) { EXPECT_EQ(one("pragma foreign_keys"), "1"); }

TEST_F(Sqlite, TheJournalModeIsLeftAsItIs) {
  EXPECT_EQ(one("pragma journal_mode"), "delete");
  run({"create table t (a integer)"});
  ASSERT_EQ(one("pragma journal_mode = wal"), "wal");
  EXPECT_EQ(ConnectionContract::one(*database->connect(), "pragma journal_mode"), "wal");
}

TEST_F(Sqlite, ACommitSurvivesAPowerCut) { EXPECT_EQ(one("pragma synchronous"), "3"); }

TEST_F(Sqlite, StewardsOwnFileIsMadeForItsOwnerAloneAndInWal) {
  const auto own = connect({.url = url("own.db"), .create = true});
  ASSERT_TRUE(own) << own.error().message;
  struct stat found{};
  ASSERT_EQ(stat((database->folder() / "own.db").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  EXPECT_EQ(ConnectionContract::one(**own, "pragma journal_mode"), "wal");
  ASSERT_TRUE((*own)->execute("create table t (a integer)"));
  EXPECT_TRUE(connect({.url = url("own.db"), .create = true})) << "again, and what is there stays";
  EXPECT_EQ(ConnectionContract::one(**connect({.url = url("own.db")}), "select count(*) from t"), "0");
}

TEST_F(Sqlite, ManyThatOpenANewFileAtOnceWaitForOneAnother) {
  for (int file = 0; file < 40; ++file) {
    std::latch begun{4};
    std::array<std::string, 4> refused;
    std::vector<std::jthread> openers;
    for (std::string& why : refused)
      openers.emplace_back([&, own = url(fmt::format("own{}.db", file))] {
        begun.arrive_and_wait();
        const auto opened = connect({.url = own, .create = true});
        const auto made = opened ? (*opened)->execute("create table if not exists t (a integer)") : 0;
        if (!opened || !made) why = opened ? made.error().message : opened.error().message;
      });
    openers.clear();
    EXPECT_THAT(refused, testing::Each("")) << "file " << file;
  }
}

TEST_F(Sqlite, AFolderThatIsMissingIsNotFoundEvenWhereTheFileMayBeMade) {
  const auto failed = connect({.url = url("absent/own.db"), .create = true});
  EXPECT_EQ(kind_of(failed), Kind::not_found);
  EXPECT_EQ(message_of(failed), "cannot open " + url("absent/own.db") + ": No such file or directory");
}

TEST_F(Sqlite, AFolderIsNoDatabase) {
  const auto failed = connect({.url = "sqlite:///" + database->folder().string()});
  EXPECT_EQ(kind_of(failed), Kind::bad_input);
  EXPECT_THAT(message_of(failed), HasSubstr("is a folder"));
}

TEST_F(Sqlite, AFileOfAnotherKindIsCorrupt) {
  std::ofstream(database->folder() / "notes.txt") << std::string(5000, 'x');
  const auto failed = connect({.url = url("notes.txt")});
  EXPECT_EQ(kind_of(failed), Kind::corrupt);
  EXPECT_EQ(message_of(failed), url("notes.txt") + " is not an SQLite database, or is damaged");
}

TEST_F(Sqlite, ARelativePathIsShownAbsolute) {
  std::filesystem::current_path(database->folder());
  const auto other = connect({.url = "sqlite:///app.db"});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ((*other)->shown(), "sqlite:///" + (database->folder() / "app.db").string());
  EXPECT_EQ((*other)->identity(), db->identity());
}

TEST_F(Sqlite, AnAwkwardFileNameIsOpenedAndShownSoThatItCanBeWrittenAgain) {
  std::ofstream{database->folder() / "what? 50%#.db"};
  const auto other = connect({.url = url("what%3F 50%25#.db")});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ((*other)->shown(), url("what%3F%2050%25%23.db"));
  EXPECT_EQ((*connect({.url = (*other)->shown()}))->identity(), (*other)->identity());
}

TEST_F(Sqlite, ASymlinkLeadsToTheSameIdentity) {
  std::filesystem::create_symlink("app.db", database->folder() / "link.db");
  EXPECT_EQ((*connect({.url = url("link.db")}))->identity(), db->identity());
}

TEST_F(Sqlite, AFileThatMayNotBeWrittenIsPermissionButMayBeRead) {
  using std::filesystem::perms;
  std::filesystem::permissions(database->folder(), perms::owner_all | perms::others_read | perms::others_exec);
  std::filesystem::permissions(database->path(), perms::owner_read | perms::others_read);
  const auto as_somebody_else = [&] {
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) return 1;
    const auto failed = connect({.url = database->url()});
    if (failed || failed.error().kind != Kind::permission) return 2;
    return connect({.url = database->url(), .read_only = true}) ? 0 : 3;
  };
  const pid_t child = fork();  // root is let through everything
  if (child == 0) _exit(as_somebody_else());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// Runs `work` in another process, which then dies without tidying up.
template <class Work>
void in_a_process_that_dies(Work work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST_F(Sqlite, WhatAProgramThatDiedHadNotCommittedIsUndone) {
  run({"create table t (a text)", "insert into t values ('before')"});
  db.reset();
  in_a_process_that_dies([&] {
    sqlite3* raw = nullptr;
    sqlite3_open(database->path().c_str(), &raw);
    // A small cache, so that changed pages are written into the file and only the journal can undo them.
    sqlite3_exec(
        raw,
        "pragma cache_size = 1; begin; update t set a = 'after'; insert into t with recursive n(i) as (select 1 "
        "union all select i + 1 from n where i < 2000) select hex(randomblob(200)) from n;",
        nullptr, nullptr, nullptr);
  });
  ASSERT_TRUE(std::filesystem::exists(database->path().string() + "-journal")) << "a hot journal";
  db = database->connect();
  EXPECT_EQ(one("select a from t"), "before");
}

TEST_F(Sqlite, WhatAProgramThatDiedHadCommittedInWalIsThere) {
  ASSERT_EQ(one("pragma journal_mode = wal"), "wal");
  run({"create table t (a text)"});
  db.reset();
  in_a_process_that_dies([&] { (void)(*connect({.url = database->url()}))->execute("insert into t values ('kept')"); });
  db = database->connect();
  EXPECT_EQ(one("select a from t"), "kept");
}

TEST_F(Sqlite, AnotherProgramsWriteLockIsBusy) {
  run({"create table t (a text)"});
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(database->path().c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "begin exclusive", nullptr, nullptr, nullptr);
  const auto failed = connect({.url = database->url(), .lock_timeout = 10ms});
  EXPECT_EQ(kind_of(failed), Kind::busy);
  sqlite3_exec(raw, "rollback", nullptr, nullptr, nullptr);
  EXPECT_TRUE(connect({.url = database->url(), .lock_timeout = 10ms}));
  sqlite3_close(raw);
}

TEST_F(Sqlite, ATransactionThatSqliteRolledBackItselfDoesNotGoOnOutsideOfIt) {
  run({"create table t (a integer unique on conflict rollback)", "insert into t values (1)"});
  auto transaction = db->begin();
  run({"insert into t values (2)"});
  EXPECT_EQ(kind_of(db->execute("insert into t values (1)")), Kind::held);
  EXPECT_EQ(kind_of(db->execute("insert into t values (3)")), Kind::bug) << "this one would stand";
  EXPECT_EQ(kind_of(transaction->commit()), Kind::bug);
  EXPECT_EQ(one("select group_concat(a) from t"), "1");
}

TEST_F(Sqlite, AStatementThatWritesBehindAReadIsNotForgottenInTheCount) {
  run({"create table t (a integer)", "create table log (a integer)",
       "create trigger tr after delete on t begin insert into log values (old.a); insert into log values (old.a); end",
       "insert into t values (1), (2)"});
  EXPECT_EQ(db->execute("delete from t").value_or(-1), 2) << "what triggers change is not counted";
}

TEST_F(Sqlite, TablesWithoutRowidAndVirtualTablesAreTold) {
  run({"create table w (a text primary key, b integer) without rowid", "create virtual table v using fts5(body)",
       "create table x (id text primary key)"});
  EXPECT_TRUE(db->describe("w")->without_rowid);
  EXPECT_FALSE(db->describe("x")->without_rowid);
  EXPECT_EQ(db->describe("v")->kind, TableKind::other);
  EXPECT_TRUE(db->has_index_on(*db->describe("w"), "a").value());
}

TEST_F(Sqlite, ColumnsHaveTheirDeclaredTypes) {
  run({"create table t (id INTEGER PRIMARY KEY, a, \"At\" DateTime NOT NULL, g AS (id + 1) VIRTUAL)"});
  const TableInfo info = db->describe("T").value();
  EXPECT_EQ(info.columns[1].type, "");
  EXPECT_EQ(info.columns[2].type, "DateTime");
  EXPECT_EQ(info.columns[2].name, "At");
  EXPECT_TRUE(info.columns[2].not_null);
  EXPECT_TRUE(info.columns[3].generated);
}

TEST_F(Sqlite, ReferencesAreFoundWhateverTheCaseOfTheName) {
  run({"create table Mockups (Id integer primary key)", "create table listings (m references MOCKUPS(ID))",
       "create index li on listings (M)"});
  const auto found = db->references_to(*db->describe("mockups"));
  ASSERT_EQ(found->size(), 1u);
  EXPECT_EQ(found->at(0).table, "listings");
  EXPECT_TRUE(found->at(0).indexed);
}

TEST_F(Sqlite, IntegersBeyondDoublesAndTextThatLooksLikeThemAreKept) {
  const std::vector<Value> values{{std::int64_t{9007199254740993}}, {"9007199254740993"}, {9007199254740992.0}};
  const auto rows = db->query("select ?1, ?2, ?3", values);
  EXPECT_EQ(rows->rows.at(0), values);
}

}  // namespace
}  // namespace steward::sql
