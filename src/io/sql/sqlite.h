/// SQLite, by its C library. What it does is in connection.h; this is how.
///
/// The file's journal mode is left as it is (steward's own files, `create`, get WAL). Every connection has foreign_keys
/// on, synchronous EXTRA (a commit survives a power cut, or a deleted row could come back without its file), and the
/// function `steward_instant(x)`: text as core/instant.h reads it becomes microseconds since 1970, everything else
/// NULL; `steward_instant(x, 'Europe/Berlin')` reads what has no offset in that zone (core/zone.h). Other programs'
/// locks and hot journals are respected: SQLite does so itself, and nothing here bypasses it.
///
/// After an error inside a transaction only a rollback is left, as on PostgreSQL: SQLite itself would go on, sometimes
/// outside the transaction that it has already rolled back.
#pragma once
#include <memory>

#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/database_url.h"

namespace steward::sql {

Result<std::unique_ptr<Connection>> connect_sqlite(const DatabaseUrl& url, const Target& target);

}  // namespace steward::sql
