/// The section `rotate-logs` of a configuration file: policies by name, carried out in their order.
///
///   rotate-logs:
///     web:
///       folder: /srv/app/logs
///       reopen: {signal: USR1, pid_file: /run/web.pid}
///       compress: zstd
///       keep: 14 days
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "jobs/rotation/rotation.h"

namespace steward::rotation {

/// One policy, as it is configured: by a file, or by variables. It makes two tasks, `NAME` and `NAME.archive`.
struct PolicySpec {
  std::string name{};
  std::optional<Policy> policy{};    ///< None: not configured,
  std::vector<std::string> needs{};  ///< and these are the variables to set.
  std::string off_by{};              ///< Not empty: left off, and who said so.
  bool approval = false;             ///< What it would do waits for a person.
  SourcePlace at{};                  ///< Of its name in the file.
};

/// What the section looks like.
Shape rotation_shape();

/// Reads a section that fits its shape. What is wrong beyond that (a system's folder, two policies with one archive, a
/// reopen that says neither or both) is added to `errors`, each with its place. `path`: the absolute path that a value
/// means.
std::vector<PolicySpec> read_rotation(const Node& section, const std::function<std::string(const Node&)>& path,
                                      std::vector<Error>& errors);

/// The two tasks' names and what they do, for people.
TaskInfo rotate_info(const PolicySpec& spec);
TaskInfo expire_info(const PolicySpec& spec);

}  // namespace steward::rotation
