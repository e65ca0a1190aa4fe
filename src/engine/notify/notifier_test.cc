// Messages on their way to receivers that are there: an HTTP server of this process that answers as it is told, and
// those of tests/servers/receivers.sh (SMTP with STARTTLS and a login, HTTPS with an authority of its own).
#include "engine/notify/notifier.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/random.h"
#include "engine/notify/message.h"
#include "io/http/scripted_server_test_support.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using namespace std::chrono_literals;
using http::Reply;
using http::ScriptedServer;
using http::SeenRequest;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Kind = Outcome::Kind;

constexpr Instant night = sys_days{2026y / 11 / 23} + 3h;

ledger::Delivery to(const std::string& channel, const std::string& topic = "failed",
                    const std::string& title = "cleanup failed") {
  Message message{.id = "n-" + random_hex(12), .topic = topic, .job = "cleanup", .at = night, .title = title};
  message.verbatim = "no connection to db";
  return {.id = 7,
          .channel = channel,
          .topic = topic,
          .job = "cleanup",
          .message = to_json_text(message),
          .made = night,
          .due = night};
}

/// Whatever is secret in these tests has this in it.
constexpr const char* secret = "hush";

Settings only(std::variant<Slack, Webhook, Email> how, std::string ca_file = {}) {
  Settings settings;
  settings.channels = {{.name = "ops", .how = std::move(how), .ca_file = std::move(ca_file)}};
  return settings;
}
Settings slack_at(const std::string& url) { return only(Slack{.url = Secret(url + "/services/T0/B0/hush")}); }
Settings webhook_at(const std::string& url, const std::string& key = {}) {
  return only(Webhook{.url = Secret(url + "/in/hush?token=hush"), .key = Secret(key)});
}

/// Somewhere that nobody listens.
std::string nobody() {
  const ScriptedServer server([](const SeenRequest&) { return Reply{}; });
  return server.url();
}

TEST(Notifier, PostsBlocksToSlack) {
  const ScriptedServer server([](const SeenRequest&) { return Reply::of(200, "ok"); });
  Notifier notifier(slack_at(server.url()));
  const Outcome outcome = notifier.send(to("ops"));
  EXPECT_TRUE(outcome.arrived()) << outcome.error;
  const SeenRequest seen = server.seen().at(0);
  EXPECT_EQ(seen.method + ' ' + seen.target, "POST /services/T0/B0/hush");
  EXPECT_TRUE(seen.has("Content-Type: application/json"));
  const json body = json::parse(seen.body);
  EXPECT_EQ(body["text"], "cleanup failed: no connection to db");
  EXPECT_EQ(body["blocks"][0]["type"], "header");
}

TEST(Notifier, LeavesSlackASecondBetweenMessages) {
  const ScriptedServer server([](const SeenRequest&) { return Reply::of(200, "ok"); });
  Notifier notifier(slack_at(server.url()));
  EXPECT_EQ(notifier.pause_before(to("ops")), 0ms);
  ASSERT_TRUE(notifier.send(to("ops")).arrived());
  EXPECT_GT(notifier.pause_before(to("ops")), 0ms);
  EXPECT_LE(notifier.pause_before(to("ops")), 1s);
  EXPECT_EQ(notifier.pause_before(to("another")), 0ms);
}

TEST(Notifier, AWebhookIsNotPaced) {
  const ScriptedServer server([](const SeenRequest&) { return Reply::of(204, ""); });
  Notifier notifier(webhook_at(server.url()));
  ASSERT_TRUE(notifier.send(to("ops")).arrived());
  EXPECT_EQ(notifier.pause_before(to("ops")), 0ms);
}

TEST(Notifier, PostsJsonToAWebhookWithAnIdThatStaysTheSame) {
  const ScriptedServer server([](const SeenRequest&) { return Reply::of(200, ""); });
  Notifier notifier(webhook_at(server.url()));
  const ledger::Delivery delivery = to("ops");
  ASSERT_TRUE(notifier.send(delivery).arrived());
  ASSERT_TRUE(notifier.send(delivery).arrived());
  const auto seen = server.seen();
  const json body = json::parse(seen.at(0).body);
  EXPECT_EQ(body["version"], 1);
  EXPECT_EQ(body["event"], "failed");
  EXPECT_EQ(body["job"], "cleanup");
  for (const SeenRequest& request : seen) {
    EXPECT_TRUE(request.has("Steward-Delivery: " + body["id"].get<std::string>()));
    EXPECT_TRUE(request.has("Steward-Event: failed"));
    EXPECT_FALSE(request.has("Steward-Signature")) << "there is no key to sign with";
  }
}

struct Answer {
  const char* name;
  Reply reply;
  Kind kind;
  std::optional<seconds> retry_after;
  const char* error;
};
void PrintTo(const Answer& answer, std::ostream* out) { *out << answer.name; }
struct NotifierAnswers : testing::TestWithParam<Answer> {};

TEST_P(NotifierAnswers, AreTakenForWhatTheyMean) {
  const ScriptedServer server([](const SeenRequest&) { return GetParam().reply; });
  Notifier notifier(slack_at(server.url()));
  const Outcome outcome = notifier.send(to("ops"));
  EXPECT_EQ(outcome.kind, GetParam().kind);
  EXPECT_EQ(outcome.retry_after, GetParam().retry_after);
  EXPECT_EQ(outcome.error, GetParam().error);
  EXPECT_THAT(outcome.error, Not(HasSubstr(secret)));
  EXPECT_EQ(server.seen().size(), 1U);
}

const Answer answers[] = {
    {"ok", Reply::of(200, "ok"), Kind::arrived, {}, ""},
    {"no_content", Reply::of(204, ""), Kind::arrived, {}, ""},
    {"moved",
     Reply::of(301, "", "Location: https://hush\r\n"),
     Kind::never,
     {},
     "it was answered with 301: a redirect, which is not followed"},
    {"slacks_word", Reply::of(400, "invalid_blocks"), Kind::never, {}, "it was answered with 400 (invalid_blocks)"},
    {"not_a_word", Reply::of(403, "hush: the token of https://hush"), Kind::never, {}, "it was answered with 403"},
    {"gone", Reply::of(410, "channel_is_archived"), Kind::never, {}, "it was answered with 410 (channel_is_archived)"},
    {"timeout", Reply::of(408, ""), Kind::later, {}, "it was answered with 408"},
    {"too_early", Reply::of(425, ""), Kind::later, {}, "it was answered with 425"},
    {"too_many", Reply::of(429, "", "Retry-After: 30\r\n"), Kind::later, 30s, "it was answered with 429"},
    {"too_many_until_a_date",
     Reply::of(429, "", "Date: Mon, 23 Nov 2026 03:00:00 GMT\r\nRetry-After: Mon, 23 Nov 2026 03:02:00 GMT\r\n"),
     Kind::later, 120s, "it was answered with 429"},
    {"for_a_hundred_years", Reply::of(429, "", "Retry-After: 3155760000\r\n"), Kind::later, 24h,
     "it was answered with 429"},
    {"retry_after_nonsense", Reply::of(429, "", "Retry-After: soon\r\n"), Kind::later, {}, "it was answered with 429"},
    {"broken", Reply::of(500, "rollup_error"), Kind::later, {}, "it was answered with 500 (rollup_error)"},
    {"unavailable", Reply::of(503, "", "Retry-After: 5\r\n"), Kind::later, 5s, "it was answered with 503"},
};
INSTANTIATE_TEST_SUITE_P(Notify, NotifierAnswers, testing::ValuesIn(answers),
                         [](const auto& one) { return one.param.name; });

TEST(Notifier, AChannelThatAsksToBeLeftAloneIsAndOthersAreNot) {
  const ScriptedServer busy([](const SeenRequest&) { return Reply::of(429, "", "Retry-After: 60\r\n"); });
  const ScriptedServer free([](const SeenRequest&) { return Reply::of(200, ""); });
  Settings settings = webhook_at(busy.url());
  settings.channels.push_back({.name = "other", .how = Webhook{.url = Secret(free.url())}});
  Notifier notifier(settings);
  EXPECT_EQ(notifier.send(to("ops")).retry_after, 60s);
  const Outcome second = notifier.send(to("ops"));
  EXPECT_EQ(second.kind, Kind::later);
  EXPECT_THAT(second.error, HasSubstr("it has asked to be left alone for"));
  EXPECT_GT(second.retry_after, 50s);
  EXPECT_EQ(busy.seen().size(), 1U);
  EXPECT_TRUE(notifier.send(to("other")).arrived());
}

TEST(Notifier, NoErrorOfTheNetworkHoldsAnAddress) {
  const std::string gone = nobody();
  const ScriptedServer cut(
      [](const SeenRequest&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}; });
  const ScriptedServer no_http([](const SeenRequest&) { return Reply{"hush\r\n\r\n"}; });
  const std::vector<std::pair<std::string, std::string>> table{
      {gone, "no connection to its address"},
      {"http://hush.invalid", "the name of its address is not known"},
      {cut.url(), "the connection to its address was lost (Transferred a partial file)"},
      {no_http.url(), "its address is not an address of an HTTP server"}};
  for (const auto& [url, expected] : table) {
    Notifier notifier(webhook_at(url));
    const Outcome outcome = notifier.send(to("ops"));
    EXPECT_EQ(outcome.kind, Kind::later) << url;
    EXPECT_EQ(outcome.error, expected);
    EXPECT_THAT(outcome.error, Not(HasSubstr(secret))) << url;
    EXPECT_THAT(outcome.error, Not(HasSubstr("127.0.0.1"))) << url;
  }
}

TEST(Notifier, WhatCannotBeSentIsGivenUp) {
  Settings settings = slack_at("https://127.0.0.1:1");
  settings.channels[0].unusable = "SLACK_WEBHOOK_URL: it names no host";
  Notifier notifier(settings);
  const Outcome unusable = notifier.send(to("ops"));
  EXPECT_EQ(unusable.kind, Kind::never);
  EXPECT_EQ(unusable.error, "SLACK_WEBHOOK_URL: it names no host");
  EXPECT_EQ(notifier.send(to("gone")).error, "there is no channel gone any more");
  EXPECT_EQ(notifier.send(to("ping:cleanup")).error, "cleanup has no ping any more");
  ledger::Delivery torn = to("ops");
  torn.message = "{";
  EXPECT_EQ(notifier.send(torn).kind, Kind::never);
}

TEST(Notifier, PingsSayStartSuccessAndFail) {
  const ScriptedServer server([](const SeenRequest&) { return Reply::of(200, "OK"); });
  Settings settings;
  settings.pings["cleanup"] = Secret(server.url() + "/hush/?a=b");
  Notifier notifier(settings);
  for (const char* topic : {"ping-start", "ping-success", "ping-fail"})
    ASSERT_TRUE(notifier.send(to("ping:cleanup", topic)).arrived());
  const auto seen = server.seen();
  EXPECT_EQ(seen.at(0).target, "/hush/start?a=b");
  EXPECT_EQ(seen.at(0).body, "");
  EXPECT_EQ(seen.at(1).target, "/hush/?a=b");
  EXPECT_EQ(seen.at(2).target, "/hush/fail?a=b");
  EXPECT_THAT(seen.at(2).body, HasSubstr("no connection to db"));
}

TEST(Notifier, ATestIsSentToTheChannelThatIsNamed) {
  const ScriptedServer server([](const SeenRequest&) { return Reply::of(200, "OK"); });
  Notifier notifier(webhook_at(server.url()));
  const auto delivery = notifier.test_delivery("ops", "anna", night);
  ASSERT_TRUE(delivery);
  ASSERT_TRUE(notifier.send(*delivery).arrived());
  EXPECT_THAT(json::parse(server.seen().at(0).body)["text"], HasSubstr("anna has sent this test"));
  const auto unknown = notifier.test_delivery("opps", "anna", night);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error(),
            (Error{steward::Kind::not_found, "there is no channel \"opps\"", "Did you mean \"ops\"?"}));
}

// --- when to try again ----------------------------------------------------------------------------------------------

TEST(NextTry, ComesLaterEachTimeUpToAnHour) {
  const Outcome outcome{.kind = Kind::later};
  ledger::Delivery delivery = to("ops");
  seconds before{0};
  for (delivery.attempts = 0; delivery.attempts < 8; ++delivery.attempts) {
    const auto next = next_try(delivery, outcome, night);
    ASSERT_TRUE(next);
    const seconds base{15L << delivery.attempts};
    EXPECT_GE(*next, night + base * 3 / 4) << delivery.attempts;
    EXPECT_LE(*next, night + base * 5 / 4) << delivery.attempts;
    EXPECT_GT(*next - night, before);
    before = ceil<seconds>(*next - night);
  }
  delivery.attempts = 60;
  EXPECT_LE(*next_try(delivery, outcome, night), night + 75min);
}

TEST(NextTry, IsNotBeforeWhatTheReceiverAsks) {
  EXPECT_EQ(next_try(to("ops"), {.kind = Kind::later, .retry_after = 3h}, night), night + 3h);
  EXPECT_GT(next_try(to("ops"), {.kind = Kind::later, .retry_after = 0s}, night), night + 10s);
}

TEST(NextTry, ThereIsNoneForGoodNorAfterThreeDaysAndForPingsNoneAfterAnHour) {
  EXPECT_EQ(next_try(to("ops"), {.kind = Kind::never}, night), std::nullopt);
  EXPECT_NE(next_try(to("ops"), {.kind = Kind::later}, night + 71h), std::nullopt);
  EXPECT_EQ(next_try(to("ops"), {.kind = Kind::later}, night + 72h), std::nullopt);
  EXPECT_NE(next_try(to("ping:cleanup", "ping-fail"), {.kind = Kind::later}, night + 59min), std::nullopt);
  EXPECT_EQ(next_try(to("ping:cleanup", "ping-fail"), {.kind = Kind::later}, night + 60min), std::nullopt);
  EXPECT_EQ(next_try(to("ping:cleanup", "ping-start"), {.kind = Kind::later}, night), std::nullopt);
}

// --- receivers that are there ---------------------------------------------------------------------------------------

/// The servers of tests/servers/receivers.sh.
struct Receivers : testing::Test {
  std::string folder{}, ca{};
  std::string mark = random_hex(8);  ///< What tells this test's messages from others'.

  static std::string variable(const std::string& name) {
    const char* value = std::getenv(("STEWARD_TEST_RECEIVERS" + name).c_str());
    return value == nullptr ? "" : value;
  }
  void SetUp() override {
    folder = variable("");
    ca = variable("_CA");
    ASSERT_FALSE(folder.empty()) << "there are no receivers here: ./dev test starts them (tests/servers/receivers.sh)";
  }
  /// What has come in that holds the mark.
  std::vector<json> came(const std::string& file) const {
    std::vector<json> out;
    std::ifstream in(folder + '/' + file);
    for (std::string line; std::getline(in, line);)
      if (line.find(mark) != std::string::npos) out.push_back(json::parse(line));
    return out;
  }
  std::string url() const { return fmt::format("https://127.0.0.1:{}/{}", variable("_HTTPS"), mark); }
  Email email(const std::string& listener, Tls tls) const {
    Email email{.to = {mark + "@example.com"},
                .from = "steward@example.com",
                .host = "127.0.0.1",
                .port = variable(listener),
                .tls = tls};
    if (tls != Tls::none) {
      email.user = "steward";
      email.password = Secret("p@ss wörd");
    }
    return email;
  }
};

TEST_F(Receivers, ASignatureIsRightForWhoChecksItInPython) {
  Notifier notifier(only(Webhook{.url = Secret(url()), .key = Secret("a key for tests")}, ca));
  ASSERT_TRUE(notifier.send(to("ops", "failed", "größe failed")).arrived());
  const auto posts = came("posts.jsonl");
  ASSERT_EQ(posts.size(), 1U);
  EXPECT_EQ(posts[0]["signed"], true) << posts[0];
  EXPECT_EQ(json::parse(posts[0]["body"].get<std::string>())["title"], "größe failed");
  // The moment of sending, so that what is sent again by somebody else can be told.
  const std::string header = posts[0]["headers"]["Steward-Signature"];
  const Instant at{seconds{std::stol(header.substr(2))}};
  EXPECT_LT(SystemClock{}.now() - at, 10min);
}

TEST_F(Receivers, WithAnotherKeyItIsNot) {
  Notifier notifier(only(Webhook{.url = Secret(url()), .key = Secret("another")}, ca));
  ASSERT_TRUE(notifier.send(to("ops")).arrived());
  EXPECT_EQ(came("posts.jsonl").at(0)["signed"], false);
}

TEST_F(Receivers, WhoseAuthorityIsNotKnownGetsNothing) {
  Notifier notifier(only(Webhook{.url = Secret(url())}));
  const Outcome outcome = notifier.send(to("ops"));
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.error, "the certificate of its address is not trusted");
  EXPECT_THAT(came("posts.jsonl"), IsEmpty());
}

TEST_F(Receivers, AMailGoesThroughStartTlsWithALogin) {
  Email email = this->email("_STARTTLS", Tls::starttls);
  email.to.push_back("b-" + mark + "@example.com");
  Notifier notifier(only(email, ca));
  const Outcome outcome = notifier.send(to("ops", "failed", "größe failed"));
  ASSERT_TRUE(outcome.arrived()) << outcome.error;
  const auto mails = came("mails.jsonl");
  ASSERT_EQ(mails.size(), 1U);
  EXPECT_EQ(mails[0]["from"], "steward@example.com");
  EXPECT_EQ(mails[0]["to"], json::array({mark + "@example.com", "b-" + mark + "@example.com"}));
  EXPECT_EQ(mails[0]["user"], "steward");
  EXPECT_EQ(mails[0]["encrypted"], true);
  const std::string data = mails[0]["data"];
  EXPECT_THAT(data, HasSubstr("Subject: =?UTF-8?B?Z3LDtsOfZSBmYWlsZWQ=?=\r\n"));
  EXPECT_THAT(data, HasSubstr("gr=C3=B6=C3=9Fe failed\r\n"));
  EXPECT_THAT(data, HasSubstr("    no connection to db\r\n"));
}

TEST_F(Receivers, AMailGoesThroughTlsFromTheFirstByte) {
  Notifier notifier(only(email("_SMTPS", Tls::tls), ca));
  const Outcome outcome = notifier.send(to("ops"));
  ASSERT_TRUE(outcome.arrived()) << outcome.error;
  EXPECT_EQ(came("mails.jsonl").at(0)["listener"], "SMTPS");
}

TEST_F(Receivers, AMailGoesInClearWhereThatIsAskedFor) {
  Notifier notifier(only(email("_CLEAR", Tls::none)));
  const Outcome outcome = notifier.send(to("ops", "failed", ".\r\n.a line of dots"));
  ASSERT_TRUE(outcome.arrived()) << outcome.error;
  EXPECT_THAT(came("mails.jsonl").at(0)["data"].get<std::string>(), HasSubstr("\r\n\r\n.=0D\r\n.a line of dots\r\n"));
}

TEST_F(Receivers, AServerThatCannotEncryptGetsNeitherLoginNorMail) {
  Notifier notifier(only(email("_CLEAR", Tls::starttls), ca));
  const Outcome outcome = notifier.send(to("ops"));
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.error, "the mail server offers no STARTTLS: nothing was sent");
  EXPECT_THAT(came("mails.jsonl"), IsEmpty());
}

TEST_F(Receivers, AMailServerWhoseAuthorityIsNotKnownGetsNothing) {
  for (const auto& [listener, tls] : {std::pair("_STARTTLS", Tls::starttls), std::pair("_SMTPS", Tls::tls)}) {
    Notifier notifier(only(email(listener, tls)));
    const Outcome outcome = notifier.send(to("ops"));
    EXPECT_EQ(outcome.kind, Kind::later);
    EXPECT_EQ(outcome.error, "the certificate of the mail server is not trusted");
  }
  EXPECT_THAT(came("mails.jsonl"), IsEmpty());
}

TEST_F(Receivers, AWrongPasswordIsRefusedForGoodAndNotShown) {
  Email email = this->email("_STARTTLS", Tls::starttls);
  email.password = Secret("hush");
  Notifier notifier(only(email, ca));
  const Outcome outcome = notifier.send(to("ops"));
  EXPECT_EQ(outcome.kind, Kind::never);
  EXPECT_EQ(outcome.error, "the mail server refuses the login (535)");
}

TEST_F(Receivers, ARecipientThatIsRefusedKeepsNobodyElseFromKnowing) {
  Email email = this->email("_STARTTLS", Tls::starttls);
  email.to.insert(email.to.begin(), "no-such@example.com");
  Notifier notifier(only(email, ca));
  const Outcome outcome = notifier.send(to("ops"));
  EXPECT_TRUE(outcome.arrived()) << outcome.error;
  EXPECT_EQ(came("mails.jsonl").at(0)["to"], json::array({mark + "@example.com"}));
}

TEST_F(Receivers, WhereAllAreRefusedItIsForGoodOrForNowAsTheServerSays) {
  Email email = this->email("_STARTTLS", Tls::starttls);
  email.to = {"no-hush@example.com"};
  const Outcome for_good = Notifier(only(email, ca)).send(to("ops"));
  EXPECT_EQ(for_good.kind, Kind::never);
  EXPECT_EQ(for_good.error, "the mail server refuses the mail (550)");
  email.to = {"later-hush@example.com"};
  const Outcome for_now = Notifier(only(email, ca)).send(to("ops"));
  EXPECT_EQ(for_now.kind, Kind::later);
  EXPECT_EQ(for_now.error, "the mail server refuses the mail (451)");
}

TEST_F(Receivers, AMailServerThatIsNotThereOrIsNoneIsTriedAgain) {
  Email email = this->email("_STARTTLS", Tls::starttls);
  const std::string gone = nobody();
  email.port = gone.substr(gone.rfind(':') + 1);
  EXPECT_EQ(Notifier(only(email, ca)).send(to("ops")).error, "no connection to the mail server");
  email.host = "hush.invalid";
  const Outcome unknown = Notifier(only(email, ca)).send(to("ops"));
  EXPECT_EQ(unknown.error, "the name of the mail server is not known");
  EXPECT_EQ(unknown.kind, Kind::later);
}

TEST_F(Receivers, StartTlsAtAPortThatSpeaksTlsSaysWhatToLookAt) {
  Email email = this->email("_STARTTLS", Tls::tls);
  const Outcome outcome = Notifier(only(email, ca)).send(to("ops"));
  EXPECT_EQ(outcome.kind, Kind::later);
  EXPECT_EQ(outcome.error, "the mail server does not speak TLS here (tls: starttls, or another port?)");
}

}  // namespace
}  // namespace steward::notify
