/// Opening a connection to PostgreSQL, and reading what libpq says when it fails.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/sql/connection.h"
#include "io/sql/database_url.h"

struct pg_conn;

namespace steward::sql {

struct CloseWire {
  void operator()(pg_conn* wire) const;
};
/// A connection of libpq's.
using Wire = std::unique_ptr<pg_conn, CloseWire>;

/// Opens a connection within `target.connect_timeout` (or the URL's own; for each server, where it names several), with
/// keepalives and a limit of 30 s on unanswered data, and UTF-8 as the client's encoding: SQL_ASCII where the
/// database's is that, so that its bytes pass unjudged. Errors: unavailable, permission, not_found (no such database),
/// bad_input; they name the server without password.
Result<Wire> open_wire(const DatabaseUrl& url, const Target& target);

/// "postgresql://app@db:5432/app"; a socket as "postgresql://app@:5432/app?host=/run/postgresql".
std::string shown_of(const pg_conn* wire);

/// `text` on one line: the last of its lines that says something, without the place in the server's source.
std::string one_line(std::string_view text);

}  // namespace steward::sql
