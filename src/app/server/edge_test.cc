// The parts of the server that have no sockets.
#include <gtest/gtest.h>

#include <stdexcept>

#include "app/server/events.h"
#include "app/server/peers.h"
#include "app/server/request_reader.h"
#include "app/server/router.h"

namespace steward::server {
namespace {

std::string answer(const Router& router, std::string method, std::vector<std::string> segments) {
  Request request{.method = std::move(method), .segments = std::move(segments)};
  const Response response = router.answer(request);
  return std::to_string(response.status) + ' ' + response.body;
}

TEST(Router, PrefersTextToParametersAndParametersToTheRest) {
  Router router;
  const auto says = [](std::string what) {
    return [what](const Request& request) {
      return Response{.body = what + ':' + std::string(request.parameter("x")) + std::string(request.parameter("y"))};
    };
  };
  router.add("GET", "/{x...}", Access::anyone, says("rest"));
  router.add("GET", "/runs/{x}", Access::anyone, says("one"));
  router.add("GET", "/runs/latest", Access::anyone, says("latest"));
  router.add("GET", "/runs/{x}/log/{y}", Access::anyone, says("log"));
  EXPECT_EQ(answer(router, "GET", {"runs", "latest"}), "200 latest:");
  EXPECT_EQ(answer(router, "GET", {"runs", "a/b"}), "200 one:a/b");
  EXPECT_EQ(answer(router, "GET", {"runs", "7", "log", "3"}), "200 log:73");
  EXPECT_EQ(answer(router, "GET", {"runs", "7", "other"}), "200 rest:runs/7/other");
  EXPECT_EQ(answer(router, "HEAD", {"runs", "7"}), "200 one:7");
}

TEST(Router, RefusesAPatternThatIsNoneAndOneThatIsThere) {
  Router router;
  const Handler handler = [](const Request&) { return Response{}; };
  router.add("GET", "/a/{b}", Access::anyone, handler);
  EXPECT_THROW(router.add("GET", "/a/{b}", Access::anyone, handler), std::logic_error);
  EXPECT_THROW(router.add("GET", "a", Access::anyone, handler), std::logic_error);
  EXPECT_THROW(router.add("GET", "/{a", Access::anyone, handler), std::logic_error);
  EXPECT_THROW(router.add("GET", "/{a...}/b", Access::anyone, handler), std::logic_error);
}

TEST(Router, AsksTheGuardForEachRouteAndAnswersWithWhatItSays) {
  Router router;
  router.add("GET", "/open", Access::anyone, [](const Request& request) { return Response{.body = request.user}; });
  router.add("GET", "/closed", Access::approve, [](const Request&) { return Response{.body = "in"}; });
  router.guard([](Request& request, Access access) -> std::optional<Response> {
    request.user = "ada";
    if (access == Access::anyone) return std::nullopt;
    return Response{.status = 401};
  });
  EXPECT_EQ(answer(router, "GET", {"open"}), "200 ada");
  EXPECT_EQ(answer(router, "GET", {"closed"}), "401 ");
}

TEST(RequestReader, ReadsAChunkedBodyThatComesByteByByte) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body :
       {"0\r\n\r\n", "0\r\nX: y\r\n\r\n", "3;a=b\r\nabc\r\n0\r\n\r\n", "1\r\na\r\n000000\r\n\r\n"}) {
    RequestReader reader({});
    for (const char c : head + body) {
      ASSERT_NE(reader.state(), RequestReader::State::whole) << body;
      ASSERT_EQ(reader.feed({&c, 1}), 1U) << body;
    }
    EXPECT_EQ(reader.state(), RequestReader::State::whole) << body;
  }
}

TEST(RequestReader, LeavesWhatBelongsToTheNext) {
  RequestReader reader({});
  const std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET";
  EXPECT_EQ(reader.feed(bytes), bytes.size() - 3);
  EXPECT_EQ(reader.take().body, "abc");
}

TEST(Events, ForgetTheOldestAndLoseWhoFallsBehind) {
  EventSource source({.events = 3, .bytes = 1000});
  std::uint64_t next = source.place_after("").next;
  for (int i = 0; i < 4; ++i) source.push({std::to_string(i), "", ""});
  EXPECT_TRUE(source.take(next, 10).lost);
  EXPECT_TRUE(source.place_after("0").gap);
  EventSource::Place place = source.place_after("1");
  EXPECT_FALSE(place.gap);
  EXPECT_EQ(source.take(place.next, 1).events.size(), 1U);
  EXPECT_EQ(source.take(place.next, 10).events.size(), 1U);
  source.push({"large", "", std::string(2000, 'x')});
  EXPECT_TRUE(source.place_after("3").gap) << "bytes are bounded, too";
}

TEST(Events, CannotBeMadeToHoldAnotherField) {
  EXPECT_EQ(wire_form({"1\nevent: x", "a\r\nb", "1\r\n2\r3\n"}),
            "id: 1event: x\nevent: ab\ndata: 1\ndata: 2\ndata: 3\ndata: \n\n");
}

struct PeerCase {
  const char* name;
  std::string from, forwarded, peer;
};
struct Peer : testing::TestWithParam<PeerCase> {};
TEST_P(Peer, IsTheNearestThatIsNotTrusted) {
  const auto trusted = Networks::parse(std::vector<std::string>{"10.0.0.0/8", "fd00::/8"});
  ASSERT_TRUE(trusted);
  Request request{.headers = {{"x-forwarded-for", GetParam().forwarded}}};
  take_peer(request, GetParam().from, *trusted);
  EXPECT_EQ(request.peer, GetParam().peer);
}
const PeerCase peers[] = {
    {"untrusted", "9.9.9.9", "1.1.1.1", "9.9.9.9"},
    {"one", "10.0.0.1", "1.1.1.1", "1.1.1.1"},
    {"made_up", "10.0.0.1", "7.7.7.7, 1.1.1.1", "1.1.1.1"},
    {"chain", "10.0.0.1", "1.1.1.1, 10.2.3.4", "1.1.1.1"},
    {"all_trusted", "10.0.0.1", "10.9.9.9", "10.9.9.9"},
    {"port", "10.0.0.1", "1.1.1.1:80", "1.1.1.1"},
    {"v6_port", "fd00::1", "[2001:db8::1]:80", "2001:db8::1"},
    {"mapped", "::ffff:10.0.0.1", "1.1.1.1", "1.1.1.1"},
    {"nonsense", "10.0.0.1", "1.1.1.1, unknown", "10.0.0.1"},
    {"just_outside", "11.0.0.0", "1.1.1.1", "11.0.0.0"},
};
INSTANTIATE_TEST_SUITE_P(Server, Peer, testing::ValuesIn(peers), [](const auto& c) { return c.param.name; });

TEST(HostNames, AreTheListenAddressLocalNamesAndWhatIsNamed) {
  const HostNames names("127.0.0.1", std::vector<std::string>{"ops.example"});
  for (const auto* host :
       {"localhost", "LOCALHOST:8420", "127.0.0.1:1", "[::1]:8420", "ops.example", "ops.example.", ""})
    EXPECT_TRUE(names.answer_to(host)) << host;
  for (const auto* host : {"evil.example", "localhost.evil.example", "10.0.0.1", "ops.example.evil"})
    EXPECT_FALSE(names.answer_to(host)) << host;
  EXPECT_TRUE(HostNames("0.0.0.0", {}).answer_to("10.0.0.1:8420"));
  EXPECT_FALSE(HostNames("0.0.0.0", {}).answer_to("evil.example"));
  EXPECT_TRUE(HostNames("::", std::vector<std::string>{"*"}).answer_to("evil.example"));
}

struct ListenCase {
  const char* text;
  const char* host;
  int port;
};
TEST(Listen, IsHostAndPort) {
  for (const auto& [text, host, port] : {ListenCase{"127.0.0.1:8420", "127.0.0.1", 8420},
                                         {"[::1]:0", "::1", 0},
                                         {"localhost:65535", "localhost", 65535}}) {
    const auto address = parse_listen(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->host, host);
    EXPECT_EQ(address->port, port);
  }
  for (const auto* text : {"", "8420", ":8420", "h:", "h:-1", "h:65536", "::1:80", "[x]:80", "http://h:80", "a@h:1"})
    EXPECT_FALSE(parse_listen(text)) << text;
}

}  // namespace
}  // namespace steward::server
