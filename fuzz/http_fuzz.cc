// Requests as anybody may send them: read the same however they are cut up, and whatever is taken is well-formed.

#include <algorithm>

#include "app/server/events.h"
#include "app/server/peers.h"
#include "app/server/request_reader.h"
#include "app/server/router.h"
#include "property.h"

namespace steward::fuzz {
namespace {
using namespace server;

constexpr RequestLimits limits{.target = 256_B, .body = 64_B, .headers = 12};

struct Read {
  RequestReader::State state{};
  std::size_t used = 0;
  Refusal refusal{};
  Request request{};
};

/// One request, fed in pieces of `piece` bytes.
Read read(std::string_view bytes, std::size_t piece) {
  RequestReader reader(limits);
  Read result;
  while (result.used < bytes.size() && reader.state() != RequestReader::State::whole &&
         reader.state() != RequestReader::State::refused) {
    const std::string_view next = bytes.substr(result.used, piece);
    const std::size_t used = reader.feed(next);
    require(used <= next.size() && used > 0, "a reader takes of what it is given");
    result.used += used;
  }
  result.state = reader.state();
  result.refusal = reader.refusal();
  result.request = reader.take();
  return result;
}

void check_same(const Read& a, const Read& b) {
  using enum RequestReader::State;
  // Of what is malformed, a piece too small to be judged is waited with; so one may be refused where the other waits.
  require((a.state == whole) == (b.state == whole), "the same request comes out, however it is cut up");
  if (a.state == refused && b.state == refused)
    require(a.refusal.status == b.refusal.status, "the same refusal comes out, however it is cut up");
  if (a.state != whole) return;
  require(a.used == b.used, "a request ends where it ends");
  require(a.request.method == b.request.method && a.request.target == b.request.target &&
              a.request.headers == b.request.headers && a.request.body == b.request.body &&
              a.request.keep_alive == b.request.keep_alive,
          "the same request has the same parts");
}

bool is_shown_safely(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void check_whole(const Request& request) {
  const auto count = [&](std::string_view name) {
    return std::ranges::count(request.headers, name, &std::pair<std::string, std::string>::first);
  };
  require(std::ranges::all_of(request.method, [](char c) { return c >= 'A' && c <= 'Z'; }), "a method is upper case");
  require(request.target.starts_with('/') || request.target == "*", "a target is a path");
  require(!request.http11 || count("host") == 1, "there is one Host");
  require(count("content-length") + count("transfer-encoding") <= 1, "the body ends in one way");
  require(request.body.size() <= limits.body.count, "a body is no larger than it may be");
  if (const auto length = request.header("content-length"))
    require(std::stoull(std::string(*length)) == request.body.size(), "a body is as long as it says");
  if (count("content-length") + count("transfer-encoding") == 0)
    require(request.body.empty(), "no body without a length");
  for (const auto& [name, value] : request.headers)
    require(is_token(name) && is_shown_safely(value), "a header is one line");
  for (const std::string& segment : request.segments)
    require(is_shown_safely(segment) && segment != "." && segment != "..", "a segment is a name");
}

/// What a handler repeats of a request: never a second header, nor the end of the head.
void check_echo(const Request& request, std::string_view raw) {
  Response response{.headers = {{"X-Echo", std::string(raw.substr(0, 64))}}};
  for (const auto& [name, value] : request.headers) response.headers.emplace_back("X-Its-" + name, value);
  const Result<std::string> head =
      response_head(response, {.keep_alive = request.keep_alive, .http11 = request.http11});
  if (!head) return;
  require(head->find("\r\n\r\n") == head->size() - 4, "a head ends once");
  require(head->find_first_of('\0') == std::string::npos, "a head is text");
  std::size_t breaks = 0;
  for (std::size_t i = 0; i < head->size(); ++i) {
    if (head->at(i) == '\n') {
      require(i > 0 && head->at(i - 1) == '\r', "a line ends in CR LF");
      ++breaks;
    } else if (head->at(i) == '\r') {
      require(i + 1 < head->size() && head->at(i + 1) == '\n', "a line ends in CR LF");
    }
  }
  const std::size_t own = 8 + 1 + 2 + (request.keep_alive && request.http11 ? 0 : 1);
  require(breaks == response.headers.size() + own, "a head has the lines that it is to have");
}

Response route(Request& request) {
  static const Router router = [] {
    Router made;
    const Handler echo = [](const Request& asked) { return json(200, std::string(asked.parameter("x"))); };
    made.add("GET", "/a/{x}", Access::anyone, echo);
    made.add("GET", "/a/b", Access::anyone, echo);
    made.add("POST", "/{x...}", Access::anyone, echo);
    return made;
  }();
  return router.answer(request);
}

}  // namespace
}  // namespace steward::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace steward::fuzz;
  using namespace steward::server;
  std::string_view text = text_of(data, size);
  static const Networks trusted = *Networks::parse(std::vector<std::string>{"10.0.0.0/8", "::1"});
  static const HostNames names("127.0.0.1", {});
  const std::string raw = wire_form({std::string(text), std::string(text), std::string(text)});
  require(raw.find("\n\n") == raw.size() - 2, "an event ends once");
  // One after the other, as a connection would.
  for (int i = 0; i < 8 && !text.empty(); ++i) {
    Read whole = read(text, text.size());
    check_same(whole, read(text, 1));
    check_same(whole, read(text, 7));
    require(whole.refusal.status >= 400, "a refusal has a status that says so");
    check_echo(whole.request, text);
    if (whole.state != RequestReader::State::whole) break;
    check_whole(whole.request);
    take_peer(whole.request, "10.0.0.1", trusted);
    names.answer_to(whole.request.host);
    const Response response = route(whole.request);
    require(response_head(response, {}).has_value(), "an answer of the router can be sent");
    text.remove_prefix(whole.used);
  }
  return 0;
}
