/// The list of what a run removed or moved, item by item: STATE/manifests/RUN/TASK.jsonl.
#pragma once
#include <string>
#include <string_view>

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

}  // namespace steward::manifest
