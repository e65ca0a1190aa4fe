// Times without an offset mean the same instants on both databases: PostgreSQL's `at time zone` is asked about every
// change of the clocks of some awkward zones, and about times at random.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "core/instant.h"
#include "core/zone.h"
#include "io/sql/test_database.h"

namespace steward::sql {
namespace {
using namespace std::chrono_literals;

std::string written(LocalTime time) {
  std::string text = format_instant(Instant{time.time_since_epoch()});
  text.pop_back();  // "Z"
  return text;
}

/// Times about every change of the last decades, and some others.
std::vector<std::string> times_of(const Zone& zone, unsigned seed) {
  std::vector<std::string> times;
  Instant at = *parse_instant("1945-01-01");
  for (auto change = zone.next_change(at); change && change->at < *parse_instant("2045-01-01");
       change = zone.next_change(at)) {
    at = change->at;
    const LocalTime before{std::chrono::floor<std::chrono::seconds>(at).time_since_epoch() + change->before};
    const LocalTime after{std::chrono::floor<std::chrono::seconds>(at).time_since_epoch() + change->after};
    for (const LocalTime edge : {before, after, before + (after - before) / 2})
      for (const auto step : {-1s, 0s, 1s}) times.push_back(written(edge + step));
  }
  std::mt19937 random(seed);
  std::uniform_int_distribution<std::int64_t> seconds(-1'500'000'000, 2'300'000'000);
  for (int i = 0; i < 200; ++i) times.push_back(written(LocalTime{std::chrono::seconds{seconds(random)}}) + ".123456");
  return times;
}

TEST(LocalTime, MeansOnSqliteWhatItMeansOnPostgres) {
  const auto postgres_database = TestDatabase::make(Dialect::postgres);
  const auto sqlite_database = TestDatabase::make(Dialect::sqlite);
  ASSERT_TRUE(postgres_database && sqlite_database);
  const auto postgres = postgres_database->connect(), sqlite = sqlite_database->connect();
  ASSERT_TRUE(postgres && sqlite);
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::size_t compared = 0;
  // Half an hour, a whole day, winter time as the exception, a gap at midnight, no changes any more, +05:45.
  for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Europe/Dublin",
                           "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kathmandu", "America/Caracas"}) {
    const auto zone = Zone::load(name);
    ASSERT_TRUE(zone) << zone.error().message;
    for (const std::string& time : times_of(*zone, seed)) {
      const Value theirs[] = {time, std::string(name)};
      const auto expected = postgres->query(
          "select (extract(epoch from $1::text::timestamp at time zone $2::text) * 1000000)::bigint", theirs);
      const auto found = sqlite->query("select steward_instant(?1, ?2)", theirs);
      ASSERT_TRUE(expected && found) << (expected ? "" : expected.error().message)
                                     << (found ? "" : found.error().message);
      ASSERT_EQ(to_text(found->rows[0][0]), to_text(expected->rows[0][0])) << time << " in " << name;
      ++compared;
    }
  }
  EXPECT_GT(compared, 5'000U);
}

}  // namespace
}  // namespace steward::sql
