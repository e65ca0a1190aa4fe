// A backup into a folder, killed at its n-th system call: what is listed is whole, and what is not is tidied. And a
// trace shows that all of it is durable before the manifest says that it is there, which no SIGKILL can show.

#include <gmock/gmock.h>

#include <filesystem>
#include <set>

#include "harness/backed_up.h"
#include "harness/traced.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;
using testing::SizeIs;

/// A backup is there already, so that its folder is: the second one is killed.
struct Killed {
  BackedUp it{DatabaseKind::sqlite};
  Killed() {
    it.app.sql("insert into audit_logs (id, username) values (1, 'ann'), (2, 'bea')");
    EXPECT_EQ(it.run().exit_code, 0);
  }
  /// All that lies there is as if a day had gone by.
  void a_day_goes_by() const {
    for (const auto& entry : fs::recursive_directory_iterator(it.app.path("backups")))
      fs::last_write_time(entry.path(), fs::last_write_time(entry.path()) - std::chrono::hours{25});
  }
};

/// A kind of system call, and how many of a run's are tried.
struct KilledCall {
  const char* name;
  std::size_t tries;
};
void PrintTo(const KilledCall& call, std::ostream* out) { *out << call.name; }

struct BackupSystemCall : testing::TestWithParam<KilledCall> {};
INSTANTIATE_TEST_SUITE_P(EndToEnd, BackupSystemCall,
                         testing::Values(KilledCall{"fsync", 20}, KilledCall{"renameat2", 20}, KilledCall{"unlink", 8},
                                         KilledCall{"openat", 24}),
                         [](const auto& call) { return call.param.name; });

TEST_P(BackupSystemCall, KilledAtTheNthLeavesAWholeBackupOrWhatTheNextRunTidies) {
  const auto& [call, tries] = GetParam();
  std::size_t all = 0;
  {
    const Killed undisturbed;
    ASSERT_EQ(under_strace(undisturbed.it.app, "backup", {"-e", std::string("trace=") + call}).exit_code, 0);
    const std::string trace = undisturbed.it.app.content("trace");
    all = static_cast<std::size_t>(std::count(trace.begin(), trace.end(), '\n'));
  }
  ASSERT_GT(all, 0U) << call;
  const std::size_t stride = std::max<std::size_t>(1, all / tries);
  for (std::size_t n = 1; n <= all; n += stride) {
    SCOPED_TRACE("killed at call " + std::to_string(n) + " of " + std::to_string(all) + " of " + call);
    const Killed killed;
    const BackedUp& it = killed.it;
    under_strace(it.app, "backup",
                 {"-e", std::string("trace=") + call, "-e",
                  std::string("inject=") + call + ":signal=SIGKILL:when=" + std::to_string(n)});
    const auto left = it.list();
    EXPECT_THAT(left.size(), testing::AnyOf(1U, 2U));
    for (const auto& one : left) EXPECT_EQ(it.verify("restore", one["id"]).exit_code, 0) << one["id"];
    killed.a_day_goes_by();
    const Answer next = it.run();
    EXPECT_EQ(next.exit_code, 0) << next.out << next.err;
    const auto there = it.list();
    EXPECT_THAT(there, SizeIs(left.size() + 1));
    std::set<std::string> whole, found;
    for (const auto& one : there) whole.insert(one["id"]);
    for (const std::string& file : it.files()) found.insert(fs::path(file).parent_path());
    EXPECT_EQ(found, whole) << "nothing else is left";
    for (const std::string& file : it.app.files("state"))
      EXPECT_FALSE(file.ends_with(".sqlite")) << "a copy of the database: " << file;
    if (HasFailure()) return;  // one place is enough to read
  }
}

TEST(BackupSystemCallOrder, AllIsDurableUnderItsNameBeforeTheManifestIs) {
  const Killed it;
  ASSERT_EQ(under_strace(it.it.app, "backup", {"-e", "trace=fsync,fdatasync,renameat2,linkat,rename"}).exit_code, 0);
  const std::vector<std::string> lines = traced_lines(it.it.app);
  std::size_t last = 0;
  for (const std::string name : {"database[.]sqlite[.]zst", "contents[.]jsonl[.]zst", "manifest[.]json"}) {
    const std::size_t written = find(lines, "f(data)?sync[(].*backups/", last);
    const std::size_t named = find(lines, "(renameat2|linkat)[(].*" + name + "\"", written);
    last = find(lines, "fsync[(].*backups/app/[^>/]*>", named);
    EXPECT_LT(last, lines.size()) << name;
  }
}

}  // namespace
}  // namespace steward::harness
