// Backups: made, proved, restored, on real databases and stores; and what they are after everything that may go wrong.

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "harness/application.h"
#include "harness/child_run.h"
#include "io/files/scratch.h"
#include "io/sql/test_database.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A database and the store of its backups.
struct Shape {
  const char* name;
  DatabaseKind database;
  BucketKind bucket;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

/// An application whose database is backed up, with variables alone.
class BackedUp {
 public:
  explicit BackedUp(DatabaseKind database = DatabaseKind::postgres, BucketKind bucket = BucketKind::folder)
      : app(database, bucket) {
    app.environment["BACKUP_BUCKET"] =
        bucket == BucketKind::folder ? app.path("backups") : app.bucket_name() + "/backups";
    app.environment["TMPDIR"] = "/var/tmp";
  }

  Answer run(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"run", "backup", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return app.steward(words);
  }
  json list() const { return app.steward({"backup", "list", "--json"}).json()["backups"]; }
  Answer verify(const std::string& depth, const std::string& id = "latest") const {
    return app.steward({"backup", "verify", id, "--depth", depth, "--json"});
  }
  /// A new, empty database of the same kind, and its URL.
  std::string empty_database() {
    if (app.database_kind() == DatabaseKind::sqlite)
      return "sqlite:///" + app.path("restored-" + std::to_string(++made_) + ".db");
    others_.push_back(sql::TestDatabase::make(sql::Dialect::postgres));
    return others_.back()->url();
  }
  Answer restore(const std::string& to, std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"backup", "restore", "latest", "--to", to, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return app.steward(words);
  }
  /// The database's URL, wherever it is looked at from.
  std::string url() const {
    return app.database_kind() == DatabaseKind::sqlite ? "sqlite:///" + app.path("app.db")
                                                       : app.environment.at("DATABASE_URL");
  }
  /// The files below the folder of backups.
  std::vector<std::string> files() const { return app.files("backups"); }

  Application app;

 private:
  int made_ = 0;
  std::vector<std::unique_ptr<sql::TestDatabase>> others_{};
};

/// All rows of a table as text, in an order of their own.
std::vector<std::string> rows_of(const std::string& url, const std::string& table) {
  std::vector<std::string> out;
  const auto connection = sql::connect({.url = url});
  if (!connection) {
    ADD_FAILURE() << connection.error().message;
    return out;
  }
  const auto rows = (*connection)->query("select * from " + table);
  if (!rows) {
    ADD_FAILURE() << rows.error().message;
    return out;
  }
  for (const sql::Row& row : rows->rows) {
    std::string text;
    for (const sql::Value& value : row) text += sql::to_text(value) + '|';
    out.push_back(std::move(text));
  }
  std::ranges::sort(out);
  return out;
}

// --- the way through
// --------------------------------------------------------------------------------------------------

class Backup : public testing::TestWithParam<Shape> {
 protected:
  BackedUp it{GetParam().database, GetParam().bucket};
  Application& app = it.app;
};

TEST_P(Backup, OfTwoVariablesIsProvedByARestoreAndRestoresToTheSameContent) {
  for (int i = 1; i <= 300; ++i)
    app.sql("insert into signals values (" + std::to_string(i) + ", 1, '" + days_ago(5) + "', 0.5, null, 'h" +
            std::to_string(i) + "')");
  app.mockup(1, "a/one.png", 3);
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(task(made.json(), "backup-database")["done"]["items"], 1);

  const json backups = it.list();
  ASSERT_THAT(backups, SizeIs(1));
  EXPECT_EQ(backups[0]["rows"], 301);
  EXPECT_EQ(backups[0]["standing"], "not proved");
  EXPECT_EQ(backups[0]["run"], made.json()["run"]);

  EXPECT_EQ(it.verify("bytes").exit_code, 0);
  EXPECT_EQ(it.list()[0]["standing"], "read");
  const Answer proved = it.verify("restore");
  EXPECT_EQ(proved.exit_code, 0) << proved.out << proved.err;
  EXPECT_THAT(proved.json()["faults"], IsEmpty());
  EXPECT_EQ(it.list()[0]["standing"], "restored");

  const std::string to = it.empty_database();
  const Answer restored = it.restore(to);
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  for (const char* table : {"signals", "mockups", "audit_logs", "listings"})
    EXPECT_EQ(rows_of(to, table), rows_of(it.url(), table)) << table;
}

TEST_P(Backup, IsShownByThePlanBeforeAndChangesNothing) {
  const Answer plan = app.steward({"plan", "backup", "--json"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  const json step = task(plan.json(), "backup-database");
  EXPECT_EQ(step["planned"]["items"], 1);
  EXPECT_GT(step["planned"]["bytes"], 0);
  EXPECT_THAT(step["strategy"].get<std::string>(), HasSubstr("backups"));
  EXPECT_EQ(step["reason"], "there is no backup yet");
  EXPECT_THAT(it.list(), IsEmpty());
}

TEST_P(Backup, IsNotRestoredOverWhatIsThere) {
  ASSERT_EQ(it.run().exit_code, 0);
  const Answer refused = it.restore(it.url());
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.out, HasSubstr("target-not-empty"));
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, Backup,
                         testing::Values(Shape{"postgres", DatabaseKind::postgres, BucketKind::folder},
                                         Shape{"postgres_s3", DatabaseKind::postgres, BucketKind::versity},
                                         Shape{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                                         Shape{"sqlite_s3", DatabaseKind::sqlite, BucketKind::versity}),
                         [](const auto& shape) { return shape.param.name; });

TEST(BackupSettings, WithoutThemNameTheVariables) {
  const Application app(DatabaseKind::postgres);
  const Answer answer = app.steward({"run", "backup"});
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_THAT(answer.err, HasSubstr("BACKUP_BUCKET"));
}

// --- what a database may have
// ------------------------------------------------------------------------------------------

/// The database as pg_dump writes it for people, by a hand of its own.
std::string plain_dump(const Application& app, const std::string& url) {
  const Answer dump = run_program({"/usr/lib/postgresql/15/bin/pg_dump", "--no-owner", "-d", url},
                                  {{"PATH", "/usr/bin:/bin"}}, app.root());
  EXPECT_EQ(dump.exit_code, 0) << dump.err;
  std::string out;
  std::istringstream lines(dump.out);
  // Newer minor versions guard a script with a random word (CVE-2025-8714).
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) out += line + '\n';
  return out;
}

TEST(BackupContent, OfEveryKindOfThingAndColumnComesBackAsItWas) {
  BackedUp it;
  it.app.file("every.sql", R"(
    create schema "Odd ""schema";
    create extension pgcrypto;
    create type mood as enum ('sad', 'it''s ok');
    create domain short_text as text check (length(value) < 10);
    create type pair as (a int, b text);
    create collation german (provider = icu, locale = 'de-DE');
    create table every (
      id bigint generated always as identity primary key, n numeric(20, 5), r real, d double precision, b boolean,
      t text collate german, v varchar(5), c char(4), raw bytea, day date, at timestamp, atz timestamptz, clock time,
      clockz timetz, gap interval, u uuid, j json, jb jsonb, x xml, net inet, block cidr, mac macaddr, bits bit varying,
      p point, l lseg, bx box, pa path, po polygon, ci circle, ir int4range, tr tstzrange, mr int4multirange, m mood,
      dom short_text, pr pair, arr int[], arr2 text[][], vec tsvector, q tsquery, o oid, money money, lsn pg_lsn,
      twice bigint generated always as (id * 2) stored, unique (n, t));
    insert into every (n, r, d, b, t, v, c, raw, day, at, atz, clock, clockz, gap, u, j, jb, x, net, block, mac, bits, p,
      l, bx, pa, po, ci, ir, tr, mr, m, dom, pr, arr, arr2, vec, q, o, money, lsn)
    select i, 1.1::real, 'NaN', i % 2 = 0, e'ä\t\\n\n' || i, 'v', 'c', '\x00ff5c6e', '2026-02-28', 'infinity', '2026-03-29
      02:30:00.123456+01', '23:59:59', '12:00+02', '1 mon 2 days 03:04:05.6', gen_random_uuid(), '{"a": 1,  "a": 2}',
      '{"k": [1, null]}', '<a>&amp;</a>', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '10101', '(1,2)',
      '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '<(0,0),1>', '[1,5)',
      '[2026-01-01,)', '{[1,3),[5,7)}', 'it''s ok', 'short', row(i, 'x,"')::pair, array[i, null], '{{a,b},{c,NULL}}',
      to_tsvector('a fat cat'), 'fat & cat', 17, 12.34, '0/16B3748'
    from generate_series(1, 50) i;
    insert into every default values;
    create index on every using gin (jb);
    create index on every (lower(t)) where b;
    create table "Odd ""schema"."Odd 'table\\" ("Odd
column" text, "quote""d" int);
    insert into "Odd ""schema"."Odd 'table\\" values ('\.', 1), ('', 2), (null, 3), (e'\\\\.', 4);
    create table measured (at date not null, v int) partition by range (at);
    create table measured_2025 partition of measured for values from ('2025-01-01') to ('2026-01-01');
    create table measured_rest partition of measured default;
    insert into measured select date '2025-06-01' + i, i from generate_series(0, 400) i;
    create table parent (a int); create table child (b int) inherits (parent);
    insert into parent values (1); insert into child values (2, 3);
    create table owned (id serial primary key, parent int references owned deferrable initially deferred);
    insert into owned values (1, 2), (2, 1);
    alter table owned add constraint positive check (id > 0) not valid;
    create unlogged table passing (x int); insert into passing values (1);
    create table secret (who text, what text); alter table secret enable row level security;
    alter table secret force row level security;
    create policy own on secret using (who = current_user); insert into secret values ('ann', 'x');
    create view seen as select * from measured;
    create materialized view sums as select count(*) from measured;
    create function trigger_it() returns trigger language plpgsql as $$begin return new; end$$;
    create trigger t before insert on parent for each row execute function trigger_it();
    create statistics st on n, t from every;
    create sequence counter start 100 increment 5; select nextval('counter'), nextval('counter');
    create aggregate product(int) (sfunc = int4mul, stype = int, initcond = '1');
    create operator ### (leftarg = int, rightarg = int, procedure = int4mul);
    create rule quiet as on delete to parent do instead nothing;
    create publication all_of_it for all tables;
    comment on table every is e'with ''quotes'' and \\n';
    select lo_from_bytea(0, 'small'), lo_from_bytea(0, decode(repeat('00ff', 500000), 'hex')), lo_create(0);
  )");
  const Answer filled = run_program({"/usr/lib/postgresql/15/bin/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f",
                                     it.app.path("every.sql"), "-d", it.app.environment["DATABASE_URL"]},
                                    {{"PATH", "/usr/bin:/bin"}}, it.app.root());
  ASSERT_EQ(filled.exit_code, 0) << filled.err;
  ASSERT_EQ(it.run().exit_code, 0);
  const Answer proved = it.verify("restore");
  EXPECT_EQ(proved.exit_code, 0) << proved.out << proved.err;
  EXPECT_EQ(it.list()[0]["large_objects"], 3);
  for (const char* jobs : {"1", "4"}) {
    const std::string to = it.empty_database();
    const Answer restored = it.restore(to, {"--jobs", jobs});
    ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
    EXPECT_EQ(plain_dump(it.app, to), plain_dump(it.app, it.app.environment["DATABASE_URL"]))
        << "by another way of looking at it, all is the same, also from " << jobs << " at once";
  }
}

TEST(BackupContent, OfADatabaseThatIsWrittenMeanwhileIsOneMoment) {
  BackedUp it;
  it.app.sql(
      "create table a (n bigint); create table b (n bigint); insert into a values (0); insert into b values (0)");
  it.app.sql("create table much as select i, repeat('x', 200) as t from generate_series(1, 200000) i");
  std::atomic<bool> enough = false;
  std::atomic<int> writes = 0;
  std::jthread writer([&] {
    const auto connection = sql::connect({.url = it.app.environment["DATABASE_URL"]}).value();
    while (!enough) {
      auto transaction = connection->begin();
      ASSERT_TRUE(transaction);
      ASSERT_TRUE(connection->execute("update a set n = n + 1"));
      ASSERT_TRUE(connection->execute("insert into much values (0, 'new')"));
      ASSERT_TRUE(connection->execute("update b set n = n + 1"));
      ASSERT_TRUE(transaction->commit());
      ++writes;
    }
  });
  await([&] { return writes > 10; }, "there are writes");
  const Answer made = it.run();
  enough = true;
  writer.join();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  const std::string to = it.empty_database();
  ASSERT_EQ(it.restore(to).exit_code, 0);
  EXPECT_EQ(rows_of(to, "a"), rows_of(to, "b"));
  EXPECT_EQ(rows_of(to, "(select count(*) - 200000 from much) s"), rows_of(to, "a"));
}

TEST(BackupContent, OfASqliteFileThatIsWrittenMeanwhileIsOneMoment) {
  BackedUp it(DatabaseKind::sqlite);
  it.app.sql(
      "create table a (n integer); create table b (n integer); insert into a values (0); insert into b values (0)");
  std::atomic<bool> enough = false;
  std::atomic<int> writes = 0;
  std::jthread writer([&] {
    const auto connection = sql::connect({.url = it.url(), .lock_timeout = std::chrono::minutes{1}}).value();
    while (!enough) {
      auto transaction = connection->begin();
      ASSERT_TRUE(transaction) << transaction.error().message;
      ASSERT_TRUE(connection->execute("update a set n = n + 1"));
      ASSERT_TRUE(connection->execute("insert into signals (id, details) values (null, zeroblob(5000))"));
      ASSERT_TRUE(connection->execute("update b set n = n + 1"));
      ASSERT_TRUE(transaction->commit());
      ++writes;
    }
  });
  await([&] { return writes > 10; }, "there are writes");
  const Answer made = it.run();
  enough = true;
  writer.join();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  const std::string to = it.empty_database();
  ASSERT_EQ(it.restore(to).exit_code, 0);
  EXPECT_EQ(rows_of(to, "a"), rows_of(to, "b"));
}

TEST(BackupContent, OfAnEmptyDatabaseComesBackToo) {
  BackedUp it;
  it.app.sql("drop schema public cascade; create schema public");
  ASSERT_EQ(it.run().exit_code, 0);
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_EQ(it.list()[0]["tables"], 0);
  EXPECT_EQ(it.restore(it.empty_database()).exit_code, 0);
}

TEST(BackupContent, OfOneTableIsRestoredAloneWithWhatIsItsOwnAndWithoutReadingTheOthers) {
  BackedUp it;
  it.app.sql("create type mood as enum ('sad', 'ok')");
  it.app.sql("create table orders (id serial primary key, m mood default 'ok', at date)");
  it.app.sql("create index on orders (at)");
  it.app.sql("insert into orders (at) select date '2026-01-01' + i from generate_series(1, 1000) i");
  // Noise, which no compression makes small.
  it.app.sql(
      "create table much as select i, gen_random_uuid() as a, gen_random_uuid() as b, gen_random_uuid() as c from "
      "generate_series(1, 200000) i");
  it.app.sql("create table lines (id int references orders)");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  const Answer plan = it.restore(to, {"--table", "orders", "--plan"});
  EXPECT_EQ(task(plan.json(), "restore")["planned"]["items"], 1000);
  const Answer restored = it.restore(to, {"--table", "public.orders"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(rows_of(to, "orders"), rows_of(it.url(), "orders"));
  EXPECT_THAT(rows_of(to, "pg_indexes where tablename = 'orders'"), SizeIs(2));
  EXPECT_EQ(rows_of(to, "nextval('orders_id_seq')"), std::vector<std::string>{"1001|"});
  EXPECT_THAT(rows_of(to, "information_schema.tables where table_schema = 'public'"), SizeIs(1));
  const json done = task(restored.json(), "restore")["done"];
  EXPECT_EQ(done["items"], 1000);
  EXPECT_LT(done["bytes"], it.list()[0]["bytes"].get<std::uint64_t>() / 4) << "read from the store";
  EXPECT_THAT(it.restore(it.empty_database(), {"--table", "ordres"}).out, HasSubstr("no table ordres"));
}

TEST(BackupContent, OfTheRolesComesWithIt) {
  BackedUp it;
  const std::string role = "backup_reader_" + std::to_string(::getpid());
  it.app.sql("create role " + role + "; grant select on signals to " + role);
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string id = it.list()[0]["id"];
  const Answer globals =
      run_program({"/usr/bin/zstd", "-dc", it.app.path("backups/" + id + "/globals.sql.zst")}, {}, it.app.root());
  EXPECT_THAT(globals.out, HasSubstr("CREATE ROLE " + role));
  EXPECT_EQ(it.verify("restore").exit_code, 0) << "the throwaway server has the role, so the GRANT succeeds";
  it.app.sql("drop owned by " + role + "; drop role " + role);
}

// --- what must not happen
// -----------------------------------------------------------------------------------------------

TEST(BackupFaults, ADumpThatFailsInTheMiddleLeavesNoBackupAndNoFile) {
  BackedUp it;
  it.app.sql("create table much as select i, repeat(md5(i::text), 5) as t from generate_series(1, 300000) i");
  const std::string user = "backup_user_" + std::to_string(::getpid());
  it.app.sql("create role " + user + " login password 'x'; grant usage on schema public to " + user +
             "; grant select on all tables in schema public to " + user + "; revoke select on much from " + user);
  std::string url = it.app.environment["DATABASE_URL"];
  url.replace(url.find("postgres@"), 8, user + ":x");
  it.app.environment["DATABASE_URL"] = url;
  const Answer failed = it.run();
  EXPECT_EQ(failed.exit_code, 1);
  const json one = task(failed.json(), "backup-database");
  EXPECT_EQ(one["status"], "failed");
  EXPECT_THAT(one["error"]["message"].get<std::string>(), HasSubstr("permission denied for table much"));
  EXPECT_THAT(it.list(), IsEmpty());
  EXPECT_THAT(it.files(), IsEmpty());
  it.app.sql("drop owned by " + user + "; drop role " + user);
}

TEST(BackupFaults, AServerThatEndsInTheMiddleLeavesNoBackup) {
  BackedUp it;
  it.app.sql("create table much as select i, repeat(md5(i::text), 20) as t from generate_series(1, 400000) i");
  const auto run = it.app.start({"run", "backup", "--json"});
  await(
      [&] {
        return it.app.value(
                   "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = "
                   "current_database() and query like 'COPY public.much%'") != "0";
      },
      "the dump is under way");
  const Answer failed = run->wait();
  EXPECT_EQ(failed.exit_code, 1) << failed.out;
  EXPECT_THAT(it.list(), IsEmpty());
  EXPECT_THAT(it.files(), IsEmpty());
  EXPECT_EQ(it.run().exit_code, 0) << "and the next run is as good as any";
}

TEST(BackupFaults, AStopEndsItSoonAndLeavesNothing) {
  BackedUp it;
  it.app.sql("create table much as select i, repeat(md5(i::text), 20) as t from generate_series(1, 400000) i");
  const auto run = it.app.start({"run", "backup", "--json"});
  await(
      [&] {
        return it.app.value(
                   "select count(*) from pg_stat_activity where datname = current_database() and query like "
                   "'COPY public.much%'") != "0";
      },
      "the dump is under way");
  ::kill(run->pid(), SIGTERM);
  const Answer stopped = run->wait();
  EXPECT_EQ(task(stopped.json(), "backup-database")["status"], "cancelled") << stopped.out;
  EXPECT_THAT(it.list(), IsEmpty());
  EXPECT_THAT(it.files(), IsEmpty());
  await(
      [&] {
        return it.app.value(
                   "select count(*) from pg_stat_activity where datname = current_database() and "
                   "application_name like 'steward backup%'") == "0";
      },
      "pg_dump is gone too");
}

TEST(BackupFaults, AByteAnywhereThatIsAnotherIsFound) {
  BackedUp it;
  it.app.sql("insert into audit_logs (id, username) select i, 'user ' || i from generate_series(1, 5000) i");
  ASSERT_EQ(it.run().exit_code, 0);
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 dice(seed);
  for (const std::string& file : it.files()) {
    if (file.ends_with(".json")) continue;
    const std::string path = it.app.path("backups/" + file), whole = it.app.content("backups/" + file);
    std::string broken = whole;
    const std::size_t at = dice() % broken.size();
    broken[at] = static_cast<char>(broken[at] ^ (1 << dice() % 8));
    std::ofstream(path, std::ios::binary) << broken;
    const Answer bad = it.verify("bytes");
    EXPECT_EQ(bad.exit_code, 1) << file << " at " << at;
    EXPECT_THAT(bad.out, HasSubstr("other bytes"));
    EXPECT_EQ(it.list()[0]["standing"], "bad");
    EXPECT_EQ(it.verify("restore").exit_code, 1) << file << " at " << at;
    std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() - 1);
    EXPECT_EQ(it.verify("bytes").exit_code, 1) << file << " cut short";
    std::filesystem::remove(path);
    EXPECT_EQ(it.verify("bytes").exit_code, 1) << file << " missing";
    std::ofstream(path, std::ios::binary) << whole;
    EXPECT_EQ(it.verify("bytes").exit_code, 0);
  }
  EXPECT_EQ(it.list()[0]["standing"], "read");
}

TEST(BackupFaults, ContentThatIsAnotherAlthoughEachByteIsAsWrittenIsFoundByTheRestore) {
  BackedUp it;
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann'), (2, 'bea')");
  ASSERT_EQ(it.run().exit_code, 0);
  it.app.sql("update audit_logs set username = 'eve' where id = 2");
  ASSERT_EQ(it.run().exit_code, 0);
  // The contents of the one beside the dump of the other: as after a hand that mixed them up.
  const json backups = it.list();
  const std::string first = backups[0]["id"], second = backups[1]["id"];
  const auto swap_in = [&](const std::string& object) {
    std::filesystem::copy_file(it.app.path("backups/" + first + "/" + object),
                               it.app.path("backups/" + second + "/" + object),
                               std::filesystem::copy_options::overwrite_existing);
  };
  swap_in("dump.pgc.zst");
  json manifest = json::parse(it.app.content("backups/" + second + "/manifest.json"));
  manifest["objects"][0] = json::parse(it.app.content("backups/" + first + "/manifest.json"))["objects"][0];
  std::ofstream(it.app.path("backups/" + second + "/manifest.json")) << manifest.dump();
  EXPECT_EQ(it.verify("bytes", second).exit_code, 0);
  const Answer bad = it.verify("restore", second);
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_EQ(bad.json()["faults"], json::array({"table public.audit_logs has other content in its 2 rows"}));
  EXPECT_THAT(it.files(), Contains(testing::StartsWith(second + "/proof-")));
}

TEST(BackupFaults, KilledAnywhereItLeavesAWholeBackupOrNone) {
  std::vector<std::string> names;
  {
    const BackedUp it;
    names = places_of(it.app, "backup");
  }
  ASSERT_GE(names.size(), 6U) << "the task has named points";
  for (const std::size_t n : worth_trying(names)) {
    const std::string where = "killed at " + std::to_string(n) + ": " + names[n - 1];
    SCOPED_TRACE(where);
    const BackedUp it;
    std::size_t count = 0;
    const int status = in_a_child(
        it.app,
        [&](std::string_view) {
          if (++count == n) ::kill(::getpid(), SIGKILL);
        },
        "backup");
    ASSERT_TRUE(WIFSIGNALED(status)) << where;
    for (const json& one : it.list()) EXPECT_EQ(it.verify("restore", one["id"]).exit_code, 0);
    const std::size_t whole = it.list().size();
    // A day later what is not whole goes.
    for (const std::string& file : it.files()) {
      const std::string path = it.app.path("backups/" + file);
      std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - std::chrono::hours{25});
    }
    const Answer again = it.run();
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    const json backups = it.list();
    ASSERT_THAT(backups, SizeIs(whole + 1));
    std::set<std::string> folders;
    for (const std::string& file : it.files()) folders.insert(file.substr(0, file.rfind('/')));
    EXPECT_EQ(folders.size(), backups.size()) << "nothing else is left";
    EXPECT_EQ(it.verify("restore").exit_code, 0);
    if (HasFailure()) return;  // one place is enough to read
  }
}

TEST(BackupFaults, AStoreThatIsNotThereIsSaidAndNothingIsDumped) {
  BackedUp it(DatabaseKind::postgres, BucketKind::versity);
  it.app.environment["BACKUP_BUCKET"] = "s3://no-such-bucket-here";
  const Answer failed = it.run();
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.out, HasSubstr("no-such-bucket-here"));
}

TEST(BackupFaults, ADatabaseThatIsNotEmptyProvesNothing) {
  BackedUp it;
  ASSERT_EQ(it.run().exit_code, 0);
  const Answer refused =
      it.app.steward({"backup", "verify", "latest", "--depth", "restore", "--to", it.url(), "--json"});
  EXPECT_EQ(refused.exit_code, 3) << refused.out;
  EXPECT_THAT(refused.out, HasSubstr("target-not-empty"));
  EXPECT_EQ(it.list()[0]["standing"], "not proved");
  EXPECT_EQ(it.app.steward({"backup", "verify", "--depth", "restore", "--to", it.empty_database()}).exit_code, 0);
  EXPECT_EQ(it.list()[0]["standing"], "restored");
}

TEST(BackupFaults, AnExtensionThatIsMissingHereIsNoFaultOfTheBackup) {
  files::need_root();
  BackedUp it;
  const std::string name = "steward_test_" + std::to_string(::getpid());
  const std::string base = "/usr/share/postgresql/15/extension/" + name;
  std::ofstream(base + ".control") << "default_version = '1'\n";
  std::ofstream(base + "--1.sql") << "create function " + name + "() returns int language sql as 'select 1';\n";
  it.app.sql("create extension " + name);
  ASSERT_EQ(it.run().exit_code, 0);
  std::filesystem::remove(base + ".control");
  std::filesystem::remove(base + "--1.sql");
  const Answer unknown = it.verify("restore");
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.json()["error"]["message"].get<std::string>(), HasSubstr(name));
  EXPECT_EQ(it.list()[0]["standing"], "not proved");
}

TEST(BackupFaults, AnUnknownOrAmbiguousBackupIsSaid) {
  BackedUp it;
  EXPECT_EQ(it.verify("bytes").json()["error"]["kind"], "not-found");
  ASSERT_EQ(it.run().exit_code, 0);
  ASSERT_EQ(it.run().exit_code, 0);
  EXPECT_EQ(it.verify("bytes", "20").json()["error"]["kind"], "bad-input");
  EXPECT_EQ(it.verify("bytes", "nothing").json()["error"]["kind"], "not-found");
  EXPECT_EQ(it.verify("bytes", it.list()[0]["run"]).exit_code, 0);
}

// --- encrypted
// ----------------------------------------------------------------------------------------------------------

/// A pair of age's keys; the secret one is in a file.
std::string make_key(const Application& app, const std::string& name) {
  const Answer made = run_program({"/usr/bin/age-keygen", "-o", app.path(name)}, {}, app.root());
  EXPECT_EQ(made.exit_code, 0) << made.err;
  const Answer key = run_program({"/usr/bin/age-keygen", "-y", app.path(name)}, {}, app.root());
  return key.out.substr(0, key.out.find('\n'));
}

struct Encrypted : testing::TestWithParam<DatabaseKind> {};

TEST_P(Encrypted, ToTwoKeysItIsReadWithEitherAndWithNoOther) {
  BackedUp it(GetParam());
  const std::string ours = make_key(it.app, "ours.key"), safe = make_key(it.app, "safe.key");
  make_key(it.app, "other.key");
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = ours + ", " + safe;
  it.app.sql("insert into audit_logs (id, username) values (1, 'secret name')");
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out;
  for (const std::string& file : it.files())
    EXPECT_TRUE(file.ends_with(".age") || file.ends_with("manifest.json")) << file;

  EXPECT_EQ(it.verify("bytes").exit_code, 0) << "which needs no key";
  const Answer blind = it.verify("restore");
  EXPECT_EQ(blind.json()["error"]["kind"], "permission");
  for (const char* key : {"ours.key", "safe.key"}) {
    it.app.environment["BACKUP_AGE_IDENTITY"] = key;
    const Answer proved = it.verify("restore");
    EXPECT_EQ(proved.exit_code, 0) << proved.out;
    const std::string to = it.empty_database();
    const Answer restored = it.restore(to);
    EXPECT_EQ(restored.exit_code, 0) << restored.out;
    EXPECT_THAT(rows_of(to, "audit_logs"), ElementsAre(HasSubstr("secret name")));
  }
  it.app.environment["BACKUP_AGE_IDENTITY"] = "other.key";
  const Answer other = it.verify("restore");
  EXPECT_EQ(other.json()["error"]["kind"], "permission") << other.out;
  it.app.file("garbage.key", "no key\n");
  it.app.environment["BACKUP_AGE_IDENTITY"] = "garbage.key";
  EXPECT_EQ(it.verify("restore").json()["error"]["kind"], "unavailable");
  EXPECT_EQ(it.list()[0]["standing"], "restored") << "a key that is none, or another's, says nothing of the backup";
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, Encrypted, testing::Values(DatabaseKind::postgres, DatabaseKind::sqlite),
                         [](const auto& kind) { return kind.param == DatabaseKind::postgres ? "postgres" : "sqlite"; });

TEST(EncryptedBackup, IsRestoredByStockProgramsAlone) {
  BackedUp it;
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = make_key(it.app, "KEY.txt");
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann')");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  const json commands = it.list()[0]["by_hand"];
  ASSERT_THAT(commands, SizeIs(2));
  for (const json& command : commands) {
    if (command.get<std::string>().find("globals") != std::string::npos) continue;  // its roles are there
    const Answer done =
        run_program({"/bin/sh", "-c", command}, {{"PATH", "/usr/lib/postgresql/15/bin:/usr/bin:/bin"}, {"TARGET", to}},
                    it.app.root());
    EXPECT_EQ(done.exit_code, 0) << command << done.err;
  }
  EXPECT_THAT(rows_of(to, "audit_logs"), SizeIs(1));
}

TEST(EncryptedBackup, OneTableOfItIsRestoredAlone) {
  BackedUp it;
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = make_key(it.app, "ours.key");
  it.app.environment["BACKUP_AGE_IDENTITY"] = "ours.key";
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann'); insert into signals (id) values (1), (2)");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to, {"--table", "signals"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_THAT(rows_of(to, "signals"), SizeIs(2));
}

TEST(EncryptedBackup, ToASecretKeyIsRefusedBeforeAnythingIsDone) {
  BackedUp it;
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = "AGE-SECRET-KEY-1QQQ";
  const Answer refused = it.run();
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.out.find("QQQ"), std::string::npos) << "the secret is not shown";
}

// --- the emergency page
// -------------------------------------------------------------------------------------------------

TEST(EmergencyPage, IsFollowedToTheLetterWithStockProgramsAlone) {
  BackedUp it;
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann')");
  ASSERT_EQ(it.run().exit_code, 0);
  std::ifstream page(STEWARD_SOURCES "/docs/emergency-restore.md");
  std::string script = "set -eu\n";
  bool is_code = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```"))
      is_code = line == "```sh";
    else if (is_code && line.find("s3") == std::string::npos && !line.starts_with("createdb"))
      script += line + '\n';
  }
  const std::string to = it.empty_database();
  const auto put = [&](const std::string& what, const std::string& with) {
    const std::size_t at = script.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    script.replace(at, what.size(), with);
  };
  put("STORE=/srv/backups ", "STORE=" + it.app.path("backups") + ' ');
  put("TARGET=postgresql://postgres@localhost/app_restored", "TARGET='" + to + "'");
  const Answer done =
      run_program({"/bin/sh", "-c", script}, {{"PATH", "/usr/lib/postgresql/15/bin:/usr/bin:/bin"}}, it.app.root());
  EXPECT_EQ(done.exit_code, 0) << script << done.out << done.err;
  EXPECT_THAT(rows_of(to, "audit_logs"), SizeIs(1));
}

// --- proofs and what is kept
// --------------------------------------------------------------------------------------------

TEST(BackupProof, IsMadeWhenItIsDueAndFailsTheRunWhereItFinds) {
  BackedUp it;
  it.app.environment["BACKUP_PROOF"] = "7 days";
  const Answer first = it.run();
  ASSERT_EQ(first.exit_code, 0) << first.out;
  EXPECT_EQ(task(first.json(), "backup-database.proof")["done"]["items"], 1);
  EXPECT_EQ(it.list()[0]["standing"], "restored");
  const Answer second = it.run();
  EXPECT_EQ(task(second.json(), "backup-database.proof")["done"]["items"], 0) << "not due for a week";
  ASSERT_THAT(it.list(), SizeIs(2));

  // The proof is a week old now, and the newest backup is broken.
  const std::string old = it.list()[0]["id"];
  for (const std::string& file : it.files()) {
    const std::string path = it.app.path("backups/" + file);
    if (file.find("proof-") == std::string::npos) continue;
    json proof = json::parse(it.app.content("backups/" + file));
    proof["at"] = days_ago(8);
    std::ofstream(path) << proof.dump();
  }
  const std::string newest = it.list()[1]["id"];
  std::ofstream(it.app.path("backups/" + newest + "/dump.pgc.zst"), std::ios::app) << "x";
  const Answer third = it.app.steward({"run", "backup/backup-database.proof", "--json"});
  EXPECT_EQ(third.exit_code, 1);
  EXPECT_THAT(task(third.json(), "backup-database.proof")["error"]["message"].get<std::string>(), HasSubstr(newest));
  EXPECT_EQ(it.list()[1]["standing"], "bad");
}

TEST(BackupProof, LeavesNoServerAndNoFolderBehind) {
  BackedUp it;
  it.app.environment["TMPDIR"] = it.app.path("scratch");
  std::filesystem::create_directories(it.app.path("scratch"));
  std::filesystem::permissions(it.app.path("scratch"), std::filesystem::perms::all);
  std::filesystem::permissions(it.app.root(), std::filesystem::perms::others_exec, std::filesystem::perm_options::add);
  ASSERT_EQ(it.run().exit_code, 0);
  ASSERT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_empty(it.app.path("scratch")));

  // Killed in its middle, the server goes with it, and the folder with the next.
  const auto verify = it.app.start({"backup", "verify", "latest", "--depth", "restore"});
  const auto server = [&]() -> std::string {
    for (const auto& entry : std::filesystem::directory_iterator(it.app.path("scratch"))) {
      std::ifstream file(entry.path() / "data/postmaster.pid");
      std::string pid;
      if (std::getline(file, pid) && !pid.empty()) return pid;
    }
    return {};
  };
  await([&] { return !server().empty(); }, "the throwaway server runs");
  const std::string pid = server();
  ::kill(verify->pid(), SIGKILL);
  (void)verify->wait();
  await([&] { return !std::filesystem::exists("/proc/" + pid + "/stat") || ::kill(std::stoi(pid), 0) != 0; },
        "the server is gone");
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_empty(it.app.path("scratch")));
}

TEST(BackupKeep, RemovesWhatNoRuleKeepsAndNothingUnderAFreezeOrAHold) {
  BackedUp it;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(it.run().exit_code, 0);
  const json three = it.list();
  it.app.environment["BACKUP_KEEP"] = "last 2";
  const Answer plan = it.app.steward({"plan", "backup", "--json"});
  EXPECT_EQ(task(plan.json(), "backup-database.expire")["planned"]["items"], 1);
  EXPECT_EQ(task(plan.json(), "backup-database.expire")["final"], true);

  const std::string oldest = three[0]["id"];
  ASSERT_EQ(it.app
                .steward({"hold", "add", "--path", it.app.path("backups") + "/" + oldest + "/manifest.json", "--reason",
                          "evidence"})
                .exit_code,
            0);
  const Answer held = it.app.steward({"run", "backup/backup-database.expire", "--json"});
  EXPECT_EQ(skipped(task(held.json(), "backup-database.expire"), "held"), 1);
  EXPECT_THAT(it.list(), SizeIs(3));
  const json holds = it.app.steward({"hold", "list", "--json"}).json();
  ASSERT_EQ(it.app.steward({"hold", "release", holds["holds"][0]["id"].get<std::string>()}).exit_code, 0);

  const json freeze = it.app.steward({"freeze", "--reason", "moving", "--json"}).json();
  const Answer frozen = it.run();
  EXPECT_EQ(frozen.exit_code, 4) << "the backup is made, and nothing goes";
  EXPECT_EQ(task(frozen.json(), "backup-database")["status"], "succeeded");
  EXPECT_EQ(task(frozen.json(), "backup-database.expire")["status"], "refused");
  EXPECT_THAT(it.list(), SizeIs(4));
  ASSERT_EQ(it.app.steward({"freeze", "lift", freeze["id"].get<std::string>()}).exit_code, 0);

  ASSERT_EQ(it.app.steward({"run", "backup/backup-database.expire"}).exit_code, 0);
  const json left = it.list();
  ASSERT_THAT(left, SizeIs(2));
  EXPECT_EQ(left[0]["id"], three[2]["id"]);
  for (const std::string& file : it.files()) EXPECT_FALSE(file.starts_with(oldest)) << "nothing of it is left";
}

TEST(BackupKeep, NothingGoesWhereTheBackupBeforeItFailed) {
  BackedUp it;
  for (int i = 0; i < 2; ++i) ASSERT_EQ(it.run().exit_code, 0);
  // The backups are of two days ago: since then none was made.
  for (const std::string& file : it.files()) {
    if (!file.ends_with("manifest.json")) continue;
    json manifest = json::parse(it.app.content("backups/" + file));
    manifest["begun"] = days_ago(2);
    std::ofstream(it.app.path("backups/" + file)) << manifest.dump();
  }
  it.app.environment["BACKUP_KEEP"] = "last 1";
  const Answer answer = it.app.steward({"run", "backup/backup-database.expire", "--json"});
  EXPECT_EQ(answer.exit_code, 0);
  EXPECT_THAT(it.list(), SizeIs(2));
  EXPECT_EQ(skipped(task(answer.json(), "backup-database.expire"),
                    "the newest backup is stale: nothing goes until there is a new one"),
            2);
}

}  // namespace
}  // namespace steward::harness
