/// The HTTP edge of `steward serve`.
///
///   Router router;
///   router.add("GET", "/api/v1/jobs", Access::view, …);
///   const auto server = TRY(Server::start({.listen = "127.0.0.1:8420"}, std::move(router)));
///   …
///   server->stop();
///
/// Promises  - Nothing that a client does makes it grow without bound, wait for ever or end: sizes, times and
/// connections
///             have limits, and who passes one is answered with a 4xx, or cut, and only they.
///           - What two servers could read differently is refused (request_reader.h). Every answer has an exact length,
///             or ends with the connection, and carries the security headers.
///           - Answers that the server makes itself are problem documents, like those of the handlers.
/// Threads   One for all connections, and one for the guard, handlers and `ready`, which so run one after another: a
/// slow
///           one delays other answers, but not event streams and not /healthz. What a handler leaves for later
///           (Response::later) is done by a few others, at most `later` of them waiting for it or for their clients:
///           beyond that, 503. `log` is called on the first.
/// Routes    GET /healthz (200: the process is alive) and GET /readyz (200, or 503 with the reason), below the base
/// path
///           and without it, for anyone, whatever the Host header says: probes come by address.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/server/events.h"
#include "app/server/request_reader.h"
#include "app/server/router.h"
#include "core/result.h"

namespace steward::server {

struct Limits {
  RequestLimits request{};
  std::size_t connections = 1024;                   ///< Beyond it: 503.
  std::size_t later = 32;                           ///< Answers of Response::later in memory or under way.
  std::chrono::milliseconds first_byte{10'000};     ///< Of a new connection.
  std::chrono::milliseconds between_bytes{10'000};  ///< Once a request has begun.
  std::chrono::milliseconds whole_request{30'000};
  std::chrono::milliseconds idle{60'000};           ///< Between two requests.
  std::chrono::milliseconds write_stall{15'000};    ///< A client takes nothing of its answer, or of its events.
  std::chrono::milliseconds whole_answer{120'000};  ///< Not of a stream.
  std::chrono::milliseconds heartbeat{15'000};      ///< Between two signs of life in a stream.
  std::chrono::milliseconds stop_within{3'000};     ///< For answers that are under way.
};

/// One line of the access log.
struct LogEntry {
  std::string method{};
  std::string target{};  ///< Passwords, tokens and the like are masked.
  std::string peer{};
  std::string user{};
  int status = 0;
  std::uint64_t bytes = 0;
  std::chrono::microseconds took{};
  std::string error{};  ///< What a handler has thrown, or why a request was refused.
};

struct Settings {
  std::string listen = "127.0.0.1:8420";  ///< Port 0: any that is free.
  std::string public_url{};               ///< "https://ops.example/steward"; its host is answered to.
  std::string base_path{};                ///< "/steward": where a proxy in front has put it.
  std::vector<std::string> trusted_proxies{};
  std::vector<std::string> hosts{};  ///< More names to answer to; "*": any.
  Limits limits{};
  /// The JSON document that /readyz answers, or why this server is not ready.
  std::function<Result<std::string>()> ready{};
  std::function<void(const LogEntry&)> log{};
};

class Server {
 public:
  /// Listens from here on. bad_input for a setting that cannot be read; unavailable where the address cannot be had.
  static Result<std::unique_ptr<Server>> start(Settings settings, Router router);
  /// As `stop`.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;

  /// No new connection and no new request from here on; streams end; answers under way have `stop_within` to go out.
  /// Waits for that, and for the handler that runs, if one does. Once more is nothing.
  void stop();

 private:
  struct Core;
  class Connection;
  explicit Server(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace steward::server
