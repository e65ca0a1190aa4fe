// Production is looked at when somebody asks, and not again before it is time to.
#include "app/api/tonight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/random.h"

namespace steward::api {
namespace {
using namespace std::chrono_literals;

struct SetClock final : Clock {
  Instant now() const override { return time; }
  std::atomic<Instant> time = Instant{} + 24h;
};

struct TonightTest : testing::Test {
  std::string folder = testing::TempDir() + "steward-tonight-" + random_hex(6);
  SetClock clock{};
  std::optional<Operations> operations{};
  std::optional<Tonight> tonight{};

  void SetUp() override {
    std::filesystem::create_directories(folder);
    answer(R"(echo '{"tasks": []}')");
    operations.emplace(clock, Operations::Rules{.program = folder + "/steward", .environment = {"PATH=/usr/bin:/bin"}});
    tonight.emplace(clock, *operations);
  }
  void TearDown() override {
    tonight.reset();
    std::filesystem::remove_all(folder);
  }
  /// A program that notes that it was asked, and answers so.
  void answer(const std::string& command) const {
    std::ofstream(folder + "/new") << "#!/bin/sh\necho \"$@\" >> " << folder << "/asked\n" << command << '\n';
    std::filesystem::permissions(folder + "/new", std::filesystem::perms::owner_all);
    std::filesystem::rename(folder + "/new", folder + "/steward");
  }
  std::size_t asked() const {
    std::ifstream lines(folder + "/asked");
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line);) count += line == "plan cleanup --discard --json" ? 1 : 0;
    return count;
  }
  std::optional<Tonight::Plan> ask(std::optional<Instant> changed = {}) {
    tonight->plan("cleanup", changed);
    const auto end = std::chrono::steady_clock::now() + 1min;
    while (tonight->is_making("cleanup") && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    EXPECT_FALSE(tonight->is_making("cleanup"));
    return tonight->plan("cleanup", changed);
  }
};

TEST_F(TonightTest, IsNotLookedAtAgainWithinAnHourHoweverOftenItIsAskedFor) {
  ASSERT_TRUE(ask()->document);
  for (int i = 0; i < 5; ++i) ask();
  clock.time = clock.now() + 59min;
  ask();
  EXPECT_EQ(asked(), 1U);
  clock.time = clock.now() + 1min;
  ask();
  EXPECT_EQ(asked(), 2U);
}

TEST_F(TonightTest, IsLookedAtAgainOnceTheJobHasRun) {
  ask();
  clock.time = clock.now() + 5min;
  const Instant ran = clock.now() - 1min;
  ask(ran);
  ask(ran);
  EXPECT_EQ(asked(), 2U);
}

TEST_F(TonightTest, AfterAFailureIsLookedAtAgainInAMinute) {
  answer(R"(echo '{"error": {"kind": "unavailable", "message": "no answer", "hint": ""}}')");
  const auto failed = ask();
  ASSERT_FALSE(failed->document);
  EXPECT_EQ(failed->document.error().message, "no answer");
  ask();
  EXPECT_EQ(asked(), 1U);
  answer(R"(echo '{"tasks": []}')");
  clock.time = clock.now() + 1min;
  EXPECT_TRUE(ask()->document);
}

}  // namespace
}  // namespace steward::api
