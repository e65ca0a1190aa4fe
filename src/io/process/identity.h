/// What tells one process from all others: a pid alone is used again.
#pragma once
#include <cstdint>
#include <string>

namespace steward::process {

/// When the process began, in clock ticks since the boot (field 22 of /proc/PID/stat, proc(5)). 0 where there is no
/// such process, or a dead one whose parent has not asked for it.
std::int64_t started_ticks(std::int64_t pid);

/// /proc/sys/kernel/random/boot_id: pids of another boot are other processes. Empty where /proc does not say.
std::string boot_id();

/// The PID namespace of this process, "pid:[4026531836]": pids of another one say nothing here. Empty where /proc does
/// not say.
std::string pid_namespace();

std::string host_name();

}  // namespace steward::process
