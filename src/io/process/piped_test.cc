#include "io/process/piped.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>
#include <thread>

namespace steward::process {
namespace {

using testing::HasSubstr;

PipedCommand shell(const std::string& script, bool writes_to_it = false) {
  return {.command = {.arguments = {"/bin/sh", "-c", script}, .environment = {"PATH=/usr/bin:/bin"}},
          .writes_to_it = writes_to_it};
}

Result<std::string> read_all(Source& source) {
  std::string out;
  std::array<std::byte, 4096> buffer{};
  while (true) {
    const std::size_t n = TRY(source.read(buffer));
    if (n == 0) return out;
    out.append(reinterpret_cast<const char*>(buffer.data()), n);
  }
}

/// "Z" of one that has ended and that nobody has asked for; '-' where there is no such process (proc(5)).
char state_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t at = text.rfind(") ");
  return at == std::string::npos ? '-' : text[at + 2];
}

TEST(Piped, ItsOutputIsReadAndItsEndIsASuccess) {
  Piped child = Piped::start(shell("echo one; echo two")).value();
  EXPECT_EQ(read_all(child.output()).value(), "one\ntwo\n");
  EXPECT_TRUE(child.finish("count"));
}

TEST(Piped, WhatIsWrittenIsItsInput) {
  Piped child = Piped::start(shell("tr a-z A-Z", true)).value();
  ASSERT_TRUE(child.input().write(std::as_bytes(std::span("quiet", 5))));
  child.close_input();
  EXPECT_EQ(read_all(child.output()).value(), "QUIET");
  EXPECT_TRUE(child.finish("shout"));
}

TEST(Piped, AnotherExitCodeIsAnErrorWithItsLastWords) {
  Piped child = Piped::start(shell("echo first >&2; echo 'no such table' >&2; exit 3")).value();
  const auto ended = child.finish("dump the database");
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, Kind::unavailable);
  EXPECT_EQ(ended.error().message, "cannot dump the database: first no such table (exit code 3)");
}

TEST(Piped, WhatItSaysBesideItsOutputNeverBlocksItHoweverMuch) {
  Piped child = Piped::start(shell("yes complaint | head -c 3000000 >&2; echo the end >&2; echo done")).value();
  EXPECT_EQ(read_all(child.output()).value(), "done\n");
  EXPECT_TRUE(child.finish("complain"));
  EXPECT_LE(child.said().size(), 65'536U);
  EXPECT_THAT(child.said(), testing::EndsWith("the end\n"));
  EXPECT_TRUE(child.said().starts_with("complaint\n")) << "whole lines";
}

TEST(Piped, AWriteToOneThatHasEndedIsAnErrorAndNotASignal) {
  Piped child = Piped::start(shell("exit 0", true)).value();
  ASSERT_EQ(read_all(child.output()).value(), "");
  const std::string much(4'000'000, 'x');
  EXPECT_EQ(child.input().write(std::as_bytes(std::span(much))).error().kind, Kind::unavailable);
  EXPECT_TRUE(child.finish("take it"));
}

TEST(Piped, OneThatIsLeftIsKilledWithAllThatItStarted) {
  std::string pid;
  {
    Piped child = Piped::start(shell("sleep 1000 & echo $!; wait")).value();
    std::array<std::byte, 100> buffer{};
    const std::size_t n = child.output().read(buffer).value();
    pid.assign(reinterpret_cast<const char*>(buffer.data()), n);
  }
  const auto sleeper = static_cast<pid_t>(std::stol(pid));
  // Its parent is gone: whoever takes it over asks for it in its own time.
  while (state_of(sleeper) != '-' && state_of(sleeper) != 'Z') std::this_thread::yield();
}

TEST(Piped, AStopEndsItAndIsToldFromAFailure) {
  std::stop_source stop;
  PipedCommand command = shell("echo ready; exec sleep 1000");
  command.stop = stop.get_token();
  Piped child = Piped::start(std::move(command)).value();
  std::array<std::byte, 100> buffer{};
  ASSERT_EQ(child.output().read(buffer).value(), 6U);
  stop.request_stop();
  EXPECT_EQ(child.finish("wait").error().kind, Kind::interrupted);
}

TEST(Piped, AProgramThatIsNotThereIsSaidSo) {
  EXPECT_EQ(Piped::start({.command = {.arguments = {"/nowhere/pg_dump"}}}).error().kind, Kind::not_found);
}

}  // namespace
}  // namespace steward::process
