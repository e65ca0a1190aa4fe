#include "app/api/tonight.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "run/plan.h"

namespace steward::api {
namespace {

constexpr std::chrono::hours good_for{1};
/// What hindered a look, as a database that does not answer, may soon be over.
constexpr std::chrono::minutes tried_again_after{1};
/// A look at a table of a terabyte takes its time; what takes longer than this is no look.
constexpr std::chrono::minutes longest{10};

}  // namespace

Tonight::Tonight(const Clock& clock, const Operations& operations) : clock_(clock), operations_(operations) {}

Tonight::~Tonight() {
  worker_.request_stop();
  if (worker_.joinable()) worker_.join();
}

std::optional<Tonight::Plan> Tonight::plan(const std::string& job, std::optional<Instant> changed) {
  const std::lock_guard lock(mutex_);
  const auto found = plans_.find(job);
  bool is_good = false;
  if (found != plans_.end()) {
    const Plan& known = found->second;
    const std::chrono::minutes longest_good = known.document ? std::chrono::minutes(good_for) : tried_again_after;
    is_good = clock_.now() - known.made < longest_good && (!changed || *changed < known.made);
  }
  if (!is_good && std::ranges::find(wanted_, job) == wanted_.end()) {
    wanted_.push_back(job);
    if (!worker_.joinable()) worker_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
    changed_.notify_one();
  }
  return found == plans_.end() ? std::nullopt : std::optional(found->second);
}

bool Tonight::is_making(const std::string& job) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::find(wanted_, job) != wanted_.end();
}

void Tonight::work(const std::stop_token& stop) {
  while (true) {
    std::string job;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !wanted_.empty(); })) return;
      job = wanted_.front();
    }
    const Instant made = clock_.now();
    const auto text = operations_.output_of({"plan", job, "--discard"}, "steward serve",
                                            {.longest = longest, .nice = 10, .stop = stop});
    Plan plan{.made = made, .document = fail(Kind::unavailable, "the plan cannot be read")};
    if (!text) {
      plan.document = std::unexpected(text.error());
    } else if (nlohmann::json document = nlohmann::json::parse(*text, nullptr, false); document.is_object()) {
      if (document.contains("error"))
        plan.document = std::unexpected(error_from_json(document["error"]));
      else
        plan.document = std::make_shared<const nlohmann::json>(std::move(document));
    }
    const std::lock_guard lock(mutex_);
    plans_.insert_or_assign(job, std::move(plan));
    wanted_.pop_front();
  }
}

}  // namespace steward::api
