#include "engine/supervisor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "engine/child_output.h"
#include "io/files/scratch.h"
#include "io/process/identity.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/runner.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;
using ledger::Status;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

struct Case {
  const char* name;
  Status status;
  std::string error;
  std::vector<std::string> task_errors;  ///< Kinds of the tasks' errors; "": it succeeded.
  bool expected;
};

struct IsWorthARetry : testing::TestWithParam<Case> {};

TEST_P(IsWorthARetry, WhatMayPassIsAndWhatStaysIsNot) {
  const auto error = [](const std::string& kind) {
    return fmt::format(R"({{"kind":"{}","message":"m","hint":""}})", kind);
  };
  std::vector<ledger::TaskRecord> tasks;
  for (const std::string& kind : GetParam().task_errors)
    tasks.push_back(
        {.task = "t",
         .status = kind.empty() ? "succeeded" : "failed",
         .detail = fmt::format(R"({{"task":"t","status":"failed","error":{}}})", kind.empty() ? "null" : error(kind))});
  const ledger::Run run{.status = GetParam().status, .error = GetParam().error.empty() ? "" : error(GetParam().error)};
  EXPECT_EQ(is_worth_a_retry(run, tasks), GetParam().expected);
}

const Case cases[] = {
    {"its_process_died", Status::interrupted, "interrupted", {}, true},
    {"the_database_did_not_answer", Status::failed, "", {"unavailable"}, true},
    {"one_of_two_tasks_met_a_lock", Status::partial, "", {"", "busy"}, true},
    {"the_ledger_did_not_answer", Status::failed, "unavailable", {}, true},
    {"rights_are_missing", Status::failed, "", {"permission"}, false},
    {"the_configuration_is_wrong", Status::failed, "bad-input", {}, false},
    {"a_brake_refused_it", Status::refused, "", {}, false},
    {"a_person_cancelled_it", Status::cancelled, "interrupted", {}, false},
    {"it_succeeded", Status::succeeded, "", {""}, false},
};
INSTANTIATE_TEST_SUITE_P(Engine, IsWorthARetry, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

struct ChildOutput : testing::Test {
  void write(const std::string& text) const {
    const auto file = open_output(state, "r1");
    ASSERT_TRUE(file) << file.error().message;
    std::ofstream(path(), std::ios::app) << text;
  }
  std::string path() const { return scratch / "runs/r1/output.log"; }
  files::Scratch scratch{};
  StateDirectory state = StateDirectory::open(scratch.path()).value();
};

TEST_F(ChildOutput, ItsLastWordsAreTheLastLineThatIsNotEmpty) {
  EXPECT_EQ(last_words(state, "r1"), "");
  write("first\nsteward: no \x1b[31mdatabase\n\n \n");
  EXPECT_EQ(last_words(state, "r1"), ": no \\x1b[31mdatabase");
}

TEST_F(ChildOutput, ItsLastWordsAreItsErrorAndNotTheHintBehindIt) {
  write("steward: a note\n  purge: began\nsteward: no connection to db:5432\n  Check the address.\n");
  EXPECT_EQ(last_words(state, "r1"), ": no connection to db:5432");
}

TEST_F(ChildOutput, ALongOneKeepsItsHeadAndItsTailAndSaysWhatIsLeftOut) {
  write("the beginning\n" + std::string(3 << 20, 'x') + "\nthe end\n");
  shorten_output(state, "r1");
  const std::string text = scratch.read("runs/r1/output.log");
  EXPECT_LE(text.size(), (1U << 20) + 100);
  EXPECT_TRUE(text.starts_with("the beginning\n"));
  EXPECT_TRUE(text.ends_with("\nthe end\n"));
  EXPECT_THAT(text, testing::HasSubstr(fmt::format("[{} bytes are left out here]", (2 << 20) + 23)));
}

TEST_F(ChildOutput, AShortOneStaysAsItIs) {
  write("short\n");
  shorten_output(state, "r1");
  EXPECT_EQ(scratch.read("runs/r1/output.log"), "short\n");
}

/// A supervisor whose clocks the test has, and a program of the test's in the place of steward.
struct Supervising : testing::Test {
  void SetUp() override {
    clock.time = Instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 3h};
    supervisor.set_schedules({{"cleanup", Schedule{}}});
  }
  void enter(const std::string& id, ledger::Process process, Status status, const std::string& trigger = "serve") {
    const ledger::Run run{.id = id,
                          .job = "cleanup",
                          .status = status,
                          .started = clock.time,
                          .heartbeat = clock.time,
                          .process = std::move(process),
                          .trigger = trigger,
                          .due = clock.time};
    if (status == Status::queued) {
      ASSERT_EQ(ledger->agenda().enqueue(run), true);
    } else {
      ASSERT_TRUE(ledger->begin_run(run));
    }
  }
  void look_at(std::chrono::microseconds monotonic) {
    const auto looked = supervisor.look(monotonic, true);
    ASSERT_TRUE(looked) << looked.error().message;
  }
  Status status(const std::string& id) const { return ledger->run(id).value().status; }
  static void await(const std::function<bool()>& condition, const std::string& what) {
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "never: " << what;
      std::this_thread::yield();
    }
  }

  files::Scratch scratch{};
  StateDirectory state = StateDirectory::open(scratch / "state").value();
  std::unique_ptr<ledger::Ledger> ledger = ledger::open({.url = state.ledger_url()}).value();
  FakeClock clock{};
  std::vector<std::string> said{};
  Supervisor supervisor{*ledger,
                        clock,
                        state,
                        {.program = scratch / "program", .environment = {"PATH=/usr/bin:/bin"}, .grace = 30s},
                        [this](Level, std::string_view, std::string_view text) { said.emplace_back(text); }};
};

TEST_F(Supervising, ARunThatDoesNotHeedACancelIsKilledWithAllThatItHasStartedWhenItsGraceIsOver) {
  scratch.write("program",
                "#!/bin/sh\n"
                "cd \"$(dirname \"$0\")\"\n"
                "trap 'echo >>heard' TERM\n"
                "sleep 1000 &\n"
                "echo $! >child.new && mv child.new child\n"
                "echo $$ >pid.new && mv pid.new pid\n"
                "while :; do wait; done\n");
  ASSERT_EQ(::chmod((scratch / "program").c_str(), 0700), 0);
  enter("r1", this_process(), Status::queued);
  look_at(1000s);
  await([&] { return scratch.has("pid"); }, "it works");
  ledger::Process its = this_process();
  its.pid = std::stoi(scratch.read("pid"));
  its.started_ticks = process::started_ticks(its.pid);
  ASSERT_EQ(ledger->agenda().take_over(
                {.id = "r1", .job = "cleanup", .started = clock.time, .heartbeat = clock.time, .process = its},
                ledger->run("r1").value().launch),
            true);
  ASSERT_TRUE(ledger->request_cancel("r1", "ada", clock.time));
  look_at(1001s);
  await([&] { return scratch.has("heard"); }, "it has heard that it is to stop");
  look_at(1030s);
  EXPECT_THAT(said, Not(Contains(HasSubstr("it is killed")))) << "it has a second left";
  EXPECT_EQ(status("r1"), Status::running);
  look_at(1031s);
  EXPECT_THAT(said, Contains(HasSubstr("run r1 did not stop within 30 s: it is killed")));
  await([&] { return process::started_ticks(its.pid) == 0; }, "it is gone");
  look_at(1032s);
  EXPECT_EQ(status("r1"), Status::cancelled);
  EXPECT_THAT(ledger->run("r1").value().error, HasSubstr("SIGKILL"));
  const int grandchild = std::stoi(scratch.read("child"));
  await([&] { return process::started_ticks(grandchild) == 0; }, "what it had started is gone, too");
}

const ledger::Process elsewhere{.host = "elsewhere", .boot = "another", .pid = 4711, .started_ticks = 1};

TEST_F(Supervising, ARunElsewhereWithoutAPulseIsLostAfterAMinuteOfOurOwnTime) {
  enter("r1", elsewhere, Status::running);
  look_at(1000s);
  clock.time += 24h;  // it was set: that is nobody's silence
  look_at(1059s);
  EXPECT_EQ(status("r1"), Status::running);
  look_at(1060s);
  EXPECT_EQ(status("r1"), Status::interrupted);
  EXPECT_THAT(ledger->run("r1").value().error,
              HasSubstr("lost: its process on elsewhere has shown no pulse for a minute"));
}

TEST_F(Supervising, ARunElsewhereThatShowsItsPulseGoesOnHoweverItsClockStands) {
  enter("r1", elsewhere, Status::running);
  look_at(1000s);
  ASSERT_EQ(ledger->pulse("r1", clock.time - 1h), false) << "nobody wants it to stop";
  ASSERT_EQ(ledger->heartbeat("r1", clock.time + 1us, "{}"), false);
  look_at(1059s);
  look_at(1118s);
  EXPECT_EQ(status("r1"), Status::running);
  look_at(1119s);
  EXPECT_EQ(status("r1"), Status::interrupted);
}

TEST_F(Supervising, ALostRunIsTriedAgainWhereItsScheduleSaysSo) {
  supervisor.set_schedules({{"cleanup", Schedule{.retries = {.max = 1}}}});
  enter("r1", elsewhere, Status::running);
  look_at(1000s);
  look_at(1060s);
  ASSERT_EQ(status("r1"), Status::interrupted);
  look_at(1061s);
  const std::vector<ledger::Run> runs = ledger->runs({}).value();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(std::ranges::count(runs, std::string("r1"), &ledger::Run::retry_of), 1);
}

TEST_F(Supervising, ARunOfDagstersIsTriedAgainByDagsterAndNotByUs) {
  supervisor.set_schedules({{"cleanup", Schedule{.retries = {.max = 1}}}});
  enter("r1", elsewhere, Status::running, "dagster");
  look_at(1000s);
  look_at(1060s);
  ASSERT_EQ(status("r1"), Status::interrupted);
  look_at(1061s);
  EXPECT_EQ(ledger->runs({}).value().size(), 1u);
}

TEST_F(Supervising, AnApprovedRunOfAJobThatIsDagstersIsLeftToDagster) {
  scratch.write("program", "#!/bin/sh\nsleep 1000\n");
  ASSERT_EQ(::chmod((scratch / "program").c_str(), 0700), 0);
  supervisor.set_schedules({{"cleanup", Schedule{.owner = Owner::dagster}}});
  enter("r1", this_process(), Status::running, "hand");
  ledger::Approvals& approvals = ledger->approvals();
  ASSERT_EQ(approvals.ask({.run = "r1",
                           .job = "cleanup",
                           .digest = "8c1f0a2b77de",
                           .tasks = {"purge-logs"},
                           .asked = clock.time,
                           .asked_by = "eve",
                           .expires = clock.time + 24h}),
            true);
  ASSERT_TRUE(approvals.approve({.run = "r1", .digest = "8c1f0a2b77de", .who = "ada", .at = clock.time}));
  ASSERT_EQ(status("r1"), Status::queued);
  look_at(1000s);
  EXPECT_EQ(ledger->run("r1").value().launch, "") << "nobody has started a process for it, whoever has started the run";
  supervisor.set_schedules({{"cleanup", Schedule{}}});
  look_at(1001s);
  EXPECT_NE(ledger->run("r1").value().launch, "") << "it is steward's to start again";
  ASSERT_TRUE(ledger->end_run("r1", Status::cancelled, clock.time, ""));
  look_at(1002s);
  look_at(1100s);  // its grace is over
}

}  // namespace
}  // namespace steward::engine
