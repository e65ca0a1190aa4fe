// freeze: no removal at all, until it is lifted

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/await_runs.h"
#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/random.h"
#include "core/text.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::string second_of(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

/// The one that is named, or the only one in force.
Result<std::string> freeze_to_lift(const Session& session, const std::string& id) {
  if (!id.empty()) return id;
  std::vector<std::string> ids;
  for (const ledger::Freeze& freeze : TRY(session.ledger->freezes(session.clock.now()))) ids.push_back(freeze.id);
  if (ids.empty()) return fail(Kind::not_found, "nothing is frozen", "`steward freeze list --all` shows what was.");
  if (ids.size() > 1)
    return fail(Kind::bad_input, fmt::format("{} freezes are in force: {}", ids.size(), join_and(ids)),
                "Each was set for a reason (`steward freeze list`): name the one that is over.");
  return ids.front();
}

}  // namespace

Result<int> freeze_command(const Output& output, const FreezeCommand& command) {
  if (trim(command.reason).empty())
    return fail(Kind::bad_input, "a freeze needs a reason",
                "Add --reason \"moving the database\": it is what the next person reads.");
  Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  const std::optional<Instant> until = TRY(until_of(command.until, now));
  const ledger::Freeze freeze{
      .id = "f-" + random_hex(4), .reason = command.reason, .who = user_name(), .made = now, .until = until};
  TRY(session.ledger->add_freeze(freeze));
  // Since now: a pulse before it may have come before the ledger had the freeze.
  const bool seen = TRY(await_runs(session, session.clock.now()));
  if (output.json) {
    print_json(document_of(freeze));
    return 0;
  }
  print(fmt::format("{}: nothing is removed {}. Backups and restores go on.{}\n", freeze.id,
                    freeze.until ? "until " + second_of(*freeze.until) : "until it is lifted",
                    seen ? "" : " A run under way has not looked yet; it does before its next removal."));
  print(fmt::format("To end it: steward freeze lift {}\n", freeze.id));
  return 0;
}

Result<int> freeze_list_command(const Output& output, bool all) {
  const Session session = TRY(open_session_saying(output));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"FREEZE", "SINCE", "REASON", "BY", "UNTIL"}};
  for (const ledger::Freeze& freeze : TRY(session.ledger->freezes(session.clock.now(), all))) {
    list.push_back(document_of(freeze));
    rows.push_back({freeze.id, second_of(freeze.made), printable(freeze.reason), freeze.who,
                    freeze.lifted  ? fmt::format("lifted {} by {}", second_of(*freeze.lifted), freeze.lifted_by)
                    : freeze.until ? second_of(*freeze.until)
                                   : "lifted by hand"});
  }
  if (output.json)
    print_json({{"freezes", list}});
  else if (rows.size() == 1)
    print("Nothing is frozen.\n");
  else
    print(table(rows));
  return 0;
}

Result<int> freeze_lift_command(const Output& output, const std::string& id) {
  const Session session = TRY(open_session_saying(output));
  const std::string lifted = TRY(freeze_to_lift(session, id));
  TRY(session.ledger->lift_freeze(lifted, user_name(), session.clock.now()));
  const std::size_t left = TRY(session.ledger->freezes(session.clock.now())).size();
  if (output.json)
    print_json({{"id", lifted}, {"lifted", true}, {"in_force", left}});
  else
    print(fmt::format("{} is lifted.{}\n", lifted, left == 0 ? "" : " Another is in force: steward freeze list"));
  return 0;
}

}  // namespace steward::app
