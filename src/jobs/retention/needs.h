/// What must stay because a row names it, or because it is steward's own.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "jobs/retention/retention.h"

namespace steward::retention {

/// Whether an absolute path lies in one of steward's own places.
bool belongs_to_steward(const OutOfReach& out_of_reach, std::string_view absolute_path);
/// Likewise an object's address, "s3://bucket/key"; and steward's own kinds of names in any store (archives, manifests,
/// backups carry an id file).
bool object_belongs_to_steward(const OutOfReach& out_of_reach, std::string_view address);

/// Asks the configured tables which files and objects their rows name: each time afresh.
class Needs {
 public:
  /// Connects to those whose root lies in, above or at `folder` (all where it is empty). A table that does not exist
  /// needs nothing.
  static Result<Needs> open(const std::vector<NeededBy>& needed, const std::string& folder);

  /// Those of `paths` (absolute, without symlinks) that some row names, in whatever spelling resolves to them:
  /// relative, absolute, file://, with "." and "..", through symlinked folders, (as of `open`) through a symlink of
  /// another name, or as a URL, with its escapes decoded or as it stands.
  Result<std::set<std::string>> files(std::span<const std::string> paths);
  /// Those of `addresses` ("s3://bucket/key") that some row names, so or as a URL.
  Result<std::set<std::string>> objects(std::span<const std::string> addresses);

  bool empty() const { return tables_.empty(); }

 private:
  struct Table {
    std::unique_ptr<sql::Connection> db{};
    std::string sql_name{}, column{};  ///< Quoted; the column as text.
    std::vector<std::string> roots{};
    std::vector<UrlPrefix> urls{};
  };
  /// Every absolute path that a stored name may mean.
  static std::vector<std::string> paths(const Table& table, const std::string& stored);
  /// Rows whose name may be one of these, by their last segments: hands over what they have stored.
  static Result<void> each_candidate(Table& table, std::span<const std::string> base_names,
                                     const std::function<void(const std::string& stored)>& take);
  Result<void> find_aliases(Table& table);
  std::vector<Table> tables_{};
  std::set<std::string> aliased_{};  ///< Files that rows name through symlinks of another name.
};

/// The path with all symlinks resolved; empty where it does not exist.
std::string resolved(const std::string& path);

}  // namespace steward::retention
