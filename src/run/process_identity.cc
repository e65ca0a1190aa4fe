#include <fmt/format.h>
#include <unistd.h>

#include "io/process/identity.h"
#include "run/runner.h"

namespace steward {
namespace {

// A process shows its pulse every ten seconds; one of an earlier steward shows none, and a heartbeat between two acts
// of its work. The clocks of two machines may differ by the five minutes that are let pass everywhere.
constexpr std::chrono::minutes without_pulse{10};
constexpr std::chrono::hours without_heartbeat{1};

bool is_silent(const ledger::Run& run, Instant now) {
  return run.pulse ? now - std::max(*run.pulse, run.heartbeat) > without_pulse
                   : now - run.heartbeat > without_heartbeat;
}

}  // namespace

ledger::Process this_process() {
  return {.host = process::host_name(),
          .boot = process::boot_id(),
          .pid = getpid(),
          .started_ticks = process::started_ticks(getpid()),
          .pid_namespace = process::pid_namespace()};
}

Presence presence_of(const ledger::Process& its) {
  const std::string boot = process::boot_id();
  const bool same_boot = !boot.empty() && its.boot == boot;
  if (!same_boot) return !its.boot.empty() && its.host == process::host_name() ? Presence::gone : Presence::unknown;
  // An earlier steward did not note the namespace; it is the same wherever the host's name is.
  const std::string here = process::pid_namespace();
  const bool same_namespace =
      its.pid_namespace.empty() ? its.host == process::host_name() : !here.empty() && its.pid_namespace == here;
  if (!same_namespace) return Presence::unknown;
  return process::started_ticks(its.pid) == its.started_ticks ? Presence::alive : Presence::gone;
}

bool is_gone(const ledger::Run& run, Instant now) {
  switch (presence_of(run.process)) {
    case Presence::alive: return false;
    case Presence::gone: return true;
    default: return is_silent(run, now);
  }
}

ledger::Run as_it_stands(ledger::Run run, Instant now) {
  if (run.status == ledger::Status::running && is_gone(run, now)) run.status = ledger::Status::interrupted;
  return run;
}

std::string pid_namespace() { return process::pid_namespace(); }

bool is_gone_here(const ledger::Process& its, std::string_view its_pid_namespace) {
  const std::string boot = process::boot_id();
  const std::string here = pid_namespace();
  if (boot.empty() || its.boot != boot || here.empty() || its_pid_namespace != here) return false;
  return process::started_ticks(its.pid) != its.started_ticks;
}

}  // namespace steward
