// When the world fails: a full disk, missing rights, a wrong clock. Nothing is lost, the reason is said, and the next
// run goes on.

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "harness/application.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The program as an ordinary user: root is let through everything.
Answer as_nobody(const Application& app, std::vector<std::string> words) {
  words.insert(words.begin(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", app.path("steward")});
  return run_program(words, app.environment, app.root());
}

struct OrdinaryUser : testing::Test {
  Application app{};
  void SetUp() override {
    ASSERT_EQ(::geteuid(), 0U) << "this test gives rights away: run it as root, as ./dev test does in CI";
    // Its own copy: the build folder may be where an ordinary user cannot go.
    fs::copy_file(steward_binary(), app.path("steward"));
    fs::permissions(app.path("steward"), fs::perms(0755));
  }
  /// Everything below the application belongs to that user.
  void hand_over() {
    ASSERT_EQ(::chown(app.root().c_str(), 65534, 65534), 0);
    for (const auto& entry : fs::recursive_directory_iterator(app.root()))
      ASSERT_EQ(::lchown(entry.path().c_str(), 65534, 65534), 0);
  }
};

TEST_F(OrdinaryUser, DoesTheWholeJobWithNoRightsBeyondItsFiles) {
  app.mockup(1, "a.png", 400);
  app.file("logs/a.log", "x", 40);
  hand_over();
  const Answer answer = as_nobody(app, {"run", "cleanup", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(app.count("mockups"), 0);
  EXPECT_TRUE(app.files("media").empty());
}

TEST_F(OrdinaryUser, AFolderThatItMayNotWriteKeepsItsLogsAndSaysSo) {
  app.file("logs/locked/a.log", "x", 40);
  app.file("logs/b.log", "x", 40);
  hand_over();
  ASSERT_EQ(::chown(app.path("logs/locked").c_str(), 0, 0), 0);
  const Answer answer = as_nobody(app, {"run", "cleanup/purge-logs", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(task(answer.json(), "purge-logs")["done"]["items"], 1);
  EXPECT_EQ(skipped(task(answer.json(), "purge-logs"), "no right to remove it"), 1) << answer.out;
  EXPECT_TRUE(app.exists("logs/locked/a.log"));
}

TEST_F(OrdinaryUser, AnImageThatItMayNotReadStaysWithItsRow) {
  app.mockup(1, "secret.png", 400);
  app.mockup(2, "open.png", 400);
  hand_over();
  ASSERT_EQ(::chown(app.path("media/secret.png").c_str(), 0, 0), 0);
  fs::permissions(app.path("media/secret.png"), fs::perms(0600));
  const Answer answer = as_nobody(app, {"run", "cleanup/archive-mockups", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(skipped(task(answer.json(), "archive-mockups"), "file cannot be read"), 1) << answer.out;
  EXPECT_EQ(app.value("select id from mockups"), "1");
  EXPECT_TRUE(app.exists("media/secret.png"));
}

TEST_F(OrdinaryUser, AReadOnlySourceIsArchivedAndKeptWithTheReason) {
  app.mockup(1, "fixed/a.png", 400);
  hand_over();
  ASSERT_EQ(::chown(app.path("media/fixed").c_str(), 0, 0), 0);
  const Answer answer = as_nobody(app, {"run", "cleanup/archive-mockups", "--json"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(task(answer.json(), "archive-mockups")["done"]["items"], 1);
  EXPECT_TRUE(app.exists("media/fixed/a.png"));
  EXPECT_EQ(app.count("mockups"), 0);
  std::string manifest;
  for (const std::string& file : app.files("cold/mockups/manifest"))
    manifest += app.content("cold/mockups/manifest/" + file);
  EXPECT_NE(manifest.find("no right to remove it"), std::string::npos) << manifest;
}

TEST_F(OrdinaryUser, AStateDirectoryThatItMayNotWriteIsOneLine) {
  hand_over();
  fs::create_directory(app.path("state"));
  const Answer answer = as_nobody(app, {"plan", "cleanup"});
  EXPECT_EQ(answer.exit_code, 1) << answer.out;
  EXPECT_NE(answer.err.find(app.path("state") + " is 0755, owned by 0"), std::string::npos) << answer.err;
}

// --- a full disk ----------------------------------------------------------------------------------------------------

TEST(FullColdStorage, LosesNothingAndTheNextRunGoesOnWhenThereIsRoom) {
  ASSERT_EQ(::geteuid(), 0U) << "this test mounts a small tmpfs: run it as root, as ./dev test does in CI";
  Application app;
  const std::string pixels(40'000, 'p');
  for (int i = 1; i <= 5; ++i) app.mockup(i, std::to_string(i) + ".png", 400, pixels);
  fs::create_directory(app.path("cold"));
  ASSERT_EQ(::mount("tmpfs", app.path("cold").c_str(), "tmpfs", 0, "size=112k"), 0) << std::strerror(errno);
  const json full = task(app.run_cleanup(), "archive-mockups");
  EXPECT_EQ(full["status"], "failed") << full.dump(1);
  EXPECT_EQ(full["error"]["kind"], "unavailable");
  EXPECT_EQ(app.count("mockups"), 5);
  EXPECT_EQ(app.files("media").size(), 5U);
  for (const std::string& file : app.files("cold")) EXPECT_EQ(file.find(".steward-tmp"), std::string::npos) << file;
  ASSERT_EQ(::mount("tmpfs", app.path("cold").c_str(), "tmpfs", MS_REMOUNT, "size=4m"), 0) << std::strerror(errno);
  const json after = task(app.run_cleanup(), "archive-mockups");
  EXPECT_EQ(after["done"]["items"], 5) << after.dump(1);
  EXPECT_EQ(app.count("mockups"), 0);
  EXPECT_EQ(app.steward({"archive", "verify"}).exit_code, 0);
  EXPECT_EQ(::umount(app.path("cold").c_str()), 0);
}

// --- a wrong clock --------------------------------------------------------------------------------------------------

TEST(WrongClock, IsRefusedByWhatTheDatabaseSays) {
  Application app(DatabaseKind::postgres);
  app.sql("insert into signals values (1, 1, '" + days_ago(25) + "', 0.5, null, 'x')");
  app.environment["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
  app.environment["FAKETIME"] = "+10d";
  app.environment["DONT_FAKE_MONOTONIC"] = "1";
  const Answer answer = app.steward({"run", "cleanup/purge-signals", "--json"});
  EXPECT_EQ(answer.exit_code, 3) << answer.out << answer.err;
  EXPECT_EQ(task(answer.json(), "purge-signals")["error"]["code"], "clock");
  EXPECT_EQ(app.count("signals"), 1);
}

TEST(WrongClock, ThatWasRefusedOnceDoesNotLockOutTheRightOne) {
  Application app(DatabaseKind::postgres);
  app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
  const auto right = app.environment;
  app.environment["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
  app.environment["FAKETIME"] = "+1d";
  app.environment["DONT_FAKE_MONOTONIC"] = "1";
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 3);
  app.environment = right;
  EXPECT_EQ(app.steward({"run", "cleanup/purge-signals"}).exit_code, 0);
  EXPECT_EQ(app.count("signals"), 0);
}

TEST(WrongClock, BehindTheLedgerIsRefused) {
  Application app;
  app.run_cleanup();
  app.file("logs/a.log", "x", 40);
  app.environment["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
  app.environment["FAKETIME"] = "-1h";
  app.environment["DONT_FAKE_MONOTONIC"] = "1";
  const Answer answer = app.steward({"run", "cleanup/purge-logs", "--json"});
  EXPECT_EQ(answer.exit_code, 3) << answer.out << answer.err;
  EXPECT_TRUE(app.exists("logs/a.log"));
}

}  // namespace
}  // namespace steward::harness
