/// What steward works with: read from the environment alone, each value with where it came from.
///
/// Errors  bad_input, naming the variable, what was expected and an example; never a secret.
#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/age.h"
#include "core/result.h"
#include "io/object/store.h"
#include "jobs/retention/retention.h"

namespace steward::app {

/// Looks a variable up; an empty one is as good as none.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

/// One line of `config show`.
struct Shown {
  std::string name{};    ///< The variable.
  std::string value{};   ///< Without secrets; empty where unset.
  std::string origin{};  ///< "environment", "default", "not set".
  std::string what{};    ///< What it is for, in a few words.
};

struct Settings {
  std::string database_url{};  ///< Empty: not configured.
  std::string media_root{};    ///< Absolute.
  object::StoreTarget cold{};
  std::string log_dir{};         ///< Absolute; empty: not configured.
  object::StoreTarget bucket{};  ///< Its URL is empty where it is not configured.
  Age bucket_age{};
  object::S3Settings s3{};
  std::string state_dir{};   ///< Absolute.
  std::string ledger_url{};  ///< Empty: STATE/ledger.db.
  std::string environment{};
  std::set<std::string> disabled{};  ///< Names of tasks.
  std::vector<std::string> notes{};  ///< What was translated or dropped, for people.
  std::vector<Shown> shown{};
};

/// Reads all of it. `directory`: the working directory, absolute, that relative paths are relative to.
Result<Settings> read_settings(const Environment& environment, const std::string& directory);

/// The name of the user that runs this, for the ledger.
std::string user_name();

}  // namespace steward::app
