/// What a request and a response are, to those who write handlers. No sockets here.
///
///   router.add("GET", "/api/v1/runs/{run}", Access::view, [&](const Request& request) {
///     const Result<Run> run = ledger.run(request.parameter("run"));
///     return run ? json(200, text_of(*run)) : problem(run.error());
///   });
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace steward::server {

class EventSource;

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Request {
  std::string method{};  ///< Upper case.
  std::string target{};  ///< As sent: path and query. May hold secrets; `masked` it before it is shown.
  std::string host{};    ///< Of the Host header, as sent.
  /// The path's parts, each percent-decoded, base path left out: "/runs/a%2Fb" is {"runs", "a/b"}.
  std::vector<std::string> segments{};
  Pairs query{};       ///< Decoded, in order; `+` is a space.
  Pairs headers{};     ///< Names in lower case, in order.
  Pairs parameters{};  ///< Of the route's pattern.
  std::string body{};
  std::string peer{};  ///< The client's address; behind a trusted proxy, what the proxy says that it is.
  bool https = false;  ///< A trusted proxy says that the client speaks TLS with it.
  bool http11 = true;
  bool keep_alive = true;
  std::string user{};  ///< Whoever the guard has found it to be.

  /// The value of the first header of this name (in lower case).
  std::optional<std::string_view> header(std::string_view name) const;
  std::optional<std::string_view> query_value(std::string_view name) const;
  /// Empty where the pattern has no such parameter.
  std::string_view parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  /// Content-Type and what is special. Length, Connection, Date and the security headers are the server's; a header
  /// given here takes the place of one of the security headers.
  Pairs headers{};
  std::string body{};
  /// Set: the answer is an endless stream of this source's events, and `body` is not sent.
  std::shared_ptr<EventSource> events{};
  /// Set: the answer is what this gives, on one of a few threads for what may take its time; nothing else of this
  /// response is sent. It is to end soon once a stop is requested.
  std::function<Response(const std::stop_token&)> later{};
  bool page = false;  ///< For a browser to show: it may load its own scripts, styles and images, and be cached.
};

Response json(int status, std::string body);

/// An RFC 9457 problem document of `error`, with its kind, code and hint; the status of its kind.
Response problem(const Error& error);
/// The same with a status of HTTP's own.
Response problem(int status, const Error& error);

/// "Not Found".
std::string_view reason_phrase(int status);

/// How a response goes out.
struct HeadForm {
  bool keep_alive = true;
  bool http11 = true;
  bool hsts = false;  ///< The public URL is https.
};

/// The head of `response`, with the empty line that ends it. `bug` where a header cannot be sent as it is: a name that
/// is no token, a value with a control character, or a header that is the server's own.
Result<std::string> response_head(const Response& response, const HeadForm& form);

/// Whether a status has a body at all: 1xx, 204 and 304 have none.
bool has_body(int status);

/// RFC 9110's token: a header's name, a method.
bool is_token(std::string_view text);
/// ASCII letters only.
std::string lower(std::string_view text);

}  // namespace steward::server
