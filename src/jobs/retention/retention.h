/// Retention: what leaves an application when it has become old. The five tasks of the job `cleanup`.
///
///   archive-mockups    rows with the image file that each names: the file goes to cold storage, verified, then the
///   row, then the source purge-signals      rows: deleted for good, in batches purge-logs         files: deleted for
///   good expire-objects     objects of a bucket: deleted for good purge-audit-logs   rows that are evidence: written
///   to the archive first, then deleted
///
/// Promises  - Old means strictly before the cutoff. NULL, infinity and what cannot be read as a time are kept, and
/// listed.
///           - Nothing goes that a hold covers, that a foreign key of any other row references, that belongs to
///           steward, or that
///             a row of a configured table needs. Each is asked again in the act of removing.
///           - A run removes no more items than its plan has, and none that became old since.
///           - Killed anywhere, the next run finishes or undoes what was left.
/// Does not  - follow symlinks, cross mounts, or leave the folder, bucket or table that it was given.
/// Errors    As io/sql, io/object and io/files give them; bad_input for a table without what the policy needs.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/age.h"
#include "io/object/store.h"
#include "io/sql/connection.h"
#include "jobs/retention/location.h"
#include "run/job.h"

namespace steward::retention {

/// A column of a table whose values name files or objects: they are needed as long as their rows are there.
struct NeededBy {
  sql::Target database{};
  std::string table{};
  std::string column{};
  std::string root{};             ///< The folder that relative names are below, absolute.
  std::vector<UrlPrefix> urls{};  ///< Where names that are URLs lead.
};

/// What no purge may touch, wherever it is pointed.
struct OutOfReach {
  std::vector<std::string>
      folders{};  ///< Absolute: state directory, cold store, backups, SQLite databases' folders are not.
  std::vector<std::string> files{};   ///< Absolute: databases.
  std::vector<std::string> stores{};  ///< "s3://bucket/prefix": cold stores, backups.
  std::vector<NeededBy> needed{};
};

/// A condition on a column, as a configuration writes it. A row meets it where SQL says true: never where the column is
/// NULL, but for `is_null`.
struct Where {
  enum class Is { equal, not_equal, in, not_in, less, at_most, greater, at_least, null, not_null, like };
  std::string column{};
  Is is = Is::equal;
  /// As text: the database reads it as the column's type. A text that was quoted is never taken for a number.
  struct Operand {
    std::string text{};
    bool quoted = false;
  };
  std::vector<Operand> operands{};  ///< One; several for in and not_in; none for null and not_null.
};
/// "status in (free, trial)".
std::string text_of(const Where& where);

/// A column that refers to the table without a foreign key in the catalogue.
struct ReferencedBy {
  std::string table{};   ///< The referring table,
  std::string column{};  ///< its column,
  std::string target{};  ///< and the column that it means; empty: the primary key.
};

/// What becomes of rows of other tables that refer to a row which is to go.
enum class OnReference {
  keep,         ///< They keep it.
  set_null,     ///< The columns that refer are set to NULL; a restore sets them back.
  archive_too,  ///< They are archived with it, and deleted; a restore brings them back behind it.
};

/// The same, by referring table.
struct ReferenceRules {
  OnReference others = OnReference::keep;                     ///< Tables that are not named.
  std::vector<std::pair<std::string, OnReference>> tables{};  ///< By name or schema.name.
  bool keep_all() const;
};

/// What another policy says of its table, which may be one that refers to this policy's.
struct Neighbour {
  std::string task{}, table{};
  std::vector<Where> hold_when{};
  bool with_files = false;  ///< Its rows name files.
};

/// How a column says when.
enum class AgeFormat {
  by_type,             ///< timestamptz, timestamp, date; SQLite: ISO 8601 text.
  epoch_seconds,       ///< A number of seconds since 1970-01-01T00:00:00Z.
  epoch_milliseconds,  ///< Likewise in milliseconds.
};

/// Which rows of a table a policy is about.
struct RowRules {
  sql::Target database{};
  std::string table{};
  std::string age_column{};
  Age age{};
  AgeFormat age_format = AgeFormat::by_type;
  std::string time_zone = "UTC";              ///< Of times without an offset: a name of the IANA database.
  std::vector<Where> where{};                 ///< Only rows that meet all of these,
  std::vector<Where> hold_when{};             ///< and none of these.
  std::vector<ReferencedBy> referenced_by{};  ///< Beside the foreign keys of the catalogue.
  ReferenceRules references{};                ///< What is not kept needs an archive: see Referrer.
  std::vector<Neighbour> neighbours{};        ///< Other policies of the same database.
};

/// Where rows go before they go.
struct ArchiveRules {
  object::StoreTarget store{};
  std::string folder{};       ///< In the archive; empty: the table's bare name. One for each task of an archive.
  std::optional<Age> keep{};  ///< What was archived longer ago is purged from the archive. None: it stays for good.
};

/// Rows by their age.
struct RowPolicy {
  RowRules rows{};
  std::optional<ArchiveRules> archive{};  ///< None: they are gone for good.
  bool whole_partitions = true;           ///< Partitions whose rows are all old are dropped (PostgreSQL).
};

/// Rows that each name a file.
struct FileRowPolicy {
  RowRules rows{};
  std::string file_column{};
  std::string root{};  ///< Relative file names are below it, and absolute ones have to be. Absolute.
  ArchiveRules archive{};
  object::S3Settings s3{};        ///< For file names like s3://bucket/key, in buckets that no URL leads to.
  std::vector<UrlPrefix> urls{};  ///< For file names like https://host/path.
  bool archive_missing = false;   ///< A row whose file is missing goes without it; else it stays.
};

/// Files of a folder by their mtime.
struct FilePolicy {
  std::string folder{};                  ///< Absolute.
  std::vector<std::string> patterns{};   ///< Globs for the base name.
  std::vector<std::string> leave_out{};  ///< Subfolders by name, at any depth: "archive".
  Age age{};
};

/// Which versions of objects expire, where a bucket keeps versions.
enum class Versions {
  current,     ///< Objects by their modification time. Where versions are kept a delete marker takes their place.
  noncurrent,  ///< What is current no longer, by the time when something took its place: for good. Delete markers that
               ///< hide nothing any more go with them, by their own time.
  all,         ///< Both.
};

/// Objects of a bucket, or files of a folder that stands for one, by their modification time.
struct ObjectPolicy {
  object::StoreTarget bucket{};
  Age age{};
  Versions versions = Versions::current;
};

std::unique_ptr<Task> purge_rows(TaskInfo info, RowPolicy policy);
std::unique_ptr<Task> archive_rows(TaskInfo info, RowPolicy policy);
std::unique_ptr<Task> archive_file_rows(TaskInfo info, FileRowPolicy policy, OutOfReach out_of_reach);
/// Purges from the archive what was archived longer ago than its `keep`, which is given: as `archive forget` does it.
std::unique_ptr<Task> expire_archive(TaskInfo info, RowRules rows, ArchiveRules archive);
std::unique_ptr<Task> purge_files(TaskInfo info, FilePolicy policy, OutOfReach out_of_reach);
/// `state` is where the lock of an S3 bucket lies.
std::unique_ptr<Task> expire_objects(TaskInfo info, ObjectPolicy policy, OutOfReach out_of_reach,
                                     const StateDirectory& state);

}  // namespace steward::retention
