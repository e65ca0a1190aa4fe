#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <string>

#include "core/random.h"
#include "run/runner.h"

namespace steward {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Field 22 of /proc/PID/stat, counted behind the command's last ')', which may itself hold anything. 0 where there is
/// no such process, or a dead one whose parent has not asked for it.
std::int64_t start_of(std::int64_t pid) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", pid));
  const std::size_t paren = stat.rfind(')');
  if (paren == std::string::npos) return 0;
  std::istringstream rest(stat.substr(paren + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) {
    if (!(rest >> field)) return 0;
    if (i == 3 && (field == "Z" || field == "X")) return 0;
  }
  return std::atoll(field.c_str());
}

std::string host() {
  std::string name(256, '\0');
  if (gethostname(name.data(), name.size()) != 0) return "unknown";
  name.resize(name.find('\0'));
  return name;
}

constexpr std::chrono::hours silent_for{1};

}  // namespace

ledger::Process this_process() {
  return {.host = host(),
          .boot = first_line("/proc/sys/kernel/random/boot_id"),
          .pid = getpid(),
          .started_ticks = start_of(getpid())};
}

bool is_gone(const ledger::Process& process, Instant heartbeat, Instant now) {
  const ledger::Process here = this_process();
  if (process.host != here.host) return now - heartbeat > silent_for;
  if (process.boot != here.boot) return true;
  return start_of(process.pid) != process.started_ticks;
}

std::string pid_namespace() {
  std::array<char, 64> name{};
  const ssize_t size = readlink("/proc/self/ns/pid", name.data(), name.size());
  return size > 0 ? std::string(name.data(), static_cast<std::size_t>(size)) : std::string{};
}

bool is_gone_here(const ledger::Process& process, std::string_view its_pid_namespace) {
  const std::string boot = this_process().boot;
  const std::string here = pid_namespace();
  if (boot.empty() || process.boot != boot || here.empty() || its_pid_namespace != here) return false;
  return start_of(process.pid) != process.started_ticks;
}

std::string new_run_id(Instant now) { return fmt::format("{}-{}", format_compact(now), random_hex(3)); }

}  // namespace steward
