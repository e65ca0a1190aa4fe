#include "jobs/rotation/reopen.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "core/text.h"
#include "io/files/folder.h"
#include "io/process/child.h"
#include "jobs/rotation/logs.h"

namespace steward::rotation {
namespace {

constexpr int longest_ms = 30'000;

Result<void> signal_process(const Reopen& reopen) {
  const files::Folder folder = TRY(files::Folder::open(std::string(parent_of(reopen.pid_file))));
  const std::string text = TRY(files::read_file(folder, base_of(reopen.pid_file), 4_KiB));
  const std::string_view digits = trim(text);
  pid_t pid = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (ec != std::errc{} || pid <= 1 || (end != digits.data() + digits.size() && *end != '\n'))
    return fail(Kind::bad_input, fmt::format("{} does not hold a process's number", reopen.pid_file));
  if (::kill(pid, reopen.signal) == 0) return {};
  if (errno == ESRCH)
    return fail(Kind::not_found, fmt::format("there is no process {}, which {} names", pid, reopen.pid_file),
                "Is the program running? Its logs have been renamed; it opens new ones when it starts.");
  return fail(Kind::permission, fmt::format("may not signal process {}: {}", pid, strerror(errno)),
              "Run steward as the program's user or as root, or give reopen a command.");
}

Result<void> run_command(const Reopen& reopen) {
  const pid_t pid =
      TRY(process::start({.arguments = reopen.command,
                          .environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}}));
  const process::Watch watch = TRY(process::watch_child(pid));
  pollfd entry{.fd = watch.descriptor(), .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, longest_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) {
    watch.send(SIGKILL, true);
    ::poll(&entry, 1, longest_ms);
  }
  const std::vector<process::Ended> all = process::reap();
  const auto ended = std::ranges::find(all, pid, &process::Ended::pid);
  if (ready == 0)
    return fail(Kind::unavailable, fmt::format("{} did not end within {} s", text_of(reopen), longest_ms / 1000));
  if (ended == all.end() || (ended->exit_code == 0 && ended->signal == 0)) return {};
  return fail(Kind::unavailable, fmt::format("{} ended with {}", text_of(reopen), process::text_of(*ended)),
              "Run it by hand to see what it says; the logs have been renamed, and nothing is lost.");
}

}  // namespace

Result<void> ask_to_reopen(const Reopen& reopen) {
  auto asked = reopen.command.empty() ? signal_process(reopen) : run_command(reopen);
  if (!asked) return fail_while("asking the writer to open its logs anew", std::move(asked).error());
  return {};
}

}  // namespace steward::rotation
