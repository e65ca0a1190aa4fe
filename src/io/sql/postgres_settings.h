/// What every transaction on PostgreSQL begins with.
#pragma once
#include <optional>
#include <string>

#include "io/sql/connection.h"

namespace steward::sql {

/// What the server and the URL add to it.
struct SessionFacts {
  int server_version = 0;                    ///< As libpq counts: 150020.
  bool synchronous_commit_off = false;       ///< By the role's or the database's own settings.
  std::optional<std::string> search_path{};  ///< Quoted; empty: left alone.
};

/// "BEGIN …; SET LOCAL …; …", so that values read as text come back to the same values, rows that row-level security
/// would hide are an error, and no statement waits or runs longer than `target` allows.
std::string begin_statement(const Target& target, const SessionFacts& facts);

}  // namespace steward::sql
