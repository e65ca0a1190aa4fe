#include "app/server/server.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "app/server/connection.h"
#include "app/server/server_core.h"
#include "core/url.h"

namespace steward::server {
namespace {

/// Who is refused because there are too many is told so, up to this many at once; beyond it, cut without a word.
constexpr std::size_t most_told = 32;

/// "ops.example" of "https://ops.example:8443/steward".
std::string host_of(std::string_view url) {
  const auto parsed = parse_url(url);
  if (!parsed) return {};
  return parsed->host.contains(':') && !parsed->host.starts_with('[') ? fmt::format("[{}]", parsed->host)
                                                                      : parsed->host;
}

}  // namespace

Response without_details(std::string what, std::string& log) {
  log = std::move(what);
  return problem({Kind::bug, "this request could not be answered", "The server's log has the reason."});
}

Result<void> Server::Core::listen(const ListenAddress& address) {
  error_code error;
  tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                      tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error || found.empty())
    return fail(Kind::unavailable, fmt::format("cannot listen on {}: {}", settings.listen, error.message()));
  const tcp::endpoint endpoint = found.begin()->endpoint();
  (void)acceptor.open(endpoint.protocol(), error);
  if (!error) (void)acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  // "::" is every address, of IPv4 too, whatever the system's own default is.
  if (!error && endpoint.address().is_v6()) (void)acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) (void)acceptor.bind(endpoint, error);
  if (!error) (void)acceptor.listen(tcp::acceptor::max_listen_connections, error);
  if (error)
    return fail(Kind::unavailable, fmt::format("cannot listen on {}: {}", settings.listen, error.message()),
                "Is another server there? Choose another address with --listen.");
  port = acceptor.local_endpoint(error).port();
  return {};
}

asio::awaitable<void> Server::Core::accept() {
  while (!stopping) {
    error_code error;
    tcp::socket socket(io);
    co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (stopping) break;
    if (error) {
      // Out of descriptors, most likely: to try again at once would only burn a processor.
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    const bool too_many = connections.size() - told >= settings.limits.connections;
    if (too_many && told >= most_told) continue;
    auto connection = std::make_shared<Connection>(*this, std::move(socket));
    connections.insert(connection.get());
    if (too_many) ++told;
    connection->start(too_many);
  }
}

void Server::Core::begin_stop() {
  stopping = true;
  stop.request_stop();
  error_code ignored;
  (void)acceptor.close(ignored);
  pause.cancel();
  for (Connection* connection : std::unordered_set(connections)) connection->begin_stop();
  if (connections.empty()) {
    work.reset();
    return;
  }
  grace.expires_after(settings.limits.stop_within);
  grace.async_wait([this](error_code error) {
    if (error) return;
    for (Connection* connection : std::unordered_set(connections)) connection->cut();
  });
}

void Server::Core::left(Connection* connection) {
  connections.erase(connection);
  if (!stopping || !connections.empty()) return;
  grace.cancel();
  work.reset();
}

/// On the handlers' thread.
Response Server::Core::answer(Request& request, std::string& error) const {
  try {
    if (request.segments == std::vector<std::string>{"readyz"} &&
        (request.method == "GET" || request.method == "HEAD")) {
      const Result<std::string> is_ready = settings.ready ? settings.ready() : R"({"status":"ready"})";
      return is_ready ? json(200, *is_ready) : problem(503, is_ready.error());
    }
    return router.answer(request);
  } catch (const std::exception& thrown) {
    return without_details(thrown.what(), error);
  } catch (...) {
    return without_details("what was thrown is no std::exception", error);
  }
}

/// On one of the threads for what takes its time.
Response Server::Core::late_answer(const Response& promised, std::string& error) const {
  try {
    return promised.later(stop.get_token());
  } catch (const std::exception& thrown) {
    return without_details(thrown.what(), error);
  }
}

Server::Server(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<Server>> Server::start(Settings settings, Router router) {
  const ListenAddress address = TRY(parse_listen(settings.listen));
  Networks trusted = TRY(Networks::parse(settings.trusted_proxies));
  std::vector<std::string> names = settings.hosts;
  if (!settings.public_url.empty()) {
    names.push_back(host_of(settings.public_url));
    if (names.back().empty())
      return fail(Kind::bad_input, fmt::format("\"{}\" is no public URL", masked(settings.public_url)),
                  "Write for example https://ops.example/steward.");
  }
  Request base;
  base.target = settings.base_path.empty() ? "/" : settings.base_path;
  while (base.target.size() > 1 && base.target.ends_with('/')) base.target.pop_back();
  if (!base.target.starts_with('/') || read_target(base) || !base.query.empty())
    return fail(Kind::bad_input, fmt::format("\"{}\" is no base path", settings.base_path),
                "Write for example /steward.");
  auto core = std::make_unique<Core>(std::move(settings), std::move(router), HostNames(address.host, names),
                                     std::move(trusted));
  if (base.target != "/") core->base = std::move(base.segments);
  core->hsts = core->settings.public_url.starts_with("https://");
  TRY(core->listen(address));
  asio::co_spawn(core->io, core->accept(), [](const std::exception_ptr&) {});
  core->thread = std::thread([&io = core->io] { io.run(); });
  return std::unique_ptr<Server>(new Server(std::move(core)));
}

Server::~Server() { stop(); }

std::uint16_t Server::port() const { return core_->port; }

void Server::stop() {
  if (core_->stopped.exchange(true)) return;
  asio::post(core_->io, [core = core_.get()] { core->begin_stop(); });
  core_->thread.join();
  core_->handlers.join();
  core_->slow.join();
}

}  // namespace steward::server
