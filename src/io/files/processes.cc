#include "io/files/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "core/text.h"

namespace steward::files {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Listing = std::unique_ptr<DIR, CloseFolder>;

std::string link_target(const char* path) {
  std::array<char, 256> target{};
  const ssize_t n = readlink(path, target.data(), target.size());
  return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : std::string{};
}

std::string first_line(const std::string& path) {
  const Handle file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 256> text{};
  const ssize_t n = file.valid() ? read(file.fd(), text.data(), text.size()) : 0;
  const std::string_view all(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return std::string(all.substr(0, all.find('\n')));
}

bool sees_every_process() {
  struct Header {
    std::uint32_t version = _LINUX_CAPABILITY_VERSION_3;
    int pid = 0;
  } header;
  std::array<__user_cap_data_struct, 2> sets{};
  return syscall(SYS_capget, &header, sets.data()) == 0 && (sets[0].effective & (1U << CAP_SYS_PTRACE)) != 0;
}

std::optional<pid_t> pid_of(const char* name) {
  const std::string_view text(name);
  pid_t pid = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (ec != std::errc{} || end != text.data() + text.size()) return {};
  return pid;
}

enum class Seen { yes, no, hidden };

/// Whether one of the links in `folder` (/proc/PID/fd or map_files) leads to the file.
Seen leads_to(const std::string& folder, const struct stat& file) {
  const Listing listing(opendir(folder.c_str()));
  if (!listing) return errno == ENOENT || errno == ESRCH ? Seen::no : Seen::hidden;  // gone meanwhile, or forbidden
  Seen seen = Seen::no;
  while (const dirent* entry = readdir(listing.get())) {
    if (entry->d_name[0] == '.') continue;
    struct stat found{};
    if (fstatat(dirfd(listing.get()), entry->d_name, &found, 0) != 0) {
      if (errno == EACCES || errno == EPERM) seen = Seen::hidden;
    } else if (found.st_dev == file.st_dev && found.st_ino == file.st_ino) {
      return Seen::yes;
    }
  }
  return seen;
}

/// A mapping keeps a file in use after its descriptor is closed.
Seen holds(pid_t pid, const struct stat& file) {
  const Seen open = leads_to(fmt::format("/proc/{}/fd", pid), file);
  if (open != Seen::no) return open;
  return leads_to(fmt::format("/proc/{}/map_files", pid), file);
}

/// What keeps this process from seeing all others; empty where nothing does.
std::string blindness(std::string_view outermost) {
  if (link_target("/proc/self/ns/pid") != outermost) return "processes outside of this container cannot be seen";
  return sees_every_process() ? "" : "other users' processes cannot be looked into";
}

/// The files that are asked about, by device and inode.
using Places = std::multimap<std::pair<std::uint64_t, std::uint64_t>, std::size_t>;

/// The flags of an open file, as its fdinfo has them: octal.
std::optional<int> flags_of(const std::string& fdinfo) {
  const Handle file(open(fdinfo.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> buffer{};
  const ssize_t n = file.valid() ? read(file.fd(), buffer.data(), buffer.size()) : 0;
  const std::string_view text(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  constexpr std::string_view key = "flags:\t";
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) return {};
  int flags = 0;
  const auto [end, ec] = std::from_chars(text.data() + at + key.size(), text.data() + text.size(), flags, 8);
  return ec == std::errc{} ? std::optional(flags) : std::nullopt;
}

void note(Writing& writing, int flags, bool mapped, pid_t pid) {
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  const bool known_writer = writing.appends || writing.overwrites;
  if (writing.by.empty() || (writes && !known_writer)) writing.by = process_name(pid);
  if (!writes)
    writing.reads = true;
  else if ((flags & O_APPEND) != 0 && !mapped)
    writing.appends = true;
  else
    writing.overwrites = true;
}

/// Notes how one process has any of the files open. False where it could not be looked into.
bool note_process(pid_t pid, const Places& places, std::vector<Writing>& files) {
  const std::string own = fmt::format("/proc/{}", pid);
  bool seen_whole = true;
  for (const bool mapped : {false, true}) {
    const Listing listing(opendir((own + (mapped ? "/map_files" : "/fd")).c_str()));
    if (!listing) {
      seen_whole &= errno == ENOENT || errno == ESRCH;
      continue;
    }
    while (const dirent* entry = readdir(listing.get())) {
      if (entry->d_name[0] == '.') continue;
      struct stat found{};
      if (fstatat(dirfd(listing.get()), entry->d_name, &found, 0) != 0) {
        seen_whole &= errno != EACCES && errno != EPERM;
        continue;
      }
      const auto [first, last] = places.equal_range({found.st_dev, found.st_ino});
      if (first == last) continue;
      struct stat link{};
      int flags = O_RDWR;  // the worst, where it cannot be told
      if (!mapped)
        flags = flags_of(fmt::format("{}/fdinfo/{}", own, entry->d_name)).value_or(O_RDWR);
      else if (fstatat(dirfd(listing.get()), entry->d_name, &link, AT_SYMLINK_NOFOLLOW) == 0)
        flags = (link.st_mode & S_IWUSR) != 0 ? O_RDWR : O_RDONLY;  // a mapping's link has the mapping's rights
      for (auto place = first; place != last; ++place) note(files[place->second], flags, mapped, pid);
    }
  }
  return seen_whole;
}

}  // namespace

std::string process_name(pid_t pid) {
  const std::string name = printable(first_line(fmt::format("/proc/{}/comm", pid)));
  return name.empty() ? fmt::format("pid {}", pid) : fmt::format("{} (pid {})", name, pid);
}

Holders holders_of(int fd, std::string_view outermost) {
  Holders holders;
  struct stat file{};
  const Listing processes(opendir("/proc"));
  if (!processes || fstat(fd, &file) != 0 || access("/proc/self/fd", R_OK) != 0) return {"", "there is no /proc"};
  holders.blind_to = blindness(outermost);
  const std::string own = link_target("/proc/self");  // not getpid(): /proc may be that of an outer namespace
  while (const dirent* entry = readdir(processes.get())) {
    const auto pid = pid_of(entry->d_name);
    if (!pid || own == entry->d_name) continue;
    const Seen seen = holds(*pid, file);
    if (seen == Seen::yes) {
      holders.first = process_name(*pid);
      return holders;
    }
    if (seen == Seen::hidden && holders.blind_to.empty())
      holders.blind_to = fmt::format("{} cannot be looked into", process_name(*pid));
  }
  return holders;
}

Writings writing_to(std::span<const FileInfo* const> files, std::string_view outermost) {
  Writings out{.files = std::vector<Writing>(files.size())};
  Places places;
  for (std::size_t i = 0; i < files.size(); ++i) places.emplace(std::pair(files[i]->device, files[i]->inode), i);
  const Listing processes(opendir("/proc"));
  if (!processes || access("/proc/self/fd", R_OK) != 0) {
    out.blind_to = "there is no /proc";
    return out;
  }
  out.blind_to = blindness(outermost);
  const std::string own = link_target("/proc/self");
  while (const dirent* entry = readdir(processes.get())) {
    const auto pid = pid_of(entry->d_name);
    if (!pid || own == entry->d_name) continue;
    if (!note_process(*pid, places, out.files) && out.blind_to.empty())
      out.blind_to = fmt::format("{} cannot be looked into", process_name(*pid));
  }
  return out;
}

}  // namespace steward::files
