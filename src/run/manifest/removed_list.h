/// The list of what a run removed or moved, item by item: STATE/manifests/RUN/TASK.jsonl.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/files/folder.h"
#include "run/job.h"

namespace steward::manifest {

/// Appends lines {"removed": NAME, "bytes": N, "modified": T}, of a version with its "version", or {"moved": NAME,
/// "to": NAME, "bytes": N}; made on the first one. Written before the items go, a batch at a time, so that what is gone
/// is always on the list; what the list has beyond that is there still. Where a task says so, a later line
/// {"not_removed": NAME, "reason": WHY} takes one back.
class RemovedList {
 public:
  RemovedList(RunContext& run, std::string task) : run_(run), task_(std::move(task)) {}
  void add(std::string_view name, Bytes size, Instant modified, std::string_view version = {});
  void moves(std::string_view name, std::string_view to, Bytes size);
  void stays(std::string_view name, std::string_view reason);
  Result<void> flush();  ///< Durable.

 private:
  RunContext& run_;
  std::string task_;
  std::string buffer_{};
  files::Handle file_{};
};

/// A line of such a list.
struct RemovedItem {
  enum class What { removed, moved, stayed };
  What what = What::removed;
  std::string name{};
  std::string to{};       ///< Where it was moved.
  std::string version{};  ///< Of an object: the one that went.
  std::string reason{};   ///< Why it stayed after all.
  std::optional<Bytes> size{};
  std::optional<Instant> modified{};
};

/// Some of them, in the order in which they went.
struct RemovedPage {
  std::vector<RemovedItem> items{};
  std::uint64_t next = 0;  ///< The byte of the list that the next page begins at.
  bool more = false;       ///< There is something behind it.
};

/// The tasks of a run that have a list here. Empty where none has.
Result<std::vector<std::string>> removed_lists(const StateDirectory& state, std::string_view run);

/// At most `limit` of the items in whose names `match` stands, whatever the case of ASCII letters, from the byte `from`
/// on. A page ends as well when it has read 4 MiB. not_found where there is no such list: its task removed nothing by
/// name, or it has become too old (`tidy-state`). corrupt: a line is none.
struct RemovedRequest {
  std::string run{}, task{}, match{};
  std::uint64_t from = 0;
  std::size_t limit = 200;
};
Result<RemovedPage> read_removed(const StateDirectory& state, const RemovedRequest& request);

}  // namespace steward::manifest
