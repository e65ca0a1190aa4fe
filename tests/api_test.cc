// The API as a browser and a script have it: the real program, real sockets, real runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/digest.h"
#include "harness/served_api.h"
#include "run/ledger/approvals.h"
#include "run/ledger/people.h"

namespace steward::harness {
namespace {
using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string password = "correct horse battery";
const std::string cleanup_runs = "/api/v1/jobs/cleanup/runs";

struct TheApi : ServedApi {
  using ServedApi::ServedApi;
  /// The secret of the link that the daemon has printed; empty where it has printed none.
  std::string setup_secret() const {
    const std::string said = serving->said();
    const std::size_t link = said.find("/setup#");
    return link == std::string::npos ? "" : said.substr(link + 7, said.find_first_of(" \n", link) - link - 7);
  }
  /// Signed in as the first administrator, by the link.
  std::string administrator() {
    const Reply made = ask("POST", "/api/v1/setup", {{"Origin", origin()}},
                           {{"link", setup_secret()}, {"name", "ada"}, {"password", password}});
    EXPECT_EQ(made.status, 200) << made.body;
    return made.cookie();
  }
};

TEST_F(TheApi, TheFirstAdministratorIsMadeByThePrintedLinkSignsInAndOut) {
  serve();
  EXPECT_EQ(ask("GET", "/api/v1/me").status, 401);
  const std::string secret = setup_secret();
  ASSERT_GE(secret.size(), 32u) << serving->said();
  const std::string first = administrator();
  EXPECT_EQ(ask("GET", "/api/v1/me", {{"Cookie", first}}).document()["role"], "administrator");
  EXPECT_GE(
      ask("POST", "/api/v1/setup", {{"Origin", origin()}}, {{"link", secret}, {"name", "eve"}, {"password", password}})
          .status,
      400)
      << "the link is good once";
  EXPECT_EQ(ledger->people().users()->size(), 1u);

  const Reply signed_in =
      ask("POST", "/api/v1/login", {{"Origin", origin()}}, {{"name", "ada"}, {"password", password}});
  ASSERT_EQ(signed_in.status, 200) << signed_in.body;
  EXPECT_THAT(signed_in.header("Set-Cookie"), AllOf(HasSubstr("HttpOnly"), HasSubstr("SameSite=Strict")));
  const std::string cookie = signed_in.cookie();
  EXPECT_EQ(ask("GET", "/api/v1/overview", {{"Cookie", cookie}}).status, 200);
  EXPECT_EQ(ask("POST", "/api/v1/logout", {{"Cookie", cookie}, {"Origin", origin()}}).status, 204);
  EXPECT_EQ(ask("GET", "/api/v1/me", {{"Cookie", cookie}}).status, 401);
  EXPECT_EQ(ask("GET", "/api/v1/me", {{"Cookie", first}}).status, 200) << "the other session goes on";
}

TEST_F(TheApi, APageOfAnotherSiteChangesNothingWithTheCookie) {
  serve();
  const std::string cookie = administrator();
  for (const std::string& site :
       {std::string("https://evil.example"), std::string("null"), "http://127.0.0.1:" + std::to_string(port + 1)}) {
    const Reply refused = ask("POST", cleanup_runs, {{"Cookie", cookie}, {"Origin", site}});
    EXPECT_EQ(refused.status, 403) << site;
    EXPECT_EQ(refused.document()["code"], "foreign-origin");
  }
  EXPECT_EQ(ask("POST", cleanup_runs, {{"Cookie", cookie}}).status, 403) << "and neither does what says not whence";
  EXPECT_THAT(ledger->runs({}).value(), IsEmpty());
  EXPECT_EQ(ask("POST", cleanup_runs, {{"Cookie", cookie}, {"Origin", origin()}}).status, 202);
}

TEST_F(TheApi, ARunThatIsPostedIsCarriedOutAndCanBeFollowedToItsEnd) {
  serve();
  const http::Header who = token("operator");
  const Reply posted = ask("POST", cleanup_runs, {who}, {{"tasks", {"logs"}}});
  ASSERT_EQ(posted.status, 202) << posted.body;
  const std::string id = posted.document()["run"], at = posted.header("Location");
  EXPECT_EQ(at, "/api/v1/runs/" + id);
  const json run = await_run(at, "succeeded", who);
  EXPECT_EQ(run["trigger"], "api");
  EXPECT_EQ(run["actor"], "token operators");
  EXPECT_EQ(run["scope"], json::array({"logs"}));
  EXPECT_EQ(run["tasks"][0]["done"]["items"], 1);
  EXPECT_FALSE(app.exists("logs/old.log"));
  const Reply log = ask("GET", at + "/log", {who});
  EXPECT_THAT(log.body, AllOf(HasSubstr("began"), HasSubstr("ended")));
  EXPECT_EQ(log.header("X-More"), "false");
  EXPECT_EQ(ask("GET", at + "/log?offset=" + log.header("X-Next-Offset"), {who}).body, "");
  EXPECT_EQ(app.steward({"runs", "show", id, "--json"}).json()["tasks"], run["tasks"]) << "as the command line has it";
}

TEST_F(TheApi, ARunFromAPlanDoesNoMoreThanThatPlanSays) {
  serve();
  const http::Header who = token("operator");
  const Answer planned = app.steward({"plan", "cleanup", "--json"});
  const std::string digest = planned.json()["digest"];
  app.file("logs/older.log", "x", 50);  // since then there is more to remove
  const Reply more = ask("POST", cleanup_runs, {who}, {{"plan", digest}});
  ASSERT_EQ(more.status, 202) << more.body;
  EXPECT_EQ(more.document()["plan"], digest);
  const json refused = await_run(more.header("Location"), "refused", who);
  EXPECT_TRUE(app.exists("logs/old.log"));
  EXPECT_TRUE(app.exists("logs/older.log"));
  EXPECT_EQ(refused["plan"], digest);
  const Reply retried = ask("POST", more.header("Location") + "/retry", {who});
  ASSERT_EQ(retried.status, 202) << retried.body;
  EXPECT_EQ(retried.document()["plan"], digest) << "a retry is bound to the same plan";
  const std::string retry = "/api/v1/runs/" + retried.document()["run"].get<std::string>();
  await_run(retry, "refused", who);
  EXPECT_TRUE(app.exists("logs/older.log"));
  const std::string fresh = app.steward({"plan", "cleanup", "--json"}).json()["digest"];
  const Reply all = ask("POST", cleanup_runs, {who}, {{"plan", fresh}});
  await_run(all.header("Location"), "succeeded", who);
  EXPECT_FALSE(app.exists("logs/older.log"));
  EXPECT_EQ(ask("POST", cleanup_runs, {who}, {{"plan", std::string(64, '0')}}).status, 404);
}

TEST_F(TheApi, ARequestThatIsRepeatedWithItsKeyStartsNothingTwice) {
  serve();
  const http::Header who = token("operator"), key{"Idempotency-Key", "deploy-17"};
  const json first = ask("POST", cleanup_runs, {who, key}).document();
  await_run("/api/v1/runs/" + first["run"].get<std::string>(), "succeeded", who);
  const Reply again = ask("POST", cleanup_runs, {who, key});
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(again.document()["run"], first["run"]);
  const Reply other = ask("POST", cleanup_runs, {who, key}, {{"tasks", {"logs"}}});
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(other.document()["code"], "request-reused");
  EXPECT_EQ(ledger->runs({})->size(), 1u);
}

TEST_F(TheApi, TellsTheSameAsTheCommandLine) {
  serve();
  ASSERT_EQ(app.steward({"pause", "cleanup", "--reason", "an index is being built"}).exit_code, 0);
  const http::Header who = token("viewer");
  const json there = ask("GET", "/api/v1/overview", {who}).document();
  const json here = app.steward({"status", "--json"}).json();
  for (const char* part : {"jobs", "schedules", "daemon", "holds", "freezes", "attention", "ledger"})
    EXPECT_EQ(there[part], here[part]) << part;
  const json job = ask("GET", "/api/v1/jobs/cleanup", {who}).document();
  EXPECT_EQ(job["standing"], "paused");
  const json all = here["schedules"];
  for (const json& schedule : all)
    if (schedule["job"] == "cleanup") {
      EXPECT_EQ(job["reason"], schedule["reason"]);
    }
}

TEST_F(TheApi, SaysThatItLivesAndWhetherTheLedgerCanBeWritten) {
  serve();
  EXPECT_EQ(ask("GET", "/healthz").document(), (json{{"status", "alive"}}));
  EXPECT_EQ(ask("GET", "/readyz").document(),
            (json{{"status", "ready"}, {"ledger", "writable"}, {"lease", "not needed"}}));
  const auto other = sql::connect({.url = ledger_url()});
  ASSERT_TRUE(other);
  auto transaction = (*other)->begin();
  ASSERT_TRUE(transaction && (*other)->execute("update meta set value = value"));
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  EXPECT_EQ(ask("GET", "/healthz").status, 200);
}

TEST_F(TheApi, AfterFailuresALoginHasToWaitAlsoWithTheRightPassword) {
  serve();
  administrator();
  const auto login = [&](const std::string& with) {
    return ask("POST", "/api/v1/login", {{"Origin", origin()}}, {{"name", "ada"}, {"password", with}});
  };
  int wrong = 0;
  Reply reply = login("wrong");
  for (; reply.status == 401 && wrong < 20; ++wrong) reply = login("wrong");
  EXPECT_EQ(reply.status, 429);
  EXPECT_EQ(wrong, 5);
  EXPECT_GE(std::stoi(reply.header("Retry-After")), 1);
  EXPECT_EQ(login(password).status, 429);
}

TEST_F(TheApi, ATokenMayWhatItsRoleMayUntilItExpiresOrIsRevoked) {
  serve();
  const http::Header viewer = token("viewer"), administrator = token("administrator");
  EXPECT_EQ(ask("GET", "/api/v1/runs", {viewer}).status, 200);
  EXPECT_EQ(ask("POST", cleanup_runs, {viewer}).status, 403);
  EXPECT_EQ(ask("GET", "/api/v1/runs", {{"Authorization", "Bearer steward_wrong"}}).status, 401);

  const Instant now = SystemClock().now();
  ASSERT_TRUE(ledger->people().add_token({.id = "t-old",
                                          .name = "old",
                                          .hash = sha256_hex("steward_old"),
                                          .role = ledger::Role::administrator,
                                          .made = now - 48h,
                                          .made_by = "test",
                                          .expires = now - 1s}));
  EXPECT_EQ(ask("GET", "/api/v1/runs", {{"Authorization", "Bearer steward_old"}}).status, 401);

  const json all = ask("GET", "/api/v1/tokens", {administrator}).document()["tokens"];
  for (const json& one : all)
    if (one["name"] == "viewers") {
      EXPECT_NE(one["used"], nullptr);
      EXPECT_EQ(ask("DELETE", "/api/v1/tokens/" + one["id"].get<std::string>(), {administrator}).status, 204);
    }
  EXPECT_EQ(ask("GET", "/api/v1/runs", {viewer}).status, 401);
}

/// A listener of events, and what has come to it.
class Listener {
 public:
  Listener(std::uint16_t port, const http::Header& who, const std::string& last_seen = "") : client_(port) {
    std::string head = "GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) + "\r\n" + who.first +
                       ": " + who.second + "\r\nAccept: text/event-stream\r\n";
    if (!last_seen.empty()) head += "Last-Event-ID: " + last_seen + "\r\n";
    client_.send(head + "\r\n");
    EXPECT_THAT(client_.take_to("\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  /// The ids of events up to and with that of `act`.
  std::vector<std::string> ids_to(const std::string& act) {
    EXPECT_TRUE(client_.await("event: " + act + "\n")) << client_.received;
    EXPECT_TRUE(client_.await("\n\n"));
    std::vector<std::string> ids;
    for (;;) {
      const std::string block = client_.take_to("\n\n");
      if (!block.ends_with("\n\n")) return ids;
      if (const std::size_t at = block.find("id: "); at != std::string::npos)
        ids.push_back(block.substr(at + 4, block.find('\n', at) - at - 4));
      if (block.contains("event: " + act + "\n")) return ids;
    }
  }

 private:
  server::RawClient client_;
};

TEST_F(TheApi, EventsGoOnBehindTheLastThatWasSeenAlsoWithTheNextDaemon) {
  serve();
  const http::Header who = token("operator");
  const auto freeze = [&](const std::string& reason) {
    const Reply reply = ask("POST", "/api/v1/freezes", {who}, {{"reason", reason}});
    EXPECT_EQ(reply.status, 201) << reply.body;
  };
  const auto numbers_after = [&](const std::string& last) {
    std::vector<std::string> out;
    const auto lines = ledger->audit_lines(100).value();
    for (auto line = lines.rbegin(); line != lines.rend(); ++line)
      if (line->number > std::stoll(last)) out.push_back(std::to_string(line->number));
    return out;
  };
  std::string last;
  {
    Listener first(port, who);
    freeze("one");
    last = first.ids_to("freeze.set").back();
  }
  EXPECT_EQ(last, std::to_string(ledger->audit_lines(1)->front().number));
  freeze("two");
  ASSERT_EQ(app.steward({"freeze", "lift", ledger->freezes(SystemClock().now())->front().id}).exit_code, 0);
  std::vector<std::string> missed = numbers_after(last);
  ASSERT_EQ(missed.size(), 2u);
  {
    Listener second(port, who, last);
    EXPECT_EQ(second.ids_to("freeze.lift"), missed) << "no gap, and nothing twice";
  }
  last = missed.back();
  stop();
  ASSERT_EQ(app.steward({"hold", "add", "--path", app.path("logs/new.log"), "--reason", "case 12"}).exit_code, 0);
  serve();
  freeze("three");
  Listener third(port, who, last);
  EXPECT_EQ(third.ids_to("freeze.set"), numbers_after(last)) << "what happened between two daemons, too";
}

struct TheApiBehindAProxy : TheApi {
  void SetUp() override {
    app.environment["STEWARD_PUBLIC_URL"] = "https://ops.example.com/steward";
    TheApi::SetUp();
  }
  /// As a proxy passes on what a browser has sent to the public URL.
  Reply through(const std::string& method, const std::string& path, std::vector<http::Header> headers = {},
                const json& body = nullptr) {
    headers.insert(headers.end(),
                   {{"Host", "ops.example.com"}, {"X-Forwarded-For", "198.51.100.7"}, {"X-Forwarded-Proto", "https"}});
    return ask(method, path, std::move(headers), body);
  }
};

TEST_F(TheApiBehindAProxy, LivesBelowItsPathAndKnowsThatBrowsersHaveTls) {
  app.file("steward.yaml", app.content("steward.yaml") + "serve: {trusted_proxies: [127.0.0.1]}\n");
  serve();
  EXPECT_THAT(serving->said(), HasSubstr("https://ops.example.com/steward/setup#"));
  const http::Header browser{"Origin", "https://ops.example.com"};
  const Reply made = through("POST", "/steward/api/v1/setup", {browser},
                             {{"link", setup_secret()}, {"name", "ada"}, {"password", password}});
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_THAT(made.header("Set-Cookie"), AllOf(HasSubstr("Path=/steward"), HasSubstr("Secure")));
  EXPECT_THAT(made.header("Strict-Transport-Security"), HasSubstr("max-age="));
  const http::Header cookie{"Cookie", made.cookie()};
  const Reply posted = through("POST", "/steward" + cleanup_runs, {browser, cookie});
  EXPECT_EQ(posted.status, 202) << posted.body;
  EXPECT_THAT(posted.header("Location"), StartsWith("/steward/api/v1/runs/"));
  EXPECT_EQ(through("GET", posted.header("Location"), {cookie}).status, 200);
  EXPECT_EQ(through("GET", "/api/v1/me", {cookie}).status, 404) << "not below its path";
  EXPECT_EQ(ask("GET", "/steward/api/v1/me", {cookie, {"Host", "evil.example"}}).status, 421) << "another name's";
  EXPECT_EQ(through("GET", "/steward/api/openapi.json", {cookie}).document()["servers"][0]["url"], "/steward");
  for (const char* probe : {"/healthz", "/steward/healthz", "/readyz"})
    EXPECT_EQ(ask("GET", probe).status, 200) << probe;
}

TEST_F(TheApiBehindAProxy, BelievesNoProxyThatItWasNotToldOf) {
  serve();
  const Reply made = through("POST", "/steward/api/v1/setup", {{"Origin", "https://ops.example.com"}},
                             {{"link", setup_secret()}, {"name", "ada"}, {"password", password}});
  ASSERT_EQ(made.status, 200) << made.body;
  for (int i = 0; i < 6; ++i)
    through("POST", "/steward/api/v1/login", {}, {{"name", "eve" + std::to_string(i)}, {"password", "wrong"}});
  EXPECT_EQ(through("POST", "/steward/api/v1/login", {}, {{"name", "ada"}, {"password", password}}).status, 429)
      << "the address that failed is the proxy's own, whatever it says of others";
}

struct TheApiAsksForApproval : TheApi {
  void SetUp() override {
    configure("schedule: '0 3 1 1 *', approval: required");
    app.file("logs/old.log", "x", 40);
    open_ledger();
  }
};

TEST_F(TheApiAsksForApproval, OneAnswerIsGoodForOnePlanOnce) {
  serve();
  const http::Header operator_ = token("operator"), approver = token("approver");
  const json posted = ask("POST", cleanup_runs, {operator_}).document();
  const std::string run = "/api/v1/runs/" + posted["run"].get<std::string>();
  const std::string question = "/api/v1/approvals/" + posted["run"].get<std::string>();
  await_run(run, "waiting", operator_);
  EXPECT_TRUE(app.exists("logs/old.log"));
  const json asked = ask("GET", question, {operator_}).document();
  EXPECT_EQ(asked["state"], "waiting");
  EXPECT_EQ(asked["plan"]["tasks"][0]["planned"]["items"], 1);
  const json right{{"digest", asked["digest"]}};

  EXPECT_EQ(ask("POST", question, {operator_}, right).status, 403) << "who starts is not who approves";
  const Reply wrong = ask("POST", question, {approver}, {{"digest", std::string(64, '0')}});
  EXPECT_EQ(wrong.status, 409);
  EXPECT_EQ(wrong.document()["code"], "approval-digest");
  EXPECT_EQ(ask("GET", question, {operator_}).document()["state"], "waiting");
  EXPECT_TRUE(app.exists("logs/old.log"));

  EXPECT_EQ(ask("POST", question, {approver}, right).document()["state"], "approved");
  await_run(run, "succeeded", operator_);
  EXPECT_FALSE(app.exists("logs/old.log"));
  const json used = ask("GET", question, {operator_}).document();
  EXPECT_EQ(used["state"], "used");
  EXPECT_EQ(used["decided_by"], "token approvers");
  EXPECT_EQ(ask("POST", question, {approver}, right).document()["code"], "approval-decided");
  EXPECT_THAT(ask("GET", "/api/v1/approvals", {operator_}).document()["approvals"], IsEmpty());
}

TEST_F(TheApiAsksForApproval, WhatIsRejectedIsNotDone) {
  serve();
  const http::Header operator_ = token("operator"), approver = token("approver");
  const json posted = ask("POST", cleanup_runs, {operator_}).document();
  const std::string id = posted["run"];
  await_run("/api/v1/runs/" + id, "waiting", operator_);
  EXPECT_EQ(ask("DELETE", "/api/v1/approvals/" + id, {approver}).status, 400) << "a reason is wanted";
  const Reply rejected = ask("DELETE", "/api/v1/approvals/" + id, {approver}, {{"reason", "not before the audit"}});
  EXPECT_EQ(rejected.document()["state"], "rejected");
  await_run("/api/v1/runs/" + id, "refused", operator_);
  EXPECT_TRUE(app.exists("logs/old.log"));
}

}  // namespace
}  // namespace steward::harness
