/// The HTTP API of `steward serve`: what an administrator sees and does, as the command line does it.
///
///   Api api(*ledger, clock, state, {.settings = …, .program = …});
///   const auto server = TRY(server::Server::start(…, api.router()));
///   …
///   server->stop();            // before the Api goes
///
/// Promises  - Every route is declared once (routes.h): who may call it, what it takes, what it answers. Who has not
///             signed in gets nothing but the way to do so.
///           - What is told comes from the ledger; what is started goes into the ledger, or is a child process. A job's
///             work is never done here.
///           - Reading never acts.
///           - Documents are those of `--json` (app/documents). Errors are problem documents (RFC 9457) with the kind,
///             message and hint of the command line.
/// Threads   Handlers run one after another on the server's thread; events() is fed by a thread of its own.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "app/config/settings.h"
#include "app/server/router.h"
#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/state.h"

namespace steward::api {

struct ApiSettings {
  std::string version{};
  std::string public_url{};
  bool open_metrics = false;  ///< /metrics for anyone.
  /// The configuration as it is now.
  std::function<std::shared_ptr<const app::Settings>()> settings{};
  /// A run was queued, or something else has changed that the daemon should look at.
  std::function<void()> changed{};
  /// As `steward status --json`, of this ledger.
  std::function<Result<nlohmann::json>(ledger::Ledger& ledger)> overview{};
  /// The page of /metrics.
  std::function<Result<std::string>(ledger::Ledger& ledger)> metrics{};
  std::string program{};                   ///< steward itself, absolute.
  std::vector<std::string> environment{};  ///< Of the processes that are started for people.
  std::string directory{};
};

class Api {
 public:
  /// All of them outlive it. `ledger` is for it alone: a slow answer is not to delay a tick.
  Api(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, ApiSettings settings);
  ~Api();
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;

  /// For the server; once.
  server::Router router();
  /// The OpenAPI document, without a server.
  std::string openapi() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// A link by which the first administrator can be made, "https://…/setup#SECRET", good for an hour; none where there
/// are users already. `base`: what it begins with.
Result<std::optional<std::string>> setup_link(ledger::Ledger& ledger, Instant now, const std::string& base);

}  // namespace steward::api
