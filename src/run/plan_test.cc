#include "run/plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace steward {
namespace {

Plan a_plan() {
  Step step{.task = "purge-signals",
            .target = "sqlite:////srv/app.db table signals",
            .strategy = "delete",
            .filter = "old",
            .reason = "older than 30 days",
            .cutoff = *parse_instant("2026-10-24T00:00:00Z"),
            .final = true};
  step.planned = {.items = 12, .bytes = 3_KiB};
  step.samples = {{.item = "signals 1", .at = *parse_instant("2026-01-01T00:00:00Z")}};
  step.skipped = {{.reason = "held", .items = 2, .examples = {"signals 9"}}};
  step.brake = Error{Kind::refused, "too many", "Look.", "brake-share"};
  return {.job = "cleanup",
          .made = *parse_instant("2026-11-23T00:00:00Z"),
          .environment = "production",
          .steps = {step, {.task = "purge-logs", .readiness = Readiness::not_configured, .needs = {"LOG_DIR"}}}};
}

TEST(Plan, ReadsBackFromItsJson) {
  const Plan plan = a_plan();
  const auto again = plan_from_json(to_json(plan));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(to_json(*again), to_json(plan));
}

TEST(Plan, ItsDigestIsOfWhatItWouldDoAndNotOfWhenItWasMade) {
  Plan later = a_plan();
  later.made += std::chrono::hours(1);
  later.steps[0].samples.clear();
  later.steps[0].skipped[0].examples.clear();
  later.steps[0].forecast = {.trend = Trend::losing_ground, .reason = "losing ground"};
  EXPECT_EQ(digest_of(later), digest_of(a_plan()));
  EXPECT_EQ(digest_of(later).size(), 64U);
}

TEST(Plan, AnyOtherDifferenceIsAnotherDigest) {
  const std::string digest = digest_of(a_plan());
  const auto differs = [&](auto change) {
    Plan plan = a_plan();
    change(plan);
    return digest_of(plan) != digest;
  };
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].planned.items = 13; }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].cutoff += std::chrono::microseconds(1); }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].target += 'x'; }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].filter += 'x'; }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].items = "abc"; }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].age = "1 day"; }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].identity = "another"; }));
  EXPECT_TRUE(differs([](Plan& p) { p.environment = "staging"; }));
  EXPECT_TRUE(differs([](Plan& p) { p.steps[0].skipped[0].items = 3; }));
}

TEST(PolicyChanges, AreWhatAPersonHasToSeeBeforeTheNextRun) {
  Step before = a_plan().steps[0];
  before.age = "12 months";
  before.identity = "7146057/16384";
  Step now = before;
  now.planned.items += 1000;
  now.cutoff += std::chrono::hours(24);
  EXPECT_TRUE(policy_changes(before, now).empty()) << "a night later";

  now.age = "3 months";
  now.identity = "7146058/16384";
  EXPECT_EQ(policy_changes(before, now),
            (std::vector<PolicyChange>{{.what = "age", .before = "12 months", .now = "3 months"},
                                       {.what = "identity", .before = "7146057/16384", .now = "7146058/16384"}}));
  now = before;
  now.filter += "; id > 7";
  EXPECT_EQ(policy_changes(before, now).at(0).what, "filter");
  now = before;
  now.target += "2";
  EXPECT_EQ(policy_changes(before, now).at(0).what, "target");
}

TEST(PolicyChanges, AreNoneWhereAnEarlierStewardNotedNothingOrNothingWasPlanned) {
  Step before = a_plan().steps[0], now = before;
  now.age = "3 months";
  EXPECT_TRUE(policy_changes(before, now).empty());
  before.age = "12 months";
  before.readiness = Readiness::failed;
  EXPECT_TRUE(policy_changes(before, now).empty());
}

TEST(Plan, OfANewerFormatIsRefused) {
  auto document = to_json(a_plan());
  document["format"] = 2;
  const auto plan = plan_from_json(document);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, "plan-newer");
}

TEST(Plan, WhatIsNoneIsCorrupt) {
  for (const char* text :
       {"{}", "[]", "3", R"({"format": 1, "job": 3, "tasks": []})", R"({"format": 1, "job": "x", "tasks": [{}]})"}) {
    const auto plan = plan_from_json(nlohmann::json::parse(text));
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().kind, Kind::corrupt) << text;
  }
}

TEST(Plan, ACountThatIsNoneIsCorruptAndANewerFormatRefusedHoweverLarge) {
  const auto with = [](const char* key, const char* value) {
    auto document = to_json(a_plan());
    (key == std::string_view("format") ? document : document["tasks"][0])[key] = nlohmann::json::parse(value);
    return plan_from_json(document);
  };
  for (const char* none : {"-1", "1e300", "1.5", "\"12\""})
    EXPECT_EQ(with("population", none).error().kind, Kind::corrupt) << none;
  for (const char* newer : {"4294967297", "18446744073709551615", "1e300"})
    EXPECT_EQ(with("format", newer).error().code, "plan-newer") << newer;
}

TEST(PlanParts, OfAnotherFormAreLeftAtTheirDefaults) {
  for (const char* text : {"3", "null", "\"x\"", "[]", "{}", R"({"items": "many", "bytes": -1})", R"({"items": 1e30})",
                           R"({"kind": 3, "message": [], "hint": null, "code": {}})"}) {
    const auto document = nlohmann::json::parse(text);
    EXPECT_EQ(amount_from_json(document), Amount{}) << text;
    EXPECT_TRUE(skips_from_json(document).empty()) << text;
    EXPECT_EQ(error_from_json(document), Error{Kind::bug}) << text;
  }
  const auto skips = skips_from_json(nlohmann::json::parse(R"([3, {"reason": 3, "items": 2, "examples": ["a", 1]}])"));
  ASSERT_EQ(skips.size(), 2U);
  EXPECT_EQ(skips[1].items, 2U);
  EXPECT_EQ(skips[1].examples, std::vector<std::string>{"a"});
}

TEST(Skips, CountsByReasonAndKeepsAFewExamples) {
  Skips skips;
  for (int i = 0; i < 9; ++i) skips.add("held", "row " + std::to_string(i));
  skips.add("no file", "x\n", 3);
  skips.add("nothing", "", 0);
  ASSERT_EQ(skips.list().size(), 2U);
  EXPECT_EQ(skips.list()[0].items, 9U);
  EXPECT_EQ(skips.list()[0].examples.size(), 5U);
  EXPECT_EQ(skips.list()[1].items, 3U);
  EXPECT_EQ(skips.list()[1].examples[0], "x\\x0a");
}

}  // namespace
}  // namespace steward
