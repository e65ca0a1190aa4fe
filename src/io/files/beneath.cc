#include "io/files/beneath.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <optional>

#include "core/text.h"

namespace steward::files {
namespace {

constexpr std::uint64_t stay_inside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

Opened opened(int fd) {
  if (fd < 0) return std::unexpected(errno);
  return Handle(fd);
}

Opened by_openat2(int folder, const char* path, int flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  return opened(static_cast<int>(retried([&] { return syscall(SYS_openat2, folder, path, &how, sizeof how); })));
}

/// Whether openat2 answered for the path, rather than a kernel or a seccomp filter that has none of it.
bool has_openat2(const Opened& answer) {
  return answer || (answer.error() != ENOSYS && answer.error() != EPERM && answer.error() != E2BIG);
}

/// One segment. A symlink is ELOOP here too; with O_DIRECTORY the kernel says ENOTDIR for it.
Opened open_segment(int folder, const char* name, int flags) {
  Opened answer = opened(retried([&] { return openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC); }));
  if (answer || answer.error() != ENOTDIR) return answer;
  // A folder by now: a moment ago it was something else, and a symlink is what such things are swapped with.
  struct stat found{};
  if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && (S_ISLNK(found.st_mode) || S_ISDIR(found.st_mode)))
    return std::unexpected(ELOOP);
  return answer;
}

Opened by_component(int folder, std::string_view path, int flags) {
  Handle reached;
  int at = folder;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string segment(path.substr(0, slash));
    if (slash == std::string_view::npos) return open_segment(at, segment.c_str(), flags);
    Opened next = open_segment(at, segment.c_str(), O_PATH | O_DIRECTORY);
    if (!next) return next;
    reached = std::move(*next);
    at = reached.fd();
    path.remove_prefix(slash + 1);
  }
}

std::optional<std::uint64_t> mount_of(int fd) {
  struct statx found{};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &found) != 0 || (found.stx_mask & STATX_MNT_ID) == 0) return {};
  return found.stx_mnt_id;
}

bool same_mount(int a, int b) {
  const auto mount_a = mount_of(a), mount_b = mount_of(b);
  if (mount_a && mount_b) return mount_a == mount_b;
  // Kernels before 5.8 have no ids: a bind mount of the same device passes there.
  struct stat of_a{}, of_b{};
  return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

}  // namespace

Result<void> check_path(std::string_view path) {
  const auto wrong = [&](std::string_view why) {
    return fail(Kind::bad_input, fmt::format("\"{}\" is not a path below a folder: {}", printable(path), why));
  };
  if (path.empty()) return wrong("it is empty");
  if (path.contains('\0')) return wrong("it has a NUL");
  if (path.front() == '/') return wrong("it is absolute");
  for (std::string_view rest = path;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty()) return wrong("it has an empty segment");
    if (segment == "." || segment == "..") return wrong(fmt::format("it has a segment \"{}\"", segment));
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Opened open_beneath(int folder, std::string_view path, int flags, Calls calls) {
  if (path.empty()) return opened(retried([&] { return openat(folder, ".", flags | O_CLOEXEC); }));
  // One name leads nowhere else, and opening it needs no more than that it is no symlink. A path longer than the kernel
  // takes in one piece is still a path that walk can find.
  if (calls == Calls::best && path.contains('/') && path.size() < PATH_MAX) {
    Opened answer = by_openat2(folder, std::string(path).c_str(), flags, stay_inside);
    if (has_openat2(answer)) return answer;
  }
  return by_component(folder, path, flags);
}

Opened open_on_same_mount(int folder, const char* name, Calls calls) {
  constexpr int list = O_RDONLY | O_DIRECTORY;
  if (calls == Calls::best) {
    // RESOLVE_NO_XDEV refuses before the other file system is asked anything: one that hangs cannot hang us.
    Opened answer = by_openat2(folder, name, list, RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (has_openat2(answer)) return answer;
  }
  Opened answer = open_segment(folder, name, list);
  if (answer && !same_mount(folder, answer->fd())) return std::unexpected(EXDEV);
  return answer;
}

SplitPath split_last(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {"", std::string(path)};
  return {path.substr(0, slash), std::string(path.substr(slash + 1))};
}

}  // namespace steward::files
