#include "io/sql/database_url.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace steward::sql {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// "host=db port=5433", in the order of the keywords' names; secrets too, since a test may know them.
std::string keywords(const DatabaseUrl& url) {
  std::vector<std::string> words;
  for (const auto& [name, value] : url.keywords) words.push_back(name + "=" + value);
  for (const auto& [name, value] : url.secrets) words.push_back(name + "=" + value.reveal());
  std::ranges::sort(words);
  return fmt::format("{}", fmt::join(words, " "));
}

struct Case {
  const char* name;
  std::string_view url;
  std::string_view keywords;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.url; }

struct PostgresUrl : testing::TestWithParam<Case> {};

TEST_P(PostgresUrl, BecomesLibpqsKeywords) {
  const auto url = parse_database_url(GetParam().url);
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->dialect, Dialect::postgres);
  EXPECT_EQ(keywords(*url), GetParam().keywords);
}

const Case cases[] = {
    {"whole", "postgresql://app:secret@db:5433/app", "dbname=app host=db password=secret port=5433 user=app"},
    {"short_scheme", "postgres://db/app", "dbname=app host=db"},
    {"nothing_leaves_libpqs_defaults_and_environment", "postgresql://", ""},
    {"password_percent_encoded", "postgresql://app:p%40ss%2Fw%3Ard%3F1%25@db/app",
     "dbname=app host=db password=p@ss/w:rd?1% user=app"},
    {"password_with_an_at_sign_as_it_is", "postgresql://app:p@ss@db/app", "dbname=app host=db password=p@ss user=app"},
    {"user_and_name_percent_encoded", "postgresql://a%20b@db/my%2Fdb", "dbname=my/db host=db user=a b"},
    {"ipv6", "postgresql://app@[::1]:5433/app", "dbname=app host=::1 port=5433 user=app"},
    {"socket_in_the_query", "postgresql:///app?host=/var/run/postgresql", "dbname=app host=/var/run/postgresql"},
    {"socket_in_the_query_with_login", "postgresql://app:pw@/app?host=/var/run/postgresql&port=5433",
     "dbname=app host=/var/run/postgresql password=pw port=5433 user=app"},
    {"socket_percent_encoded", "postgresql://%2Fvar%2Frun%2Fpostgresql/app", "dbname=app host=/var/run/postgresql"},
    {"port_alone", "postgresql://:5433/app", "dbname=app port=5433"},
    {"two_servers", "postgresql://app@h1:5432,h2:5433/app", "dbname=app host=h1,h2 port=5432,5433 user=app"},
    {"two_servers_one_port", "postgresql://h1:5433,h2/app?target_session_attrs=read-write",
     "dbname=app host=h1,h2 port=5433, target_session_attrs=read-write"},
    {"two_servers_of_ipv6", "postgresql://[::1]:5433,[::2]/app", "dbname=app host=::1,::2 port=5433,"},
    {"two_servers_as_sqlalchemy_writes_them", "postgresql+psycopg2://app@/app?host=h1:5432&host=h2:5433",
     "dbname=app host=h1,h2 port=5432,5433 user=app"},
    {"the_query_wins", "postgresql://a@h1:1/x?host=h2&port=2&user=b&dbname=y&password=p",
     "dbname=y host=h2 password=p port=2 user=b"},
    {"libpqs_own_pass",
     "postgresql://db/app?sslmode=verify-full&sslrootcert=/ca.pem&keepalives_idle=5&options=-csearch_path%3Dapp",
     "dbname=app host=db keepalives_idle=5 options=-csearch_path=app sslmode=verify-full sslrootcert=/ca.pem"},
    {"empty_values_are_absent", "postgresql://db/app?sslmode=&host=", "dbname=app host=db"},
    {"asyncpg", "postgresql+asyncpg://app:pw@db/app?ssl=require&prepared_statement_cache_size=0",
     "dbname=app host=db password=pw sslmode=require user=app"},
    {"asyncpg_true", "postgresql+asyncpg://db/app?ssl=true", "dbname=app host=db sslmode=require"},
    {"asyncpg_verify_full", "postgresql+asyncpg://db/app?ssl=verify-full", "dbname=app host=db sslmode=verify-full"},
    {"ssl_false", "postgresql://db/app?ssl=false", "dbname=app host=db sslmode=disable"},
    {"psycopg2", "postgresql+psycopg2://db/app?sslmode=prefer", "dbname=app host=db sslmode=prefer"},
    {"psycopg", "postgresql+psycopg://db/app?prepare_threshold=0", "dbname=app host=db"},
    {"pg8000_socket", "postgresql+pg8000://app@/app?unix_sock=/run/postgresql/.s.PGSQL.5433",
     "dbname=app host=/run/postgresql port=5433 user=app"},
    {"python_plus_is_a_space", "postgresql+psycopg2://db/app?options=-c+search_path%3Dapp",
     "dbname=app host=db options=-c search_path=app"},
    {"libpqs_plus_is_a_plus", "postgresql://db/app?options=-c%20a%3D1+2", "dbname=app host=db options=-c a=1+2"},
    {"django_postgis", "postgis://db/app?conn_max_age=600", "dbname=app host=db"},
    {"prisma", "postgresql://db/app?pgbouncer=true&connection_limit=1&pool_timeout=9", "dbname=app host=db"},
};
INSTANTIATE_TEST_SUITE_P(Sql, PostgresUrl, testing::ValuesIn(cases), [](const auto& c) { return c.param.name; });

struct WrongCase {
  const char* name;
  std::string_view url;
  std::string_view why;
};

void PrintTo(const WrongCase& c, std::ostream* out) { *out << c.url; }

struct WrongUrl : testing::TestWithParam<WrongCase> {};

TEST_P(WrongUrl, IsBadInputThatSaysWhyAndNeverThePassword) {
  const auto url = parse_database_url(GetParam().url);
  ASSERT_FALSE(url);
  EXPECT_EQ(url.error().kind, Kind::bad_input);
  EXPECT_THAT(url.error().message, AllOf(HasSubstr(GetParam().why), Not(HasSubstr("hunter2")), Not(HasSubstr("\n"))));
  EXPECT_FALSE(url.error().hint.empty());
}

const WrongCase wrong[] = {
    {"no_scheme", "db.example.net/app", "has no scheme"},
    {"empty", "", "has no scheme"},
    {"mysql", "mysql://app:hunter2@db/app", "mysql is neither postgresql nor sqlite"},
    {"mysql_driver", "mysql+pymysql://app:hunter2@db/app", "mysql is neither"},
    {"jdbc", "jdbc:postgresql://db/app?user=a&password=hunter2", "a URL of Java's"},
    {"port", "postgresql://app:hunter2@db:54x/app", "port is not a number"},
    {"port_in_the_query", "postgresql://app:hunter2@db/app?port=0", "port is not a number"},
    {"port_of_one_of_two", "postgresql://app:hunter2@h1:x,h2/app", "port is not a number"},
    {"escape", "postgresql://app:hunter2%zz@db/app", "percent sign"},
    {"sslmode", "postgresql://app:hunter2@db/app?sslmode=banana", "sslmode=banana is no mode of TLS"},
    {"misspelt_sslmode", "postgresql://app:hunter2@db/app?sslmod=require", "unknown parameter \"sslmod\""},
    {"unknown_ssl", "postgresql://db/app?ssl_pinning=yes", "unknown parameter \"ssl_pinning\""},
    {"zero_byte", "postgresql://app:hunter2%00x@db/app", "its password holds a zero byte"},
    {"zero_byte_in_name", "postgresql://db/a%00pp", "its dbname holds a zero byte"},
    {"timeout", "postgresql://db/app?connect_timeout=soon", "connect_timeout is not a number of seconds"},
    {"timeout_nan", "postgresql://db/app?connect_timeout=nan", "connect_timeout is not a number of seconds"},
    {"replication", "postgresql://db/app?replication=database", "a replication connection"},
    {"pg8000_socket", "postgresql+pg8000://app@/app?unix_sock=/run/postgresql", "unix_sock does not end in"},
    {"line_break", "postgresql://db\n/app?sslmode=x", "sslmode=x is no mode"},
    {"memory", "sqlite://", "in memory"},
    {"memory_with_slash", "sqlite:///", "in memory"},
    {"memory_by_name", "sqlite:///:memory:", "in memory"},
    {"sqlite_uri_name", "sqlite:///file:app.db?mode=memory&uri=true", "file: names"},
    {"two_slashes", "sqlite://data/app.db", "a file has no host"},
    {"windows_drive", "sqlite:///C:/data/app.db", "a path of Windows"},
    {"windows_slashes", R"(sqlite:///data\app.db)", "a path of Windows"},
    {"folder", "sqlite:////srv/data/", "it names a folder"},
    {"sqlite_zero_byte", "sqlite:///a%00b", "zero byte"},
    {"encrypted", "sqlite+pysqlcipher://:hunter2@/app.db", "encrypted"},
    {"encrypted_by_parameter", "sqlite:///app.db?key=hunter2", "encrypted"},
};
INSTANTIATE_TEST_SUITE_P(Sql, WrongUrl, testing::ValuesIn(wrong), [](const auto& c) { return c.param.name; });

std::string sqlite_path(std::string_view text) {
  const auto url = parse_database_url(text);
  return url && url->dialect == Dialect::sqlite ? url->path : "not one";
}

TEST(SqliteUrl, ThreeSlashesAreRelativeAndFourAbsolute) {
  EXPECT_EQ(sqlite_path("sqlite:///app.db"), "app.db");
  EXPECT_EQ(sqlite_path("sqlite:///data/app.db"), "data/app.db");
  EXPECT_EQ(sqlite_path("sqlite:///./app.db"), "./app.db");
  EXPECT_EQ(sqlite_path("sqlite:////srv/app.db"), "/srv/app.db");
  EXPECT_EQ(sqlite_path("sqlite3:////srv/my%20app.db"), "/srv/my app.db");
  EXPECT_EQ(sqlite_path("SQLite+aiosqlite:////srv/app.db"), "/srv/app.db");
  EXPECT_EQ(sqlite_path("sqlite+pysqlite:///app.db"), "app.db");
  EXPECT_EQ(sqlite_path("sqlite:///what%3Fever.db"), "what?ever.db");
}

TEST(SqliteUrl, NotesWhatItLeavesOut) {
  const auto url = parse_database_url("sqlite:///app.db?check_same_thread=false");
  ASSERT_TRUE(url);
  EXPECT_THAT(url->notes,
              ElementsAre("sqlite:///app.db?check_same_thread=false: parameter \"check_same_thread\" is for "
                          "Python's driver and is left out"));
}

TEST(PostgresUrlNotes, SayEachParameterThatWasDroppedOrTranslated) {
  const auto url = parse_database_url(
      "postgresql+asyncpg://app:hunter2@db/app?ssl=require&command_timeout=5&application_name=web&sslmode=require");
  ASSERT_TRUE(url);
  const std::string shown =
      "postgresql+asyncpg://app:***@db/app?ssl=require&command_timeout=5&application_name=web&sslmode=require";
  EXPECT_THAT(url->notes, ElementsAre(shown + ": parameter \"ssl\" is read as sslmode=require",
                                      shown + ": parameter \"command_timeout\" means nothing to libpq and is left out",
                                      shown + ": parameter \"application_name\" is left out: steward sets its own"));
  EXPECT_THAT(parse_database_url("postgresql://db/app?sslmode=require")->notes, IsEmpty());
}

TEST(PostgresUrlSchemas, AreKeptBecauseTheyDecideWhichTableANameMeans) {
  EXPECT_EQ(parse_database_url("postgresql://db/app?schema=shop")->search_path, "shop");
  EXPECT_EQ(parse_database_url("postgresql://db/app?currentSchema=shop,public")->search_path, "shop,public");
  EXPECT_EQ(parse_database_url("postgresql://db/app?search_path=shop")->search_path, "shop");
  EXPECT_EQ(parse_database_url("postgresql://db/app")->search_path, std::nullopt);
}

TEST(PostgresUrlTimeout, IsThePersonsOwn) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_database_url("postgresql://db/app?connect_timeout=3")->connect_timeout, 3s);
  EXPECT_EQ(parse_database_url("postgresql+asyncpg://db/app?timeout=0.5")->connect_timeout, 500ms);
  EXPECT_EQ(parse_database_url("postgresql://db/app?connect_timeout=0")->connect_timeout, std::nullopt);
}

TEST(WrongUrlHint, NamesTheParameterThatWasMeant) {
  EXPECT_EQ(parse_database_url("postgresql://db/app?sslmod=require").error().hint, "Did you mean \"sslmode\"?");
}

}  // namespace
}  // namespace steward::sql
