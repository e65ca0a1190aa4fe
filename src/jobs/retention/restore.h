/// Bringing back what was archived: the file, then its row; or rows out of their segments.
///
/// Promises  - Nothing is overwritten: a file or a row that is there already stays; the same bytes and an equal row
/// count as restored.
///           - A row is read back and compared, value for value, in the transaction that inserts it. Generated columns
///           are left out, identity values kept.
///           - What was restored is held for 30 days, or the next run would take it again. The hold is there before the
///           row.
///           - What referred to a row (manifest/referring.h) comes after all rows: what went is brought back like a
///           row,
///             and what was set to NULL is set back, where the row is there and its columns are still NULL.
///           - The archive keeps its copy.
/// Skipped   with the reason: a column that is gone, a missing parent, a value that is taken, another file in its
/// place. Needs     the archive alone: manifests and copies. No ledger that knows of it, and not the database that it
/// came from.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"
#include "io/sql/connection.h"
#include "jobs/retention/location.h"
#include "run/job.h"

namespace steward::retention {

/// What to bring back.
struct RestoreRequest {
  std::string run{};                ///< Of this run alone (a prefix that fits one).
  std::string table{};              ///< Of this table alone: "mockups" or "public.mockups".
  std::vector<std::string> keys{};  ///< These rows alone; needs `table`.
};

/// Where the rows of a task come back to.
struct Home {
  std::string task{};   ///< That archived them,
  std::string table{};  ///< and from where; a manifest of a task that is no longer configured finds its home by this.
  sql::Target database{};
  std::string root{};  ///< Where relative file names are below; empty for rows without files.
  std::vector<UrlPrefix> urls{};
};

struct RestoreSettings {
  object::StoreTarget archive{};
  std::vector<Home> homes{};
  object::S3Settings s3{};
};
/// The home of what a manifest names: by its task, else by its table, else the only database there is. `with_files`:
/// one that has a root. Null: none.
const Home* home_of(std::span<const Home> homes, std::string_view task, std::string_view table, bool with_files);

/// Whether an archive has anything that a request covers.
Result<bool> has_any(const object::StoreTarget& archive, const RestoreRequest& request);

std::unique_ptr<Task> restore_archived(TaskInfo info, RestoreSettings settings, RestoreRequest request);

}  // namespace steward::retention
