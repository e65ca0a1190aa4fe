#include "io/http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "io/http/scripted_server_test_support.h"

namespace steward::http {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

TEST(HttpClient, GivesStatusHeadersAndBodyOfAnyAnswer) {
  ScriptedServer server([](const SeenRequest&) { return Reply::of(404, "nothing", "X-Why: because \r\n"); });
  Client client;
  const auto answer = client.send({.url = server.url() + "/a"});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->body, "nothing");
  EXPECT_EQ(answer->header("x-why"), "because");
  EXPECT_EQ(answer->header("x-not"), std::nullopt);
}

TEST(HttpClient, SendsThePathAsItIsGiven) {
  ScriptedServer server([](const SeenRequest&) { return Reply::of(200, ""); });
  Client client;
  ASSERT_TRUE(client.send({.url = server.url() + "/b//x/../y/./%2E%2E/?q=%20a"}));
  EXPECT_EQ(server.seen().at(0).target, "/b//x/../y/./%2E%2E/?q=%20a");
}

TEST(HttpClient, FollowsNoRedirect) {
  ScriptedServer server([](const SeenRequest&) { return Reply::of(301, "", "Location: /elsewhere\r\n"); });
  Client client;
  EXPECT_EQ(client.send({.url = server.url()})->status, 301);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(HttpClient, SendsABodyFromMemoryWithAnyMethod) {
  ScriptedServer server([](const SeenRequest& request) { return Reply::of(200, request.method + request.body); });
  Client client;
  EXPECT_EQ(client.send({.method = "POST", .url = server.url(), .body = "x"})->body, "POSTx");
  EXPECT_EQ(client.send({.method = "PUT", .url = server.url(), .body = ""})->body, "PUT");
  EXPECT_TRUE(server.seen().at(1).has("Content-Length: 0\r\n"));
  EXPECT_EQ(client.send({.method = "DELETE", .url = server.url()})->body, "DELETE");
  EXPECT_FALSE(server.seen().at(2).has("Content-Length"));
}

TEST(HttpClient, SendsAStreamedBody) {
  ScriptedServer server([](const SeenRequest& request) { return Reply::of(200, std::to_string(request.body.size())); });
  Client client;
  const std::string content(3 << 20, 'x');
  StringSource source(content);
  const auto answer =
      client.send({.method = "PUT", .url = server.url(), .content = &source, .content_size = content.size()});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "3145728");
}

TEST(HttpClient, AHeadHasNoBodyToWaitFor) {
  ScriptedServer server([](const SeenRequest&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"}; });
  Client client;
  EXPECT_EQ(client.send({.method = "HEAD", .url = server.url()})->header("content-length"), "7");
}

TEST(HttpClient, OnlyTheBodyOfASuccessGoesIntoTheSink) {
  ScriptedServer server(
      [](const SeenRequest& request) { return Reply::of(request.target == "/good" ? 200 : 403, "body"); });
  Client client;
  StringSink sink;
  const auto bad = client.send({.url = server.url() + "/bad", .sink = &sink});
  EXPECT_EQ(sink.text, "");
  EXPECT_EQ(bad->body, "body");
  const auto good = client.send({.url = server.url() + "/good", .sink = &sink});
  EXPECT_EQ(sink.text, "body");
  EXPECT_EQ(good->body, "");
}

TEST(HttpClient, AcceptIsAskedBeforeTheFirstByteAlsoOfAnEmptyBody) {
  ScriptedServer server(
      [](const SeenRequest& request) { return Reply::of(200, request.target == "/e" ? "" : "body"); });
  Client client;
  for (const char* path : {"/e", "/b"}) {
    StringSink sink;
    const auto answer =
        client.send({.url = server.url() + path, .sink = &sink, .accept = [](const Response&) -> Result<void> {
                       return fail(Kind::corrupt, "no");
                     }});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error(), (Error{Kind::corrupt, "no"}));
    EXPECT_EQ(sink.text, "");
  }
}

TEST(HttpClient, AnAnswerCutShortIsUnavailable) {
  ScriptedServer server([](const SeenRequest&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"}; });
  Client client;
  const auto answer = client.send({.url = server.url() + "/?X-Amz-Signature=secret"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Kind::unavailable);
  EXPECT_THAT(answer.error().message, HasSubstr("the connection to 127.0.0.1:"));
  EXPECT_THAT(answer.error().message, Not(HasSubstr("secret")));
}

TEST(HttpClient, AServerThatFallsSilentIsGivenUp) {
  ScriptedServer server(
      [](const SeenRequest&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true}; });
  Client client;
  const auto answer = client.send({.url = server.url(), .stall_timeout = 1s});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no answer from " + host_and_port(server.url()) + " for 1 s");
}

TEST(HttpClient, TheWholeTimeoutCoversEverything) {
  ScriptedServer server([](const SeenRequest&) { return Reply{"", true}; });
  Client client;
  const auto answer = client.send({.url = server.url(), .whole_timeout = 50ms});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "no whole answer from " + host_and_port(server.url()) + " within 50 ms");
}

TEST(HttpClient, NobodyThereIsUnavailableAndNamesHostAndPort) {
  std::string gone;
  {
    ScriptedServer server([](const SeenRequest&) { return Reply{}; });
    gone = server.url();
  }
  Client client;
  const auto answer = client.send({.url = gone + "/path"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(), (Error{Kind::unavailable, "no connection to " + host_and_port(gone),
                                   "Check the address and the network."}));
}

TEST(HttpClient, AnAddressThatIsNoneIsBadInput) {
  Client client;
  EXPECT_EQ(client.send({.url = "ftp://127.0.0.1/"}).error().kind, Kind::bad_input);
  EXPECT_EQ(client.send({.url = "http://"}).error().kind, Kind::bad_input);
}

TEST(HttpClient, ABodyBeyondItsLimitIsUnavailable) {
  ScriptedServer server([](const SeenRequest&) { return Reply::of(200, std::string(100, 'x')); });
  Client client;
  EXPECT_EQ(client.send({.url = server.url(), .body_limit = 100})->body.size(), 100u);
  EXPECT_EQ(client.send({.url = server.url(), .body_limit = 99}).error().kind, Kind::unavailable);
}

TEST(HttpClient, ServesSeveralThreads) {
  ScriptedServer server([](const SeenRequest& request) { return Reply::of(200, request.target); });
  Client client;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) {
          const std::string path = "/" + std::to_string(t * 100 + i);
          const auto answer = client.send({.url = server.url() + path});
          if (answer && answer->body == path) ++right;
        }
      });
  }
  EXPECT_EQ(right, 160);
}

TEST(HttpClient, MessagesShowHostAndPortAlone) {
  EXPECT_EQ(host_and_port("https://user:password@s3.example.net/b/k?X-Amz-Signature=1"), "s3.example.net:443");
  EXPECT_EQ(host_and_port("http://[::1]:9000/x"), "[::1]:9000");
  EXPECT_EQ(host_and_port("http://[::1]/x"), "[::1]:80");
  EXPECT_EQ(host_and_port("http://127.0.0.1:9000"), "127.0.0.1:9000");
}

TEST(HttpClient, ReadsDatesOfHttp) {
  EXPECT_EQ(parse_http_date("Mon, 23 Nov 2026 15:10:59 GMT"), parse_instant("2026-11-23T15:10:59Z"));
  EXPECT_EQ(parse_http_date("yesterday"), std::nullopt);
}

}  // namespace
}  // namespace steward::http
