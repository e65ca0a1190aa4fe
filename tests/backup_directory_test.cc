// Dumps in many objects at once: the archive that pg_dump itself would write, whoever changes the database meanwhile.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "harness/backed_up.h"
#include "io/files/scratch.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* stock = "/usr/bin:/bin";

/// What an archive is, in words: all statements, and all rows.
std::string script_of(const Application& app, int major, const std::string& archive) {
  const Answer script =
      run_program({ServerOf::programs(major) + "/pg_restore", "-f", "-", archive}, {{"PATH", stock}}, app.root());
  EXPECT_EQ(script.exit_code, 0) << script.err;
  std::string out;
  std::istringstream lines(script.out);
  for (std::string line; std::getline(lines, line);)
    // When it was made, and words that are random (CVE-2025-8714).
    if (!line.starts_with("-- Started on") && !line.starts_with("-- Completed on") && !line.starts_with("\\restrict") &&
        !line.starts_with("\\unrestrict"))
      out += line + '\n';
  return out;
}

/// Two archives of one database: pg_dump's, and that of the newest backup, put together by stock programs.
struct DirectoryOf : testing::TestWithParam<int> {
  ServerOf server{GetParam()};
  BackedUp it{in_format("directory")};
  DirectoryOf() {
    it.app.environment["PATH"] = ServerOf::programs(GetParam()) + ":" + stock;
    it.app.environment["BACKUP_JOBS"] = "3";
  }
  void expect_pg_dumps_own_archive() {
    const Answer made = it.run();
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
    const std::string id = it.list()[0]["id"];
    const std::string theirs = it.app.path("theirs"), ours = it.app.path("ours");
    const Answer dump = run_program({ServerOf::programs(GetParam()) + "/pg_dump", "-Fc", "-Z0", "-f", theirs, "-d",
                                     it.app.environment["DATABASE_URL"]},
                                    {{"PATH", stock}, {"PGTZ", "UTC"}}, it.app.root());
    ASSERT_EQ(dump.exit_code, 0) << dump.err;
    const Answer together =
        run_program({"/bin/sh", "-c", "zstd -dc " + it.app.path("backups/" + id) + "/dump-*.pgc.zst > " + ours},
                    {{"PATH", stock}}, it.app.root());
    ASSERT_EQ(together.exit_code, 0) << together.err;
    EXPECT_EQ(script_of(it.app, GetParam(), ours), script_of(it.app, GetParam(), theirs));
    const Answer proved = it.verify("restore");
    EXPECT_EQ(proved.exit_code, 0) << proved.out << proved.err;
  }
};
INSTANTIATE_TEST_SUITE_P(Major, DirectoryOf, testing::Values(15, 16, 18),
                         [](const auto& major) { return std::to_string(major.param); });

TEST_P(DirectoryOf, IsByStockProgramsTheArchiveThatPgDumpWrites) {
  for (const char* statement :
       {"create table nothing ()", "insert into nothing default values",
        "create table only_generated (x int generated always as (1) stored)",
        "insert into only_generated default values",
        // A partition whose rows pg_dump loads by way of the root.
        "create type mood as enum ('sad', 'ok')", "create table felt (m mood, n int) partition by hash (m)",
        "create table \"felt, by (half)\" partition of felt for values with (modulus 2, remainder 0)",
        "create table felt_1 partition of felt for values with (modulus 2, remainder 1)",
        "insert into felt select (case i % 2 when 0 then 'sad' else 'ok' end)::mood, i from generate_series(1, 50) i",
        // Values whose text depends on the session.
        "create table words (a regclass, b money, c timestamptz, d real, e interval, f bytea)",
        "insert into words values ('audit_logs', 1234.56, now(), 0.1::real, '1 day 2 hours', '\\x00ff')",
        "create table gone (a int, b int, c int)", "insert into gone values (1, 2, 3)", "alter table gone drop b",
        "create table \"Quoted \"\"name\"\".x\" (\"a \"\"b\" int, \"c) FROM stdin\" text)",
        "insert into \"Quoted \"\"name\"\".x\" values (1, e'back\\\\slash \\t tab \\n line')",
        "select lo_create(4294967200), lo_from_bytea(0, 'small'), lo_from_bytea(0, decode(repeat('5a00ff', 800000), "
        "'hex'))"})
    it.app.sql(statement);
  expect_pg_dumps_own_archive();
  EXPECT_EQ(it.list()[0]["large_objects"], 3);
}

TEST_P(DirectoryOf, OfADatabaseInAnotherEncodingIsInThatEncoding) {
  const auto latin = sql::TestDatabase::make(sql::Dialect::postgres, "encoding 'LATIN1' locale 'C' template template0");
  ASSERT_TRUE(latin->connect()->execute("create table \"stra\u00dfe\" (\"gr\u00f6\u00dfe\" text)"));
  ASSERT_TRUE(latin->connect()->execute("insert into \"stra\u00dfe\" values ('\u00e4rger')"));
  it.app.environment["DATABASE_URL"] = latin->url();
  expect_pg_dumps_own_archive();
}

TEST(DirectoryDump, OfAnExtensionsTableHasTheRowsThatAreItsUsersAlone) {
  files::need_root();
  BackedUp it{in_format("directory")};
  const std::string name = "steward_test_" + std::to_string(::getpid());
  const std::string base = "/usr/share/postgresql/15/extension/" + name;
  std::ofstream(base + ".control") << "default_version = '1'\n";
  std::ofstream(base + "--1.sql") << "create table kept (id int, own boolean);\ninsert into kept values (1, false);\n"
                                     "select pg_extension_config_dump('kept', 'where own');\n";
  it.app.sql("create extension " + name);
  it.app.sql("insert into kept values (2, true), (3, true)");
  const Answer made = it.run();
  EXPECT_EQ(made.exit_code, 0) << made.out;
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to);
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_THAT(rows_of(to, "kept"), ElementsAre("1|f|", "2|t|", "3|t|"));
  std::filesystem::remove(base + ".control");
  std::filesystem::remove(base + "--1.sql");
}

// --- while others work on it

/// A dump under way: it copies a large table, after which others are to come.
struct DirectoryUnderWay : testing::Test {
  BackedUp it{in_format("directory")};
  std::unique_ptr<Started> run{};
  void SetUp() override {
    it.app.environment["BACKUP_JOBS"] = "1";
    it.app.sql("create table much as select i, repeat(md5(i::text), 20) as t from generate_series(1, 400000) i");
    it.app.sql("create table small as select i from generate_series(1, 10) i");
    run = it.app.start({"run", "backup", "--json"});
    await(
        [&] {
          return it.app.value(
                     "select count(*) from pg_stat_activity where datname = current_database() and query like 'COPY "
                     "\"public\".\"much\"%'") != "0";
        },
        "the dump is under way");
    ::kill(run->pid(), SIGSTOP);
  }
  void go_on() const { ::kill(run->pid(), SIGCONT); }
  void await_who_waits_for_small() {
    await(
        [&] {
          return it.app.value("select count(*) from pg_locks where relation = 'small'::regclass and not granted") !=
                 "0";
        },
        "somebody waits");
  }
  /// Somebody else, who waits as long as need be.
  void execute(const std::string& statement) const {
    const auto other = sql::connect({.url = it.url(), .lock_timeout = std::chrono::milliseconds{0}}).value();
    const auto done = other->execute(statement);
    EXPECT_TRUE(done) << done.error().message;
  }
  void expect_a_whole_backup() {
    const Answer made = run->wait();
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
    EXPECT_EQ(it.verify("restore").exit_code, 0);
  }
};

TEST_F(DirectoryUnderWay, HasTheRowsOfItsMomentThoughATableIsToBeEmptiedMeanwhile) {
  std::jthread other([&] { execute("truncate small"); });
  await_who_waits_for_small();
  go_on();
  expect_a_whole_backup();
  other.join();
  EXPECT_EQ(it.app.value("select count(*) from small"), "0");
  const std::string to = it.empty_database();
  ASSERT_EQ(it.restore(to, {"--table", "small"}).exit_code, 0);
  EXPECT_THAT(rows_of(to, "small"), SizeIs(10));
}

TEST_F(DirectoryUnderWay, DoesNotWaitForWhoWaitsForIt) {
  std::jthread other([&] { execute("alter table small add column more int"); });
  await_who_waits_for_small();
  go_on();
  expect_a_whole_backup();
}

TEST_F(DirectoryUnderWay, KeepsNoLockAndNoSessionWhenItIsKilled) {
  ::kill(run->pid(), SIGKILL);
  await(
      [&] {
        return it.app.value(
                   "select count(*) from pg_stat_activity where datname = current_database() and application_name like "
                   "'steward backup%'") == "0";
      },
      "all is let go of");
  EXPECT_THAT(it.list(), IsEmpty());
}

TEST(DirectoryDump, OfATableThatIsKeptLockedFailsAfterItsTimeAndSaysSo) {
  BackedUp it;
  it.app.file("steward.yaml", "databases: {app: \"" + it.url() + "\"}\nstores: {there: \"" + it.app.path("backups") +
                                  "\"}\nbackup:\n  backup-database: {database: app, store: there, format: directory, "
                                  "lock_timeout: 2 s}\n");
  it.app.environment["STEWARD_CONFIG"] = it.app.path("steward.yaml");
  const auto other = sql::connect({.url = it.url()}).value();
  auto transaction = other->begin().value();
  ASSERT_TRUE(other->execute("lock table audit_logs in access exclusive mode"));
  const Answer failed = it.run();
  EXPECT_EQ(failed.exit_code, 1);
  const json error = task(failed.json(), "backup-database")["error"];
  EXPECT_EQ(error["kind"], "busy") << error.dump();
  EXPECT_THAT(error["message"].get<std::string>(), StartsWith("tables' definitions are being changed all the time: "));
  EXPECT_THAT(it.files(), IsEmpty());
  ASSERT_TRUE(transaction.rollback());
  EXPECT_EQ(it.run().exit_code, 0);
}

// --- what it is

TEST(DirectoryDump, HasAnObjectForEachTableAndAManifestThatAnOlderStewardRefuses) {
  BackedUp it{in_format("directory")};
  it.app.environment["BACKUP_JOBS"] = "2";
  const Answer plan = it.app.steward({"plan", "backup", "--json"});
  EXPECT_THAT(task(plan.json(), "backup-database")["strategy"].get<std::string>(),
              HasSubstr("2 tables at once from one snapshot, an object each (up to 16 MiB of memory)"));
  ASSERT_EQ(it.run().exit_code, 0);
  const json backup = it.list()[0];
  const json manifest = json::parse(it.app.content("backups/" + backup["id"].get<std::string>() + "/manifest.json"));
  EXPECT_EQ(manifest["format"], 3) << "one that knows only 1 would take its first part for all of it";
  std::size_t parts = 0;
  for (const json& object : manifest["objects"]) parts += object["key"].get<std::string>().starts_with("dump-") ? 1 : 0;
  EXPECT_EQ(parts, 1 + backup["tables"].get<std::size_t>());
}

TEST(DirectoryDump, OfOneTableIsReadWithoutTheOthersAlsoWhereItIsEncrypted) {
  BackedUp it{in_format("directory")};
  ASSERT_EQ(run_program({"/usr/bin/age-keygen", "-o", it.app.path("KEY.txt")}, {}, it.app.root()).exit_code, 0);
  const Answer key = run_program({"/usr/bin/age-keygen", "-y", it.app.path("KEY.txt")}, {}, it.app.root());
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = key.out.substr(0, key.out.find('\n'));
  it.app.environment["BACKUP_AGE_IDENTITY"] = "KEY.txt";
  // Noise, which no compression makes small; before the other in any order.
  it.app.sql(
      "create table aaa as select i, gen_random_uuid() as a, gen_random_uuid() as b from generate_series(1, "
      "100000) i");
  it.app.sql("insert into signals (id) values (1), (2)");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to, {"--table", "signals"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_EQ(rows_of(to, "signals"), rows_of(it.url(), "signals"));
  EXPECT_LT(task(restored.json(), "restore")["done"]["bytes"], it.list()[0]["bytes"].get<std::uint64_t>() / 4);
}

}  // namespace
}  // namespace steward::harness
