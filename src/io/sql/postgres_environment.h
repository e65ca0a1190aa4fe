/// How PostgreSQL's own programs (pg_dump, pg_restore, psql) are told where to connect, so that no secret stands in
/// their arguments: by libpq's environment variables.
#pragma once
#include <string>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql {

struct ProgramEnvironment {
  /// "NAME=value": all that the program gets. Of ours only what libpq and a locale need.
  std::vector<std::string> variables{};
  /// libpq's keywords that have no variable ("keepalives_idle=30"); may be an argument. Mostly empty.
  std::string conninfo{};
};

/// With the session pinned, so that the same data are the same text: TimeZone UTC, IntervalStyle postgres, bytea as
/// hexadecimal. bad_input: a URL that is none, or of SQLite, or one with an sslpassword, for which libpq has no
/// variable.
Result<ProgramEnvironment> program_environment(const Target& target);

}  // namespace steward::sql
