#include "jobs/retention/conditions.h"

#include <gmock/gmock.h>

namespace steward::retention {
namespace {

using testing::HasSubstr;

struct Case {
  const char* name;
  const char* written;
  const char* read;  ///< text_of; quoted operands stand in <>.
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string shown(Where where) {
  for (Where::Operand& operand : where.operands)
    if (operand.quoted) operand.text = '<' + operand.text + '>';
  return text_of(where);
}

struct ParseWhere : testing::TestWithParam<Case> {};

TEST_P(ParseWhere, ReadsWhatAPersonWrites) {
  const auto where = parse_where(GetParam().written);
  ASSERT_TRUE(where) << where.error().message;
  EXPECT_EQ(shown(*where), GetParam().read);
}

TEST_P(ParseWhere, ComesBackFromAHoldAsItWas) {
  const Where where = parse_where(GetParam().written).value();
  const auto back = conditions_from_json(conditions_to_json({&where, 1}));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), 1u);
  EXPECT_EQ(shown(back->front()), shown(where));
}

const Case cases[] = {
    {"equal", "status = free", "status = free"},
    {"without_spaces", "status=free", "status = free"},
    {"with_spaces_in_the_value", "title = two words ", "title = two words"},
    {"not_equal", "status != free", "status <> free"},
    {"not_equal_as_sql_has_it", "status <> free", "status <> free"},
    {"less", "score < 0.5", "score < 0.5"},
    {"at_most", "score<=0.5", "score <= 0.5"},
    {"greater", "score > -1", "score > -1"},
    {"at_least", "score >= 0.5", "score >= 0.5"},
    {"one_of", "plan in free, trial", "plan in (free, trial)"},
    {"one_of_in_parentheses", "plan IN (free,trial)", "plan in (free, trial)"},
    {"none_of", "plan not in free, trial", "plan not in (free, trial)"},
    {"like", "url like s3://%", "url like s3://%"},
    {"null", "note is null", "note is null"},
    {"not_null", "note IS NOT NULL", "note is not null"},
    {"quoted_value", "note = 'it''s, ''quoted'' '", "note = <it's, 'quoted' >"},
    {"quoted_in_a_list", "note in 'a, b', c", "note in (<a, b>, c)"},
    {"quoted_column", "\"odd \"\"name\"\"\" = 1", "odd \"name\" = 1"},
    {"a_column_that_begins_like_an_operator", "index = 1", "index = 1"},
    {"the_empty_text", "note = ''", "note = <>"},
    {"a_value_that_looks_like_sql", "note = 1 or 1=1", "note = 1 or 1=1"},
};
INSTANTIATE_TEST_SUITE_P(Conditions, ParseWhere, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(Conditions, WhatIsNoneIsRefusedWithAnExample) {
  for (const char* wrong : {"", "status", "= free", "status ~ free", "status =", "status in", "status in a,,b",
                            "note = caf\xe9", "note is null or true", "note = 'a' b", "note = 'a", "status inside a"}) {
    const auto where = parse_where(wrong);
    ASSERT_FALSE(where) << wrong;
    EXPECT_EQ(where.error().kind, Kind::bad_input);
    EXPECT_THAT(where.error().message, testing::AnyOf(HasSubstr("expected"), HasSubstr("is not UTF-8"))) << wrong;
    EXPECT_FALSE(where.error().hint.empty()) << wrong;
  }
}

TEST(Conditions, AHoldWithoutAnyIsNotReadAsOneOnEverything) {
  EXPECT_FALSE(conditions_from_json("[]"));
  EXPECT_FALSE(conditions_from_json("{}"));
  EXPECT_FALSE(conditions_from_json("x"));
  EXPECT_FALSE(conditions_from_json(R"([{"column":"a","is":"matches","operands":[{"text":"b","quoted":false}]}])"));
  EXPECT_FALSE(conditions_from_json(R"([{"column":"a","is":"=","operands":[]}])"));
}

}  // namespace
}  // namespace steward::retention
