#include "run/brakes.h"

#include <gtest/gtest.h>

namespace steward {
namespace {

struct Case {
  const char* name;
  std::uint64_t planned;
  std::optional<std::uint64_t> population;
  std::vector<std::uint64_t> earlier;
  std::string code;  ///< Empty: no brake.
};

struct Brake : testing::TestWithParam<Case> {};

TEST_P(Brake, RefusesFarMoreThanEverBefore) {
  const Case& c = GetParam();
  const Step step{.task = "purge-signals", .planned = {.items = c.planned}, .population = c.population};
  const auto refused = brake(Brakes{}, step, c.earlier);
  EXPECT_EQ(refused ? refused->code : "", c.code);
  if (refused) {
    EXPECT_EQ(refused->kind, Kind::refused);
    EXPECT_EQ(refused->hint, "If this is right, run it once with --allow-removal purge-signals.");
  }
}

const std::vector<std::uint64_t> ten(10, 300);
const Case cases[] = {
    {"small_takes_all", 999, 999, {}, ""},
    {"most_of_it", 1000, 1000, {}, "brake-share"},
    {"exactly_90_percent", 9000, 10000, {}, ""},
    {"just_over_90_percent", 9001, 10000, {}, "brake-share"},
    {"population_unknown", 100000, std::nullopt, {}, ""},
    {"nine_runs_are_no_usual", 100000, 10000000, std::vector<std::uint64_t>(9, 300), ""},
    {"five_times_the_median", 1500, 10000000, ten, ""},
    {"over_five_times_the_median", 1501, 10000000, ten, "brake-median"},
    {"even_number_of_runs", 1501, 10000000, {100, 100, 100, 100, 100, 500, 500, 500, 500, 500}, "brake-median"},
};
INSTANTIATE_TEST_SUITE_P(Run, Brake, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(Brake, TheMessageHasBothNumbers) {
  const auto refused = brake(Brakes{}, {.task = "t", .planned = {.items = 12400}, .population = 12400}, {});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->message, "t would remove 12,400 of 12,400 items, more than 90 % of its target");
}

}  // namespace
}  // namespace steward
