// What only PostgreSQL has: logins, roles, sessions that end, poolers, encodings, ctids.
#include "io/sql/postgres.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <cstdlib>
#include <thread>

#include "core/text.h"
#include "io/sql/connection_contract.h"
#include "io/sql/grants.h"
#include "io/sql/postgres_settings.h"
#include "io/sql/strain.h"

namespace steward::sql {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

struct Postgres : testing::Test {
  void SetUp() override {
    database = TestDatabase::make(Dialect::postgres);
    ASSERT_TRUE(database);
    db = database->connect();
    ASSERT_TRUE(db);
  }
  void TearDown() override {
    db.reset();
    const auto again = database ? database->connect() : nullptr;
    for (const std::string& role : roles) {
      EXPECT_TRUE(again && again->execute("drop owned by " + role));
      EXPECT_TRUE(again && again->execute("drop role " + role));
    }
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
  /// A role of this test's own, whose password is `p@ss/w:rd`; a URL that logs in as it.
  std::string login(const std::string& options = {}) {
    roles.push_back(database->name() + "_role" + std::to_string(roles.size()));
    run({fmt::format("create role {} login password 'p@ss/w:rd' {}", roles.back(), options)});
    return database->url_as(roles.back() + ":p%40ss%2Fw%3Ard");
  }
  /// Waits until some session of this database satisfies `condition` on pg_stat_activity.
  void wait_until(const std::string& condition) {
    const std::string statement =
        fmt::format("select count(*) from pg_stat_activity where datname = '{}' and {}", database->name(), condition);
    while (ConnectionContract::one(database->server(), statement) == "0") std::this_thread::yield();
  }
  /// Ends all sessions of this database, as an administrator would.
  void terminate_sessions() {
    const auto done = database->server().query(fmt::format(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = '{}'", database->name()));
    ASSERT_TRUE(done) << done.error().message;
  }

  std::unique_ptr<TestDatabase> database;
  std::unique_ptr<Connection> db;
  std::vector<std::string> roles;
};

TEST_F(Postgres, APasswordWithEveryAwkwardCharacterLogsIn) {
  const auto other = connect({.url = login()});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(ConnectionContract::one(**other, "select current_user"), roles[0]);
  EXPECT_THAT((*other)->shown(), AllOf(HasSubstr(roles[0] + "@127.0.0.1:"), Not(HasSubstr("ss"
                                                                                          "/w"))));
}

TEST_F(Postgres, AWrongPasswordIsPermissionAndIsNotShown) {
  login();
  const auto failed = connect({.url = database->url_as(roles[0] + ":hunter2")});
  EXPECT_EQ(kind_of(failed), Kind::permission);
  EXPECT_THAT(
      message_of(failed),
      AllOf(testing::MatchesRegex("cannot connect to postgresql://" + roles[0] + "@127[.]0[.]0[.]1:[0-9]+/" +
                                  database->name() + ": password authentication failed for user \"" + roles[0] + "\""),
            Not(HasSubstr("hunter2"))));
  EXPECT_EQ(failed.error().hint, "Check the user and the password in the database's URL, and pg_hba.conf.");
}

TEST_F(Postgres, AMissingPasswordIsPermissionAndSaysWhereToPutIt) {
  login();
  const auto failed = connect({.url = database->url_as(roles[0])});
  EXPECT_EQ(kind_of(failed), Kind::permission);
  EXPECT_THAT(failed.error().hint, HasSubstr("PGPASSWORD"));
}

TEST_F(Postgres, TheEnvironmentOfLibpqIsHonoured) {
  login();
  setenv("PGPASSWORD", "p@ss/w:rd", 1);
  const auto other = connect({.url = database->url_as(roles[0])});
  ASSERT_TRUE(other) << message_of(other);
  unsetenv("PGPASSWORD");
  EXPECT_TRUE(other) << other.error().message;
}

TEST_F(Postgres, AUnixSocketIsAWayIn) {
  const char* folder = std::getenv("STEWARD_TEST_POSTGRES_SOCKET");
  ASSERT_NE(folder, nullptr) << "tests/servers/postgres.sh names it in DIR/env";
  const std::string port = one("select inet_server_port()");
  const auto other = connect(
      {.url = fmt::format("postgresql+psycopg2://postgres@/{}?host={}&port={}", database->name(), folder, port)});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ((*other)->identity(), db->identity());
  EXPECT_EQ((*other)->shown(), fmt::format("postgresql://postgres@:{}/{}?host={}", port, database->name(), folder));
  EXPECT_TRUE(connect({.url = (*other)->shown()}));
}

TEST_F(Postgres, TheSecondOfTwoServersIsTaken) {
  const std::string port = one("select inet_server_port()");
  const auto other = connect({.url = fmt::format("postgresql://postgres@127.0.0.1:1,127.0.0.1:{}/{}?sslmode=disable",
                                                 port, database->name())});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ((*other)->identity(), db->identity());
}

TEST(PostgresLogin, NobodyListeningIsUnavailable) {
  const auto failed = connect({.url = "postgresql://app:hunter2@127.0.0.1:1/app"});
  EXPECT_EQ(kind_of(failed), Kind::unavailable);
  EXPECT_EQ(message_of(failed),
            "cannot connect to postgresql://app@127.0.0.1:1/app: connection to server at \"127.0.0.1\", port 1 failed: "
            "Connection refused");
}

TEST(PostgresLogin, AServerThatNeverAnswersIsUnavailableAfterTheTimeout) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string url = fmt::format("postgresql://app@127.0.0.1:{}/app", ntohs(address.sin_port));
  const auto failed = connect({.url = url, .connect_timeout = 100ms});
  close(listener);
  EXPECT_EQ(kind_of(failed), Kind::unavailable);
  EXPECT_EQ(message_of(failed), "no answer from " + url + " within 100 ms");
}

TEST_F(Postgres, NoConnectionLeftIsUnavailable) {
  const std::string url = login("connection limit 0");
  const auto failed = connect({.url = url});
  EXPECT_EQ(kind_of(failed), Kind::unavailable);
  EXPECT_THAT(message_of(failed), HasSubstr("too many connections"));
}

TEST_F(Postgres, ARoleWithoutTheRightIsTold) {
  run({"create table t (a integer)"});
  const auto other = connect({.url = login()});
  ASSERT_TRUE(other) << message_of(other);
  const auto failed = (*other)->query("select * from t");
  EXPECT_EQ(kind_of(failed), Kind::permission);
  EXPECT_THAT(message_of(failed), HasSubstr("permission denied for table t"));
}

TEST_F(Postgres, RowsThatRowLevelSecurityWouldHideAreAnErrorAndNotAnEmptyAnswer) {
  run({"create table t (a integer)", "insert into t values (1)", "alter table t enable row level security"});
  const std::string url = login();
  run({"grant select, delete on t to " + roles[0]});
  const auto other = connect({.url = url});
  ASSERT_TRUE(other) << message_of(other);
  for (const char* statement : {"select * from t", "delete from t"}) {
    const auto failed = (*other)->query(statement);
    EXPECT_EQ(kind_of(failed), Kind::permission) << statement;
    EXPECT_THAT(message_of(failed), HasSubstr("row-level security"));
  }
}

TEST_F(Postgres, ADatabaseThatIsReadOnlyByDefaultStaysSo) {
  run({"create table t (a integer)"});
  const std::string url = login();
  run({"grant all on t to " + roles[0], fmt::format("alter role {} set default_transaction_read_only = on", roles[0])});
  const auto other = connect({.url = url});
  ASSERT_TRUE(other) << message_of(other);
  const auto failed = (*other)->execute("insert into t values (1)");
  EXPECT_EQ(kind_of(failed), Kind::permission);
  EXPECT_THAT(failed.error().hint, HasSubstr("default_transaction_read_only"));
}

TEST_F(Postgres, ACommitIsDurableEvenWhereTheRoleSaysOtherwise) {
  const std::string url = login();
  run({fmt::format("alter role {} set synchronous_commit = off", roles[0])});
  const auto other = connect({.url = url});
  ASSERT_TRUE(other) << message_of(other);
  EXPECT_EQ(ConnectionContract::one(**other, "show synchronous_commit"), "on");
  EXPECT_EQ(one("show synchronous_commit"), "on");
}

TEST_F(Postgres, TheSessionSaysWhoItIs) {
  const auto other = connect({.url = database->url() + "&application_name=web", .application = "steward cleanup 42"});
  ASSERT_TRUE(other) << message_of(other);
  EXPECT_EQ(ConnectionContract::one(**other, "show application_name"), "steward cleanup 42");
}

TEST_F(Postgres, ATransactionHasTheLimitsThatTheTargetSays) {
  const auto other = database->connect({.lock_timeout = 7000ms, .statement_timeout = 9000ms, .idle_timeout = 11'000ms});
  const auto transaction = other->begin();
  EXPECT_EQ(ConnectionContract::one(*other, "show lock_timeout"), "7s");
  EXPECT_EQ(ConnectionContract::one(*other, "show idle_in_transaction_session_timeout"), "11s");
  EXPECT_EQ(ConnectionContract::one(*other, "show statement_timeout"), "9s");
}

TEST_F(Postgres, ASessionThatIsEndedIsUnavailable) {
  const auto other = database->connect();
  run({"create table t (a integer)"});
  auto transaction = db->begin();
  run({"insert into t values (1)"});
  terminate_sessions();
  const auto failed = db->execute("insert into t values (2)");
  EXPECT_EQ(kind_of(failed), Kind::unavailable);
  EXPECT_THAT(message_of(failed), HasSubstr("the connection was lost: "));
  EXPECT_EQ(kind_of(transaction->commit()), Kind::unavailable);
  EXPECT_EQ(kind_of(db->begin()), Kind::unavailable) << "it is not opened again behind the caller's back";
  EXPECT_EQ(ConnectionContract::one(*database->connect(), "select count(*) from t"), "0");
}

TEST_F(Postgres, ASessionThatEndsWhileItStreamsIsUnavailable) {
  const auto failed = db->stream("select generate_series(1, 100000)", {}, [&](const Row& row) -> Result<bool> {
    if (row[0] == Value{"1500"}) terminate_sessions();
    return true;
  });
  EXPECT_EQ(kind_of(failed), Kind::unavailable);
}

TEST_F(Postgres, CancelStopsAStatementThatIsKnownToRun) {
  std::thread canceller([&] {
    wait_until("wait_event = 'PgSleep'");
    db->cancel();
  });
  const auto failed = db->query("select pg_sleep(600)");
  canceller.join();
  EXPECT_EQ(kind_of(failed), Kind::interrupted);
  EXPECT_EQ(one("select 1"), "1");
}

TEST_F(Postgres, ADeadlockIsBusyForOneAndNothingForTheOther) {
  run({"create table t (a integer, n integer)", "insert into t values (1, 0), (2, 0)"});
  const auto other = database->connect({.lock_timeout = 60s});
  auto mine = db->begin();
  auto theirs = other->begin();
  run({"update t set n = 1 where a = 1"});
  ASSERT_TRUE(other->execute("update t set n = 2 where a = 2"));
  Result<std::int64_t> first, second;
  std::thread thread([&] { second = other->execute("update t set n = 2 where a = 1"); });
  wait_until("wait_event_type = 'Lock'");
  first = db->execute("update t set n = 1 where a = 2");
  if (!first) mine->rollback().value();
  thread.join();
  EXPECT_NE(first.has_value(), second.has_value());
  EXPECT_EQ((first ? second : first).error().kind, Kind::busy);
}

TEST_F(Postgres, AForeignKeyThatForbidsItNamesTheTableAndTheKey) {
  run({"create table mockups (id integer primary key)", "create table listings (m integer references mockups (id))",
       "insert into mockups values (17)", "insert into listings values (17)"});
  EXPECT_THAT(message_of(db->execute("delete from mockups")),
              HasSubstr("Key (id)=(17) is still referenced from table \"listings\"."));
}

TEST_F(Postgres, AFailingRowIsNotShown) {
  run({"create table t (secret text not null, a integer check (a > 0))"});
  const std::vector<Value> row{{"hunter2"}, {std::int64_t{-1}}};
  const auto failed = db->execute("insert into t values ($1, $2)", row);
  EXPECT_THAT(message_of(failed), AllOf(HasSubstr("check constraint"), Not(HasSubstr("hunter2"))));
}

TEST_F(Postgres, RowsAreDeletedByTheirCtids) {
  run({"create table t (a integer)", "insert into t select generate_series(1, 10)"});
  const auto ctids = db->query("select ctid from t where a <= 4");
  std::string array = "{";
  for (const Row& row : ctids->rows) array += (array.size() > 1 ? ",\"" : "\"") + to_text(row[0]) + "\"";
  const std::vector<Value> parameters{{array + "}"}, {std::int64_t{3}}};
  EXPECT_EQ(db->execute("delete from t where ctid = any($1::tid[]) and a <= $2", parameters).value_or(-1), 3);
}

TEST_F(Postgres, AStatementThatRefusesATransactionRunsBare) {
  run({"create table t (a integer)"});
  EXPECT_TRUE(db->execute("vacuum t"));
  EXPECT_TRUE(db->execute("create index concurrently i on t (a)"));
  auto transaction = db->begin();
  EXPECT_FALSE(db->execute("vacuum t"));
}

TEST_F(Postgres, ADatabaseWithoutAnEncodingKeepsItsBytes) {
  const auto ascii = TestDatabase::make(Dialect::postgres, "encoding 'SQL_ASCII' template template0 locale 'C'");
  ASSERT_TRUE(ascii);
  const auto other = ascii->connect();
  const Value bytes = std::string("caf\xe9 \xff");
  ASSERT_TRUE(other->execute("create table t (a text)"));
  ASSERT_TRUE(other->execute("insert into t values ($1)", {&bytes, 1}));
  EXPECT_EQ(other->query("select a from t")->rows.at(0).at(0), bytes);
  EXPECT_EQ(ConnectionContract::one(*other, "select octet_length(a) from t"), "6");
}

TEST_F(Postgres, AnotherEncodingIsReadAsUtf8AndComesBack) {
  const auto latin = TestDatabase::make(Dialect::postgres, "encoding 'LATIN1' template template0 locale 'C'");
  ASSERT_TRUE(latin);
  const auto other = latin->connect();
  const Value text = "café";
  ASSERT_TRUE(other->execute("create table t (a text)"));
  ASSERT_TRUE(other->execute("insert into t values ($1)", {&text, 1}));
  EXPECT_EQ(other->query("select a from t")->rows.at(0).at(0), text);
  EXPECT_EQ(ConnectionContract::one(*other, "select octet_length(a) from t"), "4");
}

TEST_F(Postgres, ATextWithAZeroByteIsRefusedAndNotCutShort) {
  const Value text = std::string("a\0b", 3);
  EXPECT_EQ(kind_of(db->query("select $1::text", {&text, 1})), Kind::bad_input);
}

TEST_F(Postgres, AnAbsentControlFunctionStillGivesAnIdentity) {
  const std::string url = login();
  run({"revoke execute on function pg_control_system() from public"});
  const auto other = connect({.url = url});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_THAT((*other)->identity(), HasSubstr("127.0.0.1:"));
}

TEST(PostgresSettings, NothingIsSetForTheSessionBecauseAPoolerWouldHandItToOthers) {
  const std::string text = begin_statement({.read_only = true}, {.server_version = 180000, .search_path = "a"});
  for (std::size_t at = text.find("SET "); at != std::string::npos; at = text.find("SET ", at + 1))
    EXPECT_EQ(text.substr(at, 10), "SET LOCAL ");
}

TEST(PostgresSettings, ATransactionSaysWhatTheServerKnows) {
  const std::string old = begin_statement({}, {.server_version = 150000});
  EXPECT_THAT(old, testing::StartsWith("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL "));
  EXPECT_THAT(old, AllOf(Not(HasSubstr("LOCAL transaction_timeout")), Not(HasSubstr("search_path")),
                         Not(HasSubstr("synchronous_commit")), Not(HasSubstr("READ ONLY"))));
  const std::string recent = begin_statement({.lock_timeout = 7ms, .statement_timeout = 9ms, .read_only = true},
                                             {.server_version = 170000, .search_path = "\"shop\""});
  EXPECT_THAT(recent,
              AllOf(HasSubstr("READ ONLY; "), HasSubstr("lock_timeout TO 7;"), HasSubstr("statement_timeout TO 9;"),
                    HasSubstr("; SET LOCAL transaction_timeout TO 0"), HasSubstr("search_path TO \"shop\"")));
}

// --- rights ---------------------------------------------------------------------------------------------------------

struct Rights : Postgres {
  void SetUp() override {
    Postgres::SetUp();
    run({"create table signals (id integer primary key, at timestamptz, \"Odd \"\"name\" text)",
         "create table listings (id integer primary key, signal_id integer)"});
    auto connection = connect({.url = login()});
    ASSERT_TRUE(connection) << message_of(connection);
    user = *std::move(connection);
  }
  std::string missing(std::vector<Right> wanted) {
    const auto found = user->missing_rights(wanted);
    return found ? text_of(*found) : "ERROR: " + found.error().message;
  }
  std::unique_ptr<Connection> user;
};

TEST_F(Rights, ThatAreMissingAreNamedAndThoseThatAreThereAreNot) {
  run({fmt::format("grant select on signals to {}", roles[0])});
  EXPECT_EQ(missing({{"SELECT", "public", "signals"}, {"DELETE", "public", "signals"}}), "DELETE on public.signals");
  run({fmt::format("grant delete on signals to {}", roles[0])});
  EXPECT_EQ(missing({{"SELECT", "public", "signals"}, {"DELETE", "public", "signals"}}), "");
}

TEST_F(Rights, OnTheColumnsThatAreAskedForAreEnough) {
  run({fmt::format("grant select (signal_id) on listings to {}", roles[0])});
  EXPECT_EQ(missing({{"SELECT", "public", "listings", {"signal_id"}}}), "");
  EXPECT_EQ(missing({{"SELECT", "public", "listings", {"signal_id", "id"}}}), "SELECT on public.listings");
  EXPECT_EQ(missing({{"SELECT", "public", "listings"}}), "SELECT on public.listings");
}

TEST_F(Rights, ToUpdateAnyColumnLetARowBeLocked) {
  EXPECT_EQ(missing({{"UPDATE", "public", "signals", {"id"}}}), "UPDATE on public.signals");
  run({fmt::format("grant select, update (at) on signals to {}", roles[0])});
  EXPECT_EQ(missing({{"UPDATE", "public", "signals", {"id"}}}), "");
  EXPECT_TRUE(user->query("select id from signals for update"));
}

TEST_F(Rights, ComeWithTheGrantThatGivesThem) {
  const std::vector<Right> all{{"SELECT", "public", "signals"},
                               {"DELETE", "public", "signals"},
                               {"UPDATE", "public", "signals", {"Odd \"name"}},
                               {"SELECT", "public", "listings", {"signal_id"}}};
  const auto lacking = user->missing_rights(all);
  ASSERT_TRUE(lacking) << message_of(lacking);
  const auto error = rights_missing(*user, *lacking);
  ASSERT_TRUE(error) << message_of(error);
  EXPECT_EQ(error->code, "rights");
  EXPECT_THAT(error->message,
              testing::StartsWith("the user " + roles[0] +
                                  " lacks SELECT on public.signals, DELETE on public.signals, UPDATE on public.signals "
                                  "and SELECT on public.listings in postgresql://"));
  const std::string grant = error->hint.substr(error->hint.find("grant"));
  EXPECT_EQ(grant, fmt::format("grant select, delete, update (\"Odd \"\"name\") on \"public\".\"signals\" to \"{0}\"; "
                               "grant select (\"signal_id\") on \"public\".\"listings\" to \"{0}\";",
                               roles[0]));
  for (const std::string& statement : split(grant, ';'))
    if (!trim(statement).empty()) run({statement});
  EXPECT_EQ(missing(all), "");
}

// --- strain ---------------------------------------------------------------------------------------------------------

TEST_F(Postgres, WhoWaitsForOurLocksIsSeenFromAnotherConnection) {
  run({"create table t (a integer)", "insert into t values (1)"});
  auto transaction = db->begin();
  run({"update t set a = 2"});
  const auto backend = backend_of(*db);
  ASSERT_TRUE(backend);
  const auto watcher = database->connect();
  EXPECT_EQ(waits_for(*watcher, *backend).value_or(true), false);
  std::thread waiting([&] {
    const auto other = database->connect({.lock_timeout = 600s});
    EXPECT_TRUE(other->execute("update t set a = 3"));
  });
  wait_until("wait_event_type = 'Lock'");
  EXPECT_EQ(waits_for(*watcher, *backend).value_or(false), true);
  EXPECT_TRUE(transaction->commit());
  waiting.join();
}

TEST_F(Postgres, AServerWithoutReplicasAndArchiveIsUnderNoStrain) {
  run({"create table t (a integer)"});
  const auto table = db->describe("t");
  ASSERT_TRUE(table);
  const auto found = strain(*db, *table, {});
  ASSERT_TRUE(found) << message_of(found);
  EXPECT_FALSE(*found) << **found;
}

TEST_F(Postgres, AnOrdinaryUserIsToldNothingOfReplicasAndMayAskAllTheSame) {
  run({"create table t (a integer)"});
  const auto user = connect({.url = login()});
  ASSERT_TRUE(user);
  const auto table = db->describe("t");
  EXPECT_TRUE(strain(**user, *table, {}));
  EXPECT_EQ(sees_replicas(**user).value_or(true), false);
  run({fmt::format("grant pg_monitor to {}", roles[0])});
  EXPECT_EQ(sees_replicas(**user).value_or(false), true);
}

}  // namespace
}  // namespace steward::sql
