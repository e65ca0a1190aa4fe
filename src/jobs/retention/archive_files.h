/// The parts of the task on rows that name files: what the plan decides, and what carries it out. retention.h has the
/// promises.
///
/// A batch of rows goes through these states together, each recorded before the next act (run/manifest/manifest.h):
///
///   planned     the rows' content is durable in the archive
///   copied      each file is in the archive under its final name
///   verified    each copy was read back and has the hash that the source had
///   row_gone    one transaction locked the rows, saw that they are as planned, unreferenced and not held, and deleted
///   them source_gone the file was moved aside, asked for again, compared, and removed; or source_kept with the reason
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/retention.h"
#include "jobs/retention/source_file.h"
#include "jobs/retention/table.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

/// What is known of a row when its fate is decided.
struct FileRowFacts {
  std::string kept_by_database{};          ///< Table::verdict: "held", "referenced by listings", or empty.
  std::optional<std::string> file_held{};  ///< The hold that covers its file.
  Place place = Place::nothing;
  Seen::As seen = Seen::As::missing;
  bool ours = false;             ///< The file belongs to steward.
  bool archived_before = false;  ///< A manifest knows this row.
  bool goes_without = false;     ///< Where its file is missing it goes all the same.
};

/// The reason why a row stays, or nothing: it goes. Pure.
std::optional<std::string> keep_reason(const FileRowFacts& facts);

/// The rows of one plan, one line each: {"key": [...], "file": "...", "missing": true}.
std::string item_line(const sql::Row& key, std::string_view file, bool missing);
struct PlannedRow {
  sql::Row key{};
  std::string file{};    ///< As stored when it was planned.
  bool missing = false;  ///< And it was not there then. Only such a row may go without its file.
};
Result<PlannedRow> planned_row(std::string_view line);

/// Column names and the select list of a whole row.
std::vector<std::string> column_names(const Table& table);
Result<std::string> column_list(const Table& table);
/// The key columns' values of a whole row.
sql::Row key_of(const Table& table, const sql::Row& row);

/// What the plan and the run share.
struct FileRowParts {
  const TaskInfo& info;
  const FileRowPolicy& policy;
  const OutOfReach& out_of_reach;
};

Result<Step> plan_file_rows(const FileRowParts& parts, PlanContext& context);
Result<void> archive_planned_rows(const FileRowParts& parts, const Step& step, RunContext& run);
Result<void> recover_file_rows(const FileRowParts& parts, RunContext& run);

/// Removes the sources of items whose rows are gone; each ends as source_gone or source_kept. For the run, and for
/// recovery.
class SourceRemoval {
 public:
  SourceRemoval(SourceFiles& files, Needs& needs, RunContext& run, std::string token)
      : files_(files), needs_(needs), run_(run), token_(std::move(token)) {}
  /// `token` with an item's number names what was moved aside: the id of the run that archived it.
  Result<void> remove(std::span<manifest::Item* const> items);

 private:
  Result<void> move_aside(std::span<manifest::Item* const> items, std::vector<manifest::Item*>& aside);
  Result<void> finish(manifest::Item& item, bool needed);
  Result<std::set<std::string>> needed(std::span<manifest::Item* const> items);
  std::string token(const manifest::Item& item) const;
  SourceFiles& files_;
  Needs& needs_;
  RunContext& run_;
  std::string token_;
};

}  // namespace steward::retention
