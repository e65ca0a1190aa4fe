// Backups by pgBackRest: a real one, on a real cluster that archives into it.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "harness/own_stanza.h"
#include "io/files/scratch.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

const std::string always_full = ", type: {full: 1 hour}";

/// Whether the repository is in a bucket.
struct PgBackRestIn : testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(EndToEnd, PgBackRestIn, testing::Bool(),
                         [](const auto& place) { return place.param ? "a_bucket" : "a_folder"; });

TEST_P(PgBackRestIn, MakesAFullBackupProvesItByARestoreAndGoesOnIncrementally) {
  OwnStanza it(GetParam());
  it.app->sql("insert into signals (id, idea_id, content_hash) select i, 1, 'hash' from generate_series(1, 1000) i");
  it.policy(", proof: {every: 7 days}");
  const json planned = it.plan("app");
  EXPECT_EQ(planned["target"], "pgbackrest:app");
  EXPECT_THAT(planned["reason"].get<std::string>(), HasSubstr("full: there is no full one yet"));
  EXPECT_EQ(planned["planned"]["items"], 1);

  const Answer first = it.run();
  ASSERT_EQ(first.exit_code, 0) << first.out << first.err;
  EXPECT_EQ(task(first.json(), "app")["done"]["items"], 1);
  EXPECT_GT(task(first.json(), "app")["done"]["bytes"].get<std::int64_t>(), 10'000'000) << "the cluster was copied";
  EXPECT_THAT(notes_of(task(first.json(), "app")), HasSubstr("new backup label"));
  EXPECT_EQ(task(first.json(), "app.proof")["done"]["items"], 1);
  EXPECT_THAT(notes_of(task(first.json(), "app.proof")),
              AllOf(HasSubstr("restored and recovered"), HasSubstr("rows read")));
  json all = it.list();
  ASSERT_THAT(all, SizeIs(1));
  EXPECT_EQ(all[0]["kind"], "pgbackrest");
  EXPECT_EQ(all[0]["standing"], "restored") << all;
  EXPECT_EQ(all[0]["task"], "app");
  EXPECT_THAT(all[0]["id"].get<std::string>(), StartsWith("app/"));
  EXPECT_THAT(it.app->steward({"backup", "list"}).out, AllOf(HasSubstr("restored"), HasSubstr("full")));

  const Answer second = it.run();
  ASSERT_EQ(second.exit_code, 0) << second.out << second.err;
  EXPECT_EQ(task(second.json(), "app.proof")["done"]["items"], 0) << "not due for a week";
  all = it.list();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_THAT(all[1]["run"].get<std::string>(), testing::EndsWith("I"));
  EXPECT_EQ(all[1]["standing"], "not proved");
  EXPECT_LT(all[1]["bytes"].get<std::int64_t>(), all[0]["bytes"].get<std::int64_t>());

  // What watches backups knows these from the ledger, as any others.
  const json status = it.app->steward({"status", "--json"}).json();
  EXPECT_EQ(status["backups"][0]["task"], "app");
  EXPECT_FALSE(status["backups"][0]["newest"].is_null());
  EXPECT_FALSE(status["backups"][0]["proved"].is_null());
  EXPECT_EQ(status["backups"][0]["stale"], false);
}

TEST(PgBackRest, ItsOwnErrorIsShownWithItsNumberAndItsHints) {
  OwnStanza it;
  it.app->file("steward.yaml", "backup:\n  app: {engine: pgbackrest, stanza: other, config: " + it.config + "}\n");
  const json unknown = it.plan("app")["error"];
  EXPECT_EQ(unknown["message"], "there is no stanza other: missing stanza path");
  EXPECT_EQ(unknown["hint"], "pgbackrest --stanza=other stanza-create makes it.");

  it.policy("", "");
  const std::string socket = it.server.folder + "/socket";
  fs::rename(socket, socket + "-away");
  const Answer failed = it.run("app");
  fs::rename(socket + "-away", socket);
  EXPECT_EQ(failed.exit_code, 1) << failed.out;
  const json error = task(failed.json(), "app")["error"];
  EXPECT_THAT(error["message"].get<std::string>(),
              AllOf(HasSubstr("pgBackRest cannot back up stanza app: unable to find primary cluster"),
                    HasSubstr("(error 056)")));
  EXPECT_EQ(error["hint"], "are all available clusters in recovery?");
}

TEST(PgBackRest, ArchivingThatFailsIsToldInPlanAndRun) {
  OwnStanza it;
  ASSERT_EQ(it.run("app").exit_code, 0);
  EXPECT_THAT(notes_of(it.plan("app")), Not(HasSubstr("archiving")));
  it.app->sql("alter system set archive_command = 'false pgbackrest'; select pg_reload_conf()");
  it.app->sql("create table made_since (id int); select pg_switch_wal()");
  await(
      [&] { return it.value("select (last_failed_time > last_archived_time)::text from pg_stat_archiver") == "true"; },
      "archiving has failed");
  EXPECT_THAT(notes_of(it.plan("app")), HasSubstr("archiving of the write-ahead log fails"));
  it.app->environment["PGBACKREST_ARCHIVE_TIMEOUT"] = "2";
  const Answer failed = it.run("app");
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(notes_of(task(failed.json(), "app")), HasSubstr("archiving of the write-ahead log fails"));
  EXPECT_THAT(task(failed.json(), "app")["error"]["message"].get<std::string>(), HasSubstr("(error 082)"));
  EXPECT_THAT(it.list(), SizeIs(1));
}

/// Changes a byte in the largest file below a folder.
void damage(const std::string& folder) {
  fs::path largest;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && (largest.empty() || fs::file_size(entry) > fs::file_size(largest))) largest = entry;
  std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
  const auto place = static_cast<std::streamoff>(fs::file_size(largest) / 2);
  file.seekg(place);
  const char was = static_cast<char>(file.get());
  file.seekp(place);
  file.put(static_cast<char>(~was));
}

TEST(PgBackRest, DamageInTheRepositoryFailsTheProofAlthoughVerifyItselfEndsWell) {
  OwnStanza it;
  it.policy(", proof: {every: 7 days, depth: bytes}");
  ASSERT_EQ(it.run("app").exit_code, 0);
  const std::string label = it.list()[0]["run"];
  damage(it.repository + "/backup/app/" + label);
  const Answer proof = it.run("app.proof");
  EXPECT_EQ(proof.exit_code, 1) << proof.out;
  EXPECT_EQ(task(proof.json(), "app.proof")["error"]["kind"], "corrupt");
  EXPECT_THAT(task(proof.json(), "app.proof")["error"]["message"].get<std::string>(),
              AllOf(HasSubstr(label), HasSubstr("checksum invalid")));
  EXPECT_EQ(it.list()[0]["standing"], "bad");
  EXPECT_EQ(it.app->steward({"backup", "verify"}).exit_code, 1);
  // What hangs on it is no better.
  ASSERT_EQ(it.run("app").exit_code, 0);
  EXPECT_EQ(it.run("app.proof").exit_code, 1);
  EXPECT_EQ(it.list()[1]["standing"], "bad");
}

TEST(PgBackRest, AGapInTheArchivedLogIsTold) {
  OwnStanza it;
  ASSERT_EQ(it.run("app").exit_code, 0);
  for (int i = 0; i < 3; ++i) it.app->sql(fmt::format("create table t{} (id int); select pg_switch_wal()", i));
  ASSERT_EQ(it.run("app").exit_code, 0);
  const Answer before = it.app->steward({"backup", "verify"});
  EXPECT_EQ(before.exit_code, 0) << before.out << before.err;
  EXPECT_THAT(before.out, Not(HasSubstr("gap")));
  std::vector<fs::path> segments;
  for (const auto& entry : fs::recursive_directory_iterator(it.repository + "/archive/app"))
    if (entry.path().extension() == ".gz") segments.push_back(entry.path());
  std::ranges::sort(segments);
  ASSERT_GT(segments.size(), 4U);
  fs::remove(segments[segments.size() - 3]);
  EXPECT_THAT(it.app->steward({"backup", "verify"}).out, HasSubstr("has a gap between"));
}

TEST(PgBackRest, ExpiresByItsOwnRetentionAloneAndAFreezeOrAHoldStopsIt) {
  OwnStanza it;
  it.policy(always_full);
  ASSERT_EQ(it.run("app").exit_code, 0);
  ASSERT_EQ(it.run("app").exit_code, 0);
  EXPECT_THAT(it.plan("app.expire")["reason"].get<std::string>(), HasSubstr("no retention configured: all 2 stay"));
  EXPECT_EQ(it.run("app.expire").exit_code, 0);
  ASSERT_THAT(it.list(), SizeIs(2));

  it.configure("repo1-retention-full=1\n");
  const std::string oldest = it.list()[0]["run"];
  EXPECT_EQ(it.plan("app.expire")["planned"]["items"], 1);
  EXPECT_EQ(it.plan("app.expire")["samples"][0]["item"], oldest);

  ASSERT_EQ(it.app->steward({"freeze", "--reason", "moving"}).exit_code, 0);
  EXPECT_EQ(it.run("app.expire").exit_code, 3);
  EXPECT_EQ(it.run("app").exit_code, 0) << "backups go on under a freeze";
  ASSERT_THAT(it.list(), SizeIs(3)) << "and expire nothing";
  ASSERT_EQ(it.app->steward({"freeze", "lift"}).exit_code, 0);

  const Answer hold = it.app->steward({"hold", "add", "--path", it.repository + "/backup/app/" + oldest + "/",
                                       "--prefix", "--reason", "case 12", "--json"});
  ASSERT_EQ(hold.exit_code, 0) << hold.err;
  const Answer held = it.run("app.expire");
  EXPECT_EQ(held.exit_code, 0);
  ASSERT_THAT(it.list(), SizeIs(3));
  EXPECT_THAT(it.plan("app.expire")["skipped"].dump(), HasSubstr("held"));
  const Answer release = it.app->steward({"hold", "release", hold.json()["id"].get<std::string>()});
  ASSERT_EQ(release.exit_code, 0) << release.err;
  const Answer gone = it.run("app.expire");
  ASSERT_EQ(gone.exit_code, 0) << gone.out;
  EXPECT_EQ(task(gone.json(), "app.expire")["done"]["items"], 2);
  ASSERT_THAT(it.list(), SizeIs(1));
  EXPECT_NE(it.list()[0]["run"], oldest);
}

TEST(PgBackRest, TheLastThatWasProvedStaysUntilANewerOneIs) {
  OwnStanza it;
  it.policy(always_full);
  ASSERT_EQ(it.run("app").exit_code, 0);
  const Answer proof = it.app->steward({"backup", "verify", "latest"});
  ASSERT_EQ(proof.exit_code, 0) << proof.out << proof.err;
  ASSERT_EQ(it.run("app").exit_code, 0);
  it.configure("repo1-retention-full=1\n");
  const std::string proved = it.list()[0]["run"];
  const json step = it.plan("app.expire");
  EXPECT_EQ(step["planned"]["items"], 0);
  EXPECT_THAT(step["skipped"].dump(), AllOf(HasSubstr("prove a newer one first"), HasSubstr(proved)));
  EXPECT_EQ(it.run("app.expire").exit_code, 0);
  ASSERT_THAT(it.list(), SizeIs(2));
  ASSERT_EQ(it.app->steward({"backup", "verify", "latest"}).exit_code, 0);
  EXPECT_EQ(it.run("app.expire").exit_code, 0);
  ASSERT_THAT(it.list(), SizeIs(1));
  EXPECT_NE(it.list()[0]["run"], proved);
}

/// A server on a cluster that was restored, which archives nothing; stopped at its end.
class RestoredServer {
 public:
  explicit RestoredServer(std::string data) : data_(std::move(data)) {
    OwnStanza::postgres(
        fmt::format("/usr/lib/postgresql/15/bin/pg_ctl start --silent --wait --timeout=60 -D {0} --log={0}.log "
                    "-o \"-c listen_addresses= -c unix_socket_directories={0} -c port=5999 -c archive_mode=off\"",
                    data_));
    // As a hot standby it takes connections before it is where it was told to recover to.
    await([&] { return value("postgres", "select pg_is_in_recovery()::text") == "false"; }, "it has recovered");
  }
  ~RestoredServer() {
    OwnStanza::postgres(fmt::format("/usr/lib/postgresql/15/bin/pg_ctl stop --silent --mode=immediate -D {}", data_));
  }
  RestoredServer(const RestoredServer&) = delete;
  RestoredServer& operator=(const RestoredServer&) = delete;
  std::string value(const std::string& database, const std::string& query) const {
    const auto connection =
        sql::connect({.url = "postgresql://postgres@/" + database + "?host=" + data_ + "&port=5999"});
    if (!connection) return connection.error().message;
    const auto rows = (*connection)->query(query);
    return rows ? sql::to_text(rows->rows.at(0).at(0)) : rows.error().message;
  }

 private:
  std::string data_;
};

TEST(PgBackRest, RestorePrintsTheCommandThatBringsBackAnyMoment) {
  OwnStanza it;
  ASSERT_EQ(it.run("app").exit_code, 0);
  it.app->sql("create table kept (id int); insert into kept values (1), (2)");
  const std::string moment =
      it.value("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
  it.app->sql("drop table kept; select pg_switch_wal()");
  const std::string wal = it.value("select pg_walfile_name(pg_current_wal_lsn() - 1)");
  await([&] { return it.value("select coalesce(max(last_archived_wal), '') from pg_stat_archiver") >= wal; },
        "it is archived");

  const std::string data = it.folder + "/restored";
  const Answer printed = it.app->steward({"backup", "restore", "latest", "--at", moment, "--to", data, "--json"});
  ASSERT_EQ(printed.exit_code, 0) << printed.err;
  std::string command = printed.json()["commands"][0];
  const std::string as = "sudo -u postgres ";
  ASSERT_THAT(command, StartsWith(as));
  OwnStanza::postgres(command.substr(as.size()));
  const std::string database = it.value("select current_database()");
  {
    const RestoredServer server(data);
    EXPECT_EQ(server.value(database, "select count(*) from kept"), "2");
    EXPECT_EQ(server.value(database, "select pg_is_in_recovery()::text"), "false");
  }
  EXPECT_THAT(it.value("select count(*) from pg_class where relname = 'kept'"), "0")
      << "nothing was done to the cluster";

  EXPECT_THAT(it.app->steward({"backup", "restore", "latest"}).out, HasSubstr("--delta restore"));
  const Answer early = it.app->steward({"backup", "restore", "latest", "--at", "2020-01-01T00:00:00Z"});
  EXPECT_EQ(early.exit_code, 1);
  EXPECT_THAT(early.err, HasSubstr("no backup of stanza app reaches back to"));
}

TEST(PgBackRest, WhereItIsMissingOrMayNotBecomeItsUserIsSaidInOneLine) {
  Application app(DatabaseKind::sqlite);
  app.file("steward.yaml", "backup:\n  app: {engine: pgbackrest, stanza: app, user: postgres}\n");
  app.environment["STEWARD_CONFIG"] = "steward.yaml";
  app.environment["PATH"] = app.path("no-programs");
  const json missing = task(app.steward({"plan", "backup", "--json"}).json(), "app")["error"];
  EXPECT_EQ(missing["message"], "there is no program pgbackrest here, which makes these backups");
  EXPECT_EQ(missing["hint"], "Install the package pgbackrest.");
  EXPECT_THAT(app.steward({"doctor"}).out, HasSubstr("Install the package pgbackrest."));
  EXPECT_EQ(app.steward({"run", "backup/app"}).exit_code, 1);

  files::need_root();
  app.environment.erase("PATH");
  app.environment["STEWARD_STATE_DIR"] = app.path("state-of-nobody");
  fs::create_directories(app.path("state-of-nobody"));
  OwnStanza::postgres("chown -R nobody " + app.root(), true);
  const Answer other = run_program(
      {"/usr/bin/setpriv", "--reuid=nobody", "--clear-groups", steward_binary(), "plan", "backup", "--json"},
      app.environment, app.root());
  EXPECT_THAT(task(other.json(), "app")["error"]["message"].get<std::string>(),
              HasSubstr("pgBackRest is to run as postgres, and this is uid"));
}

/// A backup waits for the server's own, slow checkpoint: long enough for anything.
bool waits_for_a_checkpoint(const OwnStanza& it) {
  return it.value(
             "select count(*) from pg_stat_activity where application_name like 'pgBackRest%' and query like "
             "'%pg_backup_start%' and state = 'active'") != "0";
}

TEST(PgBackRest, OneThatIsKilledLeavesNoBackupAndKeepsNoneFromTheNext) {
  OwnStanza it;
  ASSERT_EQ(it.run("app").exit_code, 0);
  it.app->sql("create table changed as select i, repeat('x', 1000) x from generate_series(1, 2000) i");
  const auto started = it.app->start({"run", "backup/app"}, {{"PGBACKREST_START_FAST", "n"}});
  await([&] { return waits_for_a_checkpoint(it); }, "the backup begins");
  // Another one is told so at once.
  it.policy("", "");
  const Answer other = it.run("app");
  EXPECT_NE(other.exit_code, 0);
  EXPECT_THAT(task(other.json(), "app")["error"]["message"].get<std::string>(), HasSubstr("(error 050)"));
  ::kill(started->pid(), SIGKILL);
  (void)started->wait();
  await([&] { return !waits_for_a_checkpoint(it); }, "pgBackRest has ended with it");
  it.policy("");
  EXPECT_THAT(it.list(), SizeIs(1));
  await([&] { return it.run("app").exit_code == 0; }, "the next one is made");
  EXPECT_GE(it.list().size(), 2U);
}

}  // namespace
}  // namespace steward::harness
