// The firings of tests/vectors/cron.json, which another implementation has made: see tests/vectors/cron_peer.py.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/cron.h"

namespace steward {
namespace {

TEST(Cron, FiresAsAnotherImplementationDoesInManyZones) {
  std::ifstream file(STEWARD_SOURCES "/tests/vectors/cron.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_GT(cases.size(), 500U);
  for (const auto& one : cases) {
    const auto cron = Cron::parse(one["cron"].get<std::string>());
    ASSERT_TRUE(cron) << one;
    const Zone zone = Zone::load(one["zone"].get<std::string>()).value();
    const Instant until = parse_instant(one["until"].get<std::string>()).value();
    auto found = nlohmann::json::array();
    auto firing = next_firing(*cron, zone, {}, parse_instant(one["from"].get<std::string>()).value());
    for (; firing && firing->at < until; firing = next_firing(*cron, zone, {}, firing->at))
      found.push_back(format_instant(firing->at));
    EXPECT_EQ(found, one["firings"]) << one["cron"] << " in " << one["zone"] << " from " << one["from"];
  }
}

}  // namespace
}  // namespace steward
