#include "app/cli/run_start.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "core/random.h"
#include "core/text.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/runner.h"

namespace steward::app {

// cron says nowhere that it is cron: a run without a terminal is some script's.
std::string trigger_of_process() {
  const char* said = std::getenv("STEWARD_TRIGGER");
  if (said != nullptr && *said != '\0') return said;
  return ::isatty(STDIN_FILENO) == 1 || ::isatty(STDERR_FILENO) == 1 ? "hand" : "script";
}

Result<RunStart> start_of_approved(const Session& session, const std::string& job, const std::string& name) {
  const ledger::Approval approval = TRY(session.ledger->approvals().approval(name));
  if (approval.job != job)
    return fail(Kind::bad_input, fmt::format("run {} is of {}, not of {}", approval.run, approval.job, job),
                fmt::format("steward run {} --approval {}", approval.job, approval.run));
  if (approval.state != ledger::Answer::approved)
    return fail(
        Kind::refused,
        fmt::format("run {} is not to be started: its question is {}", approval.run, ledger::name_of(approval.state)),
        fmt::format("`steward approvals show {}` tells more.", approval.run), "approval-decided");
  const ledger::Run run = TRY(session.ledger->run(approval.run));
  const std::string token = random_hex(8);
  if (run.launch.empty() &&
      TRY(session.ledger->agenda().launch(run.id, "", token, this_process(), session.clock.now())))
    return RunStart{.id = run.id, .launch = token};
  return fail(Kind::busy, fmt::format("a process was started for run {} already", run.id),
              fmt::format("steward runs show {}", run.id));
}

Result<RunStart> start_of_tick(const Session& session, const std::string& job, const std::string& text,
                               const std::string& by, const std::string& actor) {
  const auto due = parse_instant(text);
  if (!due || text.find_first_of("Tt ") == std::string::npos)
    return fail(Kind::bad_input, fmt::format("--tick is \"{}\": expected a date and time", printable(text)),
                "Write it like 2026-11-29T03:00:00Z.");
  const Instant now = session.clock.now();
  if (*due > now + std::chrono::minutes(5))
    return fail(Kind::bad_input, fmt::format("--tick is {}, which is to come", format_instant(*due)));
  ledger::Run run{.id = new_run_id(now),
                  .job = job,
                  .status = ledger::Status::queued,
                  .started = now,
                  .heartbeat = now,
                  .process = this_process(),
                  .trigger = by,
                  .actor = actor,
                  .due = due,
                  .launch = random_hex(8),
                  .launched = now};
  const ledger::Tick tick{.job = job, .due = *due, .outcome = "fired", .run = run.id, .decided = now, .daemon = actor};
  ledger::Agenda& agenda = session.ledger->agenda();
  if (TRY(agenda.enter(tick, run, {}))) return RunStart{.id = run.id, .launch = run.launch};
  std::string what = "has an outcome already", hint = fmt::format("steward schedule {} --past", job);
  for (const ledger::Tick& found : TRY(agenda.ticks({.job = job, .limit = 1000}))) {
    if (found.due != *due) continue;
    what = found.run.empty() ? fmt::format("did not fire ({})", found.outcome)
                             : fmt::format("has fired, by {}: run {}", found.daemon, found.run);
    if (!found.run.empty()) hint = fmt::format("steward runs show {}", found.run);
  }
  return fail(Kind::refused, fmt::format("the tick {} of {} {}", format_instant(*due), job, what), std::move(hint),
              "tick-fired");
}

}  // namespace steward::app
