#include "run/questions.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"

namespace steward {
using nlohmann::json;

Question question_of(const Step& step, bool required, bool unattended, const Step* before) {
  Question out{.task = step.task};
  if (step.readiness != Readiness::ready) return out;
  const bool is_brake = step.brake && step.brake->code.starts_with("brake-");
  if (step.brake && !is_brake) return out;
  // Where there is nothing to do, doing it needs nobody; a policy is another one all the same.
  out.required = required && step.planned.items > 0;
  if (!unattended) return out;
  if (is_brake) out.brake = step.brake;
  if (before != nullptr) out.changes = policy_changes(*before, step);
  return out;
}

json to_json(const Question& question) {
  json changes = json::array();
  for (const PolicyChange& change : question.changes)
    changes.push_back({{"what", change.what}, {"before", change.before}, {"now", change.now}});
  return {{"task", question.task},
          {"required", question.required},
          {"brake", question.brake ? to_json(*question.brake) : json(nullptr)},
          {"changes", std::move(changes)}};
}

std::vector<Question> questions_from_json(const json& document) {
  std::vector<Question> out;
  if (!document.is_array()) return out;
  for (const json& entry : document) {
    if (!entry.is_object()) continue;
    Question question{.task = entry.value("task", ""), .required = entry.value("required", false)};
    if (const auto brake = entry.find("brake"); brake != entry.end() && brake->is_object())
      question.brake = error_from_json(*brake);
    for (const json& change : entry.value("changes", json::array()))
      if (change.is_object())
        question.changes.push_back(
            {.what = change.value("what", ""), .before = change.value("before", ""), .now = change.value("now", "")});
    out.push_back(std::move(question));
  }
  return out;
}

std::vector<std::string> reasons_of(const Question& question) {
  std::vector<std::string> out;
  if (question.required) out.emplace_back("the configuration requires an approval");
  if (question.brake) out.push_back(printable(question.brake->message));
  for (const PolicyChange& change : question.changes)
    out.push_back(
        fmt::format("{} has changed: {} -> {}", change.what, printable(change.before), printable(change.now)));
  return out;
}

}  // namespace steward
