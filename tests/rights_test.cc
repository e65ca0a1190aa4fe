// The database's user lacks a right: the plan says which, on what, and the GRANT; the run does nothing. With exactly
// the rights that were named, everything works.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/text.h"
#include "harness/application.h"

namespace steward::harness {
namespace {

using nlohmann::json;

struct DatabaseRights : testing::Test {
  Application app{DatabaseKind::postgres};
  std::string role{};

  void SetUp() override {
    app.mockup(1, "a.png", 400);
    app.sql("insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
    app.sql("insert into audit_logs values (1, 'ann', 'login', '{}', '" + days_ago(600) + "')");
    role = app.value("select current_database()") + "_role";
    app.sql("create role " + role + " login password 'secret'");
    std::string& url = app.environment["DATABASE_URL"];
    const std::size_t begin = url.find("://") + 3;
    url.replace(begin, url.find('@') - begin, role + ":secret");
  }
  void TearDown() override {
    app.sql("drop owned by " + role);
    app.sql("drop role " + role);
  }
  void grant(const std::string& what) { app.sql("grant " + what + " to " + role); }
};

TEST_F(DatabaseRights, ThatAreMissingToDeleteAreInThePlanWithTheGrant) {
  grant("select on signals");
  const json step = task(app.plan_cleanup(), "purge-signals");
  EXPECT_EQ(step["planned"]["items"], 1);
  EXPECT_EQ(step["brake"]["code"], "rights");
  EXPECT_EQ(step["brake"]["hint"],
            fmt::format(R"(Run as the tables' owner: grant delete on "public"."signals" to "{}";)", role));
}

TEST_F(DatabaseRights, ThatAreMissingToDeleteEndTheTaskBeforeItBegins) {
  grant("select on mockups, listings");
  const json run = app.run_cleanup();
  EXPECT_EQ(task(run, "archive-mockups")["status"], "failed") << run.dump(1);
  EXPECT_EQ(task(run, "archive-mockups")["error"]["kind"], "permission");
  EXPECT_TRUE(app.files("cold/mockups").empty()) << "nothing is copied that cannot be removed";
}

TEST_F(DatabaseRights, ThatAreMissingToReadAreNamedWithTheOthers) {
  const json step = task(app.plan_cleanup(), "archive-mockups");
  EXPECT_EQ(step["error"]["code"], "rights") << step.dump(1);
  EXPECT_EQ(
      step["error"]["hint"],
      fmt::format(R"(Run as the tables' owner: grant select, delete, update ("id") on "public"."mockups" to "{0}"; )"
                  R"(grant select ("mockup_id") on "public"."listings" to "{0}";)",
                  role));
}

TEST_F(DatabaseRights, AreBadToTheDoctor) {
  grant("select on signals");
  const Answer answer = app.steward({"doctor"});
  EXPECT_EQ(answer.exit_code, 1);
  EXPECT_NE(answer.out.find("lacks DELETE on public.signals"), std::string::npos) << answer.out;
}

TEST_F(DatabaseRights, ThatTheHintsGrantAreEnoughForTheWholeJob) {
  const json plan = app.plan_cleanup();
  for (const char* name : {"archive-mockups", "purge-signals", "purge-audit-logs"}) {
    const std::string hint = task(plan, name)["error"]["hint"];
    for (const std::string& statement : split(hint.substr(hint.find("grant ")), ';'))
      if (!trim(statement).empty()) app.sql(statement);
  }
  const Answer answer = app.steward({"run", "cleanup"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(app.count("mockups") + app.count("signals") + app.count("audit_logs"), 0);
}

}  // namespace
}  // namespace steward::harness
