#include "jobs/retention/old_objects.h"

#include <algorithm>
#include <utility>

#include "run/store_lease.h"

namespace steward::retention {
namespace {

/// What a run puts into the bucket for its own sake: no item, and no part of the population. One that was killed may
/// have left such an object.
bool is_lock_or_probe(std::string_view key) {
  return key.starts_with(lease_prefix) || key.starts_with(".steward-probe-");
}

}  // namespace

object::Removal OldObject::removal() const {
  if (as == As::current) return {.key = object.key, .etag = object.etag, .listed = object.listed};
  // A marker, on its own or between versions, has no bytes that could be lost, and need not be looked at again.
  return {.key = object.key, .version_id = object.version_id, .noncurrent = as == As::noncurrent && !hides};
}

std::vector<OldObject> OldVersions::next(const object::ObjectVersion& version) {
  std::vector<OldObject> found;
  const std::string& key = version.object.key;
  if (lonely_ && lonely_->object.key == key) lonely_.reset();
  if (lonely_) found = end();
  const std::optional<object::ObjectVersion> newer = std::exchange(newer_, version);
  if (version.latest) {
    if (version.marker)
      lonely_ = version;
    else if (which_ == Versions::all && version.object.modified < cutoff_)
      found.push_back({.object = version.object, .since = version.object.modified});
    return found;
  }
  // What took its place is not there: nobody can say since when it is not current. It stays.
  if (!newer || newer->object.key != key) return found;
  const Instant since = std::max(newer->object.modified, version.object.modified);
  if (since < cutoff_)
    found.push_back(
        {.as = OldObject::As::noncurrent, .object = version.object, .hides = version.marker, .since = since});
  return found;
}

std::vector<OldObject> OldVersions::end() {
  const auto lonely = std::exchange(lonely_, std::nullopt);
  if (!lonely || lonely->object.modified >= cutoff_) return {};
  return {{.as = OldObject::As::marker, .object = lonely->object, .since = lonely->object.modified}};
}

OldObjects::OldObjects(object::Store& store, Versions which, object::Versioning versioning,
                       const OutOfReach& out_of_reach, Needs& needs, Instant cutoff, object::KeyRange keys)
    : store_(store),
      // A bucket without versions lists its objects as the latest versions of themselves, but not every server does.
      which_(which == Versions::all && versioning == object::Versioning::never ? Versions::current : which),
      out_of_reach_(out_of_reach),
      needs_(needs),
      cutoff_(cutoff),
      addresses_(store),
      keys_(std::move(keys)) {}

Result<void> OldObjects::list_current(const Take& take, const std::function<Result<void>()>& begin_anew) {
  object::ObjectInfo before;
  const auto look_at = [&](const object::ObjectInfo& info) -> Result<bool> {
    // Pages come in no order; the objects of one have all the same moment.
    if (info.listed && info.listed == before.listed && info.key < before.key) in_order_ = false;
    before = {.key = info.key, .listed = info.listed};
    if (is_lock_or_probe(info.key) || !keys_.has(info.key)) return true;
    ++seen_;
    return info.modified >= cutoff_ ? Result<bool>(true) : take({.object = info, .since = info.modified});
  };
  if (TRY(store_.list_by_ranges("", keys_, look_at)) != object::Ranged::unordered) return {};
  seen_ = 0;
  in_order_ = false;
  TRY(begin_anew());
  return store_.list("", look_at);
}

Result<void> OldObjects::list_versions(const Take& take) {
  OldVersions old(which_, cutoff_);
  const auto take_all = [&](std::vector<OldObject> found) -> Result<bool> {
    for (OldObject& one : found)
      if (!TRY(take(std::move(one)))) return false;
    return true;
  };
  bool stopped = false;
  TRY(store_.list_versions("", [&](const object::ObjectVersion& version) -> Result<bool> {
    if (is_lock_or_probe(version.object.key)) return true;
    ++seen_;
    stopped = !TRY(take_all(old.next(version)));
    return !stopped;
  }));
  if (!stopped) TRY(take_all(old.end()));
  return {};
}

Result<void> OldObjects::go_over(const std::function<Result<Holds>()>& holds,
                                 const std::function<Result<bool>(std::vector<OldObject>&)>& take,
                                 const std::function<Result<void>()>& begin_anew) {
  std::vector<OldObject> batch;
  bool stopped = false;
  const auto pass_on = [&]() -> Result<bool> {
    if (batch.empty()) return true;
    const Holds now = TRY(holds());
    TRY(judge(batch, now));
    stopped = !TRY(take(batch));
    batch.clear();
    return !stopped;
  };
  const auto gather = [&](OldObject one) -> Result<bool> {
    batch.push_back(std::move(one));
    return batch.size() < objects_in_batch ? Result<bool>(true) : pass_on();
  };
  if (which_ == Versions::current)
    TRY(list_current(gather, [&]() -> Result<void> {
      batch.clear();
      return begin_anew();
    }));
  else
    TRY(list_versions(gather));
  if (!stopped) TRY(pass_on());
  return {};
}

/// Of all versions of a key the same is true: the row, the person or the archive means the key.
Result<void> OldObjects::judge(std::vector<OldObject>& batch, const Holds& holds) {
  for (OldObject& one : batch) one.address = addresses_.of(one.object.key);
  const std::set<std::string> needed = TRY(needs(batch));
  for (OldObject& one : batch) {
    const std::string name = path_or_address(one.address);
    if (object_belongs_to_steward(out_of_reach_, one.address) ||
        (is_folder() && belongs_to_steward(out_of_reach_, name)))
      one.reason = "belongs to steward";
    else if (holds.covers_object(store_.shown(), one.object.key) || (is_folder() && holds.covers_file(name)))
      one.reason = "held";
    else if (needed.contains(name))
      one.reason = "a row needs it";
  }
  return {};
}

/// A directory that stands for a bucket holds files: rows and holds name them by path.
Result<std::set<std::string>> OldObjects::needs(const std::vector<OldObject>& batch) {
  std::vector<std::string> names;
  for (const OldObject& one : batch) names.push_back(path_or_address(one.address));
  return is_folder() ? needs_.files(names) : needs_.objects(names);
}

}  // namespace steward::retention
