/// S3's object lock, of single objects: until when nobody can remove or replace one, with whatever key (compliance
/// mode). `put` asks for it (store.h); here is what has come of it, which servers differ in: Ceph's RGW 16 takes the
/// lock of an upload in parts and forgets it.
///
///   ObjectLocks locks = TRY(ObjectLocks::of({.url = "s3://backups"}));
///   TRY(locks.until("app/manifest.json"))      2026-12-30T00:00:00Z; nothing where nothing locks it
///
/// Errors  - bad_input: the store is no S3. permission: the key may not ask (s3:GetObjectRetention), or set
///           (s3:PutObjectRetention). As Store's.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/s3_client.h"
#include "io/object/store.h"

namespace steward::object {

class ObjectLocks {
 public:
  static Result<ObjectLocks> of(const StoreTarget& target, S3Tuning tuning = {});

  /// Governance mode is none: who may bypass it can remove the object.
  Result<std::optional<Instant>> until(std::string_view key);
  /// Sets it, or makes it longer.
  Result<void> set(std::string_view key, Instant until);

 private:
  ObjectLocks(const StoreTarget& target, S3Address address, S3Tuning tuning);
  S3Call call(std::string_view verb, std::string_view key) const;

  std::unique_ptr<S3Client> client_;
};

}  // namespace steward::object
