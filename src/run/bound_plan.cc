#include "run/bound_plan.h"

#include <nlohmann/json.hpp>

namespace steward {

std::string bound_text(const Plan& plan) {
  nlohmann::json document = to_json(plan);
  document["bound"] = true;
  return document.dump();
}

bool is_bound(std::string_view plan_text) {
  const auto document = nlohmann::json::parse(plan_text, nullptr, false);
  return document.is_object() && document.contains("bound") && document["bound"] == true;
}

void keep_bound(const ledger::Run& before, ledger::Run& retry) {
  if (!is_bound(before.plan)) return;
  retry.plan = before.plan;
  retry.plan_digest = before.plan_digest;
}

}  // namespace steward
