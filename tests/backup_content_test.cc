// Backups: whatever a database has, and whatever is done to it meanwhile, comes back.
#include <gmock/gmock.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <tuple>

#include "harness/backed_up.h"
#include "io/files/scratch.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// The database as pg_dump writes it for people, by a hand of its own.
std::string plain_dump(const Application& app, int major, const std::string& url) {
  const Answer dump = run_program({ServerOf::programs(major) + "/pg_dump", "--no-owner", "-d", url},
                                  {{"PATH", "/usr/bin:/bin"}}, app.root());
  EXPECT_EQ(dump.exit_code, 0) << dump.err;
  std::string out;
  std::istringstream lines(dump.out);
  // Newer minor versions guard a script with a random word (CVE-2025-8714).
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")) out += line + '\n';
  return out;
}

struct BackupContentOf : testing::TestWithParam<std::tuple<int, std::string>> {
  const int major = std::get<0>(GetParam());
  ServerOf server{major};
  BackedUp it{in_format(std::get<1>(GetParam()))};
  BackupContentOf() { it.app.environment["PATH"] = ServerOf::programs(major) + ":/usr/bin:/bin"; }

  /// Runs statements with the major's own psql.
  void psql(std::string script) {
    const std::array<std::pair<std::string_view, std::string_view>, 3> not_everywhere{
        {{"provider = icu, locale = 'de-DE'", "provider = libc, locale = 'C'"},
         {"pgcrypto", "vector"},
         {"x xml", "x text"}}};
    if (major != 15)  // what the servers from PyPI are built without
      for (const auto& [what, instead] : not_everywhere)
        if (const std::size_t at = script.find(what); at != std::string::npos) script.replace(at, what.size(), instead);
    it.app.file("script.sql", script);
    const Answer done = run_program({ServerOf::programs(major) + "/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f",
                                     it.app.path("script.sql"), "-d", it.app.environment["DATABASE_URL"]},
                                    {{"PATH", "/usr/bin:/bin"}}, it.app.root());
    ASSERT_EQ(done.exit_code, 0) << done.err;
  }
  /// Backed up, proved, and restored by one and by several at once: by another way of looking at it, all is the same.
  void expect_all_of_it_back() {
    ASSERT_EQ(it.run().exit_code, 0);
    const Answer proved = it.verify("restore");
    EXPECT_EQ(proved.exit_code, 0) << proved.out << proved.err;
    for (const char* jobs : {"1", "4"}) {
      const std::string to = it.empty_database();
      const Answer restored = it.restore(to, {"--jobs", jobs});
      ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
      EXPECT_EQ(plain_dump(it.app, major, to), plain_dump(it.app, major, it.url())) << jobs << " at once";
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Major, BackupContentOf,
                         testing::Combine(testing::Values(15, 16, 18), testing::ValuesIn(dump_formats)),
                         [](const auto& one) {
                           return std::to_string(std::get<0>(one.param)) + "_" + std::get<1>(one.param);
                         });

TEST_P(BackupContentOf, EveryKindOfThingAndColumnComesBackAsItWas) {
  psql(R"(
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
    select lo_from_bytea(0, 'small'), lo_from_bytea(0, decode(repeat('00ff', 500000), 'hex')), lo_create(0), lo_create(424242);
    comment on large object 424242 is 'an empty one'; grant select on large object 424242 to public;
  )");
  expect_all_of_it_back();
  EXPECT_EQ(it.list()[0]["large_objects"], 4);
}

TEST_P(BackupContentOf, WhatNewerMajorsAloneHaveComesBackToo) {
  if (major == 18) {
    psql(R"(
      create table newer (id uuid default uuidv7() primary key, n int, twice int generated always as (n * 2) virtual,
        during int4range, constraint n_there not null n, unique (id, during));
      create table refers (id uuid, constraint loose foreign key (id) references newer not enforced);
      insert into newer (n) select generate_series(1, 100);
      insert into refers values (gen_random_uuid());
      alter table refers add constraint later not null id not valid;
    )");
  } else {
    psql(R"(
      create table newer (n int, unique nulls not distinct (n)); insert into newer values (1), (null);
      create view seen with (security_invoker = true) as select * from newer;
    )");
  }
  expect_all_of_it_back();
}

struct BackupContentIn : testing::TestWithParam<std::string> {
  BackedUp it{in_format(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Format, BackupContentIn, testing::ValuesIn(dump_formats),
                         [](const auto& format) { return format.param; });

TEST_P(BackupContentIn, OfADatabaseThatIsWrittenMeanwhileIsOneMoment) {
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

TEST_P(BackupContentIn, OfAnEmptyDatabaseComesBackToo) {
  it.app.sql("drop schema public cascade; create schema public");
  ASSERT_EQ(it.run().exit_code, 0);
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_EQ(it.list()[0]["tables"], 0);
  EXPECT_EQ(it.restore(it.empty_database()).exit_code, 0);
}

TEST_P(BackupContentIn, OfOneTableIsRestoredAloneWithWhatIsItsOwnAndWithoutReadingTheOthers) {
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

/// Both databases are set to write values in another way, each in its own; the server of a proof in none.
TEST_P(BackupContentIn, IsTheSameWhateverTheDatabasesSettingsMakeOfItsText) {
  const auto set = [](const std::string& url, const std::string& settings) {
    const auto connection = sql::connect({.url = url}).value();
    EXPECT_TRUE(connection->execute("do $$ declare one text; begin foreach one in array array[" + settings +
                                    "] loop execute format('alter database %I set ', current_database()) || one; end "
                                    "loop; end $$"));
  };
  set(it.url(),
      "'datestyle = \"SQL, DMY\"', 'intervalstyle = sql_standard', 'timezone = \"Asia/Kolkata\"', "
      "'extra_float_digits = -10', 'bytea_output = escape'");
  it.app.sql("create table words (d date, t timestamptz, i interval, f double precision, r real, b bytea)");
  it.app.sql(
      "insert into words values ('2026-03-04', '2026-03-29 02:30:00.123456+01', '-1 year 2 days 03:04:05.6', "
      "0.1::float8 + 0.2, 1.1::real / 3, '\\x00ff5c27')");
  ASSERT_EQ(it.run().exit_code, 0);
  const Answer proved = it.verify("restore");
  EXPECT_EQ(proved.exit_code, 0) << proved.out;
  const std::string to = it.empty_database();
  set(to,
      "'datestyle = \"German\"', 'intervalstyle = iso_8601', 'timezone = \"America/Lima\"', "
      "'extra_float_digits = 0', 'bytea_output = hex'");
  const Answer restored = it.restore(to);
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_EQ(
      rows_of(to, "(select d, t, i, f::numeric = 0.30000000000000004, f = 0.1::float8 + 0.2, b from words) s"),
      rows_of(it.url(), "(select d, t, i, f::numeric = 0.30000000000000004, f = 0.1::float8 + 0.2, b from words) s"));
}

/// Half a GiB of rows, of which nothing is kept: neither in memory nor on this machine's disk.
TEST_P(BackupContentIn, OfALargeTableTakesLittleMemoryAndNoDisk) {
  constexpr Bytes most_memory = 160_MiB;
  it.app.environment["TMPDIR"] = it.app.path("scratch");
  std::filesystem::create_directory(it.app.path("scratch"));
  it.app.sql("create table much as select i, repeat(md5(i::text), 40) as t from generate_series(1, 400000) i");
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  const json manifest =
      json::parse(it.app.content("backups/" + it.list()[0]["id"].get<std::string>() + "/manifest.json"));
  std::uint64_t uncompressed = 0;
  for (const json& object : manifest["objects"]) uncompressed += object["uncompressed"].get<std::uint64_t>();
  EXPECT_GT(uncompressed, 500'000'000U);
  EXPECT_LT(made.peak, most_memory);
  std::uintmax_t state = 0;
  for (const std::string& file : it.app.files("state"))
    state += std::filesystem::file_size(it.app.path("state/" + file));
  EXPECT_LT(state, 10'000'000U);
  EXPECT_TRUE(std::filesystem::is_empty(it.app.path("scratch")));
  const Answer restored = it.restore(it.empty_database(), {"--jobs", "2"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_LT(restored.peak, most_memory);
}

/// A tablespace is a folder of the server's machine: the globals name it, and a proof leaves it alone.
TEST(BackupContent, OfTablespacesComesWithItAndAProofMakesNoneOfThem) {
  files::need_root();
  BackedUp it;
  const std::string name = "steward_test_" + std::to_string(::getpid());
  const std::string folder = "/var/tmp/" + name;
  std::filesystem::create_directory(folder);
  const passwd* postgres = getpwnam("postgres");
  ASSERT_NE(postgres, nullptr);
  ASSERT_EQ(chown(folder.c_str(), postgres->pw_uid, postgres->pw_gid), 0);
  it.app.sql("create tablespace " + name + " location '" + folder + "'");
  it.app.sql("create table placed (n int) tablespace " + name);
  it.app.sql("insert into placed values (1), (2)");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string globals = "backups/" + it.list()[0]["id"].get<std::string>() + "/globals.sql.zst";
  const Answer text = run_program({"/usr/bin/zstd", "-dc", it.app.path(globals)}, {}, it.app.root());
  EXPECT_THAT(text.out, HasSubstr("CREATE TABLESPACE " + name + " OWNER postgres LOCATION '" + folder + "';"));
  // As on another machine, or for a server of another major: the folder is there, and free.
  it.app.sql("drop table placed");
  it.app.sql("drop tablespace " + name);
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  // Where it is wanted, the globals make it.
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to, {"--globals"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_THAT(rows_of(to, "(select tablespace from pg_tables where tablename = 'placed') s"), ElementsAre(name + '|'));
  ASSERT_TRUE(sql::connect({.url = to}).value()->execute("drop table placed"));
  it.app.sql("drop tablespace " + name);
  std::filesystem::remove_all(folder);
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

}  // namespace
}  // namespace steward::harness
