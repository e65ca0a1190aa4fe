/// What nearly every command needs: settings, state directory, ledger.
#pragma once
#include <memory>
#include <string>

#include "app/config/catalogue.h"
#include "app/config/settings.h"
#include "core/instant.h"
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

/// Writes holds beside the archive that are in the ledger alone, as those made before there was an archive. Not those
/// of restores: without them a row is archived once more, and nothing is lost.
Result<void> write_holds_beside_archive(const Session& session);

/// Absolute. not_found where it is gone.
Result<std::string> working_directory();

/// Reads the settings of this process.
Result<Settings> settings_of_process();

/// This process as it connects for a job, in a run (empty: in none). Its signals stop the statements.
Caller caller(std::string_view job, std::string_view run);

}  // namespace steward::app
