#include "run/questions.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace steward {
namespace {
using testing::ElementsAre;
using testing::IsEmpty;

Step a_step(std::uint64_t items = 10) {
  return {.task = "purge-signals",
          .target = "postgresql://db/app table public.signals",
          .identity = "7146",
          .age = "30 days",
          .filter = "timestamp < cutoff",
          .planned = {.items = items}};
}
Step braked(std::string code) {
  Step step = a_step();
  step.brake = Error{Kind::refused, "82 % of all rows", "Look at it.", std::move(code)};
  return step;
}
Step of_age(std::string age) {
  Step step = a_step();
  step.age = std::move(age);
  return step;
}

TEST(Question, OfAStepThatIsLikeTheLastIsNone) {
  const Step before = a_step(500), now = a_step();
  EXPECT_FALSE(question_of(now, false, true, &before).any());
  EXPECT_FALSE(question_of(now, false, true, nullptr).any()) << "the first run of all changes nothing";
}

TEST(Question, IsAskedWhereTheConfigurationSaysSo) {
  EXPECT_TRUE(question_of(a_step(), true, false, nullptr).required);
  EXPECT_FALSE(question_of(a_step(0), true, true, nullptr).any()) << "nothing to do needs nobody";
}

TEST(Question, OfABrakeIsForRunsThatNobodySaw) {
  EXPECT_TRUE(question_of(braked("brake-share"), false, true, nullptr).brake);
  EXPECT_FALSE(question_of(braked("brake-share"), false, false, nullptr).any());
}

TEST(Question, OfWhatNobodyCanApproveIsNone) {
  for (const char* code : {"freeze", "clock", "ledger-foreign"})
    EXPECT_FALSE(question_of(braked(code), true, true, nullptr).any()) << code;
  Step failed = a_step();
  failed.readiness = Readiness::failed;
  EXPECT_FALSE(question_of(failed, true, true, nullptr).any());
}

TEST(Question, OfAChangedPolicyShowsOldBesideNewAndIsForRunsThatNobodySaw) {
  const Step before = of_age("60 days"), now = of_age("30 days");
  EXPECT_FALSE(question_of(now, false, false, &before).any());
  const Question question = question_of(now, false, true, &before);
  EXPECT_THAT(question.changes, ElementsAre(PolicyChange{.what = "age", .before = "60 days", .now = "30 days"}));
  EXPECT_THAT(reasons_of(question), ElementsAre("age has changed: 60 days -> 30 days"));
}

TEST(Question, ComesBackFromTheLedgerAsItWas) {
  const Step before = of_age("60 days");
  Step now = braked("brake-share");
  now.age = "30 days";
  const Question question = question_of(now, true, true, &before);
  const auto back = questions_from_json(nlohmann::json::array({to_json(question)}));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].task, question.task);
  EXPECT_EQ(reasons_of(back[0]), reasons_of(question));
  EXPECT_EQ(back[0].brake->code, "brake-share");
  EXPECT_THAT(questions_from_json("nonsense"), IsEmpty());
}

}  // namespace
}  // namespace steward
