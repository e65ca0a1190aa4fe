/// The section `cleanup` of a configuration file: policies by name, carried out in their order.
///
///   cleanup:
///     purge-signals:
///       kind: rows
///       table: signals
///       age_column: timestamp
///       age: 30 days
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/schema.h"
#include "jobs/retention/retention.h"

namespace steward::retention {

using Policy = std::variant<RowPolicy, FileRowPolicy, FilePolicy, ObjectPolicy>;

/// One task, as it is configured: by a file, or by variables.
struct TaskSpec {
  TaskInfo info{};
  std::optional<Policy> policy{};    ///< None: not configured,
  std::vector<std::string> needs{};  ///< and these are the variables to set.
  std::string off_by{};              ///< Not empty: left off, and who said so.
  bool approval = false;             ///< What it would do waits for a person.
  SourcePlace at{};                  ///< Of its name in the file.
};

/// What the section looks like.
Shape cleanup_shape();

/// What names in it mean.
struct Names {
  std::map<std::string, sql::Target> databases{};
  std::map<std::string, object::StoreTarget> stores{};
  object::S3Settings s3{};                         ///< For rows that name s3://bucket/key,
  std::vector<UrlPrefix> urls{};                   ///< and for those that name https://host/path.
  std::function<std::string(const Node&)> path{};  ///< The absolute path that a value means.
  std::string time_zone = "UTC";                   ///< Where a policy says none.
};

/// Reads a section that fits its shape. What is wrong beyond that (a name that means nothing, a system's folder, two
/// tasks that would share a folder of an archive) is added to `errors`, each with its place.
std::vector<TaskSpec> read_cleanup(const Node& section, const Names& names, std::vector<Error>& errors);

/// The archive of a policy, or null.
const ArchiveRules* archive_of(const Policy& policy);
/// The rules for rows of a policy, or null.
const RowRules* rows_of(const Policy& policy);
RowRules* rows_of(Policy& policy);
/// The stores that a policy uses.
std::vector<object::StoreTarget*> stores_of(Policy& policy);

/// The task that carries out a policy. `state` is where the locks of S3 buckets lie on this machine.
std::unique_ptr<Task> make_task(TaskInfo info, Policy policy, OutOfReach out_of_reach, const StateDirectory& state);

/// "signals older than 30 days are deleted".
std::string title_of(const Policy& policy);

/// The names of log files: what `files` removes where nothing else is said.
std::vector<std::string> log_file_names();

}  // namespace steward::retention
