// tidy-state: what steward forgets of its own work

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "run/upkeep.h"

namespace steward::app {
namespace {
using nlohmann::json;

json upkeep_json(const Upkeep& upkeep, bool planned) {
  json parts = json::array();
  for (const UpkeepPart& part : upkeep.parts)
    parts.push_back({{"part", part.name},
                     {"folder", part.folder},
                     {"before", format_instant(part.cutoff)},
                     {"files", part.files},
                     {"bytes", part.bytes.count}});
  return {{"status", planned ? "planned" : "done"},
          {"parts", std::move(parts)},
          {"runs", {{"before", format_instant(upkeep.runs_before)}, {"plans_forgotten", upkeep.runs}}},
          {"events", {{"before", format_instant(upkeep.runs_before)}, {"forgotten", upkeep.events}}}};
}

std::string upkeep_text(const Upkeep& upkeep, bool planned) {
  std::vector<std::vector<std::string>> rows{{"PART", "FILES", "BYTES", "LAST WRITTEN BEFORE"}};
  const auto second_of = [](Instant at) { return format_instant(std::chrono::floor<std::chrono::seconds>(at)); };
  for (const UpkeepPart& part : upkeep.parts)
    rows.push_back({part.name, format_count(part.files), format_bytes(part.bytes), second_of(part.cutoff)});
  rows.push_back({"plans of old runs in the ledger", format_count(upkeep.runs), "-", second_of(upkeep.runs_before)});
  rows.push_back({"what was told of, in the ledger", format_count(upkeep.events), "-", second_of(upkeep.runs_before)});
  return table(rows, {1, 2}) + (planned            ? "Nothing has been changed. To do it: steward tidy-state\n"
                                : upkeep.nothing() ? "There was nothing to tidy.\n"
                                                   : "");
}

}  // namespace

Result<int> tidy_state_command(const Output& output, bool plan_only) {
  const Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  Upkeep upkeep = TRY(plan_upkeep(session.state, *session.ledger, now));
  if (!plan_only) {
    if (auto frozen = freeze_refusal(TRY(session.ledger->freezes(now)))) return std::unexpected(*std::move(frozen));
    upkeep = TRY(carry_out(upkeep, session.state, *session.ledger, session.clock, user_name()));
  }
  if (output.json)
    print_json(upkeep_json(upkeep, plan_only));
  else
    print(upkeep_text(upkeep, plan_only));
  return 0;
}

Result<void> tidy_after_run(const Session& session, ledger::Status status) {
  // A run that was refused may have been so for its clock, or for a freeze: then nothing is old enough.
  if (status != ledger::Status::succeeded && status != ledger::Status::partial && status != ledger::Status::failed)
    return {};
  const Instant now = session.clock.now();
  if (!TRY(session.ledger->freezes(now)).empty()) return {};
  const Upkeep upkeep = TRY(plan_upkeep(session.state, *session.ledger, now));
  if (!upkeep.nothing()) TRY(carry_out(upkeep, session.state, *session.ledger, session.clock, "steward"));
  return {};
}

}  // namespace steward::app
