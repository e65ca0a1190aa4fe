// scripts/rotate_logs.sh, as the line of a crontab runs it: with next to no environment, from another folder.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>

#include "harness/application.h"
#include "io/files/scratch.h"

namespace steward::harness {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::SizeIs;

/// A folder /…/app with scripts/rotate_logs.sh and logs in it; the program is where the script looks for one.
struct Crontab : testing::Test {
  Application app;
  std::string script = app.path("app/scripts/rotate_logs.sh");

  void SetUp() override {
    fs::create_directories(app.path("app/scripts"));
    fs::copy_file(std::string(STEWARD_SOURCES) + "/scripts/rotate_logs.sh", script);
    fs::create_symlink(steward_binary(), app.path("app/steward"));
    app.file("app/logs/web.log", "one\n");
  }
  /// What cron gives, and the crontab's own line `STEWARD_STATE_DIR=…`.
  Answer cron(const std::string& more = "", std::map<std::string, std::string> variables = {}) const {
    variables.merge(std::map<std::string, std::string>{{"HOME", app.root()},
                                                       {"LOGNAME", "root"},
                                                       {"SHELL", "/bin/sh"},
                                                       {"PATH", "/usr/bin:/bin"},
                                                       {"STEWARD_STATE_DIR", app.path("state")}});
    return run_program({"/bin/sh", "-c", script + more}, variables, "/");
  }
};

TEST_F(Crontab, LogsBesideTheScriptGoToTheirArchive) {
  const Answer answer = cron();
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_FALSE(app.exists("app/logs/web.log"));
  ASSERT_THAT(app.files("app/logs/archive"), SizeIs(1));
  EXPECT_EQ(app.content("app/logs/archive/" + app.files("app/logs/archive")[0]), "one\n");
}

TEST_F(Crontab, WhatIsGivenGoesOnToTheProgram) { EXPECT_EQ(task(cron(" --json").json(), "logs")["done"]["items"], 1); }

TEST_F(Crontab, ExitCodesAreHandedThrough) {
  const int fd = ::open(app.path("app/logs").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  EXPECT_EQ(cron().exit_code, 75) << "another run has the folder";
  ::close(fd);
  EXPECT_EQ(app.content("app/logs/web.log"), "one\n");
  EXPECT_EQ(cron(" --no-such-flag").exit_code, 2);
  fs::rename(app.path("app/logs"), app.path("app/elsewhere"));
  const Answer none = cron();
  EXPECT_EQ(none.exit_code, 2) << "nothing is configured";
  EXPECT_THAT(none.err, HasSubstr("LOG_DIR"));
}

TEST_F(Crontab, AProgramThatIsNamedAndNowhereIsSaidAndNoOtherIsTaken) {
  const Answer answer = cron({}, {{"STEWARD", app.path("nowhere/steward")}});
  EXPECT_EQ(answer.exit_code, 127);
  EXPECT_THAT(answer.err, HasSubstr("nowhere/steward"));
  EXPECT_EQ(app.content("app/logs/web.log"), "one\n");
}

/// An ordinary user, who has neither all rights nor another's files.
struct OrdinaryUsersLogs : testing::Test {
  Application app;
  static constexpr uid_t nobody = 65534;

  void SetUp() override {
    files::need_root();
    app.file("logs/web.log", "one\n");
    app.environment["LOG_DIR"] = app.path("logs");
    fs::create_directories(app.path("state-of-nobody"));
    app.environment["STEWARD_STATE_DIR"] = app.path("state-of-nobody");
    app.environment.erase("HOME");
    fs::permissions(app.root(), fs::perms::others_exec, fs::perm_options::add);
    give("state-of-nobody", nobody);
  }
  void give(const std::string& relative, uid_t user) const {
    EXPECT_EQ(::chown(app.path(relative).c_str(), user, static_cast<gid_t>(-1)), 0);
  }
  Answer rotate() const {
    return run_program({"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", steward_binary(), "run",
                        "rotate-logs", "--json"},
                       app.environment, app.root());
  }
};

TEST_F(OrdinaryUsersLogs, InAFolderThatIsAnothersNothingMovesAndOneLineSaysWhoseItIs) {
  const Answer answer = rotate();
  EXPECT_EQ(answer.exit_code, 4) << answer.out << answer.err;
  const auto error = task(answer.json(), "logs")["error"];
  EXPECT_EQ(error["kind"], "permission") << error;
  EXPECT_THAT(error["message"].get<std::string>(),
              HasSubstr("permission denied (this is uid 65534; " + app.path("logs") + " is 0755, owned by 0)"));
  EXPECT_EQ(app.content("logs/web.log"), "one\n");
}

TEST_F(OrdinaryUsersLogs, AnothersLogInAFolderOfOnesOwnIsMovedWholeOrStays) {
  give("logs", nobody);
  fs::permissions(app.path("logs/web.log"), fs::perms::owner_read | fs::perms::owner_write);
  const Answer answer = rotate();
  std::string content;
  for (const std::string& file : app.files("logs")) content += app.content("logs/" + file);
  EXPECT_EQ(content, "one\n") << "nothing is lost, and nothing is there twice: " << answer.out;
  const auto logs = task(answer.json(), "logs");
  EXPECT_EQ(answer.exit_code, 0) << answer.out;
  EXPECT_EQ(logs["done"]["items"].get<int>() + static_cast<int>(logs["skipped"].size()), 1) << logs;
}

}  // namespace
}  // namespace steward::harness
