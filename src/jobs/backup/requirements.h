/// What a policy needs of the machine that it is carried out on: PostgreSQL's programs, and age.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/section.h"

namespace steward::backup {

/// Something that is not there, and which task fails for it.
struct Lack {
  std::string task{};
  Error error{};  ///< With the package to install.
};

/// What this machine lacks for a policy. Asks the database for its version; where that does not answer, only what is
/// missing for every version is said.
std::vector<Lack> lacking(const PolicySpec& spec);

/// The server programs in which this backup would be proved are missing.
std::optional<Error> lacking_for_proof(const Manifest& manifest, const std::string& clients);

}  // namespace steward::backup
