/// Finishing or undoing what a run left that died: the same for all tasks that archive.
#pragma once
#include <functional>
#include <string>

#include "core/result.h"
#include "run/job.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

/// Brings items of an unfinished manifest to a final state; they are recorded afterwards.
using Settle =
    std::function<Result<void>(const manifest::Header&, std::vector<manifest::Item>& open, manifest::Writer&)>;

/// For each unfinished manifest of `folder` that `task` wrote for this database: settles its open items, records them,
/// finishes the manifest, and says so in a note.
Result<void> recover_manifests(object::Store& store, const std::string& folder, const std::string& task,
                               const std::string& database_id, RunContext& run, const Settle& settle);

/// Those of `copies` (keys in the archive) that a manifest other than `run`'s names.
Result<std::vector<std::string>> named_elsewhere(object::Store& store, const std::string& folder,
                                                 const std::string& run, const std::vector<std::string>& copies);

}  // namespace steward::retention
