#include "jobs/retention/object_survey.h"

#include <iterator>
#include <utility>

#include "core/text.h"

namespace steward::retention {
namespace {

constexpr std::size_t examples_kept = 5, samples_kept = 3;

template <class T>
void keep_first(std::set<T>& all, T one, std::size_t most) {
  if (all.size() == most && !(one < *all.rbegin())) return;
  all.insert(std::move(one));
  if (all.size() > most) all.erase(std::prev(all.end()));
}

std::string name_of(const OldObject& one) {
  const std::string version = one.removal().version_id;
  return printable(one.object.key) + (version.empty() ? "" : " version " + printable(version));
}

}  // namespace

void ObjectSurvey::add(const OldObject& one) {
  if (!one.reason.empty()) {
    Kept& kept = kept_[one.reason];
    ++kept.items;
    keep_first(kept.examples, one.object.key, examples_kept);
    return;
  }
  planned_.add(1, one.object.size);
  if (one.as == OldObject::As::current) current_.add(1, one.object.size);
  if (one.as == OldObject::As::marker || one.hides) ++markers_;
  if (!oldest_ || one.since < *oldest_) oldest_ = one.since;
  if (!newest_ || one.since > *newest_) newest_ = one.since;
  keep_first(samples_, {one.since, name_of(one), one.object.size.count}, samples_kept);
}

void ObjectSurvey::tell(Step& step) const {
  step.planned = planned_;
  step.oldest = oldest_;
  step.newest = newest_;
  for (const auto& [since, name, size] : samples_)
    step.samples.push_back({.item = name, .at = since, .size = Bytes{size}});
  Skips skips;
  for (const auto& [reason, kept] : kept_) {
    for (const std::string& example : kept.examples) skips.add(reason, example);
    if (kept.items > kept.examples.size()) skips.add(reason, "", kept.items - kept.examples.size());
  }
  step.skipped = skips.list();
}

}  // namespace steward::retention
