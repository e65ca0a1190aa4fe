#include "engine/supervisor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "engine/child_output.h"
#include "io/files/scratch.h"

namespace steward::engine {
namespace {
using ledger::Status;

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

}  // namespace
}  // namespace steward::engine
