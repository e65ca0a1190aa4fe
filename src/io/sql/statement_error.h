/// How a failed statement is told, the same for both databases.
#pragma once
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql {

/// `cannot run "delete from signals where …" on postgresql://app@db/app: why`. Values are parameters, so that the
/// statement itself holds no secret; of a long one only the beginning is shown.
std::unexpected<Error> statement_failed(Kind kind, std::string_view statement, std::string_view database,
                                        std::string_view why, std::string_view hint = {});

/// An error (interrupted) once `target` was told to stop: no further statement begins.
Result<void> not_stopped(const Target& target, std::string_view database);

}  // namespace steward::sql
