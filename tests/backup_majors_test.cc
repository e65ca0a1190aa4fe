// Backups of several majors of PostgreSQL, and with several of its clients side by side.

#include <gmock/gmock.h>
#include <sys/types.h>

#include <csignal>
#include <filesystem>

#include "harness/backed_up.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* stock = "/usr/bin:/bin";

/// What a person's PATH has where these majors are installed beside Debian's 15.
std::string path_with(std::vector<int> majors) {
  std::string path;
  for (const int major : majors) path += ServerOf::programs(major) + ':';
  return path + stock;
}

struct BackupOfMajor : testing::TestWithParam<int> {
  ServerOf server{GetParam()};
  BackedUp it;
};
INSTANTIATE_TEST_SUITE_P(Major, BackupOfMajor, testing::Values(15, 16, 18),
                         [](const auto& major) { return std::to_string(major.param); });

TEST_P(BackupOfMajor, AmongSeveralClientsTakesItsOwnIsProvedAndComesBack) {
  it.app.environment["PATH"] = path_with({18, 16});
  for (int i = 1; i <= 300; ++i)
    it.app.sql("insert into signals values (" + std::to_string(i) + ", 1, '" + days_ago(5) + "', 0.5, null, 'h')");
  it.app.mockup(1, "a/one.png", 3);
  const std::string major = std::to_string(GetParam());
  const Answer plan = it.app.steward({"plan", "backup", "--json"});
  EXPECT_THAT(task(plan.json(), "backup-database")["strategy"].get<std::string>(),
              StartsWith("pg_dump " + major + '.'));
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  const json manifest =
      json::parse(it.app.content("backups/" + it.list()[0]["id"].get<std::string>() + "/manifest.json"));
  EXPECT_THAT(manifest["server"].get<std::string>(), StartsWith("PostgreSQL " + major + '.'));
  EXPECT_THAT(manifest["client"].get<std::string>(), HasSubstr(") " + major + '.'));

  const Answer proved = it.verify("restore");
  EXPECT_EQ(proved.exit_code, 0) << proved.out << proved.err;
  EXPECT_THAT(proved.json()["faults"], IsEmpty());
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to);
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  for (const char* table : {"signals", "mockups", "audit_logs", "listings"})
    EXPECT_EQ(rows_of(to, table), rows_of(it.url(), table)) << table;
}

/// A move to a newer server: what was backed up of an older one.
TEST_P(BackupOfMajor, ComesBackIntoANewerServer) {
  it.app.environment["PATH"] = path_with({18, 16});
  it.app.sql("insert into audit_logs (id, username) select i, 'user ' || i from generate_series(1, 1000) i");
  ASSERT_EQ(it.run().exit_code, 0);
  const ServerOf newest{18};
  BackedUp there;
  const std::string to = there.empty_database();
  const Answer restored = it.restore(to);
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(rows_of(to, "audit_logs"), rows_of(it.url(), "audit_logs"));
}

/// Where no client of the server's own major is installed.
TEST(BackupByANewerClient, SaysSoAndIsProvedAndRestoredByItsOwnMajor) {
  const ServerOf server{16};
  BackedUp it;
  it.app.environment["PATH"] = path_with({18});
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann')");
  const json planned = task(it.app.steward({"plan", "backup", "--json"}).json(), "backup-database");
  EXPECT_THAT(planned["notes"], Contains(HasSubstr("pg_dump 18 is newer than the server (16)")));
  ASSERT_EQ(it.run().exit_code, 0);
  const Answer proved = it.verify("restore");
  EXPECT_EQ(proved.exit_code, 0) << proved.out;
  {
    const ServerOf newest{18};
    BackedUp there;
    EXPECT_EQ(it.restore(there.empty_database()).exit_code, 0);
  }
  // pg_restore 16 cannot read it: that is said before anything is done.
  it.app.environment["PATH"] = path_with({16});
  const Answer unread = it.restore(it.empty_database());
  EXPECT_THAT(unread.out, HasSubstr("made by pg_dump 18"));
  EXPECT_THAT(unread.out, HasSubstr("Install postgresql-client-18."));
}

struct BackupWithAnOlderClient : testing::TestWithParam<int> {
  ServerOf server{GetParam()};
  BackedUp it;
};
INSTANTIATE_TEST_SUITE_P(Major, BackupWithAnOlderClient, testing::Values(16, 18),
                         [](const auto& major) { return std::to_string(major.param); });

TEST_P(BackupWithAnOlderClient, IsRefusedByPlanRunDoctorAndServeWithThePackage) {
  const std::string major = std::to_string(GetParam());
  const std::string message =
      "the server is PostgreSQL " + major + ", and there is no pg_dump of " + major + " or later here (only of 15)";
  const std::string hint = "Install postgresql-client-" + major + ".";
  const json planned = task(it.app.steward({"plan", "backup", "--json"}).json(), "backup-database");
  EXPECT_EQ(planned["error"]["message"], message);
  EXPECT_EQ(planned["error"]["hint"], hint);
  const Answer run = it.run();
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(task(run.json(), "backup-database")["error"]["message"], message);
  EXPECT_THAT(it.files(), IsEmpty());
  const Answer doctor = it.app.steward({"doctor"});
  EXPECT_EQ(doctor.exit_code, 1);
  EXPECT_THAT(doctor.out, HasSubstr(message));
  EXPECT_THAT(doctor.out, HasSubstr(hint));
  const auto serve = it.app.start({"serve", "--only", "backup"});
  await([&] { return serve->said().contains("error   backup: backup-database will fail: " + message + ". " + hint); },
        "it is said at the start");
}

/// A client package alone: backups are made, and cannot be proved here by a restore.
TEST_P(BackupWithAnOlderClient, AndAProofWithoutTheServersProgramsIsToldOfBeforeItFails) {
  const std::string major = std::to_string(GetParam());
  const std::string folder = it.app.path("client");
  std::filesystem::create_directories(folder);
  for (const std::string program : {"pg_dump", "pg_dumpall", "pg_restore", "psql"})
    std::filesystem::create_symlink(ServerOf::programs(GetParam()) + '/' + program, folder + '/' + program);
  it.app.environment["PATH"] = folder + ':' + stock;
  it.app.environment["BACKUP_PROOF"] = "7 days";
  const std::string lack = "there is no initdb and postgres of " + major + " or later here (only of 15)";
  const auto serve = it.app.start({"serve", "--only", "backup"});
  await([&] { return serve->said().contains("backup-database.proof will fail: "); }, "it is said at the start");
  EXPECT_THAT(serve->said(), HasSubstr(lack + ". Install postgresql-" + major + "."));
  ::kill(serve->pid(), SIGTERM);
  (void)serve->wait();
  const Answer partly = it.run();
  EXPECT_EQ(partly.exit_code, 4) << partly.out;
  EXPECT_THAT(task(partly.json(), "backup-database.proof")["error"]["message"].get<std::string>(), HasSubstr(lack));
  EXPECT_EQ(it.list()[0]["standing"], "not proved");
  const json planned = task(it.app.steward({"plan", "backup", "--json"}).json(), "backup-database.proof");
  EXPECT_THAT(planned["notes"], Contains(HasSubstr(lack)));
}

TEST_P(BackupWithAnOlderClient, OfAFolderThatTheFileNamesIsRefusedAlsoWhereAGoodOneIsInstalled) {
  it.app.environment["PATH"] = path_with({18, 16});
  it.app.file("steward.yaml",
              "databases: {app: \"" + it.url() + "\"}\nstores: {there: \"" + it.app.path("backups") +
                  "\"}\nbackup: {nightly: {database: app, store: there, clients: /usr/lib/postgresql/15/bin}}\n");
  it.app.environment["STEWARD_CONFIG"] = it.app.path("steward.yaml");
  const json planned = task(it.app.steward({"plan", "backup", "--json"}).json(), "nightly");
  EXPECT_THAT(planned["error"]["message"].get<std::string>(), HasSubstr("(only of 15)"));
}

}  // namespace
}  // namespace steward::harness
