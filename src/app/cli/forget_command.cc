// archive forget

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/commands.h"
#include "app/cli/print_plan.h"
#include "app/cli/progress.h"
#include "app/cli/session.h"
#include "app/cli/signals.h"
#include "app/config/catalogue.h"
#include "core/text.h"
#include "jobs/retention/forget.h"
#include "run/runner.h"

namespace steward::app {
namespace {

/// One task for each archive that has something of the table.
Result<Job> forget_job(const Settings& settings, const retention::ForgetRequest& request) {
  Job job{.name = "forget", .title = "removes single rows from the archive for good"};
  const retention::RestoreRequest any{.table = request.table, .keys = request.keys};
  for (const object::StoreTarget& archive : settings.archives) {
    // The first one also where it has nothing: it may have to finish an earlier forget, and says what it has not.
    if (!job.tasks.empty() && !TRY(retention::has_any(archive, any))) continue;
    const std::string name = job.tasks.empty() ? "forget" : fmt::format("forget-{}", job.tasks.size() + 1);
    const TaskInfo info{.name = name, .title = job.title};
    job.tasks.push_back(
        {.info = info,
         .task = retention::forget_archived(info, restore_settings(settings, archive, caller("forget", "")), request)});
  }
  if (job.tasks.empty())
    return fail(Kind::bad_input, "no task has an archive", "Give a task an archive: archive: STORE.", "not-configured");
  return job;
}

}  // namespace

Result<int> archive_forget_command(const Output& output, const ForgetCommand& command) {
  if (trim(command.reason).empty())
    return fail(Kind::bad_input, "forgetting needs a reason",
                "Add --reason \"request 81\"; it stays, so write nothing personal into it.");
  std::vector<std::string> warnings;
  const Session session = TRY(open_session(warnings));
  const Job job =
      TRY(forget_job(session.settings, {.table = command.table, .keys = command.keys, .reason = command.reason}));
  if (!command.yes) {
    const Plan plan = TRY(plan_job(job, {}, session.settings.environment, {.from = UINT64_MAX}, session.clock,
                                   session.state, session.ledger.get(), TRY(barred(session))));
    if (output.json)
      print_json(to_json(plan));
    else
      print(plan_text(output, plan) + "To do it, for good: the same with --yes.\n");
    return 0;
  }
  const FinishBeforeLeaving finish;
  ProgressReporter progress(output);
  RunSettings settings{.trigger = "hand",
                       .actor = user_name(),
                       .version = std::string(version),
                       .environment = session.settings.environment};
  settings.brakes.from = UINT64_MAX;  // every one of them was named
  settings.barred = TRY(barred(session));
  const RunResult result = TRY(run_job(job, settings,
                                       {.clock = session.clock,
                                        .state = session.state,
                                        .ledger = *session.ledger,
                                        .reporter = progress,
                                        .stop = stop_of_process()}));
  if (output.json)
    print_json(to_json(result));
  else
    print(result_text(output, result));
  return result.exit_code;
}

}  // namespace steward::app
