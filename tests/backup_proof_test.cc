// Backups: when one is proved, and which stay.
#include <gmock/gmock.h>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "harness/backed_up.h"
#include "io/files/scratch.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// A folder for throwaway servers, whoever they run as.
std::string scratch_of(Application& app) {
  app.environment["TMPDIR"] = app.path("scratch");
  std::filesystem::create_directories(app.path("scratch"));
  std::filesystem::permissions(app.path("scratch"), std::filesystem::perms::all);
  std::filesystem::permissions(app.root(), std::filesystem::perms::others_exec, std::filesystem::perm_options::add);
  return app.path("scratch");
}

/// ioprio_get(2): glibc has no wrapper.
int io_priority(pid_t pid) {
  constexpr int of_a_process = 1;
  return static_cast<int>(syscall(SYS_ioprio_get, of_a_process, pid));
}

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
  const std::string scratch = scratch_of(it.app);
  ASSERT_EQ(it.run().exit_code, 0);
  ASSERT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_empty(scratch));

  // Killed in its middle, the server goes with it, and the folder with the next.
  const auto verify = it.app.start({"backup", "verify", "latest", "--depth", "restore"});
  const auto server = [&]() -> std::string {
    for (const auto& entry : std::filesystem::directory_iterator(scratch)) {
      std::ifstream file(entry.path() / "data/postmaster.pid");
      std::string pid;
      if (std::getline(file, pid) && !pid.empty()) return pid;
    }
    return {};
  };
  await([&] { return !server().empty(); }, "the throwaway server runs");
  // Production comes first, at the processor and at the disk: best effort, the lowest of its levels. (initdb, which
  // comes before the server, is as kind.)
  const int kinder = std::min(19, getpriority(PRIO_PROCESS, 0) + 10);
  await(
      [&] {
        const std::string pid = server();
        if (pid.empty()) return false;
        return getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoi(pid))) == kinder &&
               io_priority(std::stoi(pid)) == ((2 << 13) | 7);
      },
      "it is kinder than we are");
  ::kill(verify->pid(), SIGKILL);
  (void)verify->wait();
  // initdb, the server, or what either has started: whatever was under way.
  const auto somebody_is_there = [&] {
    std::error_code gone;
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      const std::string where = std::filesystem::read_symlink(process.path() / "cwd", gone);
      if (where.starts_with(scratch)) return true;
    }
    return false;
  };
  await([&] { return !somebody_is_there(); }, "the server is gone");
  EXPECT_EQ(it.verify("restore").exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_empty(scratch));
}

TEST(BackupProof, AsksForRoomFirstAndMakesNothingWhereThereIsNone) {
  BackedUp it;
  const std::string scratch = scratch_of(it.app);
  ASSERT_EQ(it.run().exit_code, 0);
  files::with_own_mounts([&] {
    files::mount_tmpfs(scratch, "size=64m,mode=777");
    const Answer refused = it.verify("restore");
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_EQ(refused.json()["error"]["message"], scratch + " has 64 MiB left, and the proof may need 300 MiB");
    EXPECT_EQ(refused.json()["error"]["hint"], "Set TMPDIR to a folder with more room.");
    EXPECT_TRUE(std::filesystem::is_empty(scratch));
  });
  EXPECT_EQ(it.list()[0]["standing"], "not proved") << "which says nothing of the backup";
}

TEST(BackupProof, IsNotMadeOfADatabaseThatIsLargerThanIsSaid) {
  BackedUp it;
  it.app.file("steward.yaml", "databases: {app: \"" + it.url() + "\"}\nstores: {there: \"" + it.app.path("backups") +
                                  "\"}\nbackup: {app: {database: app, store: there, proof: {largest: 1 MiB}}}\n");
  it.app.environment["STEWARD_CONFIG"] = it.app.path("steward.yaml");
  EXPECT_EQ(it.run().exit_code, 0);
  const json next = it.app.steward({"plan", "backup/app.proof", "--json"}).json();
  EXPECT_EQ(task(next, "app.proof")["planned"]["items"], 0);
  EXPECT_THAT(task(next, "app.proof")["notes"], Contains("databases over 1 MiB are not proved"));
  const json run = it.app.steward({"run", "backup", "--json"}).json();
  EXPECT_EQ(task(run, "app.proof")["done"]["items"], 0) << run.dump(1);
  EXPECT_EQ(it.list()[0]["standing"], "not proved");
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
    std::ofstream(it.app.path("backups/" + file)) << sealed(manifest);
  }
  it.app.environment["BACKUP_KEEP"] = "last 1";
  const Answer answer = it.app.steward({"run", "backup/backup-database.expire", "--json"});
  EXPECT_EQ(answer.exit_code, 0);
  EXPECT_THAT(it.list(), SizeIs(2));
  EXPECT_EQ(skipped(task(answer.json(), "backup-database.expire"),
                    "the newest backup is stale: nothing goes until there is a new one"),
            2);
}

TEST(BackupKeep, GoesNoFurtherThanThePlanThatItIsGiven) {
  BackedUp it;
  for (int i = 0; i < 2; ++i) ASSERT_EQ(it.run().exit_code, 0);
  const std::string oldest = it.list()[0]["id"];
  it.app.environment["BACKUP_KEEP"] = "last 1";
  const json plan = it.app.steward({"plan", "backup/backup-database.expire", "--json"}).json();
  ASSERT_EQ(task(plan, "backup-database.expire")["planned"]["items"], 1);
  it.app.environment.erase("BACKUP_KEEP");
  for (int i = 0; i < 2; ++i) ASSERT_EQ(it.run().exit_code, 0);
  it.app.environment["BACKUP_KEEP"] = "last 1";
  const Answer run =
      it.app.steward({"run", "backup/backup-database.expire", "--plan", plan["digest"].get<std::string>(), "--json"});
  if (run.exit_code == 0) {
    EXPECT_EQ(task(run.json(), "backup-database.expire")["done"]["items"], 1) << run.out;
    EXPECT_THAT(it.list(), SizeIs(3));
  } else {
    EXPECT_EQ(run.exit_code, 3) << run.out;
    EXPECT_THAT(it.list(), SizeIs(4)) << "refused, nothing has gone";
  }
  for (const json& one : it.list())
    if (run.exit_code == 0) {
      EXPECT_NE(one["id"], oldest);
    }
}

TEST(BackupKeep, WithoutRulesTheGrowthIsShown) {
  BackedUp it;
  const auto reason = [&] {
    return task(it.app.steward({"plan", "backup", "--json"}).json(), "backup-database")["reason"].get<std::string>();
  };
  EXPECT_EQ(reason(), "there is no backup yet");
  for (int i = 0; i < 3; ++i) ASSERT_EQ(it.run().exit_code, 0);
  EXPECT_THAT(reason(), HasSubstr("; no rule removes any: 3 backups with "));
  EXPECT_THAT(reason(), testing::Not(HasSubstr("in a month"))) << "from one day nobody can tell";
  // As if they were of three nights.
  const json all = it.list();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string file = "backups/" + all[i]["id"].get<std::string>() + "/manifest.json";
    json manifest = json::parse(it.app.content(file));
    manifest["begun"] = days_ago(static_cast<double>(all.size() - i));
    std::ofstream(it.app.path(file)) << sealed(manifest);
  }
  EXPECT_THAT(reason(), testing::MatchesRegex(".*: 3 backups with [0-9.]+ .*, about [0-9.]+ .* more in a month"));
  it.app.environment["BACKUP_KEEP"] = "daily 14";
  EXPECT_THAT(reason(), testing::Not(HasSubstr("no rule")));
}

// --- what is strange: the backup is whole, and a person should look

TEST(StrangeBackup, OfHalfTheSizeAndWithoutATableThatWasThereIsSaid) {
  BackedUp it;
  // Noise, which no compression makes small.
  it.app.sql("create table much as select gen_random_uuid() as a from generate_series(1, 20000)");
  it.app.sql("create schema old; create table old.prices (n int)");
  ASSERT_EQ(it.run().exit_code, 0);
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann')");
  const json usual = task(it.run().json(), "backup-database");
  EXPECT_EQ(usual.value("notes", json::array()).dump().find("the one before"), std::string::npos) << usual.dump(1);
  const std::string before = it.list()[1]["run"];
  it.app.sql("truncate much; drop table old.prices; drop table listings");
  const Answer strange = it.run();
  EXPECT_EQ(strange.exit_code, 0);
  const json notes = task(strange.json(), "backup-database")["notes"];
  EXPECT_THAT(notes, Contains(HasSubstr("the one before (" + before + ") had")));
  EXPECT_THAT(notes, Contains("since the backup before (" + before +
                              ") these tables are gone: old.prices and public.listings"));
}

TEST(StrangeBackup, IsComparedWithOneThatIsEncryptedWhereTheKeyIsKnown) {
  BackedUp it;
  const Answer made = run_program({"/usr/bin/age-keygen", "-o", it.app.path("ours.key")}, {}, it.app.root());
  const Answer key = run_program({"/usr/bin/age-keygen", "-y", it.app.path("ours.key")}, {}, it.app.root());
  ASSERT_EQ(made.exit_code + key.exit_code, 0);
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = key.out.substr(0, key.out.find('\n'));
  it.app.sql("create table gone (n int)");
  ASSERT_EQ(it.run().exit_code, 0);
  it.app.sql("drop table gone; create table gone_too (n int)");
  const json blind = task(it.run().json(), "backup-database");
  EXPECT_EQ(blind["status"], "succeeded");
  EXPECT_EQ(blind.dump().find("gone"), std::string::npos) << "what it cannot read it does not guess";
  it.app.environment["BACKUP_AGE_IDENTITY"] = "ours.key";
  it.app.sql("drop table gone_too");
  EXPECT_THAT(task(it.run().json(), "backup-database")["notes"], Contains(HasSubstr("public.gone_too")));
}

}  // namespace
}  // namespace steward::harness
