#pragma once

// One client's connection: its requests, one after the other, their answers, and the events of a stream. Includes
// Boost.Asio: for this room's own sources alone.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/server/server_core.h"

namespace steward::server {

/// Everything here happens on the core's I/O thread, in coroutines that keep the connection alive until they end.
class Server::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Core& core, tcp::socket socket)
      : core_(core), socket_(std::move(socket)), deadline_(core.io), pulse_(core.io) {}

  void start(bool refused);
  /// Ends what waits for a request or for events; lets an answer go out.
  void begin_stop();
  void cut();

 private:
  enum class Doing { reads, answers, streams };
  struct Sent {
    std::uint64_t bytes = 0;
    bool complete = false;
  };

  asio::awaitable<void> serve();
  asio::awaitable<void> turn_away();
  asio::awaitable<bool> receive(RequestReader& reader, bool first);
  asio::awaitable<std::size_t> read(std::chrono::milliseconds within);
  asio::awaitable<bool> write(std::string_view bytes, std::chrono::steady_clock::time_point until);
  asio::awaitable<Response> answer(Request& request);
  void begin(asio::thread_pool& threads, std::function<Response(std::string& error)> make);
  asio::awaitable<void> answered();
  asio::awaitable<bool> respond(const Request& request, Response response, std::chrono::steady_clock::time_point since);
  asio::awaitable<void> stream(const Request& request, std::shared_ptr<EventSource> events);
  asio::awaitable<void> watch();
  asio::awaitable<void> linger();
  void arm(std::chrono::milliseconds within);
  void disarm();
  std::optional<Response> own_answer(Request& request);
  void wake();

  Core& core_;
  tcp::socket socket_;
  asio::steady_timer deadline_;  ///< Of the operation under way; cancels it.
  asio::steady_timer pulse_;     ///< What a stream, or whoever waits for a handler, sleeps on.
  std::string in_;               ///< What has come and belongs to no request yet.
  std::string address_;
  Doing doing_ = Doing::reads;
  bool timed_out_ = false;
  bool woken_ = false;
  bool gone_ = false;     ///< The client of a stream.
  bool is_late_ = false;  ///< The answer is one of those that core_.later counts.
  std::atomic<bool> waking_ = false;
  std::uint64_t sent_ = 0;
  std::optional<Response> answered_;
  std::string error_;  ///< For the log.
};

}  // namespace steward::server
