/// What the ledger knows, as JSON: the same documents for `--json` on the command line and for the API, so that the two
/// cannot tell different things. Times are RFC 3339 in UTC; what is absent is null; texts of people are printable.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

#include "core/instant.h"
#include "engine/freshness.h"
#include "engine/outlook.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/ledger/ledger.h"
#include "run/ledger/outbox.h"
#include "run/ledger/people.h"

namespace steward::backup {
struct Backup;  // jobs/backup/manifest.h
}

namespace steward::app {

/// "2026-11-23T03:00:00Z", or null.
nlohmann::json or_null(const std::optional<Instant>& instant);

/// How the actor of a run that Dagster has started begins; the id of Dagster's run follows.
inline constexpr std::string_view dagster_actor = "dagster run ";
/// That id; empty where Dagster has not started it.
std::string dagster_run_of(const ledger::Run& run);

nlohmann::json document_of(const ledger::Run& run);
nlohmann::json document_of(const ledger::Approval& approval);
nlohmann::json document_of(const ledger::Tick& tick);
nlohmann::json document_of(const ledger::Pause& pause);
nlohmann::json document_of(const ledger::Freeze& freeze);
nlohmann::json document_of(const ledger::Hold& hold);
nlohmann::json document_of(const ledger::AuditLine& line);
/// Without the hash of the password.
nlohmann::json document_of(const ledger::User& user);
/// Without its hash.
nlohmann::json document_of(const ledger::Token& token);

/// A message for a channel, without its text: {"delivery", "channel", "topic", "job", "title", "run", "state": waits |
/// tried | sent | given up, "made", "due", "attempts", "error", "sent", "given_up"}.
nlohmann::json document_of(const ledger::Delivery& delivery);

/// Of one job's schedule: the next tick, what becomes of it and why, and what became of the last.
nlohmann::json document_of(const engine::Outlook& outlook);
/// {"alive": …, "daemons": [{"daemon", "jobs", "here", "decides", "since", "until", "url"}…]}: `jobs` is null of one
/// that serves all; `alive`: one of them decides.
nlohmann::json document_of(const std::vector<engine::Keeper>& keepers);

/// How old a task's newest backup is, and the newest that was proved: {"job", "task", "newest", "age_seconds",
/// "proved", "proof_age_seconds", "stale"}; `proved` is also null where no task proves them.
nlohmann::json document_of(const engine::Freshness& freshness, Instant now);

/// A backup in a store: its manifest, and beside it {"task", "store", "bytes", "standing", "proofs": [{"depth", "at",
/// "faults"}…]}, the oldest proof first. `task`: the policy that it belongs to.
nlohmann::json document_of(const backup::Backup& one, std::string_view task, std::string_view store);

/// A hold's conditions as a person writes them; what cannot be read stands as it is.
std::vector<std::string> conditions_of(const ledger::Hold& hold);

}  // namespace steward::app
