// Copies of backups in a second store: of their own, verified, with rules of their own.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "harness/backed_up.h"
#include "harness/child_run.h"
#include "io/http/scripted_server_test_support.h"
#include "io/object/s3_test_support.h"
#include "io/object/store_test_support.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct CopiedShape {
  const char* name;
  DatabaseKind database;
  BucketKind copies;
  S3Make make = S3Make::versity;
  const char* format = "custom";
};
void PrintTo(const CopiedShape& shape, std::ostream* out) { *out << shape.name; }

/// Backups in a folder, copies in another one, or in a bucket with a key of its own.
struct Copied {
  explicit Copied(DatabaseKind database = DatabaseKind::postgres, BucketKind copies = BucketKind::folder)
      : it(database) {
    it.app.environment["BACKUP_COPY_TO"] = it.app.path("copies");
    if (copies == BucketKind::folder) return;
    const object::StoreTarget bucket = object::new_bucket("STEWARD_TEST_S3_VERSITY");
    it.app.environment["BACKUP_COPY_TO"] = bucket.url + "/copies";
    it.app.environment["BACKUP_COPY_AWS_ENDPOINT_URL"] = bucket.s3.endpoint;
    it.app.environment["BACKUP_COPY_AWS_ACCESS_KEY_ID"] = bucket.s3.access_key;
    it.app.environment["BACKUP_COPY_AWS_SECRET_ACCESS_KEY"] = bucket.s3.secret_key.reveal();
  }
  json copies() const { return it.app.steward({"backup", "list", "--json"}).json()["copies"]; }
  Answer copy() const { return it.app.steward({"run", "backup/backup-database.copy", "--json"}); }
  BackedUp it;
};

class BackupCopy : public testing::TestWithParam<CopiedShape> {
 protected:
  S3Of server{GetParam().make};
  Copied copied{GetParam().database, GetParam().copies};
  BackedUp& it = copied.it;
  void SetUp() override { it.app.environment["BACKUP_FORMAT"] = GetParam().format; }
};
INSTANTIATE_TEST_SUITE_P(
    EndToEnd, BackupCopy,
    testing::Values(CopiedShape{"postgres_folder", DatabaseKind::postgres, BucketKind::folder},
                    CopiedShape{"postgres_s3", DatabaseKind::postgres, BucketKind::versity},
                    CopiedShape{"postgres_rgw", DatabaseKind::postgres, BucketKind::versity, S3Make::rgw},
                    CopiedShape{"directory", DatabaseKind::postgres, BucketKind::versity, S3Make::versity, "directory"},
                    CopiedShape{"sqlite_folder", DatabaseKind::sqlite, BucketKind::folder}),
    [](const auto& shape) { return shape.param.name; });

TEST_P(BackupCopy, IsMadeVerifiedShownAndRestoresWhereTheFirstStoreIsLost) {
  it.app.sql("insert into audit_logs (id, username) values (1, 'ann'), (2, 'bea')");
  const Answer plan = it.app.steward({"plan", "backup", "--json"});
  EXPECT_EQ(task(plan.json(), "backup-database.copy")["planned"]["items"], 1);
  const Answer made = it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  EXPECT_EQ(task(made.json(), "backup-database.copy")["done"]["items"], 1);
  ASSERT_THAT(copied.copies(), SizeIs(1));
  EXPECT_EQ(copied.copies()[0]["id"], it.list()[0]["id"]);
  EXPECT_EQ(copied.copies()[0]["standing"], "read");
  EXPECT_THAT(copied.copies()[0]["by_hand"].dump(), testing::Not(HasSubstr(it.app.path("backups"))));
  EXPECT_THAT(it.app.steward({"backup", "list"}).out, HasSubstr("COPY"));

  ASSERT_EQ(it.run().exit_code, 0);
  EXPECT_THAT(copied.copies(), SizeIs(2));
  EXPECT_EQ(task(copied.copy().json(), "backup-database.copy")["done"]["items"], 0) << "each once";

  const Answer proved = it.app.steward({"backup", "verify", "latest", "--copy", "--depth", "restore"});
  EXPECT_EQ(proved.exit_code, 0) << proved.out << proved.err;
  EXPECT_EQ(copied.copies()[1]["standing"], "restored");
  EXPECT_EQ(it.list()[1]["standing"], "not proved") << "a proof is of what was read";

  std::filesystem::remove_all(it.app.path("backups"));
  EXPECT_THAT(it.app.steward({"backup", "list"}).out, HasSubstr("only the copy"));
  const std::string to = it.empty_database();
  const Answer restored = it.restore(to, {"--copy"});
  EXPECT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_EQ(rows_of(to, "audit_logs"), rows_of(it.url(), "audit_logs"));
}

TEST_P(BackupCopy, HasRulesOfItsOwnAndWhatTheyRemoveDoesNotComeBack) {
  it.app.environment["BACKUP_COPY_KEEP"] = "last 2";
  for (int i = 0; i < 4; ++i) {
    const Answer made = it.run();
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
  }
  ASSERT_EQ(it.app.steward({"run", "backup/backup-database.copy-expire"}).exit_code, 0);
  EXPECT_THAT(it.list(), SizeIs(4)) << "BACKUP_KEEP is not set";
  ASSERT_THAT(copied.copies(), SizeIs(2));
  EXPECT_EQ(copied.copies()[1]["id"], it.list()[3]["id"]);
  EXPECT_EQ(task(copied.copy().json(), "backup-database.copy")["done"]["items"], 0);
  EXPECT_THAT(copied.copies(), SizeIs(2));
}

TEST_P(BackupCopy, CatchesUpWithWhatItMissed) {
  const std::string to = it.app.environment["BACKUP_COPY_TO"];
  ASSERT_EQ(it.run().exit_code, 0);
  it.app.environment["BACKUP_COPY_TO"] = "";
  for (int i = 0; i < 2; ++i) ASSERT_EQ(it.run().exit_code, 0);
  it.app.environment["BACKUP_COPY_TO"] = to;
  const Answer plan = it.app.steward({"plan", "backup/backup-database.copy", "--json"});
  EXPECT_EQ(task(plan.json(), "backup-database.copy")["planned"]["items"], 3) << "two, and tonight's";
  EXPECT_EQ(task(it.run().json(), "backup-database.copy")["done"]["items"], 3);
  EXPECT_EQ(copied.copies().size(), it.list().size());
}

TEST(BackupCopyFaults, ABackupThatIsNotWhatItWasIsNotCopied) {
  Copied copied;
  BackedUp& it = copied.it;
  const std::string to = it.app.environment["BACKUP_COPY_TO"];
  it.app.environment["BACKUP_COPY_TO"] = "";
  ASSERT_EQ(it.run().exit_code, 0);
  it.app.environment["BACKUP_COPY_TO"] = to;
  const std::string dump = it.app.path("backups/" + it.list()[0]["id"].get<std::string>() + "/dump.pgc.zst");
  std::fstream(dump, std::ios::in | std::ios::out).write("\x00", 1);
  const Answer failed = copied.copy();
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(task(failed.json(), "backup-database.copy")["error"]["kind"], "corrupt") << failed.out;
  EXPECT_THAT(failed.out, HasSubstr("dump.pgc.zst has other bytes"));
  EXPECT_THAT(copied.copies(), IsEmpty());
  EXPECT_THAT(it.app.files("copies"), IsEmpty());
}

TEST(BackupCopyFaults, ASecondStoreThatDoesNotAnswerLeavesTheBackupWhole) {
  Copied copied;
  BackedUp& it = copied.it;
  it.app.environment["BACKUP_COPY_TO"] = "s3://copies-that-are-not-there";
  it.app.environment["BACKUP_COPY_AWS_ENDPOINT_URL"] = "http://127.0.0.1:9";
  it.app.environment["BACKUP_COPY_AWS_ACCESS_KEY_ID"] = it.app.environment["BACKUP_COPY_AWS_SECRET_ACCESS_KEY"] = "x";
  const Answer partly = it.run();
  EXPECT_EQ(partly.exit_code, 4) << partly.out;
  EXPECT_EQ(task(partly.json(), "backup-database")["status"], "succeeded");
  EXPECT_EQ(task(partly.json(), "backup-database.copy")["error"]["kind"], "unavailable");
}

struct BackupCopyOnS3 : OnEachS3 {};
INSTANTIATE_TEST_SUITE_P(EndToEnd, BackupCopyOnS3, testing::Values(S3Make::versity, S3Make::rgw), name_of);

TEST_P(BackupCopyOnS3, ThatFailsInTheMiddleHasNoHalfCopy) {
  Copied copied(DatabaseKind::postgres, BucketKind::versity);
  BackedUp& it = copied.it;
  const std::string endpoint = it.app.environment["BACKUP_COPY_AWS_ENDPOINT_URL"];
  http::FaultProxy proxy(endpoint, [](const http::SeenRequest& request) {
    return request.method == "PUT" && request.target.contains("contents.jsonl")
               ? http::Fault::reply(403, "<Error><Code>QuotaExceeded</Code><Message>It is full.</Message></Error>")
               : http::Fault::none();
  });
  it.app.environment["BACKUP_COPY_AWS_ENDPOINT_URL"] = proxy.url();
  const Answer partly = it.run();
  EXPECT_EQ(partly.exit_code, 4) << partly.out;
  EXPECT_THAT(task(partly.json(), "backup-database.copy")["error"]["message"].get<std::string>(),
              testing::AllOf(HasSubstr("contents.jsonl.zst"), HasSubstr("QuotaExceeded")));
  it.app.environment["BACKUP_COPY_AWS_ENDPOINT_URL"] = endpoint;
  EXPECT_THAT(copied.copies(), IsEmpty());
  object::StoreTarget target = object::target_on("STEWARD_TEST_S3_VERSITY", it.app.environment["BACKUP_COPY_TO"]);
  EXPECT_THAT(object::keys_of(*object::opened(target)), IsEmpty());
  EXPECT_EQ(task(copied.copy().json(), "backup-database.copy")["done"]["items"], 1);
  EXPECT_THAT(copied.copies(), SizeIs(1));
}

TEST_P(BackupCopy, ThatIsBadIsMadeAgain) {
  ASSERT_EQ(it.run().exit_code, 0);
  object::StoreTarget target{.url = "file://" + it.app.path("copies")};
  if (GetParam().copies != BucketKind::folder)
    target = object::target_on("STEWARD_TEST_S3_VERSITY", it.app.environment["BACKUP_COPY_TO"]);
  const auto opened = object::open(target);
  ASSERT_TRUE(opened) << opened.error().message;
  const auto& store = *opened;
  std::string contents;
  for (const std::string& key : object::keys_of(*store))
    if (key.contains("contents")) contents = key;
  StringSource other("something else");
  ASSERT_TRUE(store->put(contents, other, {.size = Bytes{14}}));
  EXPECT_EQ(it.app.steward({"backup", "verify", "--copy"}).exit_code, 1);
  ASSERT_EQ(copied.copies()[0]["standing"], "bad");
  EXPECT_EQ(task(it.app.steward({"plan", "backup", "--json"}).json(), "backup-database.copy")["planned"]["items"], 2);
  const Answer again = copied.copy();
  EXPECT_EQ(again.exit_code, 0) << again.out;
  EXPECT_EQ(task(again.json(), "backup-database.copy")["done"]["items"], 1);
  EXPECT_EQ(copied.copies()[0]["standing"], "read");
  EXPECT_EQ(it.app.steward({"backup", "verify", "--copy", "--depth", "restore"}).exit_code, 0);

  // How old the newest copy is, is watched as the backup itself.
  const json watched = it.app.steward({"status", "--json"}).json()["backups"];
  ASSERT_THAT(watched, SizeIs(2));
  EXPECT_EQ(watched[1]["task"], "backup-database.copy");
  EXPECT_FALSE(watched[1]["newest"].is_null());
}

TEST(BackupCopyFaults, EncryptedItIsCopiedWithoutAKey) {
  Copied copied;
  const Answer key = run_program({"/usr/bin/age-keygen"}, {}, copied.it.app.root());
  const std::size_t at = key.out.find("age1");
  copied.it.app.environment["BACKUP_AGE_RECIPIENTS"] = key.out.substr(at, key.out.find('\n', at) - at);
  const Answer made = copied.it.run();
  ASSERT_EQ(made.exit_code, 0) << made.out;
  EXPECT_THAT(copied.copies(), SizeIs(1));
  for (const std::string& file : copied.it.app.files("copies"))
    EXPECT_TRUE(file.ends_with(".age") || file.ends_with(".json")) << file;
}

TEST(BackupCopyFaults, KilledAnywhereLeavesAWholeCopyOrNone) {
  std::vector<std::string> names;
  {
    const Copied copied;
    names = places_of(copied.it.app, "backup");
  }
  std::size_t tried = 0;
  for (const std::size_t n : worth_trying(names)) {
    if (!names[n - 1].contains("cop")) continue;
    ++tried;
    SCOPED_TRACE("killed at " + std::to_string(n) + ": " + names[n - 1]);
    const Copied copied;
    std::size_t count = 0;
    const int status = in_a_child(
        copied.it.app,
        [&](std::string_view) {
          if (++count == n) ::kill(::getpid(), SIGKILL);
        },
        "backup");
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto expect_whole = [&] {
      for (const json& one : copied.copies())
        EXPECT_EQ(copied.it.app.steward({"backup", "verify", one["id"], "--copy"}).exit_code, 0);
    };
    expect_whole();
    // The next run goes on with what lies there, and a day later nothing else is left.
    EXPECT_EQ(copied.it.run().exit_code, 0);
    EXPECT_EQ(copied.copies().size(), copied.it.list().size());
    expect_whole();
    std::set<std::string> folders;
    for (const std::string& file : copied.it.app.files("copies")) folders.insert(file.substr(0, file.rfind('/')));
    EXPECT_EQ(folders.size(), copied.copies().size());
    if (HasFailure()) return;
  }
  EXPECT_GE(tried, 4U);
}

}  // namespace
}  // namespace steward::harness
