#include "app/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "app/server/raw_client.h"

namespace steward::server {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// A door that a handler waits at until the test opens it.
class Door {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    ++came_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void await_someone() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return came_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int came_ = 0;
};

/// The access log, to be waited for.
class Log {
 public:
  void add(const LogEntry& entry) {
    const std::lock_guard lock(mutex_);
    entries_.push_back(entry);
    changed_.notify_all();
  }
  LogEntry entry(std::size_t n) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entries_.size() > n; });
    return entries_[n];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LogEntry> entries_;
};

Router routes(const std::shared_ptr<EventSource>& events, Door& door) {
  Router router;
  router.add("GET", "/hello", Access::anyone, [](const Request&) { return json(200, R"({"hello":1})"); });
  router.add("POST", "/echo", Access::anyone, [](const Request& request) { return json(200, request.body); });
  router.add("GET", "/secret", Access::view, [](const Request&) { return json(200, "1"); });
  router.add("GET", "/throws", Access::anyone, [](const Request&) -> Response { throw std::runtime_error("inner"); });
  router.add("GET", "/split", Access::anyone,
             [](const Request&) { return Response{.headers = {{"X-Name", "a\r\nSet-Cookie: b"}}}; });
  router.add("GET", "/refused", Access::anyone,
             [](const Request&) { return problem({Kind::refused, "too \"many\"", "Look.", "brake-share"}); });
  router.add("GET", "/page", Access::anyone, [](const Request&) { return Response{.body = "<p>", .page = true}; });
  router.add("GET", "/big", Access::anyone, [](const Request&) { return json(200, std::string(32U << 20, 'x')); });
  router.add("GET", "/peer", Access::anyone,
             [](const Request& request) { return json(200, request.peer + (request.https ? " https" : "")); });
  router.add("GET", "/door", Access::anyone, [&door](const Request&) {
    door.pass();
    return json(200, "\"through\"");
  });
  router.add("GET", "/events", Access::anyone, [events](const Request&) {
    return Response{.headers = {{"Content-Type", "text/event-stream"}}, .events = events};
  });
  return router;
}

struct Serve : testing::Test {
  /// Time limits that no test waits for, unless it sets them.
  Settings settings{.listen = "127.0.0.1:0"};
  Log log;
  Door door;
  std::shared_ptr<EventSource> events = std::make_shared<EventSource>();
  std::unique_ptr<Server> server;

  Serve() {
    settings.limits.first_byte = settings.limits.between_bytes = settings.limits.whole_request =
        std::chrono::minutes(5);
    settings.limits.idle = settings.limits.write_stall = settings.limits.heartbeat = std::chrono::minutes(5);
    settings.limits.whole_answer = std::chrono::minutes(5);
    settings.log = [this](const LogEntry& entry) { log.add(entry); };
  }
  ~Serve() override { door.open(); }

  std::uint16_t start() {
    auto started = Server::start(settings, routes(events, door));
    if (!started) throw std::runtime_error(started.error().message);
    server = *std::move(started);
    return server->port();
  }
};

constexpr std::string_view get_hello = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";

TEST_F(Serve, AnswersWithAnExactHeadAndKeepsTheConnection) {
  RawClient client(start());
  client.send(get_hello);
  const std::string head = client.take_to("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, AllOf(HasSubstr("\r\nContent-Length: 11\r\n"), HasSubstr("\r\nCache-Control: no-store\r\n"),
                          HasSubstr("\r\nX-Content-Type-Options: nosniff\r\n"),
                          HasSubstr("\r\nReferrer-Policy: no-referrer\r\n"),
                          HasSubstr("\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'"),
                          Not(HasSubstr("Connection:")), Not(HasSubstr("Strict-Transport"))));
  EXPECT_EQ(client.take_to("}"), R"({"hello":1})");
  client.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.take_to("\r\n\r\n"), HasSubstr("Content-Length: 11"));
  client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.take_to("\r\n\r\n"), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close")));
  EXPECT_TRUE(client.await_end());
}

TEST_F(Serve, AnswersPipelinedRequestsInOrder) {
  const std::uint16_t port = start();
  std::string many;
  for (int i = 0; i < 50; ++i)
    many += "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n" + std::to_string(10 + i);
  const std::string all = answers_to(port, many);
  std::size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = all.find("\r\n\r\n" + std::to_string(10 + i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(Serve, SpeaksHttp10) {
  const std::uint16_t port = start();
  EXPECT_THAT(answers_to(port, "GET /hello HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close")));
  RawClient kept(port);
  kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(kept.take_to("}"), HasSubstr("Connection: keep-alive"));
  kept.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(kept.await_end());
}

TEST_F(Serve, TellsAClientThatWaitsToGoOn) {
  RawClient client(start());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.take_to("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_THAT(client.take_to("abc"), StartsWith("HTTP/1.1 200"));
}

TEST_F(Serve, TakesChunkedBodies) {
  RawClient client(start());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  const auto send = [&](std::string_view body) {
    for (const char c : head + std::string(body)) client.send({&c, 1});
  };
  send("3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n");
  EXPECT_THAT(client.take_to("abcde"), HasSubstr("Content-Length: 5"));
  send("0\r\n\r\n");
  EXPECT_THAT(client.take_to("\r\n\r\n"), HasSubstr("Content-Length: 0"));
  client.send(get_hello);
  EXPECT_TRUE(client.await("hello"));
}

// --- what is refused ------------------------------------------------------------------------------------------------

struct Hostile {
  const char* name;
  std::string bytes;
  int status;
};

std::string with(std::string_view headers, std::string_view body = {}) {
  return "POST /echo HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) + "\r\n" + std::string(body);
}
std::string line(std::string_view request_line) { return std::string(request_line) + "\r\nHost: localhost\r\n\r\n"; }

const Hostile hostile[] = {
    {"no_colon", with("Content-Length 3\r\n"), 400},
    {"space_before_colon", with("Content-Length : 3\r\n", "abc"), 400},
    {"length_and_encoding", with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"encoding_and_length", with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400},
    {"two_hosts", with("Host: localhost\r\n"), 400},
    {"no_host", "GET /hello HTTP/1.1\r\n\r\n", 400},
    {"empty_host", "GET /hello HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"host_with_path", "GET /hello HTTP/1.1\r\nHost: localhost/x\r\n\r\n", 400},
    {"host_with_user", "GET /hello HTTP/1.1\r\nHost: a@localhost\r\n\r\n", 400},
    {"two_hosts_in_10", "GET /hello HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
    {"bare_cr", with("X: a\rb\r\n"), 400},
    {"bare_lf", with("X: a\n"), 400},
    {"lf_only", "GET /hello HTTP/1.1\nHost: localhost\n\n", 400},
    {"nul", with(std::string_view("X: a\0b\r\n", 8)), 400},
    {"nul_in_name", with(std::string_view("X\0: a\r\n", 7)), 400},
    {"control", with("X: a\x01\r\n"), 400},
    {"fold", with("X: a\r\n b\r\n"), 400},
    {"fold_tab", with("Transfer-Encoding:\r\n\tchunked\r\n", "0\r\n\r\n"), 400},
    {"fold_first", "GET /hello HTTP/1.1\r\n Host: localhost\r\n\r\n", 400},
    {"negative_length", with("Content-Length: -1\r\n"), 400},
    {"plus_length", with("Content-Length: +3\r\n", "abc"), 400},
    {"hex_length", with("Content-Length: 0x3\r\n", "abc"), 400},
    {"two_lengths_in_one", with("Content-Length: 3, 3\r\n", "abc"), 400},
    {"two_lengths", with("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400},
    {"two_lengths_that_differ", with("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400},
    {"empty_length", with("Content-Length:\r\n"), 400},
    {"length_beyond_64_bits", with("Content-Length: 18446744073709551617\r\n", "a"), 400},
    {"encoding_identity", with("Transfer-Encoding: identity\r\n"), 400},
    {"encoding_gzip", with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400},
    {"encoding_twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
    {"encoding_xchunked", with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
    {"encoding_vertical_tab",
     with("Transfer-Encoding: \x0B"
          "chunked\r\n",
          "0\r\n\r\n"),
     400},
    {"encoding_in_10", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"chunk_negative", with("Transfer-Encoding: chunked\r\n", "-1\r\nabc\r\n"), 400},
    {"chunk_prefix", with("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), 400},
    {"chunk_overflow", with("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n"), 400},
    {"chunk_no_crlf", with("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n"), 400},
    {"chunk_bare_lf", with("Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n"), 400},
    {"chunk_header_endless", with("Transfer-Encoding: chunked\r\n", "3;" + std::string(20000, 'a')), 400},
    {"absolute_elsewhere", line("GET http://elsewhere/hello HTTP/1.1"), 400},
    {"authority", line("CONNECT localhost:80 HTTP/1.1"), 400},
    {"star", line("GET * HTTP/1.1"), 400},
    {"space_in_target", line("GET /hello there HTTP/1.1"), 400},
    {"two_spaces", line("GET  /hello HTTP/1.1"), 400},
    {"tab_in_line", line("GET\t/hello\tHTTP/1.1"), 400},
    {"no_target", line("GET HTTP/1.1"), 400},
    {"http09", "GET /hello\r\n\r\n", 400},
    {"lower_case_method", line("get /hello HTTP/1.1"), 400},
    {"lower_case_version", line("GET /hello http/1.1"), 400},
    {"version_2", line("GET /hello HTTP/2.0"), 505},
    {"preface_of_http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"trailing_space", line("GET /hello HTTP/1.1 "), 400},
    {"high_bytes", line("GET /hell\xC3\xB6 HTTP/1.1"), 400},
    {"fragment", line("GET /hello#x HTTP/1.1"), 400},
    {"broken_escape", line("GET /hel%6 HTTP/1.1"), 400},
    {"nul_escape", line("GET /hello%00 HTTP/1.1"), 400},
    {"line_break_escape", line("GET /hello%0d%0aX:1 HTTP/1.1"), 400},
    {"not_utf8", line("GET /%ff HTTP/1.1"), 400},
    {"nul_in_query", line("GET /hello?a=%00 HTTP/1.1"), 400},
    {"dots", line("GET /a/../hello HTTP/1.1"), 400},
    {"encoded_dots", line("GET /a/%2e%2E/hello HTTP/1.1"), 400},
    {"empty_line_first", "\r\n" + line("GET /hello HTTP/1.1"), 400},
    {"tls", std::string("\x16\x03\x01\x02\x00\x01\x00", 7), 400},
    {"long_target", line("GET /" + std::string(9000, 'a') + " HTTP/1.1"), 414},
    {"endless_line", std::string(20000, 'G'), 414},
    {"large_head", with("X: " + std::string(17000, 'a') + "\r\n"), 431},
    {"endless_header", with("X: " + std::string(17000, 'a')), 431},
    {"many_headers", with([] {
       std::string all;
       for (int i = 0; i < 101; ++i) all += "X: 1\r\n";
       return all;
     }()),
     431},
    {"large_body", with("Content-Length: 1048577\r\n"), 413},
    {"large_body_awaiting", with("Content-Length: 1048577\r\nExpect: 100-continue\r\n"), 413},
    {"large_chunk", with("Transfer-Encoding: chunked\r\n", "100001\r\n"), 413},
    {"other_expectation", with("Expect: 200-ok\r\n"), 417},
    {"other_name", "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421},
};

struct Refuses : testing::TestWithParam<Hostile> {};

/// The status, the close, and that nothing behind it is taken for a request.
TEST_P(Refuses, AndClosesWithoutReadingOn) {
  Door door;
  auto server = Server::start({.listen = "127.0.0.1:0"}, routes(std::make_shared<EventSource>(), door));
  ASSERT_TRUE(server);
  RawClient client((*server)->port());
  client.send(GetParam().bytes);
  EXPECT_THAT(client.take_to("\r\n\r\n"), StartsWith("HTTP/1.1 " + std::to_string(GetParam().status) + " "));
  if (GetParam().status != 421) {
    client.send(get_hello);
    EXPECT_TRUE(client.await_end());
    EXPECT_THAT(client.received, AllOf(HasSubstr(R"("kind":"bad-input")"), Not(HasSubstr("hello\":"))));
  }
  EXPECT_THAT(answers_to((*server)->port(), get_hello), StartsWith("HTTP/1.1 200")) << "others go on";
}
INSTANTIATE_TEST_SUITE_P(Server, Refuses, testing::ValuesIn(hostile), [](const auto& c) { return c.param.name; });

TEST_F(Serve, TakesAnAbsoluteTargetThatAgreesWithHost) {
  EXPECT_THAT(answers_to(start(), line("GET http://LOCALHOST/hello HTTP/1.1")), StartsWith("HTTP/1.1 200"));
}

// --- slow and silent clients ----------------------------------------------------------------------------------------

TEST_F(Serve, CutsWhoSaysNothing) {
  settings.limits.first_byte = milliseconds(50);
  RawClient client(start());
  EXPECT_TRUE(client.await_end());
  EXPECT_EQ(client.received, "");
}

TEST_F(Serve, CutsWhoStopsInTheMiddleAndSaysWhy) {
  settings.limits.between_bytes = milliseconds(50);
  RawClient head(start());
  head.send("GET /hel");
  EXPECT_TRUE(head.await_end());
  EXPECT_THAT(head.received, StartsWith("HTTP/1.1 408 "));
  RawClient body(server->port());
  body.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_TRUE(body.await_end());
  EXPECT_THAT(body.received, StartsWith("HTTP/1.1 408 "));
}

TEST_F(Serve, CutsWhoSendsByteByByteForEver) {
  settings.limits.whole_request = milliseconds(200);
  RawClient client(start());
  client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nX: ");
  // It never waits for long, and in the 16 KiB of a head is room for longer than the request may take.
  while (!client.await_within(milliseconds(1)) && client.send("a")) {
  }
  EXPECT_TRUE(client.await_end());
  EXPECT_THAT(client.received, StartsWith("HTTP/1.1 408 "));
}

TEST_F(Serve, CutsAnIdleConnection) {
  settings.limits.idle = milliseconds(50);
  RawClient client(start());
  client.send(get_hello);
  EXPECT_TRUE(client.await("hello"));
  EXPECT_TRUE(client.await_end());
}

TEST_F(Serve, CutsWhoDoesNotReadItsAnswer) {
  settings.limits.write_stall = milliseconds(50);
  RawClient client(start(), 4096);
  client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const LogEntry entry = log.entry(0);  // it has ended
  EXPECT_LT(entry.bytes, 32U << 20);
  EXPECT_THAT(answers_to(server->port(), get_hello), StartsWith("HTTP/1.1 200"));
}

TEST_F(Serve, CutsWhoReadsItsAnswerTooSlowly) {
  settings.limits.whole_answer = milliseconds(50);
  RawClient client(start(), 4096);
  client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_LT(log.entry(0).bytes, 32U << 20);
}

TEST_F(Serve, TurnsAwayWhoIsTooMany) {
  settings.limits.connections = 2;
  const std::uint16_t port = start();
  RawClient one(port);
  RawClient two(port);
  one.send(get_hello);
  two.send(get_hello);
  EXPECT_TRUE(one.await("hello"));
  EXPECT_TRUE(two.await("hello"));
  RawClient three(port);
  three.send(get_hello);
  EXPECT_TRUE(three.await_end());
  EXPECT_THAT(three.received,
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1"), HasSubstr("too many connections")));
  one.close();
  // The place is free once the server has seen it.
  std::string answer;
  while (!answer.starts_with("HTTP/1.1 200")) answer = answers_to(port, get_hello);
  two.send(get_hello);
  EXPECT_TRUE(two.await("hello"));
}

// --- what it answers itself -----------------------------------------------------------------------------------------

TEST_F(Serve, AnswersErrorsAsProblemDocuments) {
  const std::uint16_t port = start();
  EXPECT_THAT(answers_to(port, line("GET /refused HTTP/1.1")),
              AllOf(StartsWith("HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\n"),
                    HasSubstr(R"({"type":"about:blank","title":"Conflict","status":409,"detail":"too \"many\"",)"
                              R"("kind":"refused","code":"brake-share","hint":"Look."})")));
  EXPECT_THAT(answers_to(port, line("GET /nothing HTTP/1.1")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(answers_to(port, line("DELETE /hello HTTP/1.1")),
              AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("\r\nAllow: GET, HEAD, OPTIONS\r\n")));
  EXPECT_THAT(answers_to(port, line("OPTIONS /hello HTTP/1.1")),
              AllOf(StartsWith("HTTP/1.1 204 "), Not(HasSubstr("Content-Length"))));
  EXPECT_THAT(answers_to(port, line("GET /secret HTTP/1.1")), StartsWith("HTTP/1.1 403 "));
}

TEST_F(Serve, SaysNothingOfWhatAHandlerThrows) {
  const std::uint16_t port = start();
  EXPECT_THAT(answers_to(port, line("GET /throws HTTP/1.1")),
              AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("inner"))));
  EXPECT_EQ(log.entry(0).error, "inner");
}

TEST_F(Serve, SendsNoHeaderThatWouldBeTwo) {
  EXPECT_THAT(answers_to(start(), line("GET /split HTTP/1.1")),
              AllOf(StartsWith("HTTP/1.1 500 "), Not(HasSubstr("Set-Cookie"))));
}

TEST_F(Serve, LetsPagesLoadTheirOwnAndAsksForTlsWhereThePublicUrlHasIt) {
  settings.public_url = "https://ops.example/steward";
  const std::string answer = answers_to(start(), "GET /page HTTP/1.1\r\nHost: ops.example\r\n\r\n");
  EXPECT_THAT(answer,
              AllOf(HasSubstr("script-src 'self'"), HasSubstr("frame-ancestors 'none'"),
                    HasSubstr("Cache-Control: no-cache"), HasSubstr("Strict-Transport-Security: max-age=31536000")));
}

TEST_F(Serve, IsAliveWhileAHandlerIsBusyAndReadyWhenToldSo) {
  Result<std::string> ready = fail(Kind::unavailable, "the ledger cannot be written");
  settings.ready = [&] { return ready; };
  const std::uint16_t port = start();
  EXPECT_THAT(answers_to(port, "GET /readyz HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("the ledger cannot be written")));
  ready = R"({"status":"ready","ledger":"writable"})";
  EXPECT_THAT(answers_to(port, line("GET /readyz HTTP/1.1")),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(R"("ledger":"writable")")));
  RawClient busy(port);
  busy.send(line("GET /door HTTP/1.1"));
  door.await_someone();
  EXPECT_THAT(answers_to(port, line("GET /healthz HTTP/1.1")), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("alive")));
  door.open();
  EXPECT_TRUE(busy.await("through"));
}

TEST_F(Serve, KeepsToItsBasePath) {
  settings.base_path = "/steward/";
  const std::uint16_t port = start();
  EXPECT_THAT(answers_to(port, line("GET /steward/hello HTTP/1.1")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answers_to(port, line("GET /hello HTTP/1.1")), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(answers_to(port, line("GET /healthz HTTP/1.1")), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answers_to(port, line("GET /steward/healthz HTTP/1.1")), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Serve, LogsWithoutSecrets) {
  const std::uint16_t port = start();
  answers_to(port, line("GET /hello?token=abc123&page=2 HTTP/1.1"));
  const LogEntry entry = log.entry(0);
  EXPECT_EQ(entry.method, "GET");
  EXPECT_EQ(entry.target, "/hello?token=***&page=2");
  EXPECT_EQ(entry.status, 200);
  EXPECT_EQ(entry.peer, "127.0.0.1");
  EXPECT_GT(entry.bytes, 100U);
}

TEST_F(Serve, BelievesTrustedProxiesAlone) {
  const std::string asked =
      "GET /peer HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-Proto: https\r\n\r\n";
  EXPECT_THAT(answers_to(start(), asked), HasSubstr("\r\n\r\n127.0.0.1"));
  settings.trusted_proxies = {"127.0.0.0/8"};
  EXPECT_THAT(answers_to(start(), asked), HasSubstr("\r\n\r\n8.8.8.8 https"));
}

TEST_F(Serve, SaysWhyItCannotStart) {
  settings.listen = "127.0.0.1:" + std::to_string(start());
  const auto second = Server::start(settings, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "cannot listen on " + settings.listen + ": Address already in use");
  EXPECT_EQ(Server::start({.listen = "8420"}, {}).error().message, "\"8420\" is no address to listen on");
  EXPECT_EQ(Server::start({.listen = "127.0.0.1:0", .trusted_proxies = {"10.0.0.0/33"}}, {}).error().kind,
            Kind::bad_input);
}

// --- events ---------------------------------------------------------------------------------------------------------

constexpr std::string_view get_events = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
std::string events_after(std::string_view id) {
  return "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: " + std::string(id) + "\r\n\r\n";
}

TEST_F(Serve, StreamsWhatIsPushed) {
  RawClient client(start());
  client.send(get_events);
  EXPECT_TRUE(client.await("retry: 2000\n\n"));
  EXPECT_THAT(client.received, AllOf(HasSubstr("Content-Type: text/event-stream"), Not(HasSubstr("Content-Length")),
                                     HasSubstr("Connection: close")));
  events->push({"7", "run", "{\n}"});
  EXPECT_TRUE(client.await("id: 7\nevent: run\ndata: {\ndata: }\n\n"));
}

TEST_F(Serve, ResumesAStreamAndTellsOfAGap) {
  const std::uint16_t port = start();
  for (int i = 1; i <= 3; ++i) events->push({std::to_string(i), "", "d" + std::to_string(i)});
  RawClient knows(port);
  knows.send(events_after("2"));
  EXPECT_TRUE(knows.await("data: d3"));
  EXPECT_THAT(knows.received, AllOf(Not(HasSubstr("data: d2")), Not(HasSubstr("event: gap"))));
  RawClient lost(port);
  lost.send(events_after("0"));
  EXPECT_TRUE(lost.await("data: d3"));
  EXPECT_THAT(lost.received, AllOf(HasSubstr("event: gap\n"), HasSubstr("data: d1\n")));
}

TEST_F(Serve, KeepsAStreamAliveWithHeartbeats) {
  settings.limits.heartbeat = milliseconds(20);
  RawClient client(start());
  client.send(get_events);
  EXPECT_TRUE(client.await("\n\n:\n\n:\n\n"));
}

TEST_F(Serve, CutsAStreamThatIsNotReadAndNoOther) {
  settings.limits.write_stall = milliseconds(200);
  const std::uint16_t port = start();
  RawClient deaf(port, 4096);
  RawClient good(port);
  deaf.send(get_events);
  good.send(get_events);
  EXPECT_TRUE(deaf.await("retry"));
  EXPECT_TRUE(good.await("retry"));
  // More than the kernel keeps for a client that does not read; in steps that whoever reads keeps up with.
  const std::string large(200'000, 'x');
  for (int i = 0; i < 100; ++i) {
    const std::string id = std::to_string(i);
    events->push({id, "", large});
    ASSERT_TRUE(good.await("id: " + id + "\n")) << i;
    good.received.clear();
  }
  EXPECT_EQ(log.entry(0).target, "/events") << "the deaf one has ended";
  events->push({"last", "", "1"});
  EXPECT_TRUE(good.await("id: last\n"));
}

TEST_F(Serve, SeesAStreamsClientGo) {
  const std::uint16_t port = start();
  {
    RawClient client(port);
    client.send(get_events);
    EXPECT_TRUE(client.await("retry"));
  }
  EXPECT_EQ(log.entry(0).status, 200);
}

TEST_F(Serve, HasFiveHundredStreams) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const std::uint16_t port = start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 500; ++i) {
    clients.emplace_back(port);
    ASSERT_TRUE(clients.back().connected);
    clients.back().send(get_events);
  }
  for (RawClient& client : clients) ASSERT_TRUE(client.await("retry"));
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) events->push({"o" + std::to_string(i), "", "1"});
  });
  for (int i = 0; i < 20; ++i) events->push({"t" + std::to_string(i), "", "1"});
  other.join();
  for (RawClient& client : clients) ASSERT_TRUE(client.await("id: o19\n") && client.await("id: t19\n"));
  EXPECT_THAT(answers_to(port, get_hello), StartsWith("HTTP/1.1 200"));
  server->stop();
  for (RawClient& client : clients) EXPECT_TRUE(client.await_end());
}

// --- the end --------------------------------------------------------------------------------------------------------

TEST_F(Serve, StopsWhileEverythingIsUnderWay) {
  settings.limits.stop_within = milliseconds(100);
  const std::uint16_t port = start();
  RawClient idle(port), half(port), streaming(port), deaf(port, 4096), at_door(port);
  idle.send(get_hello);
  EXPECT_TRUE(idle.await("hello"));
  half.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  streaming.send(get_events);
  EXPECT_TRUE(streaming.await("retry"));
  deaf.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(deaf.await("xxx"));
  at_door.send(line("GET /door HTTP/1.1"));
  door.await_someone();
  std::thread stopping([&] { server->stop(); });
  EXPECT_TRUE(idle.await_end());
  EXPECT_TRUE(half.await_end());
  EXPECT_TRUE(streaming.await_end());
  door.open();
  stopping.join();
  EXPECT_FALSE(RawClient(port).connected);
}

TEST_F(Serve, LetsAnAnswerGoOutBeforeItStops) {
  settings.limits.stop_within = std::chrono::minutes(1);
  RawClient streaming(start());
  streaming.send(get_events);
  EXPECT_TRUE(streaming.await("retry"));
  RawClient client(server->port());
  client.send(line("GET /door HTTP/1.1"));
  door.await_someone();
  RawClient idle(server->port());
  std::thread stopping([&] { server->stop(); });
  EXPECT_TRUE(idle.await_end()) << "it is stopping";
  EXPECT_TRUE(streaming.await_end()) << "streams do not wait for answers";
  door.open();
  EXPECT_TRUE(client.await_end());
  EXPECT_THAT(client.received, AllOf(HasSubstr("through"), HasSubstr("Connection: close")));
  stopping.join();
}

}  // namespace
}  // namespace steward::server
