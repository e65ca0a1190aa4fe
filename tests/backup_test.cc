// Backups, the way through: made, proved, restored, encrypted, and restored by hand.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "harness/backed_up.h"

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
  const char* format = "custom";
  S3Make make = S3Make::versity;
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

class Backup : public testing::TestWithParam<Shape> {
 protected:
  S3Of server{GetParam().make};
  BackedUp it{GetParam().database, GetParam().bucket};
  Application& app = it.app;
  void SetUp() override { app.environment["BACKUP_FORMAT"] = GetParam().format; }
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

TEST(RestoredBackup, GoesBesideWhatIsThereOnlyWhereThatIsSaid) {
  BackedUp it;
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann')");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  ASSERT_TRUE(sql::connect({.url = to}).value()->execute("create table ours (n int)"));
  EXPECT_EQ(it.restore(to).exit_code, 3);
  EXPECT_THAT(rows_of(to, "pg_tables where tablename = 'audit_logs'"), IsEmpty());
  const Answer restored = it.restore(to, {"--into-existing"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_EQ(rows_of(to, "audit_logs"), rows_of(it.url(), "audit_logs"));
}

/// To a person, who has the time to stop it there, and to one who asks for the plan alone.
TEST(RestoredBackup, SaysWhatItWouldDoBeforeItDoes) {
  BackedUp it;
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  const Answer plan = it.app.steward({"backup", "restore", "latest", "--to", to, "--plan"});
  EXPECT_EQ(plan.exit_code, 0) << plan.err;
  EXPECT_THAT(plan.out, AllOf(HasSubstr(" was made of "), HasSubstr("pg_restore")));
  EXPECT_THAT(rows_of(to, "pg_tables where schemaname = 'public'"), IsEmpty());
  const Answer done = it.app.steward({"backup", "restore", "latest", "--to", to});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_LT(done.out.find(" was made of "), done.out.find("each has the rows and the content of the backup"));
  const std::string into_one = steward_binary() + " backup restore latest --to '" + it.empty_database() + "' 2>&1";
  const Answer both = run_program({"/bin/sh", "-c", into_one}, it.app.environment, it.app.root());
  EXPECT_EQ(both.exit_code, 0) << both.out;
  ASSERT_THAT(both.out, HasSubstr("restore: "));
  EXPECT_LT(both.out.find(" was made of "), both.out.find("restore: ")) << "also where both go to one file";
}

INSTANTIATE_TEST_SUITE_P(
    EndToEnd, Backup,
    testing::Values(Shape{"postgres", DatabaseKind::postgres, BucketKind::folder},
                    Shape{"postgres_s3", DatabaseKind::postgres, BucketKind::versity},
                    Shape{"postgres_rgw", DatabaseKind::postgres, BucketKind::versity, "custom", S3Make::rgw},
                    Shape{"directory", DatabaseKind::postgres, BucketKind::folder, "directory"},
                    Shape{"directory_s3", DatabaseKind::postgres, BucketKind::versity, "directory"},
                    Shape{"sqlite", DatabaseKind::sqlite, BucketKind::folder},
                    Shape{"sqlite_s3", DatabaseKind::sqlite, BucketKind::versity}),
    [](const auto& shape) { return shape.param.name; });

TEST(BackupSettings, WithoutThemNameTheVariables) {
  const Application app(DatabaseKind::postgres);
  const Answer answer = app.steward({"run", "backup"});
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_THAT(answer.err, HasSubstr("BACKUP_BUCKET"));
}

// --- encrypted

/// A pair of age's keys; the secret one is in a file.
std::string make_key(const Application& app, const std::string& name) {
  const Answer made = run_program({"/usr/bin/age-keygen", "-o", app.path(name)}, {}, app.root());
  EXPECT_EQ(made.exit_code, 0) << made.err;
  const Answer key = run_program({"/usr/bin/age-keygen", "-y", app.path(name)}, {}, app.root());
  return key.out.substr(0, key.out.find('\n'));
}

struct Encrypted : testing::TestWithParam<Shape> {};

TEST_P(Encrypted, ToTwoKeysItIsReadWithEitherAndWithNoOther) {
  BackedUp it(GetParam().database);
  it.app.environment["BACKUP_FORMAT"] = GetParam().format;
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

INSTANTIATE_TEST_SUITE_P(EndToEnd, Encrypted,
                         testing::Values(Shape{"postgres", DatabaseKind::postgres, BucketKind::folder},
                                         Shape{"directory", DatabaseKind::postgres, BucketKind::folder, "directory"},
                                         Shape{"sqlite", DatabaseKind::sqlite, BucketKind::folder}),
                         [](const auto& shape) { return shape.param.name; });

/// Of either format.
struct EncryptedBackup : testing::TestWithParam<std::string> {
  BackedUp it{in_format(GetParam())};
};
INSTANTIATE_TEST_SUITE_P(Format, EncryptedBackup, testing::ValuesIn(dump_formats),
                         [](const auto& format) { return format.param; });

TEST_P(EncryptedBackup, IsRestoredByStockProgramsAlone) {
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

TEST_P(EncryptedBackup, OneTableOfItIsRestoredAlone) {
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = make_key(it.app, "ours.key");
  it.app.environment["BACKUP_AGE_IDENTITY"] = "ours.key";
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann'); insert into signals (id) values (1), (2)");
  ASSERT_EQ(it.run().exit_code, 0);
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to, {"--table", "signals"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out;
  EXPECT_THAT(rows_of(to, "signals"), SizeIs(2));
  EXPECT_EQ(it.restore(it.empty_database(), {"--jobs", "3"}).exit_code, 0);
}

TEST(EncryptedBackupSettings, ToASecretKeyIsRefusedBeforeAnythingIsDone) {
  BackedUp it;
  it.app.environment["BACKUP_AGE_RECIPIENTS"] = "AGE-SECRET-KEY-1QQQ";
  const Answer refused = it.run();
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.out.find("QQQ"), std::string::npos) << "the secret is not shown";
}

}  // namespace
}  // namespace steward::harness
