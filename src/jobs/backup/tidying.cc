#include "jobs/backup/tidying.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "jobs/backup/manifest.h"

namespace steward::backup {
namespace {

/// What a run that failed has left is not taken for one that goes on.
constexpr std::chrono::hours debris_after{24};

}  // namespace

Result<void> tidy(object::Store& store, std::string_view name, RunContext& run) {
  const Instant before = run.clock().now() - debris_after;
  std::uint64_t removed = 0;
  for (const object::ObjectInfo& one : TRY(debris(store, name, before))) {
    TRY(run.checkpoint("tidying"));
    if (store.remove({.key = one.key, .etag = one.etag})) ++removed;
  }
  if (removed > 0)
    run.note(Level::info, fmt::format("removed {} objects of a backup that was never finished", removed));
  // Of a run that was killed while it asked what the store can do (io/object/store.h, features).
  TRY(store.list(".steward-probe-", [&](const object::ObjectInfo& one) -> Result<bool> {
    if (one.modified < before) (void)store.remove({.key = one.key, .etag = one.etag});
    return true;
  }));
  const auto listed = store.list_uploads([&](const object::Upload& upload) -> Result<bool> {
    if (upload.key.starts_with(std::string(name) + '/') && upload.begun < before) (void)store.abort_upload(upload);
    return true;
  });
  if (!listed && listed.error().kind != Kind::permission) return listed;
  return {};
}

}  // namespace steward::backup
