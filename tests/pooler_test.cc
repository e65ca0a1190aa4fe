// A transaction pooler in front of the database: each transaction may be another session, and everything works as
// without.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/application.h"
#include "harness/world.h"

namespace steward::harness {
namespace {

/// PgBouncer in transaction mode, before the tests' PostgreSQL.
struct Pooler : testing::Test {
  std::string folder = "/tmp/steward-pooler-" + std::to_string(::getpid());
  World world{{"postgres", DatabaseKind::postgres, BucketKind::folder}};
  std::string direct{};  ///< Host and port of the server itself.

  void SetUp() override {
    const std::string url = world.app.environment["DATABASE_URL"];
    const std::size_t at = url.find('@') + 1;
    const std::string server = direct = url.substr(at, url.find('/', at) - at);
    call("start " + folder + ' ' + server);
    std::string port;
    std::ifstream(folder + "/port") >> port;
    world.app.environment["DATABASE_URL"] = std::string(url).replace(at, server.size(), "127.0.0.1:" + port);
  }
  void TearDown() override {
    call("stop " + folder);
    std::filesystem::remove_all(folder);
  }
  static void call(const std::string& what) {
    const std::string command = std::string(STEWARD_SOURCES) + "/tests/servers/pgbouncer.sh " + what + " > /dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
};

TEST_F(Pooler, CarriesTheWholeJobAndItsRestore) {
  const Answer run = world.app.steward({"run", "cleanup"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  world.expect_finished("through a pooler");
  world.expect_restored("through a pooler");
  const Answer doctor = world.app.steward({"doctor"});
  EXPECT_EQ(doctor.exit_code, 0) << doctor.out;
}

/// pg_dump needs a session of its own, which a pooler of transactions has not.
TEST_F(Pooler, IsGoneAroundByABackup) {
  Application& app = world.app;
  app.environment["BACKUP_BUCKET"] = app.path("backups");
  app.environment["TMPDIR"] = "/var/tmp";
  const std::string pooled = app.environment["DATABASE_URL"];
  const std::size_t at = pooled.find("127.0.0.1:");
  const Answer through = app.steward({"run", "backup", "--json"});
  EXPECT_EQ(through.exit_code, 1);
  EXPECT_TRUE(app.files("backups").empty()) << "no half of it";
  app.environment["DATABASE_URL_DIRECT"] = std::string(pooled).replace(at, pooled.find('/', at) - at, direct);
  const Answer made = app.steward({"run", "backup", "--json"});
  EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(app.steward({"backup", "verify", "--depth", "restore"}).exit_code, 0);
}

TEST_F(Pooler, CarriesTheLockSoThatASecondRunIsBusy) {
  Application& app = world.app;
  auto other = sql::connect({.url = app.environment["DATABASE_URL"]});
  ASSERT_TRUE(other);
  auto transaction = (*other)->begin();
  ASSERT_TRUE((*other)->query("select 1 from mockups where id = 3 for update"));
  const pid_t first = app.start_steward({"run", "cleanup/archive-mockups"});
  await(
      [&] {
        return app.value(
                   "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = "
                   "current_database()") == "1";
      },
      "the first run waits for the row");
  EXPECT_EQ(app.steward({"run", "cleanup/archive-mockups"}).exit_code, 75);
  EXPECT_TRUE(transaction->rollback());
  EXPECT_EQ(Application::wait_for(first), 0);
}

}  // namespace
}  // namespace steward::harness
