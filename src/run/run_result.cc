// What runs come to: their results as documents, and what the tasks' results add up to.

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/runner.h"

namespace steward {
using nlohmann::json;

json to_json(const TaskResult& result) {
  std::vector<std::string> notes;
  for (const std::string& note : result.notes) notes.push_back(printable(note));
  json error = nullptr;
  if (result.error) error = to_json(*result.error);
  if (result.error && !result.error->code.empty()) error["page"] = page_of(*result.error);
  json document = {{"task", result.task},
                   {"status", result.status},
                   {"needs", result.needs},
                   {"planned", to_json(result.planned)},
                   {"done", to_json(result.done)},
                   {"skipped", to_json(result.skipped)},
                   {"notes", notes},
                   {"error", std::move(error)}};
  if (result.took) document["seconds"] = static_cast<double>(result.took->count() / 1'000) / 1e3;
  return document;
}

namespace {

std::optional<std::chrono::microseconds> took_from(const json& document) {
  const auto seconds = document.find("seconds");
  if (seconds == document.end() || !seconds->is_number()) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::duration<double>(seconds->get<double>()));
}

}  // namespace

TaskResult task_result_from(const json& document) {
  TaskResult result;
  if (!document.is_object()) return result;
  result.task = document.value("task", "");
  result.status = document.value("status", "");
  result.needs = document.value("needs", std::vector<std::string>{});
  result.planned = amount_from_json(document.value("planned", json::object()));
  result.done = amount_from_json(document.value("done", json::object()));
  result.skipped = skips_from_json(document.value("skipped", json::array()));
  result.notes = document.value("notes", std::vector<std::string>{});
  if (const auto error = document.find("error"); error != document.end() && error->is_object())
    result.error = error_from_json(*error);
  result.took = took_from(document);
  return result;
}

json to_json(const RunResult& result) {
  json tasks = json::array();
  for (const TaskResult& task : result.tasks) tasks.push_back(to_json(task));
  return {{"run", result.id},
          {"job", result.job},
          {"status", ledger::name_of(result.status)},
          {"plan", result.plan_digest},
          {"tasks", std::move(tasks)}};
}

Verdict verdict_of(const std::vector<TaskResult>& tasks) {
  std::size_t succeeded = 0, failed = 0, refused = 0, cancelled = 0, waiting = 0;
  for (const TaskResult& task : tasks) {
    succeeded += task.status == "succeeded";
    failed += task.status == "failed";
    refused += task.status == "refused";
    cancelled += task.status == "cancelled";
    waiting += task.status == "waiting";
  }
  if (cancelled > 0) return {ledger::Status::cancelled, 1};
  if (failed + refused + succeeded == 0 && waiting > 0) return {ledger::Status::refused, 3};
  if (failed + refused == 0) return {ledger::Status::succeeded, 0};
  if (succeeded > 0) return {ledger::Status::partial, 4};
  if (failed == 0) return {ledger::Status::refused, 3};
  return {ledger::Status::failed, 1};
}

}  // namespace steward
