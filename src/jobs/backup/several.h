/// One policy for several databases of a server. Which they are is asked when a job is made for a plan or a run: each
/// has tasks of its own then, POLICY.DATABASE, as if somebody had written a policy for it, and a folder of its own. The
/// task POLICY comes last, and says whether each of them has a backup.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "jobs/backup/section.h"

namespace steward::backup {

/// What a server has, in the order of names.
struct Databases {
  std::vector<std::string> all{};     ///< That take connections, and are no templates.
  std::vector<std::string> chosen{};  ///< Of these, those that the policy is for.
};
/// Errors as sql::connect. not_found: none is chosen.
Result<Databases> databases_of(const PolicySpec& spec);

/// Pure.
bool is_chosen(const Selection& selection, std::string_view database);

/// A database's name where it has to be a segment of a key and a part of a task's name: "shop", and "crm_eu-3f1a9c" for
/// "crm.eu". No two databases have the same. Pure.
std::string segment_of(std::string_view database);

/// The policies of these databases, which `spec` is for. Pure.
std::vector<PolicySpec> each_of(const PolicySpec& spec, const std::vector<std::string>& databases);

/// The policy as commands see it that look at backups and ask no server: all that lie below its folder.
Policy seen_as_one(const PolicySpec& spec);

/// The task that comes last. `databases`: those that the tasks before it are for, or why nobody knows; none: it asks
/// itself, as where nothing is to be carried out.
std::unique_ptr<Task> check_several(TaskInfo info, PolicySpec spec, std::optional<Result<Databases>> databases);

}  // namespace steward::backup
