// catalogue: what there is to run and when, for other schedulers. Connects to nothing.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <variant>

#include "app/cli/commands.h"
#include "app/cli/dagster.h"
#include "app/cli/print_plan.h"
#include "app/cli/session.h"
#include "app/config/catalogue.h"

namespace steward::app {
namespace {
using nlohmann::json;

std::string_view name_of(engine::Owner owner) {
  switch (owner) {
    case engine::Owner::cron: return "cron";
    case engine::Owner::dagster: return "dagster";
    case engine::Owner::steward: break;
  }
  return "steward";
}

json document_of(const engine::Schedule& schedule) {
  const Cron* cron = std::get_if<Cron>(&schedule.timing);
  const auto* every = std::get_if<engine::Every>(&schedule.timing);
  return {{"owner", name_of(schedule.owner)},
          {"cron", cron != nullptr ? json(cron->text()) : json(nullptr)},
          {"every_seconds", every != nullptr ? json(every->interval.count()) : json(nullptr)},
          {"time_zone", schedule.zone.name()},
          {"words", engine::words_of(schedule)}};
}

json document_of(const TaskSlot& slot, const std::string& kind) {
  const char* state = !slot.off_by.empty() ? "off" : slot.task ? "ready" : "not_configured";
  return {{"task", slot.info.name},
          {"title", slot.info.title},
          {"kind", kind},
          {"state", state},
          {"needs", slot.needs},
          {"off_by", slot.off_by.empty() ? json(nullptr) : json(slot.off_by)},
          {"approval", slot.approval},
          {"checks", checks_of(kind)}};
}

}  // namespace

Result<int> catalogue_command(const Output& output) {
  const Settings settings = TRY(settings_of_process());
  const StateDirectory state = TRY(StateDirectory::open(settings.state_dir));
  json jobs = json::array();
  std::vector<std::vector<std::string>> rows{{"JOB", "TASK", "KIND", "STATE", "SCHEDULE", "BY"}};
  for (const std::string& name : job_names()) {
    const Job job = make_job(name, settings, state, caller(name, "catalogue"));
    const engine::ScheduledJob scheduled = scheduled_job(settings, name);
    json tasks = json::array();
    for (const TaskSlot& slot : job.tasks) {
      const json one = document_of(slot, kind_of(settings, name, slot.info.name));
      rows.push_back({name, slot.info.name, one["kind"], one["state"], engine::words_of(scheduled.schedule),
                      std::string(name_of(scheduled.schedule.owner))});
      tasks.push_back(one);
    }
    jobs.push_back({{"job", name},
                    {"title", job.title},
                    {"configured", scheduled.configured},
                    {"off_by", scheduled.off_by.empty() ? json(nullptr) : json(scheduled.off_by)},
                    {"schedule", document_of(scheduled.schedule)},
                    {"tasks", tasks}});
  }
  if (output.json)
    print_json({{"format", 1},
                {"version", version},
                {"environment", settings.environment},
                {"dashboard", settings.serve.public_url.empty() ? json(nullptr) : json(settings.serve.public_url)},
                {"jobs", jobs}});
  else
    print(table(rows));
  return 0;
}

}  // namespace steward::app
