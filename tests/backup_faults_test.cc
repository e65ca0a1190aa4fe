// Backups: what must not happen. Stopped, killed, broken, cut off: a whole backup or none.
#include <gmock/gmock.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>

#include "harness/backed_up.h"
#include "harness/child_run.h"
#include "io/files/scratch.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// Of either format.
struct BackupFaultsIn : testing::TestWithParam<std::string> {
  BackedUp it{in_format(GetParam())};
  /// A pattern of the statement that copies a table out.
  static std::string copying(const std::string& table) {
    const bool is_ours = GetParam() == "directory";
    return is_ours ? "COPY \"public\".\"" + table + "\"%" : "COPY public." + table + "%";
  }
};
INSTANTIATE_TEST_SUITE_P(Format, BackupFaultsIn, testing::ValuesIn(dump_formats),
                         [](const auto& format) { return format.param; });

TEST_P(BackupFaultsIn, ADumpThatFailsInTheMiddleLeavesNoBackupAndNoFile) {
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

TEST_P(BackupFaultsIn, AServerThatEndsInTheMiddleLeavesNoBackup) {
  it.app.sql("create table much as select i, repeat(md5(i::text), 20) as t from generate_series(1, 400000) i");
  const auto run = it.app.start({"run", "backup", "--json"});
  await(
      [&] {
        return it.app.value(
                   "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = "
                   "current_database() and query like '" +
                   copying("much") + "'") != "0";
      },
      "the dump is under way");
  const Answer failed = run->wait();
  EXPECT_EQ(failed.exit_code, 1) << failed.out;
  const json error = task(failed.json(), "backup-database")["error"];
  EXPECT_EQ(error["kind"], "unavailable");
  EXPECT_THAT(error["message"].get<std::string>(), HasSubstr("terminat"));
  EXPECT_THAT(it.list(), IsEmpty());
  EXPECT_THAT(it.files(), IsEmpty());
  EXPECT_EQ(it.run().exit_code, 0) << "and the next run is as good as any";
}

TEST_P(BackupFaultsIn, AStopEndsItSoonAndLeavesNothing) {
  it.app.sql("create table much as select i, repeat(md5(i::text), 20) as t from generate_series(1, 400000) i");
  const auto run = it.app.start({"run", "backup", "--json"});
  await(
      [&] {
        return it.app.value(
                   "select count(*) from pg_stat_activity where datname = current_database() and query like '" +
                   copying("much") + "'") != "0";
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

TEST_P(BackupFaultsIn, AByteAnywhereThatIsAnotherIsFound) {
  it.app.sql("insert into audit_logs (id, username) select i, 'user ' || i from generate_series(1, 5000) i");
  ASSERT_EQ(it.run().exit_code, 0);
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 dice(seed);
  for (const std::string& file : it.files()) {
    const bool is_manifest = file.ends_with("manifest.json");
    if (file.ends_with(".json") && !is_manifest) continue;
    const std::string path = it.app.path("backups/" + file), whole = it.app.content("backups/" + file);
    std::string broken = whole;
    const std::size_t at = dice() % broken.size();
    broken[at] = static_cast<char>(broken[at] ^ (1 << dice() % 8));
    std::ofstream(path, std::ios::binary) << broken;
    const Answer bad = it.verify("bytes");
    EXPECT_EQ(bad.exit_code, 1) << file << " at " << at;
    EXPECT_THAT(bad.out, HasSubstr(is_manifest ? "manifest" : "other bytes"));
    EXPECT_EQ(it.list()[0]["standing"], "bad");
    EXPECT_EQ(it.verify("restore").exit_code, 1) << file << " at " << at;
    std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() - 2);
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
  std::ofstream(it.app.path("backups/" + second + "/manifest.json")) << sealed(manifest);
  EXPECT_EQ(it.verify("bytes", second).exit_code, 0);
  const Answer bad = it.verify("restore", second);
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_EQ(bad.json()["faults"], json::array({"table public.audit_logs has other content in its 2 rows"}));
  EXPECT_THAT(it.files(), Contains(testing::StartsWith(second + "/proof-")));
}

/// Places to be killed at: the first time that one of this name comes, and the time in the middle. (Of a dump in
/// parallel two runs have not quite as many of some, and not in the same order.)
std::set<std::pair<std::string, std::size_t>> places_to_try(const std::vector<std::string>& names) {
  std::set<std::pair<std::string, std::size_t>> out;
  for (const std::string& name : names)
    for (const std::size_t time : {std::size_t{1}, 1 + static_cast<std::size_t>(std::ranges::count(names, name)) / 2})
      out.emplace(name, time);
  return out;
}

TEST_P(BackupFaultsIn, KilledAnywhereItLeavesAWholeBackupOrNone) {
  const auto names = places_of(it.app, "backup");
  ASSERT_GE(names.size(), 6U) << "the task has named points";
  for (const auto& [name, time] : places_to_try(names)) {
    SCOPED_TRACE("killed at " + name + ", time " + std::to_string(time));
    const BackedUp mine{in_format(GetParam())};
    std::size_t count = 0;
    const int status = in_a_child(
        mine.app,
        [&](std::string_view place) {
          if (place == name && ++count == time) ::kill(::getpid(), SIGKILL);
        },
        "backup");
    ASSERT_TRUE(WIFSIGNALED(status));
    for (const json& one : mine.list()) EXPECT_EQ(mine.verify("restore", one["id"]).exit_code, 0);
    const std::size_t whole = mine.list().size();
    // A day later what is not whole goes.
    for (const std::string& file : mine.files()) {
      const std::string path = mine.app.path("backups/" + file);
      std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) - std::chrono::hours{25});
    }
    const Answer again = mine.run();
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    const json backups = mine.list();
    ASSERT_THAT(backups, SizeIs(whole + 1));
    std::set<std::string> folders;
    for (const std::string& file : mine.files()) folders.insert(file.substr(0, file.rfind('/')));
    EXPECT_EQ(folders.size(), backups.size()) << "nothing else is left";
    EXPECT_EQ(mine.verify("restore").exit_code, 0);
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

}  // namespace
}  // namespace steward::harness
