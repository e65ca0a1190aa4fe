#include "app/api/api.h"

#include <nlohmann/json.hpp>

#include "app/api/context.h"
#include "app/api/event_feed.h"

namespace steward::api {

struct Api::Parts {
  Parts(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, ApiSettings given)
      : settings(std::move(given)),
        guard(ledger.people(), clock, settings.public_url),
        operations(clock,
                   {.program = settings.program, .environment = settings.environment, .directory = settings.directory}),
        feed(ledger),
        tonight(clock, operations),
        routes(clock, [this]() -> const ledger::Known& { return guard.who(); }),
        context{.ledger = ledger,
                .clock = clock,
                .state = state,
                .settings = settings,
                .guard = guard,
                .operations = operations,
                .feed = feed,
                .tonight = tonight} {
    add_sign_in(routes, context);
    add_jobs(routes, context);
    add_outlook(routes, context);
    add_runs(routes, context);
    add_approvals(routes, context);
    add_safeguards(routes, context);
    add_operations(routes, context);
    add_notifications(routes, context);
    add_people(routes, context);
    add_records(routes, context);
    describe();
  }

  void describe() {
    routes.add({.id = "openapi",
                .method = "GET",
                .path = "/api/openapi.json",
                .group = "records",
                .summary = "This description",
                .answer = anything()},
               [this](const Call&) -> Result<server::Response> { return server::json(200, description()); });
  }
  std::string description() const {
    return api::openapi(routes.operations(), server::base_path_of(settings.public_url), settings.version);
  }

  ApiSettings settings;
  Guard guard;
  Operations operations;
  EventFeed feed;
  Tonight tonight;
  Routes routes;
  Context context;
};

Api::Api(ledger::Ledger& ledger, const Clock& clock, const StateDirectory& state, ApiSettings settings)
    : parts_(std::make_unique<Parts>(ledger, clock, state, std::move(settings))) {}
Api::~Api() = default;

server::Router Api::router() {
  return parts_->routes.take(
      [this](server::Request& request, server::Access access) { return parts_->guard(request, access); });
}

std::string Api::openapi() const { return parts_->description(); }

}  // namespace steward::api
