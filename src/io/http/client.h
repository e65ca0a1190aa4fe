/// The one HTTP client: one request, one answer, on libcurl. HTTP/1.1, plain or TLS.
///
///   http::Client client({.ca_file = settings.ca_file});
///   const http::Response answer = TRY(client.send({.method = "HEAD", .url = "http://127.0.0.1:9000/shots/a.png"}));
///   if (answer.status == 404) …
///
/// Promises  - The URL goes out as it is given: no "//" or ".." is tidied away, no redirect is followed.
///           - Any status is an answer, not an error. Only what kept the answer from arriving whole is an error.
///           - Nothing is tried twice, but for a request on a kept connection that the server had already closed.
///           - No message holds more of a URL than host and port: the rest may be a presigned link.
/// Errors    - unavailable: the name is not known, no connection, no answer, an answer cut short, a stall.
///           - refused (code "certificate"): the server's certificate is not one to trust.
///           - interrupted: `give_up` said so. Whether the server has taken the request nobody knows.
///           - bad_input: a URL that is none, a CA file that cannot be read.
///           - What `accept`, a Sink or a Source says, unchanged.
/// Threads   `send` may be called from several threads at once; each then has a connection of its own, kept for later.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "core/stream.h"

namespace steward::http {

using Header = std::pair<std::string, std::string>;

struct Response {
  int status = 0;
  std::vector<Header> headers{};  ///< As sent, in order.
  std::string body{};             ///< Empty where a Sink took it. At most `Request::body_limit`.
  /// The first header of this name, in any case; nothing if there is none.
  std::optional<std::string> header(std::string_view name) const;
};

struct Request {
  std::string method = "GET";
  std::string url{};
  std::vector<Header> headers{};
  std::string_view body{};         ///< What is sent; has to outlive the call.
  Source* content = nullptr;       ///< Or this: read once, while it is sent, `content_size` bytes.
  std::uint64_t content_size = 0;  ///< Only with `content`.

  Sink* sink = nullptr;  ///< Where the body of a 2xx answer goes, as it comes; other bodies go to Response::body.
  /// Sees status and headers of a 2xx answer before the first byte reaches `sink`; an error ends the request.
  std::function<Result<void>(const Response& head)> accept{};
  std::uint64_t body_limit = 64 << 20;  ///< Of Response::body; longer is unavailable.

  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{60};      ///< No byte in either direction for this long.
  std::chrono::milliseconds whole_timeout{0};  ///< For everything; 0 is none.
  std::function<bool()> give_up{};             ///< Asked about once a second; true ends the request as interrupted.
};

struct ClientSettings {
  std::string ca_file{};  ///< PEM; empty: the system's.
  std::string agent = "steward";
};

class Client {
 public:
  explicit Client(ClientSettings settings = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<Response> send(const Request& request);

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

/// The server's clock when it answered, from its Date header.
std::optional<Instant> date_of(const Response& response);
/// "Mon, 23 Nov 2026 15:10:59 GMT".
std::optional<Instant> parse_http_date(std::string_view text);

/// "host:port" of a URL, the scheme's port where it names none: what messages may show.
std::string host_and_port(std::string_view url);

}  // namespace steward::http
