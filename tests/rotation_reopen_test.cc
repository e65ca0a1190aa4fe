// rotate-logs and what is around a log: a program that is told to open it anew, its size, and where people read what
// became of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "harness/served_api.h"

namespace steward::harness {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

struct Reopening : testing::Test {
  /// A program that logs a line whenever `tick` appears, and opens its log anew on SIGUSR1.
  std::unique_ptr<Started> program() const {
    static const std::string script =
        "exec 3>>logs/web.log; trap 'exec 3>>logs/web.log; touch reopened' USR1; touch started\n"
        "while sleep 0.01; do if [ -e tick ]; then rm tick; echo line >&3; touch ticked; fi; done";
    auto started =
        std::make_unique<Started>(std::vector<std::string>{"/bin/bash", "-c", script}, app.environment, app.root());
    await([&] { return app.exists("started"); }, "the program logs");
    return started;
  }
  void log_a_line() {
    std::filesystem::remove(app.path("ticked"));
    app.file("tick", "");
    await([&] { return app.exists("ticked"); }, "a line is logged");
  }
  void configure(const std::string& keys) {
    app.file("steward.yaml", "rotate-logs:\n  web: {folder: logs, " + keys + "}\n");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
  }
  Answer rotate() const { return app.steward({"run", "rotate-logs", "--json", "--force"}); }

  Application app{};
};

TEST_F(Reopening, ByACommandTheProgramGoesOnInANewLogAndItsArchiveIsCompressed) {
  const auto running = program();
  log_a_line();
  configure("compress: gzip, reopen: {command: [/bin/kill, -USR1, '" + std::to_string(running->pid()) + "']}");
  const Answer answer = rotate();
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_THAT(app.files("logs/archive"), ElementsAre(EndsWith(".gz"))) << "it was waited for";
  EXPECT_TRUE(app.exists("reopened"));
  log_a_line();
  EXPECT_EQ(app.content("logs/web.log"), "line\n");
}

TEST_F(Reopening, ThatCouldNotBeAskedForIsToldAndTheNextRunAsksAgain) {
  const auto running = program();
  log_a_line();
  configure("reopen: {command: [/bin/false]}");
  const Answer failed = rotate();
  EXPECT_EQ(failed.exit_code, 4) << failed.out << failed.err;
  const std::string error = task(failed.json(), "web")["error"].dump();
  EXPECT_THAT(error, HasSubstr("/bin/false ended with"));
  EXPECT_THAT(error, HasSubstr("nothing is lost"));
  ASSERT_THAT(app.files("logs/archive"), SizeIs(1)) << "it is rotated all the same";
  configure("reopen: {command: [/bin/kill, -USR1, '" + std::to_string(running->pid()) + "']}");
  EXPECT_EQ(rotate().exit_code, 0);
  await([&] { return app.exists("reopened"); }, "the program has opened its log anew");
  EXPECT_EQ(app.content("logs/archive/" + app.files("logs/archive").front()), "line\n");
}

TEST_F(Reopening, OfAProgramThatIsGoneNamesItsPidFile) {
  std::unique_ptr<Started> gone =
      std::make_unique<Started>(std::vector<std::string>{"/bin/true"}, app.environment, app.root());
  app.file("web.pid", std::to_string(gone->pid()) + "\n");
  EXPECT_EQ(gone->wait().exit_code, 0);
  configure("reopen: {signal: USR1, pid_file: web.pid}");
  app.file("logs/web.log", "line\n");
  const std::ofstream writer(app.path("logs/web.log"), std::ios::app);
  const Answer answer = rotate();
  EXPECT_EQ(answer.exit_code, 4) << answer.out << answer.err;
  EXPECT_THAT(task(answer.json(), "web")["error"]["message"].get<std::string>(), HasSubstr("web.pid names"));
  EXPECT_THAT(app.files("logs/archive"), SizeIs(1));
}

TEST_F(Reopening, IsNotWantedForALogThatIsSmallerThanTheLeast) {
  configure("min_size: 1 KiB, reopen: {command: [/bin/false]}");
  app.file("logs/small.log", std::string(1023, 'x'));
  const Answer answer = rotate();
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_TRUE(app.exists("logs/small.log"));
  EXPECT_EQ(skipped(task(answer.json(), "web"), "smaller than " + format_bytes(1_KiB)), 1) << answer.out;
}

struct RotationInTheApi : ServedApi {
  void SetUp() override {
    app.environment["STEWARD_STATE_DIR"] = app.path("state");
    open_ledger();
    serve();
  }
};

TEST_F(RotationInTheApi, NamesEachLogWithItsArchive) {
  app.file("logs/web.log", "12345");
  app.file("logs/worker.log", "1234567");
  const Answer answer = app.steward({"run", "rotate-logs", "--json"});
  ASSERT_EQ(answer.exit_code, 0) << answer.err;
  const std::string run = answer.json()["run"];
  const json page = ask("GET", "/api/v1/runs/" + run + "/items?task=logs", {token("viewer")}).document();
  ASSERT_THAT(page["items"], SizeIs(2)) << page.dump(2);
  for (const json& item : page["items"]) {
    EXPECT_EQ(item["what"], "moved");
    const std::string name = item["name"];
    EXPECT_THAT(item["to"].get<std::string>(), StartsWith(name + "."));
    EXPECT_TRUE(app.exists("logs/archive/" + item["to"].get<std::string>()));
    EXPECT_EQ(item["bytes"], name == "web.log" ? 5 : 7);
  }
}

}  // namespace
}  // namespace steward::harness
