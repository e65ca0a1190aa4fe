#pragma once

// What the connections of a server share. Includes Boost.Asio: for this room's own sources alone.

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "app/server/peers.h"
#include "app/server/request_head.h"
#include "app/server/server.h"

namespace steward::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// A 500 that says nothing of `what`, which goes to the log.
Response without_details(std::string what, std::string& log);

/// Its members are the I/O thread's, but for `handlers`, `router` and `settings.ready`.
struct Server::Core {
  Core(Settings given, Router routes, HostNames host_names, Networks proxies)
      : settings(std::move(given)),
        router(std::move(routes)),
        names(std::move(host_names)),
        trusted(std::move(proxies)) {}

  Result<void> listen(const ListenAddress& address);
  asio::awaitable<void> accept();
  void begin_stop();
  void left(Connection* connection);
  Response answer(Request& request, std::string& error) const;
  Response late_answer(const Response& promised, std::string& error) const;

  static constexpr std::size_t threads_for_later = 4;

  Settings settings;
  Router router;
  HostNames names;
  Networks trusted;
  std::vector<std::string> base;  ///< The parts of the base path.
  bool hsts = false;
  bool stopping = false;
  std::atomic<bool> stopped = false;
  std::uint16_t port = 0;
  std::array<char, 16384> scratch{};  ///< Where bytes are read to, for a moment: an idle connection has no buffer.
  std::unordered_set<Connection*> connections;
  std::size_t told = 0;
  std::size_t later = 0;  ///< Answers that were left for later, until they have gone out.
  std::stop_source stop;  ///< Of those.

  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  tcp::acceptor acceptor{io};
  asio::steady_timer pause{io}, grace{io};
  asio::thread_pool handlers{1}, slow{threads_for_later};
  std::thread thread;
};

}  // namespace steward::server
