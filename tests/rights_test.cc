// The database's user lacks a right: the plan says which, on what, and the GRANT; the run does nothing. With exactly
// the rights that were named, everything works.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

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

/// With a bucket, log files and every task configured.
struct Grants : DatabaseRights {
  std::vector<std::string> statements{};

  void SetUp() override {
    const std::string owner = app.environment["DATABASE_URL"];
    DatabaseRights::SetUp();
    const std::string as_role = app.environment["DATABASE_URL"];
    app.environment["DATABASE_URL"] = owner;
    const Answer answer = app.steward({"doctor", "--grants", "--for", role, "--json"});
    EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
    const json document = answer.json();
    for (const std::string& statement : split(document["databases"][0]["statements"].get<std::string>(), '\n'))
      if (!statement.empty() && !statement.starts_with("--")) statements.push_back(statement);
    app.environment["DATABASE_URL"] = as_role;
    app.file("logs/a.log", "x", 40);
    app.object("old.csv", "x", 100);
  }
};

TEST_F(Grants, AreEnoughForEveryTask) {
  for (const std::string& statement : statements) app.sql(statement);
  const Answer answer = app.steward({"run", "cleanup"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(app.count("mockups") + app.count("signals") + app.count("audit_logs"), 0);
  EXPECT_TRUE(app.files("logs").empty());
  EXPECT_TRUE(app.objects().empty());
}

TEST_F(Grants, AreNoMoreThanIsNeeded) {
  ASSERT_GE(statements.size(), 4U);
  for (const std::string& left_out : statements) {
    for (const std::string& statement : statements)
      if (statement != left_out) app.sql(statement);
    const json run = app.run_cleanup();
    bool lacking = false;
    for (const json& one : run["tasks"])
      lacking = lacking || (one["error"].is_object() && one["error"]["kind"] == "permission");
    EXPECT_TRUE(lacking) << "nothing lacks " << left_out << '\n' << run.dump(1);
    app.sql("drop owned by " + role);
    app.sql("delete from audit_logs; insert into audit_logs values (1, 'ann', 'login', '{}', '" + days_ago(600) + "')");
    app.sql("delete from signals; insert into signals values (1, 1, '" + days_ago(40) + "', 0.5, null, 'x')");
  }
}

TEST_F(Grants, OfABucketAreAPolicyForItsKeysAlone) {
  Application with_bucket(DatabaseKind::sqlite, BucketKind::versity);
  with_bucket.environment["COLD_STORAGE_PATH"] = with_bucket.bucket_name() + "/cold";
  const json policy = with_bucket.steward({"doctor", "--grants", "--json"}).json()["bucket_policy"];
  const std::string arn = "arn:aws:s3:::" + with_bucket.bucket_name().substr(5);
  std::map<std::string, json> by_resource;
  for (const json& statement : policy["Statement"])
    for (const json& action : statement["Action"]) by_resource[statement["Resource"]].push_back(action);
  EXPECT_EQ(by_resource[arn + "/cold/*"],
            json::array({"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}))
      << policy.dump(1);
  EXPECT_EQ(by_resource[arn + "/.steward-*"], json::array({"s3:PutObject", "s3:DeleteObjectVersion"}));
}

}  // namespace
}  // namespace steward::harness
