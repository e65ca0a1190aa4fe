#include "jobs/backup/copy_statement.h"

#include <gtest/gtest.h>

namespace steward::backup {
namespace {

std::string statement(const std::string& schema, const std::string& tag, const std::string& copy,
                      const std::string& condition = {}) {
  const auto made = copy_out_statement({.tag = tag, .copy = copy, .schema = schema}, condition);
  return made ? *made : "corrupt: " + made.error().message;
}

TEST(CopyOutStatement, CopiesTheColumnsThatPgDumpNamedOfTheEntrysOwnTable) {
  EXPECT_EQ(statement("public", "signals", "COPY public.signals (id, \"at\") FROM stdin;\n"),
            "COPY \"public\".\"signals\" (id, \"at\") TO STDOUT");
  EXPECT_EQ(statement("public", "felt_1", "COPY public.felt (m, n) FROM stdin;\n"),
            "COPY \"public\".\"felt_1\" (m, n) TO STDOUT")
      << "loaded by way of the root, copied out of the partition";
  EXPECT_EQ(statement("s", "nothing", "COPY s.nothing  FROM stdin;\n"), "COPY \"s\".\"nothing\"  TO STDOUT");
}

TEST(CopyOutStatement, ReadsNamesOfAnyCharacters) {
  EXPECT_EQ(statement("odd \"one", "a.b (c) FROM stdin;",
                      "COPY \"odd \"\"one\".\"a.b (c) FROM stdin;\" (\"c) FROM stdin;\", d) FROM stdin;\n"),
            "COPY \"odd \"\"one\".\"a.b (c) FROM stdin;\" (\"c) FROM stdin;\", d) TO STDOUT");
}

TEST(CopyOutStatement, OfAnExtensionsTableHasItsCondition) {
  EXPECT_EQ(statement("public", "kept", "COPY public.kept (id, own) FROM stdin;\n", "where own"),
            "COPY (SELECT id, own FROM \"public\".\"kept\" where own) TO STDOUT");
  EXPECT_EQ(statement("public", "kept", "COPY public.kept  FROM stdin;\n", "where true"),
            "COPY (SELECT * FROM \"public\".\"kept\" where true) TO STDOUT");
}

TEST(RootOfATable, IsNamedOnlyWhereItsRowsAreLoadedByWayOfIt) {
  EXPECT_EQ(root_of({.tag = "signals", .copy = "COPY public.signals (id) FROM stdin;\n", .schema = "public"}), "");
  EXPECT_EQ(root_of({.tag = "q\"x", .copy = "COPY public.\"q\"\"x\" (id) FROM stdin;\n", .schema = "public"}), "");
  EXPECT_EQ(root_of({.tag = "felt_1", .copy = "COPY public.felt (m) FROM stdin;\n", .schema = "public"}),
            "public.felt");
}

TEST(CopyOutStatement, OfWhatIsNoneIsCorrupt) {
  for (const char* other : {"", "INSERT INTO t", "COPY t FROM stdin;", "COPY public.t (a) TO stdout;",
                            "COPY public.t a, b FROM stdin;", "COPY \"public.t (a) FROM stdin;"})
    EXPECT_TRUE(statement("public", "t", other).starts_with("corrupt: ")) << other;
}

}  // namespace
}  // namespace steward::backup
