/// SQLite's online backup interface (sqlite.org/backup.html).
#pragma once
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql {

/// Copies the database to the file `path`, which is made, readable by its owner alone, and must not be there: one
/// moment of it, whole, whoever writes meanwhile. Writers wait no longer than for a piece of it, except where they are
/// so many that the copy began anew five times: then one last time in one go, which in a database without a write-ahead
/// log they wait for.
/// Errors: as connect; unavailable: no room. interrupted: target.stop. The file is removed on any.
Result<void> back_up_file(const Target& target, const std::string& path);

/// Its size, from its own header.
Result<Bytes> file_size_of(const Target& target);

}  // namespace steward::sql
