/// What runs have asked people for, and what they were told. Kept for good.
///
///   running --ask--> waiting --approve--> queued --take_over--> running: the approval is used
///                       |------reject / expire / cancel-------> ended, nothing done
///
/// Promises  - A run that waits has no process: all that its execution needs is in the ledger.
///           - Of an approval's states one follows the other in one conditional update: it is given once, used once,
///           and
///             not given after its end, whoever is at work at the same moment.
///           - It is for one plan: who shows the digest of another is refused.
///           - Each step has its line in the audit trail.
/// Threads   Any, as with the ledger.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "run/ledger/ledger.h"

namespace steward::ledger {

/// How a question stands. `withdrawn`: its run was cancelled.
enum class Answer { waiting, approved, used, rejected, expired, withdrawn };
std::string_view name_of(Answer answer);

struct Approval {
  std::string run{};
  std::string job{};
  std::string digest{};              ///< Of the plan that is asked for.
  std::vector<std::string> tasks{};  ///< Those that wait; others of the run have ended.
  std::string reasons{};             ///< JSON: why it is asked, run/questions.h.
  Instant asked{};
  std::string asked_by{};  ///< Who has started the run: a person, or "schedule".
  Instant expires{};
  bool four_eyes = false;             ///< Somebody else than `asked_by` has to answer.
  bool again = false;                 ///< Its run is there because an earlier question has expired.
  std::optional<Instant> reminded{};  ///< The last time.
  Answer state = Answer::waiting;
  std::optional<Instant> decided{};
  std::string decided_by{};
  std::string decision{};    ///< The reason that was given.
  bool break_glass = false;  ///< Approved against the rule of four eyes, by an administrator.
  std::optional<Instant> used{};
};

/// A person's answer.
struct Decision {
  std::string run{};
  std::string digest{};  ///< Of the plan that was looked at, or a beginning of it of 8 digits or more.
  std::string who{};
  std::string reason{};
  Instant at{};
  bool break_glass = false;
  bool alone = false;  ///< There is no other approver: the rule of four eyes is off, and the trail says so.
};

struct ApprovalFilter {
  std::string job{};    ///< Empty: all.
  bool waiting = true;  ///< Only those that nobody has answered yet.
  std::size_t limit = 200;
};

class Approvals {
 public:
  virtual ~Approvals() = default;

  /// The running run stops here and waits. False, and nothing is entered, where it is not running any more, or a cancel
  /// was asked for.
  virtual Result<bool> ask(const Approval& approval) = 0;
  /// Enters a run that begins as one that waits: another run's plan was outdated when it was carried out.
  virtual Result<void> ask_anew(const Run& run, const Approval& approval) = 0;

  /// Newest first.
  virtual Result<std::vector<Approval>> approvals(const ApprovalFilter& filter) = 0;
  /// The question of a run, by its id or a beginning that fits one run. not_found where it has none.
  virtual Result<Approval> approval(std::string_view run) = 0;

  /// The run is queued, with its plan. not_found; refused: "approval-decided", "approval-expired", "approval-digest",
  /// "four-eyes".
  virtual Result<void> approve(const Decision& decision) = 0;
  /// The run ends as refused, with the reason. Errors as `approve`; no digest is needed.
  virtual Result<void> reject(const Decision& decision) = 0;
  /// Ends those whose time is over. Of each that was not itself asked again, a fresh run is queued, which asks once
  /// more. What has expired.
  virtual Result<std::vector<Approval>> expire(Instant now) = 0;
  /// Those that have waited a day since they were asked or last reminded of; they count as reminded from now on.
  virtual Result<std::vector<Approval>> remind(Instant now) = 0;
};

}  // namespace steward::ledger
