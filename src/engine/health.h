/// Whether steward does what it is there for: what `steward healthcheck` finds, for the HEALTHCHECK of a container, for
/// monitoring agents and cron.
///
///   findings({.now = …, .jobs = …})   {"overdue", error, "cleanup has not succeeded since …", "steward runs …"}
///
/// An error is something that somebody has to see to now; a warning what they should know of. What waits for a person
/// is a warning: to restart a container helps nobody there.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "engine/freshness.h"
#include "engine/outlook.h"
#include "run/ledger/approvals.h"
#include "run/ledger/ledger.h"

namespace steward::engine {

enum class Severity { warning, error };
std::string_view name_of(Severity severity);

struct Finding {
  std::string kind{};  ///< "ledger", "daemon", "overdue", …: docs/operations.md lists them.
  Severity severity = Severity::error;
  std::string message{};
  std::string hint{};
};

/// A job, and since when it should have succeeded.
struct JobFacts {
  ScheduledJob job{};
  Outlook outlook{};
  std::optional<Instant> last_success{};  ///< Of the whole job.
  std::optional<Instant> known_since{};   ///< Where it never has: the first that is known of it, a tick or a run.
  std::optional<Instant> resumed{};       ///< When the last pause or freeze that was about it ended.
};

/// A run that is queued or running.
struct OpenRun {
  ledger::Run run{};
  bool gone = false;  ///< Its process is.
  std::optional<std::chrono::seconds> max_runtime{};
};

/// The room on the file system of a folder.
struct FolderSpace {
  std::string what{}, path{};  ///< "state directory", "/var/lib/steward".
  Bytes room{}, total{};
};

struct HealthFacts {
  Instant now{};
  std::optional<Error> ledger{};  ///< Why it cannot be written; then nothing that it knows is here.
  std::optional<Error>
      server{};  ///< What an address that was to be asked has answered, where it was not that it lives.
  std::vector<JobFacts> jobs{};
  std::vector<Freshness> backups{};
  std::vector<OpenRun> runs{};
  std::vector<ledger::Approval> approvals{};  ///< Those that wait.
  std::vector<ledger::Freeze> freezes{};      ///< Those in force.
  std::vector<FolderSpace> folders{};
  std::optional<Instant> latest{};  ///< The latest moment that the ledger knows of.
};

/// The worst first; of one kind in the order of the facts. Pure.
std::vector<Finding> findings(const HealthFacts& facts);

/// No error among them.
bool is_healthy(const std::vector<Finding>& findings);

/// What the ledger knows for it, of these jobs; `folders`, `server` and `now` stay as they are in `facts`. Where it
/// does not answer, `facts.ledger` says so.
void read_health(HealthFacts& facts, ledger::Ledger& ledger, const StateDirectory& state,
                 const std::vector<ScheduledJob>& jobs, bool shared);

}  // namespace steward::engine
