#include "jobs/backup/locked_objects.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/text.h"
#include "io/object/object_lock.h"

namespace steward::backup {
namespace {

Result<bool> is_locked(object::ObjectLocks& locks, const std::string& key, Instant until) {
  const std::optional<Instant> end = TRY(locks.until(key));
  // S3 has whole seconds.
  return end && *end >= std::chrono::floor<std::chrono::seconds>(until);
}

}  // namespace

LockLook look_at_locks(const object::StoreTarget& store, const std::vector<std::string>& keys, Instant until) {
  auto locks = object::ObjectLocks::of(store);
  if (!locks) return {.lost = locks.error()};
  for (const std::string& key : keys) {
    auto locked = is_locked(*locks, key, until);
    if (!locked) return {.not_seen = locked.error()};
    if (*locked) continue;
    if (const auto set = locks->set(key, until); !set) return {.lost = set.error()};
    locked = is_locked(*locks, key, until);
    if (!locked) return {.not_seen = locked.error()};
    if (!*locked)
      return {.lost =
                  Error{.kind = Kind::unavailable,
                        .message = fmt::format("the store takes a lock of {} and does not keep it", printable(key))}};
  }
  return {};
}

namespace {

std::optional<Error> look(const object::StoreTarget& store, const std::vector<std::string>& keys, Manifest& manifest,
                          RunContext& run) {
  LockLook found = look_at_locks(store, keys, *manifest.locked_until);
  if (found.lost) manifest.locked_until.reset();
  if (found.not_seen)
    run.note(Level::warning, fmt::format("nobody has seen whether the store keeps {} locked, for which a key needs "
                                         "s3:GetObjectRetention: {}",
                                         manifest.id(), found.not_seen->message));
  return std::move(found.lost);
}

Result<void> write(object::Store& store, const Manifest& manifest, bool replace) {
  const std::string text = to_json(manifest).dump(2) + '\n';
  StringSource source(text);
  TRY(store.put(manifest.key_of(manifest_key), source,
                {.only_if_absent = !replace, .size = Bytes{text.size()}, .locked_until = manifest.locked_until}));
  return {};
}

}  // namespace

std::optional<Error> claim_lock(const object::StoreTarget& store, Manifest& manifest, RunContext& run) {
  std::vector<std::string> keys;
  for (const StoredObject& object : manifest.objects) keys.push_back(manifest.key_of(object.key));
  return look(store, keys, manifest, run);
}

Result<std::optional<Error>> seal(object::Store& store, const object::StoreTarget& target, Manifest& manifest,
                                  RunContext& run, bool replace) {
  TRY(write(store, manifest, replace));
  if (!manifest.locked_until) return std::nullopt;
  std::optional<Error> lost = look(target, {manifest.key_of(manifest_key)}, manifest, run);
  if (lost) TRY(write(store, manifest, /*replace=*/true));
  return lost;
}

Error not_locked(const Manifest& manifest, const Error& lost) {
  return {.kind = Kind::unavailable,
          .message = fmt::format("backup {} is whole, but not locked: {}", manifest.id(), lost.message),
          .hint =
              "Who has a key that may delete can remove it. Use a store that keeps object locks also of what goes "
              "up in parts, give the key s3:PutObjectRetention, or leave object_lock out."};
}

}  // namespace steward::backup
