/// What a run has to ask people for before it does it. Pure rules; who keeps the answers is run/ledger/approvals.h.
#pragma once
#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "run/plan.h"

namespace steward {

/// When the runs of a job ask.
struct ApprovalRule {
  bool required = false;                                     ///< Always.
  std::chrono::seconds expires_in{std::chrono::hours{168}};  ///< Of a question, from when it is asked.
  bool four_eyes = false;                                    ///< Who has started a run cannot approve it.
};

/// Why a step waits for a person.
struct Question {
  std::string task{};
  bool required = false;                ///< The configuration says so.
  std::optional<Error> brake{};         ///< It has tripped a brake.
  std::vector<PolicyChange> changes{};  ///< Since the task was last carried out.
  bool any() const { return required || brake || !changes.empty(); }
};

/// What is to be asked of `step`; nothing of one that was not planned, or that is refused for what nobody can approve
/// (a freeze, a wrong clock). `unattended`: nobody has seen the plan, as in a scheduled run; then brakes and changes
/// are asked for too. `before`: the step that the task was last carried out by.
Question question_of(const Step& step, bool required, bool unattended, const Step* before);

/// For the ledger and --json.
nlohmann::json to_json(const Question& question);
std::vector<Question> questions_from_json(const nlohmann::json& document);
/// One line for each reason, for people: "required by the configuration", "age: 30 days -> 7 days".
std::vector<std::string> reasons_of(const Question& question);

}  // namespace steward
