// What connection.h promises about tables, columns, keys and indexes, on both databases; then PostgreSQL's own.
#include <fmt/format.h>

#include "io/sql/connection_contract.h"

namespace steward::sql {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct CatalogueContract : ConnectionContract {
  TableInfo table(std::string_view name) {
    auto info = db->describe(name);
    EXPECT_TRUE(info) << info.error().message;
    return info.value_or(TableInfo{});
  }
  std::vector<Reference> references(std::string_view name) {
    auto found = db->references_to(table(name));
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<Reference>{});
  }
  bool indexed(std::string_view name, std::string_view column) {
    const auto found = db->has_index_on(table(name), column);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(false);
  }
};

/// "listings(mockup_id) -> id, CASCADE, indexed"
std::string text_of(const Reference& reference) {
  return fmt::format("{}({}) -> {}, {}{}", reference.table, fmt::join(reference.columns, ", "),
                     fmt::join(reference.target_columns, ", "), reference.on_delete,
                     reference.indexed ? ", indexed" : "");
}

std::vector<std::string> texts_of(const std::vector<Reference>& references) {
  std::vector<std::string> out;
  for (const Reference& reference : references) out.push_back(text_of(reference));
  return out;
}

std::vector<std::string> names_of(const TableInfo& table) {
  std::vector<std::string> out;
  for (const Column& column : table.columns) out.push_back(column.name);
  return out;
}

TEST_P(CatalogueContract, DescribesATableAsItWasDeclared) {
  run(
      {"create table signals (id integer primary key, idea_id bigint not null, engagement_rate numeric(5,2), "
       "doubled bigint generated always as (idea_id * 2) stored)"});
  const TableInfo info = table("signals");
  EXPECT_EQ(info.name, "signals");
  EXPECT_EQ(info.schema, postgres() ? "public" : "main");
  EXPECT_EQ(info.kind, TableKind::table);
  EXPECT_FALSE(info.has_children);
  EXPECT_FALSE(info.row_security);
  EXPECT_FALSE(info.without_rowid);
  EXPECT_THAT(names_of(info), ElementsAre("id", "idea_id", "engagement_rate", "doubled"));
  EXPECT_THAT(info.primary_key, ElementsAre("id"));
  EXPECT_TRUE(info.columns.at(1).not_null);
  EXPECT_FALSE(info.columns.at(2).not_null);
  EXPECT_EQ(info.columns.at(2).type, "numeric(5,2)");
  EXPECT_FALSE(info.columns.at(2).generated);
  EXPECT_TRUE(info.columns.at(3).generated);
}

TEST_P(CatalogueContract, APrimaryKeyIsInKeyOrderAndMayBeAbsent) {
  run({"create table t (a integer, b integer, c integer, primary key (c, a))", "create table bare (a integer)"});
  EXPECT_THAT(table("t").primary_key, ElementsAre("c", "a"));
  EXPECT_THAT(table("bare").primary_key, IsEmpty());
}

TEST_P(CatalogueContract, NamesAreTakenAsWrittenThenInLowerCase) {
  run({"create table mockups (id integer)"});
  EXPECT_EQ(table("mockups").name, "mockups");
  EXPECT_EQ(table("MOCKUPS").name, "mockups");
  EXPECT_EQ(table(postgres() ? "public.Mockups" : "main.Mockups").name, "mockups");
}

TEST_P(CatalogueContract, AnyNameCanBeQuotedDescribedAndUsed) {
  for (const std::string name : {"Mixed Case", "a.b", "semi;colon", "quo\"te", "d'apostrophe", "naïve ☃", "select",
                                 "tab\tbed", "percent%s", "back\\slash", "$1"}) {
    const std::string quoted = db->quote_identifier(name).value();
    run({"create table " + quoted + " (" + quoted + " integer)", "insert into " + quoted + " values (7)"});
    const TableInfo info = table(name);
    EXPECT_EQ(info.name, name);
    EXPECT_THAT(names_of(info), ElementsAre(name));
    EXPECT_EQ(one("select " + quoted + " from " + qualified(*db, info).value()), "7");
  }
}

TEST_P(CatalogueContract, SomeNamesCannotBe) {
  EXPECT_EQ(kind_of(db->quote_identifier("")), Kind::bad_input);
  EXPECT_EQ(kind_of(db->quote_identifier(std::string_view("a\0b", 3))), Kind::bad_input);
}

TEST_P(CatalogueContract, AMissingTableIsNotFoundAndTheNearestIsNamed) {
  run({"create table signals (id integer)", "create table audit_logs (id integer)"});
  const auto missing = db->describe("signal");
  ASSERT_EQ(kind_of(missing), Kind::not_found);
  EXPECT_EQ(message_of(missing), "there is no table \"signal\" in " + db->shown());
  EXPECT_EQ(missing.error().hint, "Did you mean \"signals\"?");
  EXPECT_EQ(kind_of(db->describe("nowhere.signals")), Kind::not_found);
  EXPECT_EQ(kind_of(db->describe("")), Kind::not_found);
  EXPECT_EQ(kind_of(db->describe(".")), Kind::not_found);
}

TEST_P(CatalogueContract, AViewIsToldFromATable) {
  run({"create table signals (id integer)", "create view recent as select * from signals"});
  EXPECT_EQ(table("recent").kind, TableKind::view);
}

TEST_P(CatalogueContract, ForeignKeysAreFoundWhateverTheirOnDelete) {
  run({"create table mockups (id integer primary key)", "create table a (m integer references mockups (id))",
       "create table b (m integer references mockups (id) on delete cascade)",
       "create table c (m integer references mockups on delete set null)",
       "create table d (m integer references mockups (id) on delete restrict)",
       "create table e (m integer default 0 references mockups (id) on delete set default)",
       "create table other (m integer)"});
  EXPECT_THAT(texts_of(references("mockups")),
              ElementsAre("a(m) -> id, NO ACTION", "b(m) -> id, CASCADE", "c(m) -> id, SET NULL",
                          "d(m) -> id, RESTRICT", "e(m) -> id, SET DEFAULT"));
  EXPECT_THAT(references("other"), IsEmpty());
}

TEST_P(CatalogueContract, ATableMayReferenceItselfAndAnotherTwice) {
  run({"create table mockups (id integer primary key, parent integer references mockups (id))",
       "create table pairs (a integer references mockups (id), b integer references mockups (id))"});
  EXPECT_THAT(texts_of(references("mockups")),
              testing::UnorderedElementsAre("mockups(parent) -> id, NO ACTION", "pairs(a) -> id, NO ACTION",
                                            "pairs(b) -> id, NO ACTION"));
}

TEST_P(CatalogueContract, ACompositeForeignKeyKeepsItsColumnsInOrder) {
  run({"create table mockups (tenant integer, id integer, primary key (tenant, id))",
       "create table a (m integer, t integer, foreign key (t, m) references mockups (tenant, id))",
       "create table b (m integer, t integer, foreign key (m, t) references mockups (id, tenant))",
       "create table c (m integer, t integer, foreign key (t, m) references mockups)"});
  const std::string second = postgres() ? "b(m, t) -> id, tenant, NO ACTION" : "b(m, t) -> id, tenant, NO ACTION";
  EXPECT_THAT(texts_of(references("mockups")),
              ElementsAre("a(t, m) -> tenant, id, NO ACTION", second, "c(t, m) -> tenant, id, NO ACTION"));
}

TEST_P(CatalogueContract, AReferenceIsIndexedWhereItsColumnsLeadAnIndexInAnyOrder) {
  run({"create table mockups (tenant integer, id integer, primary key (tenant, id))"});
  const char* foreign = "(m integer, t integer, x integer, foreign key (t, m) references mockups (tenant, id))";
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) run({fmt::format("create table {} {}", name, foreign)});
  run({"create index a_i on a (t, m)", "create index b_i on b (m, t, x)", "create index c_i on c (x, t, m)",
       "create index d_i on d (t, m) where x is not null", "create index e_i on e (t)",
       "create index f_i on f (t, (m + 0))"});
  const auto found = references("mockups");
  ASSERT_EQ(found.size(), 6u);
  EXPECT_TRUE(found[0].indexed) << "the same columns";
  EXPECT_TRUE(found[1].indexed) << "another order, and one more";
  EXPECT_FALSE(found[2].indexed) << "something stands before them";
  EXPECT_FALSE(found[3].indexed) << "a partial index";
  EXPECT_FALSE(found[4].indexed) << "one of two";
  EXPECT_FALSE(found[5].indexed) << "an expression";
}

TEST_P(CatalogueContract, APrimaryKeyThatReferencesIsIndexed) {
  run({"create table mockups (id integer primary key)",
       "create table details (id integer primary key references mockups (id))"});
  EXPECT_THAT(texts_of(references("mockups")), ElementsAre("details(id) -> id, NO ACTION, indexed"));
}

TEST_P(CatalogueContract, AnIndexOnAColumnBeginsWithIt) {
  run({"create table t (id integer primary key, a integer, b integer, c integer)", "create index i on t (a, b)",
       "create index j on t (c) where b > 0"});
  EXPECT_TRUE(indexed("t", "a"));
  EXPECT_TRUE(indexed("t", "id"));
  EXPECT_FALSE(indexed("t", "b"));
  EXPECT_FALSE(indexed("t", "c")) << "a partial index does not hold every row";
  EXPECT_FALSE(indexed("t", "absent"));
}

TEST_P(CatalogueContract, RowsAreEstimatedOnceThereAreStatistics) {
  run({"create table t (a integer)", "create index i on t (a)",
       "insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) select i from n"});
  EXPECT_EQ(db->estimated_rows(table("t")).value(), std::nullopt);
  run({"analyze t"});
  EXPECT_EQ(db->estimated_rows(table("t")).value(), 500u);
}

INSTANTIATE_TEST_SUITE_P(Sql, CatalogueContract, testing::Values(Dialect::postgres, Dialect::sqlite), dialect_name);

// What only PostgreSQL has.
struct PostgresCatalogue : CatalogueContract {};
INSTANTIATE_TEST_SUITE_P(Sql, PostgresCatalogue, testing::Values(Dialect::postgres), dialect_name);

TEST_P(PostgresCatalogue, SearchPathDecidesAndASchemaMayBeNamed) {
  run({"create schema shop", "create table shop.signals (here integer)", "create table signals (there integer)"});
  EXPECT_EQ(table("signals").schema, "public");
  EXPECT_THAT(names_of(table("shop.signals")), ElementsAre("here"));
  const auto shop = database->connect({.url = database->url() + "&schema=shop"});
  EXPECT_EQ(shop->describe("signals")->schema, "shop");
}

TEST_P(PostgresCatalogue, ATableOfASchemaOutsideThePathIsNamedInTheHint) {
  run({"create schema shop", "create table shop.signals (here integer)"});
  const auto missing = db->describe("signals");
  ASSERT_EQ(kind_of(missing), Kind::not_found);
  EXPECT_EQ(missing.error().hint, "Did you mean \"shop.signals\"?");
}

TEST_P(PostgresCatalogue, MixedCaseIsFoundAsWrittenBeforeLowerCase) {
  run({"create table signals (plain integer)", "create table \"Signals\" (mixed integer)"});
  EXPECT_THAT(names_of(table("Signals")), ElementsAre("mixed"));
  EXPECT_THAT(names_of(table("SIGNALS")), ElementsAre("plain"));
}

TEST_P(PostgresCatalogue, TypesIdentitiesAndDroppedColumnsAreTold) {
  run({"create domain money_amount as numeric(12,2)",
       "create table t (id bigint generated always as identity primary key, serial_like bigint generated by default as "
       "identity, gone text, at timestamptz, j jsonb[], amount money_amount)",
       "alter table t drop column gone"});
  const TableInfo info = table("t");
  EXPECT_THAT(names_of(info), ElementsAre("id", "serial_like", "at", "j", "amount"));
  EXPECT_TRUE(info.columns[0].identity_always);
  EXPECT_FALSE(info.columns[1].identity_always);
  EXPECT_EQ(info.columns[2].type, "timestamp with time zone");
  EXPECT_EQ(info.columns[3].type, "jsonb[]");
  EXPECT_EQ(info.columns[4].type, "money_amount");
}

TEST_P(PostgresCatalogue, KindsChildrenAndRowSecurityAreTold) {
  run({"create table parent (id integer)", "create table child () inherits (parent)",
       "create table parts (id integer) partition by range (id)",
       "create table part_1 partition of parts for values from (0) to (10)",
       "create materialized view m as select 1 as a", "create table secret (id integer)",
       "alter table secret enable row level security"});
  EXPECT_EQ(table("parts").kind, TableKind::partitioned);
  EXPECT_TRUE(table("parts").has_children);
  EXPECT_EQ(table("part_1").kind, TableKind::table);
  EXPECT_FALSE(table("part_1").has_children);
  EXPECT_TRUE(table("parent").has_children);
  EXPECT_FALSE(table("child").has_children);
  EXPECT_EQ(table("m").kind, TableKind::materialized_view);
  EXPECT_TRUE(table("secret").row_security);
  EXPECT_FALSE(table("parent").row_security);
}

TEST_P(PostgresCatalogue, ForeignKeysOfAPartitionsParentCountOnce) {
  run({"create table mockups (id integer primary key) partition by range (id)",
       "create table mockups_1 partition of mockups for values from (0) to (100) partition by range (id)",
       "create table mockups_1a partition of mockups_1 for values from (0) to (50)",
       "create table listings (m integer references mockups (id))",
       "create table direct (m integer references mockups_1a (id))"});
  EXPECT_THAT(texts_of(references("mockups_1a")),
              ElementsAre("direct(m) -> id, NO ACTION", "listings(m) -> id, NO ACTION"));
  EXPECT_EQ(references("mockups_1a").at(1).name, "listings_m_fkey")
      << "as it was declared, not a partition's copy of it";
  EXPECT_THAT(texts_of(references("mockups")),
              ElementsAre("direct(m) -> id, NO ACTION", "listings(m) -> id, NO ACTION"))
      << "deleting through the parent deletes from the partition";
}

TEST_P(PostgresCatalogue, AReferencingPartitionedTableIsOneReferenceAndIndexedWhereEachPartitionIs) {
  run({"create table mockups (id integer primary key)",
       "create table listings (at integer, m integer references mockups (id)) partition by range (at)",
       "create table listings_1 partition of listings for values from (0) to (10)",
       // Its columns stand in another order.
       "create table listings_2 (m integer, at integer)",
       "alter table listings attach partition listings_2 for values from (10) to (20)",
       "create index on listings_1 (m)"});
  EXPECT_THAT(texts_of(references("mockups")), ElementsAre("listings(m) -> id, NO ACTION"));
  EXPECT_FALSE(indexed("listings", "m"));
  run({"create index on listings_2 (m)"});
  EXPECT_THAT(texts_of(references("mockups")), ElementsAre("listings(m) -> id, NO ACTION, indexed"));
  EXPECT_TRUE(indexed("listings", "m"));
}

TEST_P(PostgresCatalogue, AnInvalidIndexDoesNotCount) {
  run({"create table mockups (id integer primary key)", "create table listings (m integer references mockups (id))",
       "create index listings_m on listings (m)",
       "update pg_index set indisvalid = false where indexrelid = 'listings_m'::regclass"});
  EXPECT_THAT(texts_of(references("mockups")), ElementsAre("listings(m) -> id, NO ACTION"));
  EXPECT_FALSE(indexed("listings", "m"));
}

TEST_P(PostgresCatalogue, AConstraintThatWasNeverValidatedStillCounts) {
  run({"create table mockups (id integer primary key)", "create table listings (m integer)",
       "alter table listings add constraint late foreign key (m) references mockups (id) not valid"});
  const auto found = references("mockups");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "late");
  EXPECT_EQ(found[0].schema, "public");
}

TEST_P(PostgresCatalogue, RowsOfAllPartitionsAreEstimatedTogether) {
  run({"create table parts (id integer) partition by range (id)",
       "create table part_1 partition of parts for values from (0) to (1000)",
       "create table part_2 partition of parts for values from (1000) to (2000)",
       "insert into parts select generate_series(0, 1499)", "analyze part_1"});
  EXPECT_EQ(db->estimated_rows(table("parts")).value(), std::nullopt) << "one partition is unknown";
  run({"analyze parts"});
  EXPECT_EQ(db->estimated_rows(table("parts")).value(), 1500u);
}

}  // namespace
}  // namespace steward::sql
