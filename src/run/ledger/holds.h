/// Holds, freezes and archives, as the ledger keeps them. Each function is one change or one read of ledger.h; see
/// there.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

Result<void> add_holds(LedgerDatabase& db, std::span<const Hold> holds);
Result<void> release_hold(LedgerDatabase& db, std::string_view id, std::string_view who, Instant now);
Result<std::vector<Hold>> find_holds(LedgerDatabase& db, Instant now, bool all);
Result<std::int64_t> hold_generation(LedgerDatabase& db);

Result<void> add_freeze(LedgerDatabase& db, const Freeze& freeze);
Result<void> lift_freeze(LedgerDatabase& db, std::string_view id, std::string_view who, Instant now);
Result<std::vector<Freeze>> find_freezes(LedgerDatabase& db, Instant now, bool all);

Result<void> remember_archive(LedgerDatabase& db, std::string_view location, std::string_view id, Instant now);
Result<std::vector<ArchiveRecord>> archives(LedgerDatabase& db);

}  // namespace steward::ledger
