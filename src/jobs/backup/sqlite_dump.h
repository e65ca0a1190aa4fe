/// Dumps of SQLite: a copy by its online backup interface (sqlite.org/backup.html), and what is in it.
#pragma once
#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/backup/contents.h"

namespace steward::backup {

/// Tables, rows and definitions of a file. A row is hashed as the types, lengths and bytes of its values, its rowid
/// first where it has one that no column shows.
Result<Contents> sqlite_contents(const sql::Target& target);

}  // namespace steward::backup
