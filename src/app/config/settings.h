/// What steward works with: read from configuration files, or from the environment alone; each value with where it came
/// from.
///
/// Precedence  A flag, then a variable, then the file, then the default; an empty variable is unset. A file replaces
/// the
///             built-in tasks: DATABASE_URL, MEDIA_ROOT, COLD_STORAGE_PATH, LOG_DIR, S3_BUCKET and S3_RETENTION_DAYS
///             then count only where the file says ${NAME}.
/// Errors      bad_input: the variable or the place in the file, what was expected, and an example; never a secret.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/server/section.h"
#include "core/result.h"
#include "core/schema.h"
#include "engine/notify/settings.h"
#include "engine/schedule.h"
#include "io/object/store.h"
#include "jobs/backup/section.h"
#include "jobs/retention/section.h"
#include "jobs/rotation/section.h"
#include "run/brakes.h"
#include "run/throttle.h"

namespace steward::app {

/// Looks a variable up; an empty one is as good as none.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

/// One line of `config show`.
struct Shown {
  std::string name{};    ///< The variable, or the path in the file: "cleanup.purge-signals.age".
  std::string value{};   ///< Without secrets; empty where unset.
  std::string origin{};  ///< "environment", "default", "not set", "steward.yaml:14:9".
  std::string what{};    ///< What it is for, in a few words.
};

struct Settings {
  std::vector<std::string> files{};  ///< The configuration files; none: variables alone.
  std::vector<retention::TaskSpec> cleanup{};
  std::vector<rotation::PolicySpec> rotation{};
  std::vector<backup::PolicySpec> backup{};
  /// Of each job by name, also of one that is not configured.
  std::map<std::string, engine::Schedule> schedules = engine::built_in_schedules();
  std::map<std::string, sql::Target> databases{};  ///< By name; from variables: "DATABASE_URL".
  std::vector<object::StoreTarget> archives{};     ///< Each once.
  object::S3Settings s3{};                         ///< For what names no store.
  std::string state_dir{};                         ///< Absolute.
  std::string ledger_url{};                        ///< Empty: STATE/ledger.db.
  /// The ledger is on a server, where other machines may use it.
  bool ledger_is_shared() const { return !ledger_url.empty() && !ledger_url.starts_with("sqlite:"); }
  std::string environment{};
  Brakes brakes{};
  ThrottleRules throttle{};
  server::ServeRules serve{};
  notify::Settings notifications{};
  std::map<std::string, std::string> origins{};  ///< By variable: where a file says the same.
  std::vector<std::string> notes{};              ///< What was translated or dropped, for people.
  std::vector<Shown> shown{};
};

/// Reads all of it: the files that STEWARD_CONFIG names (with `:` between them; later ones are laid over earlier ones),
/// or where it names none, the variables. `directory`: the working directory, absolute, that paths in variables are
/// relative to; paths in a file are relative to its folder. Of several errors the first, with the number of the others.
Result<Settings> read_settings(const Environment& environment, const std::string& directory);

/// The same with all errors.
struct CheckedSettings {
  Settings settings{};
  std::vector<Error> errors{};
};
CheckedSettings check_settings(const Environment& environment, const std::string& directory);

/// What a configuration file may look like.
Shape configuration_shape();

/// The name of the user that runs this, for the ledger.
std::string user_name();

}  // namespace steward::app
