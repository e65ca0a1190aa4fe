#include "run/task_section.h"

#include <algorithm>
#include <cctype>

namespace steward {

Field enabled_field() {
  return {.key = "enabled",
          .what = "false leaves the task off; plans then say so",
          .shape = scalar(Scalar::boolean),
          .fallback = "true",
          .example = "false"};
}

Field approval_field() {
  return {.key = "approval",
          .what = "required: what it would do waits in each run until a person has approved it",
          .shape = choice({"required", "none"}),
          .fallback = "none",
          .example = "required"};
}

bool is_task_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && name.front() != '-' &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

TaskSwitches read_switches(const Node& task) {
  TaskSwitches out{.approval = task.text_at("approval") == "required"};
  if (task.text_at("enabled") == "false") out.off_by = text_of(task.find("enabled")->at);
  return out;
}

}  // namespace steward
