/// The section `backup` of a configuration file: policies by name, carried out in their order.
///
///   backup:
///     app-nightly:
///       database: app
///       store: backups
///       proof: {every: 7 days}
///       keep: {daily: 14, monthly: 12}
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "jobs/backup/backup.h"

namespace steward::backup {

/// One policy, as it is configured: by a file, or by variables.
struct PolicySpec {
  std::string name{};
  std::optional<Policy> policy{};  ///< None: not configured,
  /// It is for these databases of the server that `policy->database` names; its folder `policy->name` has theirs.
  std::optional<Selection> several{};
  std::vector<std::string> needs{};  ///< and these are the variables to set.
  std::string off_by{};              ///< Not empty: left off, and who said so.
  bool approval = false;             ///< What it would do waits for a person.
  SourcePlace at{};                  ///< Of its name in the file.
};

/// What the section looks like.
Shape backup_shape();

/// What names in it mean.
struct Names {
  std::map<std::string, sql::Target> databases{};
  std::map<std::string, object::StoreTarget> stores{};
  std::function<std::string(const Node&)> path{};  ///< The absolute path that a value means.
};

/// Reads a section that fits its shape. What is wrong beyond that (a name that means nothing, two policies with one
/// folder in one store) is added to `errors`, each with its place.
std::vector<PolicySpec> read_backup(const Node& section, const Names& names, std::vector<Error>& errors);

/// The tasks' names and what they do, for people.
TaskInfo backup_info(const PolicySpec& spec);
TaskInfo several_info(const PolicySpec& spec);
TaskInfo proof_info(const PolicySpec& spec);
TaskInfo expire_info(const PolicySpec& spec);
TaskInfo copy_info(const PolicySpec& spec);
TaskInfo copy_expire_info(const PolicySpec& spec);
/// The policy of `copy_expire_info`'s task: expire_backups' in the second store.
Policy policy_of_copies(const Policy& policy);

/// "last 3, daily 14, within 30 days". bad_input, with what is wrong.
Result<Keep> parse_keep(std::string_view text);

/// The folder of a database's backups in a store: its name, as far as it may be a segment of a key. "app".
std::string folder_name(const std::string& database_url);

}  // namespace steward::backup
