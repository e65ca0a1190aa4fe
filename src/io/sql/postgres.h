/// PostgreSQL, by libpq. What it does is in connection.h; this is how.
///
/// A session behind a transaction pooler (PgBouncer) is another server process in each transaction, so nothing is ever
/// SET for a session: every transaction begins with `BEGIN; SET LOCAL …` in one round trip, and a statement outside a
/// transaction is wrapped in one. No named prepared statement, no session lock, no startup `options` of our own. A
/// statement that PostgreSQL refuses to run in a transaction (VACUUM, CREATE DATABASE, CREATE INDEX CONCURRENTLY) is
/// then run bare.
#pragma once
#include <memory>

#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/database_url.h"

namespace steward::sql {

Result<std::unique_ptr<Connection>> connect_postgres(const DatabaseUrl& url, const Target& target);

}  // namespace steward::sql
