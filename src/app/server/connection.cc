#include "app/server/connection.h"

#include <fmt/format.h>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/url.h"

namespace steward::server {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// After a refusal, what a client still sends is read and dropped for a while: a reset would take the answer from it.
constexpr milliseconds linger_for{1'000};
constexpr std::size_t linger_bytes = std::size_t{1} << 18;
constexpr std::size_t events_at_once = 32;

void set_option(tcp::socket& socket, int option, int value) {
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
}

}  // namespace

void Server::Connection::start(bool refused) {
  error_code error;
  (void)socket_.non_blocking(true, error);
  set_option(socket_, TCP_NODELAY, 1);
  // A peer that has vanished acknowledges nothing: without this, a stream to it would live on for a quarter of an hour.
  set_option(socket_, TCP_USER_TIMEOUT, static_cast<int>(core_.settings.limits.write_stall.count() * 2));
  const tcp::endpoint remote = socket_.remote_endpoint(error);
  if (!error) address_ = remote.address().to_string();
  asio::co_spawn(core_.io, refused ? turn_away() : serve(),
                 [self = shared_from_this(), refused](const std::exception_ptr&) {
                   self->cut();
                   self->deadline_.cancel();
                   if (refused) --self->core_.told;
                   self->core_.left(self.get());
                 });
}

void Server::Connection::begin_stop() {
  if (doing_ == Doing::reads) cut();
  gone_ = true;
  if (doing_ == Doing::streams) wake();
}

void Server::Connection::cut() {
  error_code ignored;
  (void)socket_.close(ignored);
  gone_ = true;
  if (doing_ == Doing::streams) wake();
}

void Server::Connection::wake() {
  woken_ = true;
  pulse_.cancel();
}

void Server::Connection::arm(milliseconds within) {
  timed_out_ = false;
  deadline_.expires_after(std::max(within, milliseconds(1)));
  deadline_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    // Where the operation ended as the time did, this may come late, and another may be under way.
    if (error || !self || self->deadline_.expiry() > Clock::now()) return;
    self->timed_out_ = true;
    error_code ignored;
    (void)self->socket_.cancel(ignored);
  });
}

void Server::Connection::disarm() { deadline_.expires_at(Clock::time_point::max()); }

/// Puts what comes into core_.scratch; 0 at the end, on an error, or where the time is up.
asio::awaitable<std::size_t> Server::Connection::read(milliseconds within) {
  for (;;) {
    error_code error;
    const std::size_t n = socket_.read_some(asio::buffer(core_.scratch), error);
    if (error != asio::error::would_block) co_return error ? 0 : n;
    arm(within);
    co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    disarm();
    if (error) co_return 0;
  }
}

asio::awaitable<bool> Server::Connection::write(std::string_view bytes, Clock::time_point until) {
  while (!bytes.empty()) {
    error_code error;
    const std::size_t n = socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error);
    bytes.remove_prefix(n);
    sent_ += n;
    if (!error) continue;
    if (error != asio::error::would_block) co_return false;
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    if (left.count() <= 0) co_return false;
    arm(std::min(core_.settings.limits.write_stall, left));
    co_await socket_.async_wait(tcp::socket::wait_write, asio::redirect_error(asio::use_awaitable, error));
    disarm();
    if (error) co_return false;
  }
  co_return true;
}

/// Until the reader has a request or a refusal. False where there is nothing to answer.
asio::awaitable<bool> Server::Connection::receive(RequestReader& reader, bool first) {
  const Limits& limits = core_.settings.limits;
  Clock::time_point until{};
  bool begun = false;
  bool continued = false;
  doing_ = Doing::reads;
  for (;;) {
    if (!in_.empty()) {
      if (!begun) until = Clock::now() + limits.whole_request;
      begun = true;
      in_.erase(0, reader.feed(in_));
    }
    if (reader.state() == RequestReader::State::whole || reader.state() == RequestReader::State::refused) break;
    if (core_.stopping) co_return false;
    if (reader.wants_continue() && !continued) {
      continued = true;
      const bool sent = co_await write("HTTP/1.1 100 Continue\r\n\r\n", until);
      if (!sent) co_return false;
    }
    milliseconds within = first ? limits.first_byte : limits.idle;
    if (begun) {
      // An idle connection holds no memory.
      within = std::min(limits.between_bytes, std::chrono::duration_cast<milliseconds>(until - Clock::now()));
    } else {
      in_ = std::string();
    }
    const std::size_t n = within.count() > 0 ? co_await read(within) : 0;
    if (n == 0) {
      const bool too_late = timed_out_ || within.count() <= 0;
      if (!begun || !too_late) co_return false;
      reader.refuse(408, "the request did not come in time");
      break;
    }
    in_.append(core_.scratch.data(), n);
  }
  co_return true;
}

/// What needs no handler: health, and what is not for this server. Takes the base path off.
std::optional<Response> Server::Connection::own_answer(Request& request) {
  const std::vector<std::string>& base = core_.base;
  const bool inside =
      request.segments.size() >= base.size() && std::equal(base.begin(), base.end(), request.segments.begin());
  if (inside)
    request.segments.erase(request.segments.begin(),
                           request.segments.begin() + static_cast<std::ptrdiff_t>(base.size()));
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool probe =
      reads && request.segments.size() == 1 && (request.segments[0] == "healthz" || request.segments[0] == "readyz");
  if (probe && request.segments[0] == "healthz") return json(200, R"({"status":"alive"})");
  if (probe) return std::nullopt;
  if (!core_.names.answer_to(request.host))
    return problem(421, {Kind::bad_input, "this server does not answer to that host name",
                         "Add the name to the server's hosts, or set its public URL."});
  if (!inside) return problem({Kind::not_found, "there is nothing at this address"});
  return std::nullopt;
}

/// The coroutine waits until `answered_` is set, so request and connection outlive the handler; and so for what it has
/// left for later.
asio::awaitable<Response> Server::Connection::answer(Request& request) {
  begin(core_.handlers, [this, &request](std::string& error) { return core_.answer(request, error); });
  co_await answered();
  if (!answered_->later) co_return *std::move(answered_);
  if (core_.later >= core_.settings.limits.later)
    co_return problem(503, {Kind::busy, "too many of these answers are under way", "Try again in a second."});
  ++core_.later;
  is_late_ = true;
  const Response promised = *std::move(answered_);
  begin(core_.slow, [this, &promised](std::string& error) { return core_.late_answer(promised, error); });
  co_await answered();
  co_return *std::move(answered_);
}

/// Has `make` give the answer on one of these threads.
void Server::Connection::begin(asio::thread_pool& threads, std::function<Response(std::string& error)> make) {
  answered_.reset();
  asio::post(threads, [this, make = std::move(make)] {
    std::string error;
    auto response = std::make_shared<Response>(make(error));
    asio::post(core_.io, [this, response, error] {
      answered_ = std::move(*response);
      error_ = error;
      pulse_.cancel();
    });
  });
}

asio::awaitable<void> Server::Connection::answered() {
  while (!answered_) {
    error_code ignored;
    pulse_.expires_at(Clock::time_point::max());
    co_await pulse_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

/// True where the connection can take another request.
asio::awaitable<bool> Server::Connection::respond(const Request& request, Response response, Clock::time_point since) {
  const HeadForm form{
      .keep_alive = request.keep_alive && !core_.stopping, .http11 = request.http11, .hsts = core_.hsts};
  Result<std::string> head = response_head(response, form);
  if (!head) {
    response = without_details(head.error().message, error_);
    head = response_head(response, form);
  }
  sent_ = 0;
  const bool with_body = request.method != "HEAD" && has_body(response.status);
  std::string bytes = *std::move(head);
  if (with_body && !response.events) {
    bytes += response.body;
    response.body = std::string();
  }
  bool complete = co_await write(bytes, Clock::now() + core_.settings.limits.whole_answer);
  bytes = std::string();
  const bool streams = response.events && with_body;
  if (complete && streams) {
    co_await stream(request, response.events);
    complete = false;
  }
  if (core_.settings.log)
    core_.settings.log({.method = request.method,
                        .target = masked(request.target),
                        .peer = request.peer,
                        .user = request.user,
                        .status = response.status,
                        .bytes = sent_,
                        .took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since),
                        .error = std::move(error_)});
  error_.clear();
  co_return complete&& form.keep_alive && !response.events;
}

asio::awaitable<void> Server::Connection::stream(const Request& request, std::shared_ptr<EventSource> events) {
  const auto for_ever = Clock::now() + std::chrono::years(100);
  doing_ = Doing::streams;
  if (core_.stopping) co_return;
  const std::shared_ptr<void> listening = events->listen([this] {
    // By any thread. While one is on its way, another would tell nothing more.
    if (waking_.exchange(true)) return;
    asio::post(core_.io, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->waking_ = false;
      self->wake();
    });
  });
  EventSource::Place place = events->place_after(request.header("last-event-id").value_or(""));
  asio::co_spawn(core_.io, watch(), [self = shared_from_this()](const std::exception_ptr&) {
    self->gone_ = true;
    self->wake();
  });
  bool alive = co_await write(place.gap ? "retry: 2000\nevent: gap\ndata: \n\n" : "retry: 2000\n\n", for_ever);
  while (alive && !gone_) {
    woken_ = false;
    const EventSource::Batch batch = events->take(place.next, events_at_once);
    if (batch.lost) break;
    for (const auto& event : batch.events)
      if (alive) alive = co_await write(*event, for_ever);
    if (!alive || !batch.events.empty() || woken_ || gone_) continue;
    error_code cancelled;
    pulse_.expires_after(core_.settings.limits.heartbeat);
    co_await pulse_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    if (!cancelled) alive = co_await write(":\n\n", for_ever);
  }
}

/// Sees the client of a stream go. What it sends is dropped, up to a bound.
asio::awaitable<void> Server::Connection::watch() {
  std::size_t dropped = 0;
  error_code error;
  while (!error && dropped < linger_bytes) {
    const std::size_t n = socket_.read_some(asio::buffer(core_.scratch), error);
    dropped += n;
    if (error != asio::error::would_block) continue;
    co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<void> Server::Connection::linger() {
  error_code ignored;
  (void)socket_.shutdown(tcp::socket::shutdown_send, ignored);
  doing_ = Doing::reads;
  const auto until = Clock::now() + linger_for;
  for (std::size_t dropped = 0; dropped < linger_bytes && !core_.stopping;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    const std::size_t n = left.count() > 0 ? co_await read(left) : 0;
    if (n == 0) break;
    dropped += n;
  }
}

asio::awaitable<void> Server::Connection::turn_away() {
  const auto since = Clock::now();
  Request none{.keep_alive = false};
  none.peer = address_;
  Response response = problem(503, {Kind::busy, "there are too many connections", "Try again in a second."});
  co_await respond(none, std::move(response), since);
  co_await linger();
}

asio::awaitable<void> Server::Connection::serve() {
  bool go_on = true;
  for (bool first = true; go_on; first = false) {
    RequestReader reader(core_.settings.limits.request);
    const bool arrived = co_await receive(reader, first);
    if (!arrived) co_return;
    const auto since = Clock::now();
    const bool refused = reader.state() == RequestReader::State::refused;
    doing_ = Doing::answers;
    Request request = reader.take();
    take_peer(request, address_, core_.trusted);
    Response response;
    if (refused) {
      error_ = reader.refusal().why;
      response = problem(reader.refusal().status, {Kind::bad_input, reader.refusal().why});
    } else if (std::optional<Response> own = own_answer(request)) {
      response = *std::move(own);
    } else {
      response = co_await answer(request);
    }
    go_on = co_await respond(request, std::move(response), since);
    if (is_late_) --core_.later;
    is_late_ = false;
  }
  if (socket_.is_open()) co_await linger();
}

}  // namespace steward::server
