/// What nearly every command needs: settings, state directory, ledger.
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/cli/output.h"
#include "app/config/catalogue.h"
#include "app/config/settings.h"
#include "core/instant.h"
#include "engine/metrics.h"
#include "run/ledger/ledger.h"
#include "run/state.h"

namespace steward::app {

/// This program's version: "0.1.0".
inline constexpr std::string_view version = STEWARD_VERSION;

struct Session {
  Settings settings;
  StateDirectory state;
  std::unique_ptr<ledger::Ledger> ledger;
  SystemClock clock{};
};

/// Reads the settings, opens the state directory and the ledger; makes them where they are absent, and takes in holds
/// that lie beside the archive and are not in the ledger. `warnings` gets what a person should know.
Result<Session> open_session(std::vector<std::string>& warnings);

/// The same for a command of a person: warnings go to standard error, unless the answer is to be one JSON document.
Result<Session> open_session_saying(const Output& output);

/// And to a person at a terminal also what the configuration notes: a cron mail would repeat it every night.
Result<Session> open_session_with_notes(const Output& output);

/// Why nothing may be removed, although the ledger has no freeze: an archive belongs to another ledger or environment
/// (run/manifest/archive.h). An archive that does not answer has no say: what the ledger knows holds.
Result<std::optional<Error>> barred(const Session& session);

/// Gives archives that belong to no ledger, of an earlier steward, to this one. What there is to say of it, for people.
Result<std::vector<std::string>> adopt_ownerless_archives(const Session& session);

/// The upkeep of the state directory (run/upkeep.h) at the end of a run that ended so; none under a freeze.
Result<void> tidy_after_run(const Session& session, ledger::Status status);

/// The moment that `--until` names; none where it is empty. bad_input where it is no date or time, or has passed.
Result<std::optional<Instant>> until_of(const std::string& text, Instant now);

/// Writes holds beside the archive that are in the ledger alone, as those made before there was an archive. Not those
/// of restores: without them a row is archived once more, and nothing is lost.
Result<void> write_holds_beside_archive(const Session& session);

/// Absolute. not_found where it is gone.
Result<std::string> working_directory();

/// Reads the settings of this process.
Result<Settings> settings_of_process();

/// The jobs that a daemon is there for, by its flag `--only` or STEWARD_SERVE_JOBS; empty: all.
using JobNames = std::set<std::string, std::less<>>;
Result<JobNames> chosen_jobs(const std::string& flag, const Settings& settings);

/// What the page of metrics is about.
engine::MetricsOf metrics_of(const Settings& settings);

/// This process as it connects for a job, in a run (empty: in none). Its signals stop the statements.
Caller caller(std::string_view job, std::string_view run);

}  // namespace steward::app
