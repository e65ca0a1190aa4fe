// pause, resume: no start of a job by its schedule, until it is lifted

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/session.h"
#include "app/documents/documents.h"
#include "core/random.h"
#include "core/text.h"
#include "run/ledger/agenda.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::string second_of(Instant instant) { return format_instant(std::chrono::floor<std::chrono::seconds>(instant)); }

/// "all", or a job that there is.
Result<std::string> job_of(const Session& session, const std::string& name) {
  if (name == "all" || name == "*") return std::string("*");
  std::vector<std::string> known{"all"};
  for (const auto& [job, schedule] : session.settings.schedules) known.push_back(job);
  if (std::ranges::find(known, name) != known.end()) return name;
  std::string hint = did_you_mean(name, known);
  return fail(Kind::bad_input, fmt::format("there is no job \"{}\"", printable(name)),
              hint.empty() ? fmt::format("The jobs are {}.", join_and(known)) : std::move(hint));
}

std::string shown(const std::string& job) { return job == "*" ? "every job" : job; }

}  // namespace

Result<int> pause_command(const Output& output, const PauseCommand& command) {
  if (trim(command.reason).empty())
    return fail(Kind::bad_input, "a pause needs a reason",
                "Add --reason \"index is being built\": it is what the next person reads.");
  const Session session = TRY(open_session_saying(output));
  const Instant now = session.clock.now();
  const ledger::Pause pause{.id = "p-" + random_hex(4),
                            .job = TRY(job_of(session, command.job)),
                            .reason = command.reason,
                            .who = user_name(),
                            .made = now,
                            .until = TRY(until_of(command.until, now))};
  TRY(session.ledger->agenda().add_pause(pause));
  if (output.json) {
    print_json(document_of(pause));
    return 0;
  }
  print(fmt::format("{}: {} is not started by its schedule {}. What runs goes on; by hand it still can be started.\n",
                    pause.id, shown(pause.job),
                    pause.until ? "until " + second_of(*pause.until) : "until it is resumed"));
  print(fmt::format("To end it: steward resume {}\n", pause.job == "*" ? "all" : pause.job));
  return 0;
}

Result<int> pause_list_command(const Output& output, bool all) {
  const Session session = TRY(open_session_saying(output));
  json list = json::array();
  std::vector<std::vector<std::string>> rows{{"PAUSE", "JOB", "SINCE", "REASON", "BY", "UNTIL"}};
  for (const ledger::Pause& pause : TRY(session.ledger->agenda().pauses(session.clock.now(), all))) {
    list.push_back(document_of(pause));
    rows.push_back({pause.id, shown(pause.job), second_of(pause.made), printable(pause.reason), pause.who,
                    pause.lifted  ? fmt::format("resumed {} by {}", second_of(*pause.lifted), pause.lifted_by)
                    : pause.until ? second_of(*pause.until)
                                  : "resumed by hand"});
  }
  if (output.json)
    print_json({{"pauses", list}});
  else
    print(rows.size() == 1 ? "Nothing is paused.\n" : table(rows));
  return 0;
}

Result<int> resume_command(const Output& output, const std::string& name) {
  const Session session = TRY(open_session_saying(output));
  const std::string job = TRY(job_of(session, name));
  json lifted = json::array();
  for (const ledger::Pause& pause : TRY(session.ledger->agenda().pauses(session.clock.now()))) {
    if (pause.job != job) continue;
    TRY(session.ledger->agenda().lift_pause(pause.id, user_name(), session.clock.now()));
    lifted.push_back(pause.id);
  }
  if (lifted.empty())
    return fail(Kind::not_found, fmt::format("{} is not paused", shown(job)),
                "`steward pause list` shows what is; a pause in the configuration is ended there.");
  if (output.json)
    print_json({{"job", job}, {"lifted", lifted}});
  else
    print(fmt::format("{} is started by its schedule again.\n", shown(job)));
  return 0;
}

}  // namespace steward::app
