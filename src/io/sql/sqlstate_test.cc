#include "io/sql/sqlstate.h"

#include <gtest/gtest.h>

namespace steward::sql {
namespace {

struct Case {
  const char* name;
  std::string_view code;
  Kind kind;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.code; }

struct Sqlstate : testing::TestWithParam<Case> {};

TEST_P(Sqlstate, MeansOneKind) { EXPECT_EQ(meaning_of(GetParam().code).kind, GetParam().kind); }

const Case cases[] = {
    {"connection_failure", "08006", Kind::unavailable},
    {"wrong_number_of_parameters", "08P01", Kind::bad_input},
    {"wrong_password", "28P01", Kind::permission},
    {"no_pg_hba_entry", "28000", Kind::permission},
    {"no_such_database", "3D000", Kind::not_found},
    {"no_such_schema", "3F000", Kind::not_found},
    {"no_such_table", "42P01", Kind::not_found},
    {"no_such_column", "42703", Kind::not_found},
    {"no_such_function", "42883", Kind::not_found},
    {"insufficient_privilege_or_row_security", "42501", Kind::permission},
    {"syntax_error", "42601", Kind::bad_input},
    {"foreign_key", "23503", Kind::held},
    {"unique", "23505", Kind::held},
    {"read_only_transaction", "25006", Kind::permission},
    {"statement_after_an_error", "25P02", Kind::bug},
    {"serialization_failure", "40001", Kind::unavailable},
    {"deadlock", "40P01", Kind::busy},
    {"lock_timeout", "55P03", Kind::busy},
    {"statement_timeout_or_cancel", "57014", Kind::interrupted},
    {"shutdown", "57P01", Kind::unavailable},
    {"starting_up", "57P03", Kind::unavailable},
    {"disk_full", "53100", Kind::unavailable},
    {"too_many_connections", "53300", Kind::unavailable},
    {"io_error", "58030", Kind::unavailable},
    {"missing_file", "58P01", Kind::corrupt},
    {"data_corrupted", "XX001", Kind::corrupt},
    {"bad_value", "22P02", Kind::bad_input},
    {"unknown", "ZZ999", Kind::bad_input},
    {"none", "", Kind::bad_input},
};
INSTANTIATE_TEST_SUITE_P(Sql, Sqlstate, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

TEST(SqlstateHints, SayWhatAPersonCanDo) {
  for (const char* code : {"28P01", "53300", "53100", "3D000", "42501", "55P03"})
    EXPECT_FALSE(meaning_of(code).hint.empty()) << code;
}

}  // namespace
}  // namespace steward::sql
