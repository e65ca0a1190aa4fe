// approvals: what waits for a person's verdict, and that verdict

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/text.h"
#include "run/asking.h"
#include "run/ledger/approvals.h"
#include "run/questions.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::string second_of(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

std::vector<Question> questions_of(const ledger::Approval& approval) {
  return questions_from_json(json::parse(approval.reasons, nullptr, false));
}

std::string state_text(const ledger::Approval& approval, Instant now) {
  if (approval.state == ledger::Answer::waiting && approval.expires <= now) return "expired";
  if (approval.decided_by.empty()) return std::string(ledger::name_of(approval.state));
  return fmt::format("{} by {}{}", ledger::name_of(approval.state), printable(approval.decided_by),
                     approval.break_glass ? " (break-glass)" : "");
}

/// Those whose reason is asked for: what the next person reads.
Result<void> check_reason(const std::string& reason, std::string_view what) {
  if (!trim(reason).empty()) return {};
  return fail(Kind::bad_input, fmt::format("{} needs a reason", what),
              "Add --reason \"the table was imported twice\": it is kept for good.");
}

}  // namespace

Result<int> approvals_list_command(const Output& output, const ApprovalsCommand& command) {
  const Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"RUN", "JOB", "TASKS", "ASKED", "BY", "EXPIRES", "STATE"}};
  for (const ledger::Approval& approval :
       TRY(session.ledger->approvals().approvals({.job = command.job, .waiting = !command.all}))) {
    list.push_back(document_of(approval));
    rows.push_back({approval.run, approval.job, join_and(approval.tasks), when_text(approval.asked, now),
                    printable(approval.asked_by), when_text(approval.expires, now), state_text(approval, now)});
  }
  if (output.json)
    print_json({{"approvals", list}});
  else
    print(rows.size() == 1 ? "Nothing waits for an approval.\n" : table(rows));
  return 0;
}

Result<int> approvals_show_command(const Output& output, const ApprovalsCommand& command) {
  const Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  const ledger::Approval approval = TRY(session.ledger->approvals().approval(command.run));
  const ledger::Run run = TRY(session.ledger->run(approval.run));
  auto plan = asked_plan(approval, run);
  if (output.json) {
    json document = document_of(approval);
    document["plan"] = plan ? to_json(*plan) : json(nullptr);
    print_json(document);
    return 0;
  }
  std::string text = fmt::format("{} of {}, asked {} by {}: {}\n", approval.run, approval.job,
                                 second_of(approval.asked), printable(approval.asked_by), state_text(approval, now));
  if (!approval.decision.empty()) text += fmt::format("  reason: {}\n", printable(approval.decision));
  for (const Question& question : questions_of(approval))
    for (const std::string& reason : reasons_of(question)) text += fmt::format("  {}: {}\n", question.task, reason);
  text += plan ? '\n' + plan_text(output, *plan) : "The plan was removed when it had become old.\n";
  if (approval.state == ledger::Answer::waiting && approval.expires > now)
    text += fmt::format(
        "Until {}, to carry out exactly this:\n"
        "  steward approvals approve {} --digest {}\n"
        "or not to:\n"
        "  steward approvals reject {} --reason \"…\"\n",
        second_of(approval.expires), approval.run, approval.digest.substr(0, 12), approval.run);
  print(text);
  return 0;
}

Result<int> approvals_approve_command(const Output& output, const ApprovalsCommand& command) {
  if (command.break_glass) TRY(check_reason(command.reason, "--break-glass"));
  const Session session = TRY(open_session_saying(output));
  const ledger::Approval approval = TRY(session.ledger->approvals().approval(command.run));
  const bool alone = approval.four_eyes && TRY(has_one_approver(*session.ledger));
  TRY(session.ledger->approvals().approve({.run = approval.run,
                                           .digest = command.digest.empty() ? approval.digest : command.digest,
                                           .who = user_name(),
                                           .reason = command.reason,
                                           .at = session.clock.now(),
                                           .break_glass = command.break_glass,
                                           .alone = alone}));
  if (output.json) {
    print_json(document_of(TRY(session.ledger->approvals().approval(approval.run))));
    return 0;
  }
  if (alone && approval.asked_by == user_name())
    print("There is one approver: that somebody else has to approve it is off.\n");
  print(
      fmt::format("{} is approved, for plan {}. `steward serve` starts it; without one: steward run {} --approval {}\n",
                  approval.run, approval.digest.substr(0, 12), approval.job, approval.run));
  return 0;
}

Result<int> approvals_reject_command(const Output& output, const ApprovalsCommand& command) {
  TRY(check_reason(command.reason, "a rejection"));
  const Session session = TRY(open_session_saying(output));
  const ledger::Approval approval = TRY(session.ledger->approvals().approval(command.run));
  TRY(session.ledger->approvals().reject(
      {.run = approval.run, .who = user_name(), .reason = command.reason, .at = session.clock.now()}));
  if (output.json)
    print_json(document_of(TRY(session.ledger->approvals().approval(approval.run))));
  else
    print(fmt::format("{} is rejected: nothing of what waited was done.\n", approval.run));
  return 0;
}

}  // namespace steward::app
