/// The keys of a backup policy with `engine: pgbackrest`.
///
///   backup:
///     app:
///       engine: pgbackrest
///       stanza: app
///       type: {full: 7 days, diff: 1 day}
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "jobs/backup/pgbackrest.h"

namespace steward::backup {

/// `engine` and what goes with it alone.
std::vector<Field> pgbackrest_fields();

/// Whether a policy names this engine.
bool is_pgbackrest(const Node& policy);

/// Keys that the policy's engine has no use for are added to `errors`, and those that it needs and has not.
/// `what`: "backup policy \"app\"".
void check_engine(const Node& policy, const std::string& what, std::vector<Error>& errors);

/// Without its database and its proof, which are read as any policy's. `path`: the absolute path that a value means.
PgBackRest read_pgbackrest(const Node& policy, const std::function<std::string(const Node&)>& path,
                           std::vector<Error>& errors);

}  // namespace steward::backup
