#include "jobs/retention/object_survey.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

namespace steward::retention {
namespace {

constexpr Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};

TEST(ObjectSurvey, SaysTheSameWhateverOrderObjectsComeIn) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<OldObject> all;
  for (int i = 0; i < 300; ++i) {
    OldObject one{.since = noon + std::chrono::seconds(i / 7)};
    one.object = {.key = "k" + std::to_string(i), .size = Bytes{static_cast<std::uint64_t>(i)}};
    if (i % 3 < 2) one.reason = i % 3 == 0 ? "held" : "a row needs it";
    all.push_back(std::move(one));
  }
  const auto told = [&] {
    ObjectSurvey survey;
    for (const OldObject& one : all) survey.add(one);
    Step step{.task = "expire-objects"};
    survey.tell(step);
    return to_json(step).dump();
  };
  const std::string first = told();
  EXPECT_NE(first.find("\"reason\":\"held\""), std::string::npos) << first;
  for (int i = 0; i < 20; ++i) {
    std::ranges::shuffle(all, random);
    EXPECT_EQ(told(), first);
  }
}

}  // namespace
}  // namespace steward::retention
