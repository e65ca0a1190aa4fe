/// What the sections of all jobs have in common: the keys of any task.
#pragma once
#include <string_view>

#include "core/schema.h"

namespace steward {

Field enabled_field();   ///< `enabled: false`
Field approval_field();  ///< `approval: required`

/// Letters, digits, - and _, at most 64, not beginning with -.
bool is_task_name(std::string_view name);

/// What both say of a task.
struct TaskSwitches {
  std::string off_by{};  ///< "steward.yaml:14:9", where it is off.
  bool approval = false;
};
TaskSwitches read_switches(const Node& task);

}  // namespace steward
