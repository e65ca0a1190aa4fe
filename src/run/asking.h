/// How one run asks for approvals, and how it goes on once it has one.
///
///   a run of its own:   waits(step) for each step … then ask(), and its process ends
///   an approved run:    load() gives the plan that was approved; its steps alone are planned again and carried out
///
/// Promises  - A task that another run of the job waits for is not asked for a second time.
///           - What is carried out is what was approved: the plan is checked against the digest of the approval.
///           - A step that would do more than was approved is refused, and asked for anew, as a run that waits.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "run/ledger/approvals.h"
#include "run/questions.h"
#include "run/runner.h"

namespace steward {

/// The plan that is asked for: of the run's whole plan, the steps that wait. An error where the run has none any more.
Result<Plan> asked_plan(const ledger::Approval& approval, const ledger::Run& run);
/// Whether nobody else could approve: of the users that there are, one alone may.
Result<bool> has_one_approver(ledger::Ledger& ledger);

/// What is to be asked of a step of the job (run/questions.h), looking at the one by which its task was last carried
/// out.
Result<Question> question_for(ledger::Ledger& ledger, std::string_view job, const Step& step, bool required,
                              bool unattended);

class Asking {
 public:
  Asking(ledger::Ledger& ledger, const Clock& clock, const RunSettings& settings);

  /// For a run that has been taken over: reads its approval, if it was asked for one, and what it did before it asked.
  Result<void> load(std::string_view run);
  /// The plan that was approved, those of its steps that waited; none where nothing was asked.
  const std::optional<Plan>& approved() const { return approved_; }
  std::string digest() const { return approval_ ? approval_->digest : std::string{}; }
  /// Whether this run may carry out the task at all: an approved run carries out what was asked for.
  bool has_part(std::string_view task) const;
  /// What became of its other tasks before it asked.
  const std::vector<TaskResult>& earlier() const { return earlier_; }

  /// Whether the step waits for a person. Then `result` says so and why.
  Result<bool> waits(const Job& job, const Step& step, bool task_asks, TaskResult& result);
  bool has_questions() const { return !questions_.empty(); }
  /// Enters the questions; the run waits from then on. False where it is cancelled.
  Result<bool> ask(const ledger::Run& run, const std::string& digest);
  /// Asks again for those steps of `fresh` that were refused because they would have done more than was approved: a run
  /// that waits is entered, and its id given.
  Result<std::optional<std::string>> ask_anew(const ledger::Run& run, const Plan& fresh,
                                              const std::vector<TaskResult>& results);

 private:
  Result<std::optional<std::string>> asked_by_another(const Job& job, std::string_view task);
  ledger::Approval question(const ledger::Run& run, std::string digest, const std::vector<Question>& questions) const;

  ledger::Ledger& ledger_;
  const Clock& clock_;
  const RunSettings& settings_;
  std::optional<ledger::Approval> approval_{};
  std::optional<Plan> approved_{};
  std::vector<TaskResult> earlier_{};
  std::vector<Question> questions_{};
};

}  // namespace steward
