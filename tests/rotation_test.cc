// rotate-logs, by the real program: which logs go, how, and that no line is lost or there twice, whoever writes and
// wherever it is killed.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "harness/application.h"
#include "harness/child_run.h"
#include "io/files/processes.h"
#include "io/files/scratch.h"
#include "jobs/rotation/archive_name.h"

namespace steward::harness {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Rotation : testing::Test {
  Answer rotate(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"run", "rotate-logs", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return app.steward(words);
  }
  json plan() const { return app.steward({"plan", "rotate-logs", "--json"}).json(); }
  /// One policy, `web`, with these keys, on the folder `logs`.
  void configure(const std::string& keys) {
    app.file("steward.yaml", "rotate-logs:\n  web: {folder: logs" + (keys.empty() ? "" : ", " + keys) + "}\n");
    app.environment["STEWARD_CONFIG"] = app.path("steward.yaml");
  }
  /// The archives of a log, oldest first, without their folder.
  std::vector<std::string> archives(const std::string& log, const std::string& folder = "logs/archive") const {
    std::vector<std::pair<std::tuple<Instant, std::uint32_t>, std::string>> found;
    for (const std::string& file : app.files(folder))
      if (const auto name = rotation::parse_archive_name(file); name && name->log == log)
        found.push_back({{name->at, name->number}, file});
    std::ranges::sort(found);
    std::vector<std::string> out;
    for (auto& [at, file] : found) out.push_back(std::move(file));
    return out;
  }
  /// All that was ever written to it.
  std::string stream(const std::string& log, const std::string& folder = "logs/archive") const {
    std::string all;
    for (const std::string& archive : archives(log, folder)) all += app.content(folder + "/" + archive);
    return all + app.content("logs/" + log);
  }
  Application app{};
};

TEST_F(Rotation, FromLogDirAloneEachLogGoesToTheArchiveUnderTheTimeOfTheRun) {
  app.file("logs/web.log", "one\n");
  app.file("logs/worker.log", "two\n");
  app.file("logs/empty.log", "");
  app.file("logs/notes.txt", "no log\n");
  app.file("logs/below/other.log", "no log of this folder\n");
  ASSERT_EQ(::symlink("web.log", app.path("logs/current.log").c_str()), 0);
  const json planned = plan();
  EXPECT_EQ(task(planned, "logs")["planned"]["items"], 2);
  EXPECT_EQ(skipped(task(planned, "logs"), "empty"), 1);
  EXPECT_EQ(app.content("logs/web.log"), "one\n") << "a plan changes nothing";
  const Answer answer = rotate();
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_EQ(task(answer.json(), "logs")["done"]["items"], 2);
  ASSERT_THAT(archives("web.log"), SizeIs(1));
  EXPECT_THAT(archives("web.log")[0], testing::MatchesRegex("web\\.log\\.[0-9]{8}T[0-9]{6}Z"));
  EXPECT_EQ(app.content("logs/archive/" + archives("web.log")[0]), "one\n");
  EXPECT_THAT(archives("worker.log"), SizeIs(1));
  EXPECT_FALSE(app.exists("logs/web.log"));
  EXPECT_TRUE(app.exists("logs/empty.log"));
  EXPECT_TRUE(app.exists("logs/notes.txt"));
  EXPECT_TRUE(app.exists("logs/below/other.log"));
  EXPECT_TRUE(std::filesystem::is_symlink(app.path("logs/current.log")));
}

TEST_F(Rotation, WithNothingConfiguredItExitsWithTwo) {
  app.environment.erase("LOG_DIR");
  std::filesystem::remove_all(app.path("logs"));
  for (const char* verb : {"run", "plan"}) {
    const Answer answer = app.steward({verb, "rotate-logs"});
    EXPECT_EQ(answer.exit_code, 2) << answer.out << answer.err;
    EXPECT_THAT(answer.err, HasSubstr("LOG_DIR"));
  }
}

TEST_F(Rotation, TwiceInAMinuteIsOnceUnlessForced) {
  app.file("logs/web.log", "one\n");
  EXPECT_EQ(rotate().exit_code, 0);
  app.file("logs/web.log", "two\n");
  const Answer again = rotate();
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(skipped(task(again.json(), "logs"), "rotated less than 5 min ago"), 1);
  EXPECT_THAT(archives("web.log"), SizeIs(1));
  EXPECT_EQ(rotate({"--force"}).exit_code, 0);
  app.file("logs/web.log", "three\n");
  EXPECT_EQ(rotate({"--force"}).exit_code, 0);
  EXPECT_THAT(archives("web.log"), SizeIs(3)) << "also within one second";
  EXPECT_EQ(stream("web.log"), "one\ntwo\nthree\n");
}

TEST_F(Rotation, ArchivesOlderThanSevenDaysByTheirNamesGoAndNothingElse) {
  const Instant now = SystemClock().now();
  const auto named = [now](int days) {
    return rotation::name_of({.log = "web.log", .at = now - std::chrono::days{days}});
  };
  app.file("logs/archive/" + named(8), "old");
  app.file("logs/archive/" + named(9) + ".gz", "older");
  app.file("logs/archive/" + named(6), "young, whatever its mtime says", 400);
  app.file("logs/archive/web.log.1", "of another program", 400);
  EXPECT_EQ(task(plan(), "logs.archive")["planned"]["items"], 2);
  EXPECT_EQ(rotate().exit_code, 0);
  EXPECT_THAT(app.files("logs/archive"), ElementsAre("web.log.1", named(6)));
}

TEST_F(Rotation, WhatAHoldCoversStaysWhereItIs) {
  const std::string old = rotation::name_of({.log = "a.log", .at = SystemClock().now() - std::chrono::days{30}});
  app.file("logs/web.log", "evidence");
  app.file("logs/archive/" + old, "evidence");
  ASSERT_EQ(app.steward({"hold", "add", "--path", app.path("logs/web.log"), "--reason", "case 12"}).exit_code, 0);
  ASSERT_EQ(app.steward({"hold", "add", "--path", app.path("logs/archive/" + old), "--reason", "case 12"}).exit_code,
            0);
  const json done = rotate().json();
  EXPECT_EQ(skipped(task(done, "logs"), "held"), 1);
  EXPECT_EQ(skipped(task(done, "logs.archive"), "held"), 1);
  EXPECT_EQ(app.content("logs/web.log"), "evidence");
  EXPECT_TRUE(app.exists("logs/archive/" + old));
}

TEST_F(Rotation, UnderAFreezeLogsAreRotatedAndNoArchiveGoes) {
  const std::string old = rotation::name_of({.log = "a.log", .at = SystemClock().now() - std::chrono::days{30}});
  app.file("logs/web.log", "x");
  app.file("logs/archive/" + old, "x");
  ASSERT_EQ(app.steward({"freeze", "--reason", "an audit"}).exit_code, 0);
  const Answer answer = rotate();
  EXPECT_EQ(task(answer.json(), "logs")["status"], "succeeded");
  EXPECT_EQ(task(answer.json(), "logs.archive")["status"], "refused");
  EXPECT_THAT(archives("web.log"), SizeIs(1));
  EXPECT_TRUE(app.exists("logs/archive/" + old));
}

TEST_F(Rotation, OwnerModeAndTimesAreThoseOfTheLog) {
  files::need_root();
  for (const char* keys : {"", "writer: copytruncate", "compress: gzip"}) {
    SCOPED_TRACE(keys);
    configure(keys);
    std::filesystem::remove_all(app.path("logs"));
    app.file("logs/web.log", "x", 3);
    const std::string log = app.path("logs/web.log");
    ASSERT_EQ(::chown(log.c_str(), 1234, 2345), 0);
    ASSERT_EQ(::chmod(log.c_str(), 0640), 0);
    struct stat before{}, after{};
    ASSERT_EQ(::stat(log.c_str(), &before), 0);
    EXPECT_EQ(rotate().exit_code, 0);
    ASSERT_THAT(archives("web.log"), SizeIs(1));
    ASSERT_EQ(::stat(app.path("logs/archive/" + archives("web.log")[0]).c_str(), &after), 0);
    EXPECT_EQ(after.st_uid, 1234U);
    EXPECT_EQ(after.st_gid, 2345U);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  }
}

TEST_F(Rotation, ALogThatIsRenamedIsFollowedByAnEmptyOneWhereThatIsWished) {
  files::need_root();
  configure("create: true");
  app.file("logs/web.log", "x");
  ASSERT_EQ(::chown(app.path("logs/web.log").c_str(), 1234, 2345), 0);
  ASSERT_EQ(::chmod(app.path("logs/web.log").c_str(), 0640), 0);
  EXPECT_EQ(rotate().exit_code, 0);
  struct stat made{};
  ASSERT_EQ(::stat(app.path("logs/web.log").c_str(), &made), 0);
  EXPECT_EQ(made.st_size, 0);
  EXPECT_EQ(made.st_uid, 1234U);
  EXPECT_EQ(made.st_mode & 07777U, 0640U);
}

TEST_F(Rotation, FoldersBelowHaveTheirPlaceInTheArchive) {
  configure("subfolders: true, names: ['*.log', '*.out']");
  app.file("logs/web.log", "1");
  app.file("logs/a/b/deep.out", "2");
  EXPECT_EQ(rotate().exit_code, 0);
  EXPECT_EQ(rotate({"--force"}).exit_code, 0) << "and its own archives are no logs";
  ASSERT_THAT(app.files("logs/archive"), SizeIs(2));
  EXPECT_THAT(app.files("logs/archive")[0], testing::StartsWith("a/b/deep.out."));
}

TEST_F(Rotation, CompressedArchivesAreReadByTheStockProgramsAndTheOriginalIsGone) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i) + " a line\n";
  for (const auto& [method, suffix, program] :
       {std::array<std::string, 3>{"gzip", ".gz", "gzip -dc "}, {"zstd", ".zst", "zstd -qdc "}}) {
    configure("compress: " + method);
    std::filesystem::remove_all(app.path("logs"));
    app.file("logs/web.log", text);
    EXPECT_EQ(rotate().exit_code, 0);
    ASSERT_THAT(app.files("logs"), ElementsAre(testing::EndsWith(suffix)));
    const std::string archive = app.path("logs/" + app.files("logs")[0]);
    EXPECT_EQ(std::system((program + archive + " > " + app.path("out")).c_str()), 0);
    EXPECT_EQ(app.content("out"), text);
  }
}

TEST_F(Rotation, NothingIsCompressedOrRemovedWhileSomebodyHasItOpen) {
  configure("compress: zstd, writer: rename, keep: 1 day");
  const std::string old = rotation::name_of({.log = "old.log", .at = SystemClock().now() - std::chrono::days{30}});
  app.file("logs/web.log", "x");
  app.file("logs/archive/" + old, "x");
  {
    const files::Holder writer([&] {
      EXPECT_GE(::open(app.path("logs/web.log").c_str(), O_WRONLY | O_APPEND), 0);
      EXPECT_GE(::open(app.path("logs/archive/" + old).c_str(), O_RDONLY), 0);
    });
    EXPECT_EQ(rotate().exit_code, 0);
    ASSERT_THAT(archives("web.log"), SizeIs(1));
    EXPECT_THAT(archives("web.log")[0], testing::Not(testing::EndsWith(".zst")));
    EXPECT_TRUE(app.exists("logs/archive/" + old));
  }
  EXPECT_EQ(rotate().exit_code, 0);
  EXPECT_THAT(app.files("logs/archive"), ElementsAre(AllOf(HasSubstr("web.log"), testing::EndsWith(".zst"))));
}

/// Writes numbered lines, 50,000 a second, in append mode, one write for each, until it is told to stop (SIGTERM), and
/// then leaves how many there were. On SIGUSR1 it opens its log anew.
class Writer {
 public:
  Writer(const std::string& log, const std::string& count) : count_(count) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) write_on(log, ready[1]);
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() {
    if (child_ > 0) stop();
  }
  pid_t pid() const { return child_; }
  std::uint64_t stop() {
    ::kill(std::exchange(child_, -1), SIGTERM);
    while (::wait(nullptr) > 0) {
    }
    std::uint64_t lines = 0;
    std::ifstream(count_) >> lines;
    return lines;
  }

 private:
  static inline volatile std::sig_atomic_t stopping = 0, reopening = 0;
  static constexpr std::uint64_t burst = 50;  ///< Lines in a millisecond.
  [[noreturn]] void write_on(const std::string& log, int ready) const {
    ::signal(SIGTERM, [](int) { stopping = 1; });
    ::signal(SIGUSR1, [](int) { reopening = 1; });
    int fd = -1;
    std::uint64_t n = 0;
    auto next = std::chrono::steady_clock::now();
    while (stopping == 0) {
      if (n % burst == 0) {
        next += std::chrono::milliseconds{1};
        std::this_thread::sleep_until(next);
      }
      if (fd < 0 || reopening != 0) {
        reopening = 0;
        ::close(fd);
        fd = ::open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
      }
      std::array<char, 96> line{};
      line.fill('x');
      const auto end = std::to_chars(line.data(), line.data() + 20, n).ptr;
      *end = ' ';
      line.back() = '\n';
      if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) continue;
      if (n++ == 0) (void)!::write(ready, "x", 1);
    }
    std::ofstream(count_) << n;
    ::_exit(0);
  }
  std::string count_;
  pid_t child_ = -1;
};

/// Checks that the stream is exactly the lines 0, 1, … `lines` - 1.
void expect_lines(const std::string& stream, std::uint64_t lines) {
  ASSERT_EQ(stream.size(), lines * 96) << "lines lost, or there twice";
  for (std::uint64_t n = 0; n < lines; ++n) {
    std::uint64_t found = 0;
    const char* at = stream.data() + n * 96;
    std::from_chars(at, at + 20, found);
    ASSERT_EQ(found, n);
  }
}

struct UnderAWriter : Rotation {
  void rotate_a_hundred_times() {
    for (int i = 0; i < 100; ++i) {
      const Answer answer = rotate({"--force"});
      ASSERT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    }
  }
};

TEST_F(UnderAWriter, AHundredCutsLoseNoLineAndDoubleNone) {
  configure("writer: cut");
  std::filesystem::create_directories(app.path("logs"));
  Writer writer(app.path("logs/web.log"), app.path("count"));
  rotate_a_hundred_times();
  const std::uint64_t lines = writer.stop();
  EXPECT_GE(archives("web.log").size(), 50U);
  expect_lines(stream("web.log"), lines);
}

TEST_F(UnderAWriter, AHundredRenamesWithAReopenLoseNoLineAndDoubleNone) {
  configure("reopen: {signal: USR1, pid_file: web.pid}, compress: none");
  std::filesystem::create_directories(app.path("logs"));
  Writer writer(app.path("logs/web.log"), app.path("count"));
  app.file("web.pid", std::to_string(writer.pid()) + "\n");
  rotate_a_hundred_times();
  const std::uint64_t lines = writer.stop();
  EXPECT_GE(archives("web.log").size(), 50U);
  expect_lines(stream("web.log"), lines);
}

TEST_F(UnderAWriter, AutoCutsWhereEverybodyIsSeenAndThePlanNamesTheWriter) {
  configure("");
  std::filesystem::create_directories(app.path("logs"));
  Writer writer(app.path("logs/web.log"), app.path("count"));
  await([&] { return std::filesystem::file_size(app.path("logs/web.log")) > 100'000; }, "there is enough to cut");
  // Where something shields a process even from root, nobody can tell, and auto does not cut.
  const std::string blind_to = files::writing_to({}).blind_to;
  const json planned = task(plan(), "web");
  EXPECT_THAT(planned["samples"].dump(),
              AllOf(HasSubstr(blind_to.empty() ? "web.log, cut under" : "web.log, renamed under"),
                    HasSubstr("(pid " + std::to_string(writer.pid()) + ")")));
  EXPECT_EQ(planned["notes"].empty(), blind_to.empty());
  EXPECT_THAT(planned["notes"].dump(), HasSubstr(blind_to));
  EXPECT_EQ(rotate().exit_code, 0);
  const std::uint64_t lines = writer.stop();
  EXPECT_THAT(archives("web.log"), SizeIs(1));
  EXPECT_EQ(app.content("logs/web.log").empty(), !blind_to.empty());
  expect_lines(stream("web.log"), lines);
}

TEST_F(UnderAWriter, ThatIsAnotherUserOutsideOfTheContainerNothingIsGuessed) {
  files::need_root();
  configure("compress: gzip");
  app.file("logs/web.log", std::string(100'000, 'x'));
  const files::Holder writer([&] {
    EXPECT_GE(::open(app.path("logs/web.log").c_str(), O_WRONLY | O_APPEND), 0);
    EXPECT_EQ(::setresuid(files::nobody, files::nobody, files::nobody), 0);
  });
  const Answer answer = run_program(
      {"/usr/bin/unshare", "--pid", "--fork", "--mount-proc", steward_binary(), "run", "rotate-logs", "--json"},
      app.environment, app.root());
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  ASSERT_THAT(archives("web.log"), SizeIs(1)) << "a rename loses nothing";
  EXPECT_EQ(archives("web.log")[0].find(".gz"), std::string::npos) << "it is open, whoever has it";
  EXPECT_EQ(app.content("logs/archive/" + archives("web.log")[0]).size(), 100'000U);
}

TEST_F(UnderAWriter, AnEmptyingSaysHowLongItsWindowWas) {
  configure("writer: copytruncate");
  app.file("logs/web.log", "before\n");
  const int fd = ::open(app.path("logs/web.log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  EXPECT_THAT(task(plan(), "web")["notes"].dump(), HasSubstr("is lost"));
  const json done = rotate().json();
  EXPECT_THAT(task(done, "web")["notes"].dump(), HasSubstr("microseconds"));
  ASSERT_EQ(::write(fd, "after\n", 6), 6);
  ::close(fd);
  EXPECT_EQ(app.content("logs/web.log"), "after\n");
  EXPECT_EQ(stream("web.log"), "before\nafter\n");
}

TEST_F(UnderAWriter, OneThatDoesNotAppendIsLeftByCutAndEmptying) {
  for (const char* writer : {"cut", "copytruncate"}) {
    configure(std::string("writer: ") + writer);
    app.file("logs/web.log", std::string(10'000, 'x'));
    const int fd = ::open(app.path("logs/web.log").c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(skipped(task(rotate().json(), "web"), "its writer does not append, and a cut would leave a hole") +
                  skipped(task(rotate().json(), "web"), "its writer does not append, and would leave a hole"),
              1)
        << writer;
    ::close(fd);
    EXPECT_EQ(app.content("logs/web.log").size(), 10'000U);
  }
}

TEST_F(Rotation, AFullDiskLeavesTheLogAsItWas) {
  files::with_own_mounts([&] {
    configure("writer: copytruncate, archive: " + app.path("full"));
    std::filesystem::create_directories(app.path("full"));
    files::mount_tmpfs(app.path("full"), "size=256k");
    app.file("logs/web.log", std::string(1'000'000, 'x'));
    const files::Holder reader([&] { EXPECT_GE(::open(app.path("logs/web.log").c_str(), O_WRONLY | O_APPEND), 0); });
    const Answer answer = rotate();
    EXPECT_EQ(answer.exit_code, 4) << "a part of it succeeded";
    EXPECT_EQ(task(answer.json(), "web")["status"], "failed");
    EXPECT_THAT(task(answer.json(), "web")["error"]["message"].get<std::string>(), HasSubstr("no room for a copy"));
    EXPECT_EQ(app.content("logs/web.log").size(), 1'000'000U);
    EXPECT_THAT(app.files("full"), IsEmpty());
  });
}

TEST_F(Rotation, AnArchiveOnAnotherFileSystemGetsACheckedCopy) {
  files::with_own_mounts([&] {
    configure("archive: " + app.path("elsewhere"));
    std::filesystem::create_directories(app.path("elsewhere"));
    files::mount_tmpfs(app.path("elsewhere"));
    app.file("logs/web.log", "one\n");
    app.file("logs/open.log", "two\n");
    const files::Holder reader([&] { EXPECT_GE(::open(app.path("logs/open.log").c_str(), O_RDONLY), 0); });
    const Answer answer = rotate();
    EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    EXPECT_EQ(skipped(task(answer.json(), "web"), "open, and the archive is on another file system"), 1);
    EXPECT_FALSE(app.exists("logs/web.log"));
    EXPECT_EQ(stream("web.log", "elsewhere"), "one\n");
    EXPECT_EQ(app.content("logs/open.log"), "two\n");
  });
}

TEST_F(Rotation, OneRunAtATimeHasTheFolder) {
  app.file("logs/web.log", "x");
  const int fd = ::open(app.path("logs").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  EXPECT_EQ(rotate().exit_code, 75);
  ::close(fd);
  EXPECT_EQ(app.content("logs/web.log"), "x");
  EXPECT_EQ(rotate().exit_code, 0);
}

/// How a log goes, and what a run over it is like.
struct KillCase {
  std::string name{}, keys{};
  bool written = false;  ///< Somebody has it open to append.
};

struct RotationCrash : testing::TestWithParam<KillCase> {};

TEST_P(RotationCrash, KilledAnywhereNoLineIsLostAndNoneIsThereTwice) {
  const std::string content = std::string(9'000, 'a') + std::string(9'000, 'b') + "end\n";
  struct World : Rotation {
    explicit World(const KillCase& how, const std::string& content) {
      configure(how.keys);
      app.file("logs/web.log", content);
      app.file("logs/other.log", content);
      if (how.written)
        for (const char* log : {"logs/web.log", "logs/other.log"})
          writers.push_back(::open(app.path(log).c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    }
    ~World() override {
      for (const int fd : writers) ::close(fd);
    }
    void TestBody() override {}
    /// With the writers' handles in another process than the run's.
    int run(const std::function<void(std::string_view)>& at) const { return in_a_child(app, at, "rotate-logs"); }
    std::vector<int> writers{};
  };
  std::vector<std::string> names;
  {
    const World world(GetParam(), content);
    names = places_of(world.app, "rotate-logs");
  }
  ASSERT_GE(names.size(), 6U) << "the task has named points";
  for (const std::size_t n : worth_trying(names)) {
    const std::string where = "killed at " + std::to_string(n) + ": " + names[n - 1];
    SCOPED_TRACE(where);
    const World world(GetParam(), content);
    std::size_t count = 0;
    const int status = world.run([&](std::string_view) {
      if (++count == n) ::kill(::getpid(), SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status)) << where;
    const Answer again = world.rotate({"--force"});
    EXPECT_EQ(again.exit_code, 0) << again.out << again.err;
    for (const char* log : {"web.log", "other.log"}) {
      std::string all;
      for (const std::string& archive : world.archives(log)) {
        const std::string path = world.app.path("logs/archive/" + archive);
        if (!archive.ends_with(".zst")) {
          all += world.app.content("logs/archive/" + archive);
          continue;
        }
        EXPECT_EQ(std::system(("zstd -qdcf " + path + " > " + world.app.path("out")).c_str()), 0);
        all += world.app.content("out");
      }
      EXPECT_EQ(all + world.app.content(std::string("logs/") + log), content) << log;
    }
    for (const std::string& file : world.app.files("logs"))
      EXPECT_EQ(file.find(".steward-"), std::string::npos) << "nothing is left behind: " << file;
    if (HasFailure()) return;  // one place is enough to read
  }
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, RotationCrash,
                         testing::Values(KillCase{"renamed", ""}, KillCase{"cut", "writer: cut", true},
                                         KillCase{"compressed", "compress: zstd"}),
                         [](const auto& kill) { return kill.param.name; });

}  // namespace
}  // namespace steward::harness
