#include "run/habits.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "run/runner.h"

namespace steward {
namespace {

template <class T>
T median(std::vector<T> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

const Skip* find(const std::vector<Skip>& skips, const std::string& reason) {
  const auto found = std::ranges::find(skips, reason, &Skip::reason);
  return found == skips.end() ? nullptr : &*found;
}

}  // namespace

std::optional<Amount> usual(std::span<const ledger::PastTask> past) {
  std::vector<std::uint64_t> items, bytes;
  for (const ledger::PastTask& one : past) {
    if (one.record.status != "succeeded") continue;
    if (items.size() == runs_for_usual) break;
    const Amount done = task_result_from(nlohmann::json::parse(one.record.detail, nullptr, false)).done;
    items.push_back(done.items);
    if (done.bytes) bytes.push_back(done.bytes->count);
  }
  if (items.empty()) return std::nullopt;
  Amount out{.items = median(std::move(items))};
  if (!bytes.empty()) out.bytes = Bytes{median(std::move(bytes))};
  return out;
}

std::vector<Staying> staying(std::span<const ledger::PastTask> past) {
  std::vector<Staying> out;
  std::vector<std::string> open;  // reasons whose row has not ended
  bool is_newest = true;
  for (const ledger::PastTask& one : past) {
    const TaskResult result = task_result_from(nlohmann::json::parse(one.record.detail, nullptr, false));
    const bool came_to_nothing = result.error && result.skipped.empty() && result.planned.items == 0;
    if (came_to_nothing) continue;
    if (is_newest)
      for (const Skip& skip : result.skipped) {
        out.push_back({.skip = skip});
        open.push_back(skip.reason);
      }
    is_newest = false;
    std::erase_if(open, [&](const std::string& reason) { return find(result.skipped, reason) == nullptr; });
    for (Staying& each : out)
      if (std::ranges::find(open, each.skip.reason) != open.end()) {
        ++each.runs;
        each.since = one.started;
      }
    if (open.empty()) break;
  }
  std::erase_if(out, [](const Staying& each) { return each.runs < runs_for_staying; });
  return out;
}

}  // namespace steward
