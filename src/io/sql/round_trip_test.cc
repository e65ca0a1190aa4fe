// A row that was read with `select *` and inserted again through parameters equals itself: an archive rests on this.
#include <fmt/format.h>

#include <cstring>
#include <random>

#include "io/sql/connection_contract.h"

namespace steward::sql {
namespace {

/// Copies all rows of `from` into the table `to` by way of this program.
void copy_rows(Connection& db, const std::string& from, const std::string& to) {
  const auto rows = db.query("select * from " + from);
  ASSERT_TRUE(rows) << rows.error().message;
  for (const Row& row : rows->rows) {
    std::string places;
    for (std::size_t i = 1; i <= row.size(); ++i) places += (i > 1 ? ", " : "") + db.placeholder(static_cast<int>(i));
    const auto done = db.execute("insert into " + to + " values (" + places + ")", row);
    ASSERT_TRUE(done) << done.error().message;
  }
}

struct Type {
  const char* name;
  std::string type;
  std::vector<std::string> values;  ///< SQL expressions.
};

void PrintTo(const Type& type, std::ostream* out) { *out << type.type; }

struct PostgresRoundTrip : testing::TestWithParam<Type> {};

TEST_P(PostgresRoundTrip, GivesTheSameValueBack) {
  const auto database = TestDatabase::make(Dialect::postgres);
  ASSERT_TRUE(database);
  const auto db = database->connect();
  for (const char* statement :
       {"create type mood as enum ('sad', 'o''k', 'Very Happy', 'a,b')", "create domain short as varchar(20)",
        "create type pair as (\"Left Side\" text, r numeric, inner_list integer[])",
        "create type span as range (subtype = timestamptz)"})
    ASSERT_TRUE(db->execute(statement));
  ASSERT_TRUE(db->execute("create table a (v " + GetParam().type + ", \"Mixed Case\" integer)"));
  ASSERT_TRUE(db->execute("create table b (like a)"));
  for (const std::string& value : GetParam().values) {
    const auto inserted = db->execute("insert into a values (" + value + ", 1)");
    ASSERT_TRUE(inserted) << inserted.error().message;
  }
  copy_rows(*db, "a", "b");
  // The type's own binary form: equal to the last bit, where = would take 1.0 for 1.00, and json has no = at all.
  const auto differing = db->query(
      "select a.v::text, b.v::text from (select *, row_number() over () n from a) a "
      "join (select *, row_number() over () n from b) b using (n) where not record_image_eq(row(a.v), row(b.v))");
  ASSERT_TRUE(differing) << differing.error().message;
  EXPECT_TRUE(differing->rows.empty()) << to_text(differing->rows[0][0]) << " became "
                                       << to_text(differing->rows[0][1]);
  EXPECT_EQ(ConnectionContract::one(*db, "select count(*) || ' ' || count(v) from a"),
            ConnectionContract::one(*db, "select count(*) || ' ' || count(v) from b"));
}

const Type types[] = {
    {"text",
     "text",
     {"null", "''", "'NULL'", "'it''s \"quoted\" \\ $1'", "E'line\\nbreak\\ttab\\r'", "'naïve ☃ 😀'", "' '"}},
    {"char", "char(5)", {"'ab'", "''", "null"}},
    {"integers", "bigint", {"9223372036854775807", "-9223372036854775808", "0", "null"}},
    {"numeric",
     "numeric",
     {"1.00", "1", "0.1", "-123456789012345678901234567890.000000001", "'NaN'", "'Infinity'", "1e-20"}},
    {"numeric_typed", "numeric(12,4)", {"1.5", "99999999.9999"}},
    {"float8", "float8", {"0.1", "1.0/3", "'NaN'", "'-Infinity'", "'-0'", "5e-324", "1.7976931348623157e308", "pi()"}},
    {"float4", "float4", {"0.1", "1.0/3", "1e-45", "3.4028235e38", "16777217"}},
    {"boolean", "boolean", {"true", "false", "null"}},
    {"bytea", "bytea", {"'\\x00ff5c27'", "''", "null", "'abc'"}},
    {"timestamptz",
     "timestamptz",
     {"'2024-11-23 01:02:03.123456+05:30'", "'infinity'", "'-infinity'", "'0044-03-15 12:00:00+00 BC'",
      "'294276-12-31 23:59:59.999999+00'", "'1890-01-01 00:00 Europe/Amsterdam'"}},
    {"timestamp", "timestamp", {"'2024-02-29 24:00:00'", "'infinity'", "'4713-01-01 00:00 BC'"}},
    {"date", "date", {"'2024-02-29'", "'infinity'", "'0001-01-01 BC'", "'5874897-12-31'"}},
    {"time", "time", {"'24:00:00'", "'23:59:59.999999'"}},
    {"timetz", "timetz", {"'12:00:00+14'", "'00:00:00.5-15:59:59'"}},
    {"interval",
     "interval",
     {"'1 year -2 mons +3 days -04:05:06.789'", "'-178000000 years'", "'0'", "'1 day -00:00:00.000001'"}},
    {"json", "json", {"'{\"b\":1,  \"a\":[null, 1.0, \"\\u2603\"]}'", "'null'", "'\"\"'"}},
    {"jsonb", "jsonb", {"'{\"b\":1.00,\"a\":{\"x\":[]}}'", "'null'", "'\"quo\\\"te\"'", "'1e400'", "null"}},
    {"array",
     "text[]",
     {"array['a,b', 'NULL', null, '', 'quo\"te', '{}', E'back\\\\slash', ' sp ']", "'{}'", "'[2:3]={x,y}'"}},
    {"array_of_arrays", "integer[][]", {"'{{1,2},{3,null}}'", "'[0:0][5:6]={{1,2}}'"}},
    {"array_of_jsonb", "jsonb[]", {"array['{\"a\": \"b,c\"}'::jsonb, null]"}},
    {"array_of_bytea", "bytea[]", {"array['\\x00'::bytea, '\\x5c'::bytea]"}},
    {"enumeration", "mood", {"'sad'", "'o''k'", "'Very Happy'"}},
    {"array_of_enumeration", "mood[]", {"array['a,b', 'sad']::mood[]"}},
    {"domain", "short", {"'x'", "''", "null"}},
    {"composite",
     "pair",
     {"row('a,b \"c\" (d)', 1.50, '{1,null}')", "row(null, null, null)", "row('', 0, '{}')", "null"}},
    {"array_of_composite", "pair[]", {"array[row('x\"y', 1, null)::pair, null]"}},
    {"range", "int4range", {"'[1,5)'", "'empty'", "'(,)'", "'[3,]'"}},
    {"range_of_time", "tstzrange", {"'[2024-01-01 00:00+01, infinity]'", "'(,2024-01-01 00:00+00)'"}},
    {"own_range", "span", {"'[2024-01-01 00:00+01, 2025-01-01 00:00+01)'"}},
    {"multirange", "nummultirange", {"'{[1.5,2),(3,4]}'", "'{}'"}},
    {"uuid", "uuid", {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}},
    {"network", "inet", {"'192.168.1.5/24'", "'::1'"}},
    {"bits", "bit(5)", {"B'10110'", "null"}},
    {"varying_bits", "bit varying", {"B''", "B'101'"}},
    {"xml", "xml", {"'<a b=\"c\">&lt;</a>'", "'text <b/> content'", "''"}},
    {"money", "money", {"'12.34'", "'-1234567.89'"}},
    {"geometry", "polygon", {"'((0.1,0.2),(1,1e-10),(2,0))'"}},
    {"search", "tsvector", {"'a:1A fat:2B,4C \"q uo\":3'", "''"}},
    {"search_query", "tsquery", {"'fat & (rat | !cat:ab)'"}},
    {"identifiers", "regclass", {"'pg_class'"}},
};
INSTANTIATE_TEST_SUITE_P(Sql, PostgresRoundTrip, testing::ValuesIn(types), [](const auto& c) { return c.param.name; });

TEST(PostgresRoundTripSettings, DoNotDependOnWhatTheRoleAndTheDatabaseSet) {
  const auto database = TestDatabase::make(Dialect::postgres);
  ASSERT_TRUE(database);
  for (const char* setting :
       {"datestyle = 'German'", "intervalstyle = 'sql_standard'", "timezone = 'Asia/Kolkata'", "extra_float_digits = 0",
        "bytea_output = 'escape'", "array_nulls = off", "xmloption = 'document'", "standard_conforming_strings = off",
        "row_security = on", "lc_monetary = 'C'"})
    ASSERT_TRUE(database->server().execute("alter database " + database->name() + " set " + setting));
  const auto db = database->connect();
  EXPECT_EQ(ConnectionContract::one(*db, "select '2024-11-23 01:02:03+05:30'::timestamptz"), "2024-11-22 19:32:03+00");
  EXPECT_EQ(ConnectionContract::one(*db, "select '-1 day -2 hours'::interval"), "-1 days -02:00:00");
  EXPECT_EQ(ConnectionContract::one(*db, "select 0.1::float4 + 0.2::float4"), "0.3");
  EXPECT_EQ(ConnectionContract::one(*db, "select 1.0::float8/3"), "0.3333333333333333");
  EXPECT_EQ(ConnectionContract::one(*db, "select '\\x00'::bytea"), "\\x00");
  EXPECT_EQ(ConnectionContract::one(*db, "select ('{NULL}'::text[])[1] is null"), "t");
  EXPECT_EQ(ConnectionContract::one(*db, "select 'a <b/>'::xml"), "a <b/>");
  auto transaction = db->begin();
  EXPECT_EQ(ConnectionContract::one(*db, "show datestyle"), "ISO, YMD");
  EXPECT_EQ(ConnectionContract::one(*db, "show row_security"), "off");
}

TEST(SqliteRoundTrip, GivesTheSameValueOfTheSameStorageClassBack) {
  const auto database = TestDatabase::make(Dialect::sqlite);
  ASSERT_TRUE(database);
  const auto db = database->connect();
  ASSERT_TRUE(db->execute("create table a (v, t text, i integer, r real, n numeric, b blob)"));
  ASSERT_TRUE(db->execute("create table b (v, t text, i integer, r real, n numeric, b blob)"));
  ASSERT_TRUE(db->execute(R"(insert into a(v) values (null), (9007199254740993), (-9223372036854775808), (0.1),
    (9e999), (3.0), (''), ('it''s'), (x''), (x'00ff'), ('17'), (cast(x'610062' as text)), (cast(x'ff' as text)))"));
  ASSERT_TRUE(db->execute(R"(insert into a values ('17', 17, '17', 17, '17', '17'), (1.5, 1.5, 1.5, 1.5, '1.50', 1.5),
    (x'31', x'31', x'31', x'31', x'31', x'31'), ('x', 'x', 'x', 'x', 'x', 'x'))"));
  copy_rows(*db, "a", "b");
  const std::string shape =
      "select group_concat(typeof(v) || quote(v) || typeof(t) || quote(t) || typeof(i) || quote(i) || typeof(r) || "
      "quote(r) "
      "|| typeof(n) || quote(n) || typeof(b) || quote(b) || ifnull(hex(v), '')) from ";
  EXPECT_EQ(ConnectionContract::one(*db, shape + "a"), ConnectionContract::one(*db, shape + "b"));
  EXPECT_EQ(ConnectionContract::one(*db, "select count(*) from a"), "17");
}

TEST(SqliteRoundTrip, TextWithAZeroByteKeepsItsEnd) {
  const auto database = TestDatabase::make(Dialect::sqlite);
  ASSERT_TRUE(database);
  const auto db = database->connect();
  const Value value = std::string("a\0b", 3);
  EXPECT_EQ(db->query("select ?1", {&value, 1})->rows.at(0).at(0), value);
  EXPECT_EQ(ConnectionContract::one(*db, "select hex(?1)", {value}), "610062");
}

/// A value that people would not write by hand.
std::string random_text(std::mt19937_64& random, bool zero_bytes) {
  static constexpr std::string_view pieces[] = {"'",  "\"", "\\", "{", "}",  ",",  "NULL", "\n",
                                                "\t", " ",  "(",  ")", "$1", "%s", "é",    "☃",
                                                "😀", "a",  "Z",  "0", "--", "/*", "\x7f", "\x01"};
  std::string out;
  for (auto n = random() % 12; n > 0; --n) out += pieces[random() % std::size(pieces)];
  if (zero_bytes && random() % 8 == 0) out += '\0';
  return out;
}

struct RandomRoundTrip : ConnectionContract {};

TEST_P(RandomRoundTrip, AnyRowComesBackEqual) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  run({postgres() ? "create table a (t text, l text[], d float8, b bytea, i bigint, j jsonb)"
                  : "create table a (t text, l text, d real, b blob, i integer, j text)"});
  run({postgres() ? "create table b (like a)" : "create table b (t text, l text, d real, b blob, i integer, j text)"});
  const std::string statement =
      postgres() ? "insert into a values ($1, array[$2::text, null, $1::text], $3, $4, $5, to_jsonb($2::text))"
                 : "insert into a values (?1, ?2, ?3, ?4, ?5, ?2)";
  for (int n = 0; n < 300; ++n) {
    std::uint64_t bits = random();
    double number;
    std::memcpy(&number, &bits, sizeof number);
    const std::vector<Value> row{{random_text(random, !postgres())},
                                 {random_text(random, false)},
                                 {number},
                                 {Blob{random_text(random, true)}},
                                 {static_cast<std::int64_t>(random())}};
    const auto done = db->execute(statement, row);
    ASSERT_TRUE(done) << done.error().message;
  }
  copy_rows(*db, "a", "b");
  const std::string order = " order by t, i, b";
  const auto before = db->query("select * from a" + order), after = db->query("select * from b" + order);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->rows.size(), 300u);
  EXPECT_TRUE(before->rows == after->rows);
}

INSTANTIATE_TEST_SUITE_P(Sql, RandomRoundTrip, testing::Values(Dialect::postgres, Dialect::sqlite), dialect_name);

}  // namespace
}  // namespace steward::sql
