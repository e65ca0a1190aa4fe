#include "app/cli/web.h"

#include <fmt/format.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "app/api/api.h"
#include "app/cli/status.h"
#include "app/dashboard/dashboard.h"
#include "app/server/peers.h"
#include "app/server/server.h"
#include "core/text.h"
#include "engine/keepers.h"
#include "run/ledger/agenda.h"

namespace steward::app {
namespace {

/// Of somebody who asks what a browser would: any address is not one to go to.
std::string local_url(const std::string& listen, std::uint16_t port) {
  const auto address = server::parse_listen(listen);
  std::string host = address ? address->host : "127.0.0.1";
  if (host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  return host.find(':') == std::string::npos ? fmt::format("http://{}:{}", host, port)
                                             : fmt::format("http://[{}]:{}", host, port);
}

}  // namespace

struct Web::Parts {
  Session session;
  WebRules rules;
  std::string url{};
  std::mutex mutex{};
  std::shared_ptr<const Settings> settings{};
  std::unique_ptr<api::Api> api{};
  std::unique_ptr<server::Server> server{};  ///< Goes before the Api.

  std::shared_ptr<const Settings> current() {
    const std::lock_guard lock(mutex);
    return settings;
  }

  api::ApiSettings api_settings(const server::ServeRules& serve) {
    return {.version = std::string(version),
            .public_url = serve.public_url,
            .open_metrics = serve.open_metrics,
            .settings = [this] { return current(); },
            .changed = rules.changed,
            .overview = [this](ledger::Ledger&) -> Result<nlohmann::json> {
              session.settings = *current();
              return status_document(session);
            },
            .metrics =
                [this](ledger::Ledger& ledger) {
                  return engine::metrics(ledger, metrics_of(*current()), session.clock.now());
                },
            .program = rules.program,
            .environment = rules.environment,
            .directory = rules.directory};
  }

  /// For anyone who asks: no name of a host or a process is in it.
  Result<std::string> readiness() {
    TRY(session.ledger->check_writable());
    std::string lease = "not needed";
    if (session.settings.ledger_is_shared()) {
      lease = "free";
      const std::vector<ledger::LeaseState> leases = TRY(session.ledger->agenda().leases(session.clock.now()));
      for (const ledger::LeaseState& state : leases)
        if (state.in_force && state.lease.name == rules.lease)
          lease = state.lease.holder == engine::daemon_name() ? "held" : "held by another";
    }
    return nlohmann::json{{"status", "ready"}, {"ledger", "writable"}, {"lease", lease}}.dump();
  }

  void log(const server::LogEntry& entry) const {
    if (!rules.access_log && entry.status < 500) return;
    rules.say(entry.status < 500 ? Level::info : Level::warning,
              fmt::format("{} {} {} {} by {} from {}{}", entry.method, printable(entry.target), entry.status,
                          format_span(entry.took), entry.user.empty() ? "nobody" : printable(entry.user), entry.peer,
                          entry.error.empty() ? "" : ": " + printable(entry.error)));
  }
};

Web::Web(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Web::~Web() {
  // The server first: its handlers use all the rest.
  if (parts_->server) parts_->server->stop();
}

const std::string& Web::url() const { return parts_->url; }

void Web::take(Settings settings) {
  const std::lock_guard lock(parts_->mutex);
  parts_->settings = std::make_shared<const Settings>(std::move(settings));
}

Result<std::unique_ptr<Web>> Web::start(const Session& session, WebRules rules) {
  const server::ServeRules& serve = session.settings.serve;
  const std::string ledger_url =
      session.settings.ledger_url.empty() ? session.state.ledger_url() : session.settings.ledger_url;
  // Who asks over HTTP is not to wait as long as a run would.
  auto ledger = TRY(ledger::open({.url = ledger_url, .patience = std::chrono::seconds(5)}));
  StateDirectory state = TRY(StateDirectory::open(session.settings.state_dir));
  auto parts = std::make_unique<Parts>(
      Session{.settings = session.settings, .state = std::move(state), .ledger = std::move(ledger)}, std::move(rules));
  Parts& all = *parts;
  all.settings = std::make_shared<const Settings>(session.settings);
  all.api =
      std::make_unique<api::Api>(*all.session.ledger, all.session.clock, all.session.state, all.api_settings(serve));
  server::Router router = all.api->router();
  dashboard::add_pages(router, server::base_path_of(serve.public_url));
  all.server = TRY(server::Server::start({.listen = all.rules.listen,
                                          .public_url = serve.public_url,
                                          .base_path = server::base_path_of(serve.public_url),
                                          .trusted_proxies = serve.trusted_proxies,
                                          .hosts = serve.hosts,
                                          .ready = [&all] { return all.readiness(); },
                                          .log = [&all](const server::LogEntry& entry) { all.log(entry); }},
                                         std::move(router)));
  all.url = serve.public_url.empty() ? local_url(all.rules.listen, all.server->port()) : serve.public_url;
  const auto link = TRY(api::setup_link(*all.session.ledger, all.session.clock.now(), all.url));
  if (link)
    all.rules.say(Level::warning,
                  fmt::format("nobody can sign in yet: make the first administrator within an hour at {} (or: steward "
                              "user add NAME --role administrator)",
                              *link));
  return std::unique_ptr<Web>(new Web(std::move(parts)));
}

}  // namespace steward::app
