/// What a plan says of old objects: the same whatever order they come in, as a listing by ranges gives them in none.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "jobs/retention/old_objects.h"
#include "run/plan.h"

namespace steward::retention {

class ObjectSurvey {
 public:
  void add(const OldObject& one);
  /// Planned, oldest, newest, samples and skipped.
  void tell(Step& step) const;

  /// Of what is planned, current versions and delete markers.
  const Amount& current() const { return current_; }
  std::uint64_t markers() const { return markers_; }

 private:
  struct Kept {
    std::uint64_t items = 0;
    std::set<std::string> examples{};
  };
  Amount planned_{.bytes = Bytes{}}, current_{.bytes = Bytes{}};
  std::uint64_t markers_ = 0;
  std::optional<Instant> oldest_{}, newest_{};
  std::set<std::tuple<Instant, std::string, std::uint64_t>> samples_{};  ///< The oldest: since, name, bytes.
  std::map<std::string, Kept> kept_{};
};

}  // namespace steward::retention
