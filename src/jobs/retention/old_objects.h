/// The old objects of a bucket, and old versions of objects: which they are, and which of them may go. The plan and the
/// run of `expire_objects` use the same.
///
///   current      an object that was not modified since the cutoff
///   noncurrent   a version that another one, or a delete marker, had taken the place of before the cutoff
///   marker       a delete marker that hides nothing any more and is older than the cutoff
#pragma once
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/object/store.h"
#include "jobs/retention/needs.h"
#include "jobs/retention/retention.h"
#include "run/holds.h"

namespace steward::retention {

/// "s3://bucket" + "/" + key, from the bucket's root: as rows name objects, and as holds and steward's own places are
/// compared.
class Addresses {
 public:
  explicit Addresses(const object::Store& store) : prefix_(store.shown() + '/') {}
  std::string of(std::string_view key) const { return prefix_ + std::string(key); }

 private:
  std::string prefix_;
};

struct OldObject {
  enum class As { current, noncurrent, marker } as = As::current;
  object::ObjectInfo object{};
  bool hides = false;  ///< Of a noncurrent one: it is a delete marker.
  Instant since{};     ///< What its age is counted from: LastModified, or that of what took its place.
  std::string address{};
  std::string reason{};  ///< Why it stays; empty: it goes.

  object::Removal removal() const;
};

/// Finds old versions in a listing that gives those of one key together, the newest first. Pure but for its memory of
/// what came before.
class OldVersions {
 public:
  OldVersions(Versions which, Instant cutoff) : which_(which), cutoff_(cutoff) {}
  /// What the next entry of the listing makes known: of the one before it, of itself.
  std::vector<OldObject> next(const object::ObjectVersion& version);
  /// And what its end does.
  std::vector<OldObject> end();

 private:
  Versions which_;
  Instant cutoff_;
  std::optional<object::ObjectVersion> newer_{};   ///< The one before.
  std::optional<object::ObjectVersion> lonely_{};  ///< A marker behind which nothing has come yet.
};

/// Goes over a bucket's old objects in batches, and says of each whether it may go.
class OldObjects {
 public:
  /// `versioning`: what the store says; where it never had versions, nothing is noncurrent. `keys`: of these alone,
  /// which is for current objects.
  OldObjects(object::Store& store, Versions which, object::Versioning versioning, const OutOfReach& out_of_reach,
             Needs& needs, Instant cutoff, object::KeyRange keys = {});

  /// In no promised order. `holds` is asked for each batch; `take` returns false to stop. `begin_anew`: the server
  /// lists in an order of its own, and what was given so far may come again.
  Result<void> go_over(const std::function<Result<Holds>()>& holds,
                       const std::function<Result<bool>(std::vector<OldObject>&)>& take,
                       const std::function<Result<void>()>& begin_anew);

  /// All that was listed: objects, or versions and delete markers.
  std::uint64_t seen() const { return seen_; }
  /// Whether the keys came in the order of their bytes, page by page.
  bool in_order() const { return in_order_; }

 private:
  using Take = std::function<Result<bool>(OldObject)>;
  Result<void> list_current(const Take& take, const std::function<Result<void>()>& begin_anew);
  Result<void> list_versions(const Take& take);
  Result<void> judge(std::vector<OldObject>& batch, const Holds& holds);
  Result<std::set<std::string>> needs(const std::vector<OldObject>& batch);
  bool is_folder() const { return store_.shown().starts_with("file://"); }
  std::string path_or_address(const std::string& address) const { return is_folder() ? address.substr(7) : address; }

  object::Store& store_;
  Versions which_;
  const OutOfReach& out_of_reach_;
  Needs& needs_;
  Instant cutoff_;
  Addresses addresses_;
  object::KeyRange keys_;
  std::uint64_t seen_ = 0;
  bool in_order_ = true;
};

constexpr std::size_t objects_in_batch = 1'000;  ///< What DeleteObjects takes.

}  // namespace steward::retention
