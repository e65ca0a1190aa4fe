/// What the next runs would do, for the overview: each job's plan, made by a process of its own, at most once an hour
/// and only while somebody looks. To look at production every hour for nobody would cost it something for nothing.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/api/operations.h"
#include "core/instant.h"
#include "core/result.h"

namespace steward::api {

class Tonight {
 public:
  /// Both outlive it.
  Tonight(const Clock& clock, const Operations& operations);
  ~Tonight();
  Tonight(const Tonight&) = delete;
  Tonight& operator=(const Tonight&) = delete;

  struct Plan {
    Instant made{};
    Result<std::shared_ptr<const nlohmann::json>> document;  ///< As `steward plan JOB --json`, or why there is none.
  };
  /// The job's last plan. Where it is older than an hour (a minute, if it failed), or from before `changed` (its last
  /// run), or there is none, another is begun.
  std::optional<Plan> plan(const std::string& job, std::optional<Instant> changed);
  /// Whether one is being made, or about to be.
  bool is_making(const std::string& job) const;

 private:
  void work(const std::stop_token& stop);

  const Clock& clock_;
  const Operations& operations_;
  mutable std::mutex mutex_{};
  std::condition_variable_any changed_{};
  std::deque<std::string> wanted_{};  ///< The first is being made.
  std::map<std::string, Plan> plans_{};
  std::jthread worker_{};
};

}  // namespace steward::api
