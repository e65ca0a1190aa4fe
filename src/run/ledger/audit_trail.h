/// The audit trail: lines that are only ever appended, each sealed by a hash over itself and the line before it.
///
/// hash = SHA-256 of: the hash before (of line 1: the ledger's id), the number, the instant in microseconds, actor,
/// act, subject and detail, each as "LENGTH:BYTES". The last number and hash also stand in `meta`, so that lines cut
/// off the end are missed too.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "run/ledger/ledger.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

struct Entry {
  std::string_view actor{}, act{}, subject{}, detail{};
  Instant at{};
};

/// Appends, inside the caller's transaction, so that the act and its line are one. Others wait for their turn.
Result<void> append(LedgerDatabase& db, const Entry& entry);

Result<std::vector<AuditLine>> last_lines(LedgerDatabase& db, std::size_t limit, std::int64_t before);

/// See Ledger::verify_audit. Reads the lines one at a time.
Result<std::int64_t> verify(LedgerDatabase& db);

/// The hash that belongs to `line`, by its other members.
std::string seal(const AuditLine& line);

}  // namespace steward::ledger
