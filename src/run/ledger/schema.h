/// The ledger's tables, and how an older ledger becomes a newer one.
///
/// The schema's version is a row of the table `meta`. A migration runs under a lock, all of it or nothing: SQLite's
/// write lock, an advisory transaction lock on PostgreSQL. Before an SQLite ledger is migrated to version N, its file
/// is copied, with what its WAL holds, to `ledger.db.before-vN`, which an older steward can be given back.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

/// The statements that lead from one version to the next.
using Migration = std::vector<std::string_view>;

/// The n-th (from 0) leads to version n + 1.
std::span<const Migration> migrations();

/// What a ledger is before anything is asked of it.
struct Founding {
  int version = 0;  ///< 0: there are no tables.
  std::string id{};
};
Result<Founding> founding(LedgerDatabase& db);

/// Brings the ledger to the last of `steps`, making it where there is none. refused (code "ledger-newer") where it is
/// ahead of them. Several processes may do so at once.
Result<void> migrate(LedgerDatabase& db, std::span<const Migration> steps);

/// not_found: there is no ledger in `shown`.
std::unexpected<Error> no_ledger(std::string_view shown);

/// refused (code "ledger-newer") where the ledger is ahead of `known`; not_found where it is not there or (code
/// "ledger-older") behind: for those who may not migrate.
Result<void> check_version(LedgerDatabase& db, int known);

}  // namespace steward::ledger
