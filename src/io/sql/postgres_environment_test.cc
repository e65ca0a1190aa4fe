#include "io/sql/postgres_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace steward::sql {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

TEST(ProgramEnvironment, HasEachPartOfTheUrlUnderLibpqsName) {
  const ProgramEnvironment got =
      program_environment({.url = "postgresql+asyncpg://app:p%40ss@db.example:6432/shop?ssl=require&keepalives_idle=30",
                           .application = "steward backup R"})
          .value();
  for (const char* variable : {"PGHOST=db.example", "PGPORT=6432", "PGUSER=app", "PGPASSWORD=p@ss", "PGDATABASE=shop",
                               "PGSSLMODE=require", "PGAPPNAME=steward backup R", "PGCONNECT_TIMEOUT=10"})
    EXPECT_THAT(got.variables, Contains(variable));
  EXPECT_EQ(got.conninfo, "keepalives_idle='30'") << "libpq has no variable for it";
}

TEST(ProgramEnvironment, PinsTheSessionBehindThePersonsOwnOptions) {
  const ProgramEnvironment got =
      program_environment({.url = "postgresql://db/shop?options=-c%20work_mem%3D64MB"}).value();
  EXPECT_THAT(got.variables, Contains(testing::AllOf(HasSubstr("PGOPTIONS=-c work_mem=64MB -c"),
                                                     HasSubstr("TimeZone=UTC"), HasSubstr("bytea_output=hex"))));
}

TEST(ProgramEnvironment, PassesOnWhatLibpqReadsAndNothingElse) {
  ::setenv("PGSSLROOTCERT", "/etc/ca.pem", 1);
  ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  const ProgramEnvironment got = program_environment({.url = "postgresql://db/shop"}).value();
  ::unsetenv("PGSSLROOTCERT");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  EXPECT_THAT(got.variables, Contains("PGSSLROOTCERT=/etc/ca.pem"));
  EXPECT_THAT(got.variables, Not(Contains(HasSubstr("secret"))));
}

TEST(ProgramEnvironment, RefusesWhatItCannotGiveSafely) {
  EXPECT_EQ(program_environment({.url = "postgresql://db/shop?sslpassword=x"}).error().kind, Kind::bad_input);
  EXPECT_EQ(program_environment({.url = "sqlite:///app.db"}).error().kind, Kind::bad_input);
}

}  // namespace
}  // namespace steward::sql
