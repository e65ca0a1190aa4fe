/// The URL of a database, translated: what people and Python's libraries write becomes what libpq and SQLite take.
///
///   postgresql+asyncpg://app:p%40ss@db/app?ssl=require   host=db user=app dbname=app sslmode=require
///   postgres:///app?host=/var/run/postgresql             a Unix socket; what is absent is libpq's (PGHOST, PGUSER, …)
///   postgresql://u@h1:5432,h2:5433/app                   two servers, tried in this order
///   sqlite:///data/app.db                                relative to the working directory
///   sqlite:////srv/app.db                                absolute
///
/// Promises  - Pure: reads no disk and no environment. No error and no note holds a password.
///           - A parameter that only Python's drivers and pools know is dropped, and a note says so. One that decides
///             which tables a name means (`schema`, `currentSchema`, `search_path`) is kept, never dropped.
///           - A parameter that looks like a misspelt one of libpq is an error: `sslmod=require` must not connect
///             without TLS.
/// Errors    bad_input, with what to write instead.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/secret.h"
#include "io/sql/connection.h"

namespace steward::sql {

struct DatabaseUrl {
  Dialect dialect = Dialect::postgres;
  std::string shown{};  ///< As written, the password masked.
  std::vector<std::string> notes{};

  // PostgreSQL: libpq's keywords, each once; those that are absent are libpq's own (environment, service file,
  // default).
  std::vector<std::pair<std::string, std::string>> keywords{};
  std::vector<std::pair<std::string, Secret>> secrets{};  ///< password, sslpassword: keywords too.
  std::optional<std::string> search_path{};               ///< Schemas, as a person lists them: "app, public".
  std::optional<std::chrono::milliseconds> connect_timeout{};

  // SQLite.
  std::string path{};
};

Result<DatabaseUrl> parse_database_url(std::string_view text);

}  // namespace steward::sql
