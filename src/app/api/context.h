/// What the routes work with, and the groups of routes, one source file each.
#pragma once
#include "app/api/api.h"
#include "app/api/event_feed.h"
#include "app/api/guard.h"
#include "app/api/operations.h"
#include "app/api/routes.h"
#include "app/api/tonight.h"

namespace steward::api {

inline constexpr std::string_view root = "/api/v1";

struct Context {
  ledger::Ledger& ledger;
  const Clock& clock;
  const StateDirectory& state;
  const ApiSettings& settings;
  const Guard& guard;
  Operations& operations;
  EventFeed& feed;
  Tonight& tonight;
};

void add_sign_in(Routes& routes, const Context& context);     ///< login, logout, me, setup
void add_jobs(Routes& routes, const Context& context);        ///< overview, jobs, schedules, ticks, pauses
void add_outlook(Routes& routes, const Context& context);     ///< what the next runs would do, and what stays
void add_runs(Routes& routes, const Context& context);        ///< runs, their logs, cancel, retry
void add_approvals(Routes& routes, const Context& context);   ///< approvals
void add_safeguards(Routes& routes, const Context& context);  ///< holds, freezes
void add_operations(Routes& routes, const Context& context);  ///< plans, archive, backups: what processes do for people
void add_notifications(Routes& routes, const Context& context);  ///< channels, the outbox, a test
void add_people(Routes& routes, const Context& context);         ///< users, tokens
void add_records(Routes& routes, const Context& context);        ///< audit, configuration, metrics, events

/// The job of this name in the configuration; not_found, with the nearest name.
Result<void> check_job(const Context& context, const std::string& job);
/// The moment of a body's `until`, or none. bad_input where it has passed.
Result<std::optional<Instant>> until_in(const nlohmann::json& body, Instant now);
/// bad_input where a body's `reason` is blank.
Result<std::string> reason_in(const nlohmann::json& body, std::string_view what);

}  // namespace steward::api
