// The OpenAPI document is true: what it promises, others hold against the real server, on both kinds of ledger.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/password.h"
#include "harness/served_api.h"
#include "run/ledger/approvals.h"
#include "run/ledger/people.h"

namespace steward::harness {
namespace {
using testing::HasSubstr;
using testing::Not;

struct OpenApi : ServedApi, testing::WithParamInterface<DatabaseKind> {
  OpenApi() : ServedApi(GetParam()) {}
  std::string ledger_url() const override {
    return GetParam() == DatabaseKind::sqlite ? ServedApi::ledger_url() : app.environment.at("DATABASE_URL");
  }
  void SetUp() override {
    if (GetParam() == DatabaseKind::postgres) app.environment["STEWARD_LEDGER_URL"] = app.environment["DATABASE_URL"];
    configure("schedule: '0 3 1 1 *', approval: required");
    app.file("logs/old.log", "x", 40);
    open_ledger();
    serve();
    who = token("administrator");
    fill();
    app.file("openapi.json", ask("GET", "/api/openapi.json", {who}).body);
  }

  /// Something of everything, so that no list is empty.
  void fill() {
    const auto post = [&](const std::string& path, const json& body, int status) {
      const Reply reply = ask("POST", path, {who}, body);
      EXPECT_EQ(reply.status, status) << path << ": " << reply.body;
      return reply.document();
    };
    done = post("/api/v1/jobs/cleanup/runs", nullptr, 202)["run"];
    await_run("/api/v1/runs/" + done, "waiting", who);
    digest = ask("GET", "/api/v1/approvals/" + done, {who}).document()["digest"];
    post("/api/v1/approvals/" + done, {{"digest", digest}}, 200);
    await_run("/api/v1/runs/" + done, "succeeded", who);
    app.file("logs/old.log", "x", 40);
    asked = post("/api/v1/jobs/cleanup/runs", nullptr, 202)["run"];
    await_run("/api/v1/runs/" + asked, "waiting", who);
    operation = post("/api/v1/plans", {{"job", "cleanup"}}, 202)["id"];
    await([&] { return ask("GET", "/api/v1/operations/" + operation, {who}).document()["state"] == "succeeded"; },
          "the plan is made");
    post("/api/v1/holds", {{"path", app.path("logs/new.log")}, {"reason", "case 12"}}, 202);
    post("/api/v1/jobs/cleanup/pauses", {{"reason", "an index is being built"}}, 201);
    post("/api/v1/freezes", {{"reason", "audit"}}, 201);
    post("/api/v1/users", {{"name", "ann"}, {"password", "correct horse battery"}, {"role", "viewer"}}, 201);
    ASSERT_EQ(ledger->agenda().enter({.job = "cleanup",
                                      .due = SystemClock().now(),
                                      .outcome = "missed",
                                      .reason = "steward was not running",
                                      .decided = SystemClock().now(),
                                      .daemon = "web-1:10"},
                                     {}, {}),
              true);
    await([&] { return !ledger->holds(SystemClock().now())->empty(); }, "the hold is there");
  }

  Answer peer(std::vector<std::string> words) {
    const auto variable = [](const char* name) {
      const char* value = std::getenv(name);
      return std::string(value != nullptr ? value : "");
    };
    std::map<std::string, std::string> environment{{"PATH", variable("PATH")},
                                                   {"HOME", variable("HOME")},
                                                   {"STEWARD_TOKEN", who.second.substr(std::string("Bearer ").size())}};
    for (const char* name : {"STEWARD_TOOLS", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE", "HTTPS_PROXY"})
      if (const std::string value = variable(name); !value.empty()) environment[name] = value;
    words.insert(words.begin() + 1, {origin(), app.path("openapi.json")});
    words.insert(words.begin(), std::string(STEWARD_SOURCES) + "/tests/tools/openapi_peer.sh");
    return run_program(words, environment, app.root());
  }

  http::Header who{};
  std::string done{}, asked{}, digest{}, operation{};
};

TEST_P(OpenApi, EachAnswerIsAsItsSchemaSays) {
  const Answer answer =
      peer({"answers", "run=" + asked, "job=cleanup", "digest=" + digest, "id=" + operation, "operation=" + operation});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("listRuns 200 matches"));
  EXPECT_GE(std::count(answer.out.begin(), answer.out.end(), '\n'), 20) << answer.out;
}

TEST_P(OpenApi, NoRequestMakesAnAnswerThatItDoesNotDescribe) {
  const Answer answer = peer({"fuzz"});
  EXPECT_EQ(answer.exit_code, 0) << answer.out << answer.err;
  EXPECT_EQ(ask("GET", "/api/v1/me", {who}).status, 200) << "the token was good to the end";
  EXPECT_THAT(serving->said(), Not(HasSubstr(" 500 ")));
}

INSTANTIATE_TEST_SUITE_P(EndToEnd, OpenApi, testing::Values(DatabaseKind::sqlite, DatabaseKind::postgres),
                         [](const auto& kind) { return testing::PrintToString(kind.param); });

}  // namespace
}  // namespace steward::harness
