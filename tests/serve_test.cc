// `steward serve`: real daemons, real runs, killed and stopped at any time. Every tick has one outcome, no run is
// stuck, none is doubled, and what a daemon leaves the next one finds.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <sstream>

#include "engine/daemon.h"
#include "harness/own_server.h"
#include "harness/serving.h"
#include "run/ledger/agenda.h"
#include "run/runner.h"

namespace steward::harness {
namespace {
using namespace std::chrono_literals;
using ledger::Status;
using testing::AnyOf;
using testing::HasSubstr;

TEST_F(Serve, StartsWhatIsQueuedAndKeepsWhatItSaid) {
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_status("r1", Status::succeeded);
  EXPECT_FALSE(app.exists("logs/old.log"));
  EXPECT_TRUE(app.exists("logs/new.log"));
  const LedgerRun run = this->run("r1");
  EXPECT_NE(run.process.pid, serving->pid()) << "a process of its own";
  EXPECT_EQ(run.trigger, "serve");
  await([&] { return app.content("state/runs/r1/output.log").contains("succeeded"); }, "its output is kept");
  ::kill(serving->pid(), SIGTERM);
  const Answer answer = serving->wait();
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("stopped"));
}

TEST_F(Serve, IsRefusedWhereAnotherOneServesTheSameStateDirectory) {
  const auto serving = daemon();
  await_ready(*serving);
  const Answer second = app.steward({"serve"});
  EXPECT_EQ(second.exit_code, 75);
  EXPECT_THAT(second.err, HasSubstr("another daemon serves"));
}

TEST_F(Serve, ARunWhoseProcessCannotBeginFailsWithWhatItSaid) {
  const auto serving = daemon();
  await_ready(*serving);
  app.file("steward.yaml", "cleanup: {logs: {kind: flies}}\n");
  ASSERT_EQ(ledger->agenda().enqueue(a_run("r1")), true);
  poke(*serving);
  await_status("r1", Status::failed);
  EXPECT_THAT(error_of("r1"), HasSubstr("exit code 2"));
}

TEST_F(Serve, AConfigurationThatIsBrokenLeavesTheOldOneInForce) {
  const auto serving = daemon();
  await_ready(*serving);
  const std::string right = app.content("steward.yaml");
  app.file("steward.yaml", "jobs: {cleanup: {schedule: 'every day'}}\n");
  poke(*serving);
  app.file("steward.yaml", right);
  enqueue("r1", *serving);
  await_status("r1", Status::succeeded);
  ::kill(serving->pid(), SIGTERM);
  EXPECT_EQ(serving->wait().exit_code, 0);
}

TEST_F(Serve, StartsAlthoughATargetIsUnreachableAndStatusSaysWhich) {
  app.file("steward.yaml",
           "databases: {app: \"postgresql://app:hunter2@127.0.0.1:1/app\"}\ncleanup:\n"
           "  signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}\n");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_status("r1", Status::failed);
  const std::string attention = app.steward({"status", "--json"}).json()["attention"].dump();
  EXPECT_THAT(attention, HasSubstr("signals failed: cannot connect to postgresql://app@127.0.0.1:1/app"));
}

TEST_F(Serve, ARunThatADeadDaemonWasAboutToStartIsStarted) {
  ASSERT_EQ(ledger->agenda().enqueue(a_run("r1")), true);
  ledger::Process dead = this_process();
  dead.started_ticks += 1;
  ASSERT_EQ(ledger->agenda().launch("r1", "", "a token", dead, SystemClock().now()), true);
  const auto serving = daemon();
  await_status("r1", Status::succeeded);
}

TEST_F(Serve, AProcessThatComesLateForItsRunLeavesAtOnce) {
  ASSERT_EQ(ledger->agenda().enqueue(a_run("r1")), true);
  ASSERT_EQ(ledger->agenda().launch("r1", "", "newer", this_process(), SystemClock().now()), true);
  const auto late = app.start({"run", "cleanup"}, {{"STEWARD_RUN", "r1"}, {"STEWARD_LAUNCH", "older"}});
  const Answer answer = late->wait();
  EXPECT_EQ(answer.exit_code, 75) << answer.err;
  EXPECT_TRUE(app.exists("logs/old.log"));
  EXPECT_EQ(run("r1").status, Status::queued);
}

TEST_F(Serve, RunsAtTheMinuteThatTheScheduleSays) {
  configure("schedule: '* * * * *'");
  const auto serving = daemon();
  // Two, so that the second is not the start's. By the clock on the wall: a minute or two.
  std::vector<ledger::Tick> ticks;
  await_minutes(
      [&] {
        ticks = ledger->agenda().ticks({}).value();
        return ticks.size() >= 2;
      },
      "two ticks have come");
  ASSERT_GE(ticks.size(), 2u);
  EXPECT_EQ(ticks[0].due - ticks[1].due, 1min);
  for (const ledger::Tick& tick : ticks) {
    EXPECT_EQ(tick.outcome, "fired");
    await_status(tick.run, Status::succeeded);
    EXPECT_EQ(run(tick.run).due, tick.due);
  }
  const nlohmann::json past = app.steward({"schedule", "--past", "--json"}).json();
  EXPECT_EQ(past["ticks"][1]["run"], ticks[1].run);
}

/// The same with a run that has begun and cannot get on: somebody has a row of its locked.
struct ServeInTheMiddle : Serve {
  ServeInTheMiddle() : Serve(DatabaseKind::postgres) {}
  std::string tasks() const override {
    return "  signals: {kind: rows, table: signals, age_column: timestamp, age: 30 days}\n";
  }
  void SetUp() override {
    Serve::SetUp();
    app.sql(
        "insert into signals select i, 1, now() - interval '40 days', 0.5, null, 'x' from generate_series(1, 20) as "
        "s(i)");
    app.sql("insert into signals values (1000, 1, now(), 0.5, null, 'x')");
    auto connection = sql::connect({.url = app.environment["DATABASE_URL"]});
    ASSERT_TRUE(connection);
    other = *std::move(connection);
    hold_up();
  }
  void hold_up() {
    auto transaction = other->begin();
    ASSERT_TRUE(transaction);
    lock.emplace(*std::move(transaction));
    ASSERT_TRUE(other->query("select 1 from signals where id = 7 for update"));
  }
  void let_it_go_on() { (void)lock->rollback(); }
  void await_middle() {
    await(
        [&] {
          return app.value(
                     "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = "
                     "'Lock' and application_name like 'steward cleanup%'") == "1";
        },
        "the run waits for the row");
  }
  void kill_and_forget(Started& daemon) {
    ::kill(daemon.pid(), SIGKILL);
    EXPECT_EQ(daemon.wait().exit_code, 128 + SIGKILL);
  }
  pid_t process_of(const std::string& id) { return static_cast<pid_t>(run(id).process.pid); }

  std::unique_ptr<sql::Connection> other{};
  std::optional<sql::Transaction> lock{};
};

TEST_F(ServeInTheMiddle, ADaemonThatIsKilledLeavesTheRunAndTheNextOneFindsIt) {
  const auto first = daemon();
  await_ready(*first);
  enqueue("r1", *first);
  await_middle();
  const pid_t child = process_of("r1");
  kill_and_forget(*first);
  const auto second = daemon();
  await_ready(*second);
  poke(*second);
  let_it_go_on();
  await_status("r1", Status::succeeded);
  EXPECT_EQ(process_of("r1"), child);
  EXPECT_EQ(app.count("signals"), 1);
  EXPECT_EQ(ledger->runs({})->size(), 1u);
}

/// A ledger that takes no new connection for a while, as a server that is just being restarted.
struct ServeFromASharedLedger : Serve {
  ServeFromASharedLedger() : Serve(DatabaseKind::postgres) {}
  std::string ledger_url() const override { return app.environment.at("DATABASE_URL"); }
  void SetUp() override {
    app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    Serve::SetUp();
  }
  void take_connections(const char* whether) {
    app.sql(std::string("update pg_database set datallowconn = ") + whether + " where datname = current_database()");
  }
};

TEST_F(ServeFromASharedLedger, ARunWhoseProcessCannotReachTheLedgerBeforeItBeginsIsStartedAgain) {
  const auto serving = daemon();
  await_ready(*serving);
  await([&] { return app.value("select count(*) from steward.leases where holder <> ''") == "1"; }, "it decides");
  take_connections("false");
  enqueue("r1", *serving);
  await([&] { return !run("r1").launch.empty(); }, "a process was started");
  const std::string first = run("r1").launch;
  await([&] { return run("r1").launch != first; }, "and, since it has ended, another");
  take_connections("true");
  await_status("r1", Status::succeeded);
  EXPECT_EQ(ledger->runs({})->size(), 1u) << "it is no other attempt: it had not begun";
}

TEST_F(ServeFromASharedLedger, ARunThatCannotBeginForLongerFailsAndSaysWhy) {
  const auto serving = daemon();
  await_ready(*serving);
  await([&] { return app.value("select count(*) from steward.leases where holder <> ''") == "1"; }, "it decides");
  take_connections("false");
  enqueue("r1", *serving);
  await_status("r1", Status::failed);
  take_connections("true");
  EXPECT_THAT(error_of("r1"), HasSubstr("its process ended before it began (exit code 1)"));
}

TEST_F(ServeInTheMiddle, ARunThatIsKilledIsInterruptedAtOnceAndRetriedOnce) {
  configure("schedule: '0 3 1 1 *', retries: {max: 1, backoff: 1s}");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_middle();
  ::kill(process_of("r1"), SIGKILL);
  await_status("r1", Status::interrupted);
  EXPECT_THAT(error_of("r1"), HasSubstr("SIGKILL"));
  let_it_go_on();
  await([&] { return ledger->runs({})->size() == 2; }, "there is another attempt");
  const LedgerRun retry = ledger->runs({})->front();
  EXPECT_EQ(retry.attempt, 2);
  EXPECT_EQ(retry.retry_of, "r1");
  EXPECT_EQ(retry.due, run("r1").due);
  await_status(retry.id, Status::succeeded);
  EXPECT_EQ(app.count("signals"), 1);
}

TEST_F(ServeInTheMiddle, WhereBothAreKilledTheNextDaemonSaysSo) {
  const auto first = daemon();
  await_ready(*first);
  enqueue("r1", *first);
  await_middle();
  kill_and_forget(*first);
  ::kill(process_of("r1"), SIGKILL);
  const auto second = daemon();
  await_status("r1", Status::interrupted);
  // It may find it still dying.
  EXPECT_THAT(error_of("r1"), AnyOf(HasSubstr("gone"), HasSubstr("ended without a word")));
  EXPECT_EQ(ledger->runs({})->size(), 1u) << "no retry was asked for";
}

TEST_F(ServeInTheMiddle, ARunThatIsCancelledIsStopped) {
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_middle();
  EXPECT_EQ(app.steward({"runs", "cancel", "r1"}).exit_code, 0);
  await_status("r1", Status::cancelled);
  EXPECT_EQ(app.count("signals"), 21);
}

TEST_F(ServeInTheMiddle, ARunThatTakesLongerThanItMayIsStopped) {
  configure("schedule: '0 3 1 1 *', max_runtime: 1s");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_status("r1", Status::cancelled);
  EXPECT_THAT(run("r1").cancelled_by, HasSubstr("max_runtime"));
}

TEST_F(ServeInTheMiddle, ToldToStopItsRunsItWaitsUntilTheyHave) {
  const auto serving = daemon({"--shutdown", "stop"});
  await_ready(*serving);
  enqueue("r1", *serving);
  await_middle();
  ::kill(serving->pid(), SIGTERM);
  EXPECT_EQ(serving->wait().exit_code, 0);
  EXPECT_EQ(run("r1").status, Status::cancelled);
}

TEST_F(ServeInTheMiddle, TheConfigurationCanSayWhatBecomesOfThemAndHowItTellsOfIt) {
  app.file("steward.yaml", app.content("steward.yaml") + "serve: {shutdown: stop, log_format: json}\n");
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_middle();
  ::kill(serving->pid(), SIGTERM);
  const Answer answer = serving->wait();
  EXPECT_EQ(answer.exit_code, 0);
  EXPECT_EQ(run("r1").status, Status::cancelled);
  std::istringstream lines(answer.out);
  std::string last;
  for (std::string line; std::getline(lines, line); last = line) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_EQ(nlohmann::json::parse(last)["text"], "stopped");
}

TEST_F(ServeInTheMiddle, ToldToLeaveThemItEndsAndTheyGoOn) {
  const auto serving = daemon();
  await_ready(*serving);
  enqueue("r1", *serving);
  await_middle();
  ::kill(serving->pid(), SIGTERM);
  EXPECT_EQ(serving->wait().exit_code, 0);
  EXPECT_EQ(run("r1").status, Status::running);
  let_it_go_on();
  await_status("r1", Status::succeeded);
}

/// Three daemons as three hosts have them: state directories of their own, one ledger on PostgreSQL.
struct ThreeDaemons : Serve {
  ThreeDaemons() : Serve(DatabaseKind::postgres) {}
  std::string ledger_url() const override { return app.environment.at("DATABASE_URL"); }
  void SetUp() override {
    app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    Serve::SetUp();
    configure("schedule: '* * * * *'");
    for (int i = 0; i < 3; ++i)
      daemons.push_back(daemon({}, {{"STEWARD_STATE_DIR", app.path("state-" + std::to_string(i))}}));
  }
  /// The pid of the one that has the lease; 0 for none.
  pid_t leader() {
    const std::string holder = app.value("select holder from steward.leases where name = 'serve'");
    const std::size_t colon = holder.rfind(':');
    return colon == std::string::npos ? 0 : std::stoi(holder.substr(colon + 1));
  }
  std::size_t ticks() { return ledger->agenda().ticks({.limit = 1000})->size(); }
  void await_ticks(std::size_t count) {
    await_minutes([&] { return ticks() >= count; }, std::to_string(count) + " ticks have come");
  }
  std::vector<std::unique_ptr<Started>> daemons{};
};

TEST_F(ThreeDaemons, FireEachTickOnceThroughKillsAndPauses) {
  await_ticks(1);
  const pid_t first = leader();
  ASSERT_GT(first, 0);
  ::kill(first, SIGKILL);
  await([&] { return leader() != first && leader() != 0; }, "another one decides");
  const pid_t second = leader();
  await_ticks(2);
  ::kill(second, SIGSTOP);
  await([&] { return leader() != second && leader() != 0; }, "the third one decides");
  await_ticks(3);
  ::kill(second, SIGCONT);
  const std::size_t then = ticks();
  await_ticks(then + 1);

  std::vector<ledger::Tick> all = ledger->agenda().ticks({.limit = 1000}).value();
  std::size_t fired = 0;
  for (const ledger::Tick& tick : all) fired += tick.outcome == "fired";
  const std::vector<LedgerRun> runs = ledger->runs({.limit = 1000}).value();
  EXPECT_EQ(runs.size(), fired) << "a run for each that fired, and no other";
  for (const ledger::Tick& tick : all)
    if (tick.outcome == "fired") await_status(tick.run, Status::succeeded);
}

/// The same on a server of its own, which goes away and comes back.
struct ThreeDaemonsOfARestartedServer : testing::TestWithParam<const char*> {
  struct Daemons : ThreeDaemons {
    void TestBody() override {}
  };
  void SetUp() override { daemons.SetUp(); }
  OwnServer server{};
  Daemons daemons{};
};

TEST_P(ThreeDaemonsOfARestartedServer, GoOnAsIfNothingHadBeen) {
  daemons.await_ticks(1);
  server.restart(GetParam());
  daemons.app.reconnect();
  const std::size_t then = daemons.ticks();
  daemons.await_ticks(then + 1);
  const std::vector<ledger::Tick> all = daemons.ledger->agenda().ticks({.limit = 1000}).value();
  std::size_t fired = 0;
  for (const ledger::Tick& tick : all) {
    if (tick.outcome != "fired") continue;
    ++fired;
    await([&] { return daemons.run(tick.run).ended.has_value(); }, tick.run + " has ended");
    // One whose processes were just about to begin, and could reach no ledger three times. It says so, and is not
    // stuck.
    if (daemons.run(tick.run).status != Status::succeeded) {
      EXPECT_THAT(daemons.error_of(tick.run), HasSubstr("its process ended "));
    }
  }
  daemons.await_status(all.front().run, Status::succeeded);
  EXPECT_GE(fired, then);
  EXPECT_EQ(daemons.ledger->runs({.limit = 1000})->size(), fired);
  for (const auto& daemon : daemons.daemons) EXPECT_EQ(::kill(daemon->pid(), 0), 0) << "none has ended";
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, ThreeDaemonsOfARestartedServer, testing::Values("fast", "immediate"),
                         [](const auto& how) { return std::string(how.param); });

/// Two containers of one deployment, whose clocks say that it is soon time: state directories of their own, one ledger.
struct Night {
  const char* name;
  std::chrono::hours due;  ///< After midnight, UTC.
  const char* schedule;    ///< None: there is no file, and variables alone.
};
struct TwoDaemons : Serve, testing::WithParamInterface<Night> {
  TwoDaemons() : Serve(DatabaseKind::postgres) {}
  std::string ledger_url() const override { return app.environment.at("STEWARD_LEDGER_URL"); }
  void SetUp() override {
    app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    Serve::SetUp();
    if (GetParam().schedule != nullptr)
      app.file("steward.yaml",
               "cleanup:\n" + tasks() + "jobs:\n  cleanup: {schedule: '" + GetParam().schedule + "'}\n");
    else
      app.environment.erase("STEWARD_CONFIG");
    const Instant now = SystemClock().now();
    due = std::chrono::floor<std::chrono::days>(now) + GetParam().due;
    while (due < now + 1min) due += std::chrono::days(1);
    const auto ahead = std::chrono::floor<std::chrono::seconds>(due - 20s - now);
    app.environment["LD_PRELOAD"] = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
    app.environment["FAKETIME"] = "+" + std::to_string(ahead.count());
    app.environment["DONT_FAKE_MONOTONIC"] = "1";
    app.environment.erase("DATABASE_URL");  // whose server has another clock, and would have the tasks refused
    app.environment.erase("S3_BUCKET");
  }
  std::string holder() {
    return app.value("select coalesce(max(holder), '') from steward.leases where name = 'serve'");
  }
  Instant due{};
};

TEST_P(TwoDaemons, OverTheNightStartTheJobOnce) {
  std::vector<std::unique_ptr<Started>> daemons;
  for (const char* state : {"state-a", "state-b"})
    daemons.push_back(daemon({}, {{"STEWARD_STATE_DIR", app.path(state)}}));
  std::vector<ledger::Tick> ticks;
  await(
      [&] {
        ticks = ledger->agenda().ticks({}).value();
        return !ticks.empty();
      },
      "it has become time");
  ASSERT_EQ(ticks.size(), 1u);
  await_status(ticks[0].run, Status::succeeded);
  EXPECT_FALSE(app.exists("logs/old.log"));
  // The other one takes over, and finds that all is done.
  const std::string first = holder();
  const bool is_first = first.ends_with(":" + std::to_string(daemons[0]->pid()));
  ::kill(daemons[is_first ? 0 : 1]->pid(), SIGKILL);
  await([&] { return !holder().empty() && holder() != first; }, "the other one decides");
  Started& other = *daemons[is_first ? 1 : 0];
  poke(other);
  ::kill(other.pid(), SIGTERM);
  EXPECT_EQ(other.wait().exit_code, 0);
  ticks = ledger->agenda().ticks({}).value();
  ASSERT_EQ(ticks.size(), 1u);
  EXPECT_EQ(ticks[0].job, "cleanup");
  EXPECT_EQ(ticks[0].due, due);
  EXPECT_EQ(ticks[0].outcome, "fired");
  EXPECT_EQ(ledger->runs({})->size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, TwoDaemons,
                         testing::Values(Night{"at_midnight", 24h, "0 0 * * *"},
                                         Night{"with_variables_alone", 3h, nullptr}),
                         [](const auto& night) { return std::string(night.param.name); });

/// The daemon as process 1 of a container: a PID namespace of its own.
struct ServeAsProcess1 : ServeInTheMiddle {
  std::unique_ptr<Started> container() const {
    return std::make_unique<Started>(std::vector<std::string>{"/usr/bin/unshare", "--pid", "--fork", "--kill-child",
                                                              "--mount-proc", steward_binary(), "serve"},
                                     app.environment, app.root());
  }
  static std::vector<pid_t> children_of(pid_t pid) {
    std::ifstream list("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
    return {std::istream_iterator<pid_t>(list), {}};
  }
  /// Of the daemon in it, as we see it from outside.
  static pid_t daemon_in(const Started& container) {
    await([&] { return !children_of(container.pid()).empty(); }, "it has begun");
    const pid_t pid = children_of(container.pid()).at(0);
    await([&] { return handles_hangup(pid); }, "the daemon is up");
    return pid;
  }
};

TEST_F(ServeAsProcess1, ItReapsWhatOthersLeaveAndARunThatDiesWithItGoesOnAtTheNextStart) {
  configure("schedule: '0 3 1 1 *', retries: {max: 1, backoff: 1s}");
  const auto first = container();
  const pid_t process_1 = daemon_in(*first);
  ASSERT_EQ(ledger->agenda().enqueue(a_run("r1")), true);
  ::kill(process_1, SIGHUP);
  await_middle();
  EXPECT_EQ(children_of(process_1).size(), 1u) << "the run";
  // A process whose parent ends before it: from then on it is process 1's.
  const Answer left = run_program({"/usr/bin/nsenter", "--target", std::to_string(process_1), "--pid", "/bin/sh", "-c",
                                   "(until [ -e go ]; do sleep 0.01; done) & exit 0"},
                                  {{"PATH", "/usr/bin:/bin"}}, app.root());
  EXPECT_EQ(left.exit_code, 0) << left.err;
  await([&] { return children_of(process_1).size() == 2; }, "somebody's child has become the daemon's");
  app.file("go", "");
  await(
      [&] {
        ::kill(process_1, SIGHUP);
        return children_of(process_1).size() == 1;
      },
      "it is out of the process table");
  ::kill(process_1, SIGKILL);
  first->wait();
  EXPECT_EQ(run("r1").status, Status::running) << "nobody is left who could say otherwise";
  let_it_go_on();
  const auto second = container();
  (void)daemon_in(*second);
  await_minutes([&] { return run("r1").status == Status::interrupted; }, "its silence has lasted a minute");
  await([&] { return ledger->runs({})->size() == 2; }, "there is another attempt");
  await_status(ledger->runs({})->front().id, Status::succeeded);
  EXPECT_EQ(app.count("signals"), 1);
  ::kill(children_of(second->pid()).at(0), SIGTERM);
  EXPECT_EQ(second->wait().exit_code, 0);
}

/// A service manager's end of the socket.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval a_minute{.tv_sec = 60, .tv_usec = 0};
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &a_minute, sizeof a_minute), 0);
  }
  ~NotifySocket() { ::close(socket_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  /// The next thing that it is told; empty where nothing comes for a minute.
  std::string next() const {
    std::array<char, 256> text{};
    const ssize_t size = ::recv(socket_, text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }

 private:
  int socket_;
};

TEST_F(Serve, TellsTheServiceManagerThatItIsReadyThatItLivesAndThatItStops) {
  const NotifySocket manager(app.path("notify"));
  const auto serving =
      daemon({}, {{"NOTIFY_SOCKET", app.path("notify")}, {"WATCHDOG_USEC", "200000"}});  // as WatchdogSec=0.2
  std::vector<std::string> told{manager.next()};
  while (told.size() < 4) told.push_back(manager.next());
  EXPECT_EQ(std::ranges::count(told, "READY=1"), 1);
  EXPECT_EQ(std::ranges::count(told, "WATCHDOG=1"), 3) << "again and again, though there is nothing to do";
  ::kill(serving->pid(), SIGTERM);
  std::string last = manager.next();
  while (last == "WATCHDOG=1") last = manager.next();
  EXPECT_EQ(last, "STOPPING=1");
  EXPECT_EQ(serving->wait().exit_code, 0);
}

TEST_F(ServeInTheMiddle, AnUpgradeLeavesTheOldChildAndTheNewDaemonFindsIt) {
  const std::string program = app.path("steward-upgraded");
  const auto install = [&] {
    std::filesystem::copy_file(steward_binary(), program + ".new");
    std::filesystem::rename(program + ".new", program);  // as a package manager does it
  };
  install();
  auto old_daemon = std::make_unique<Started>(std::vector<std::string>{program, "serve"}, app.environment, app.root());
  await_ready(*old_daemon);
  enqueue("r1", *old_daemon);
  await_middle();
  const pid_t child = process_of("r1");
  install();
  enqueue("r2", *old_daemon);  // what it starts from now on is the new program
  ::kill(old_daemon->pid(), SIGTERM);
  EXPECT_EQ(old_daemon->wait().exit_code, 0);
  const std::string elsewhere = app.path("steward-of-another-version");  // as where each has a folder of its own
  std::filesystem::rename(program, elsewhere);
  const Started new_daemon({elsewhere, "serve"}, app.environment, app.root());
  await_ready(new_daemon);
  let_it_go_on();
  await_status("r1", Status::succeeded);
  EXPECT_EQ(process_of("r1"), child) << "it was found, and no other was started for it";
  const auto lines = ledger->audit_lines(100).value();
  EXPECT_EQ(
      std::ranges::count_if(lines, [](const auto& line) { return line.act == "run.end" && line.subject == "r1"; }), 1)
      << "its end was recorded once";
  await([&] { return run("r2").ended.has_value(); }, "r2 has ended");
  EXPECT_EQ(ledger->runs({})->size(), 2u);
}

}  // namespace
}  // namespace steward::harness
