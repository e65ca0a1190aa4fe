#include "io/files/failure.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace steward::files {
namespace {

std::unexpected<Error> rights_missing(int code, std::string_view what, int about) {
  if (code == EROFS)
    return fail(Kind::permission, fmt::format("{}: its file system is read-only", what),
                "Mount it read-write, or name a folder that can be written.");
  std::string message = fmt::format("{}: {} (this is uid {}", what, errno_text(code), geteuid());
  struct stat found{};
  if (about < 0 || fstat(about, &found) != 0)
    return fail(Kind::permission, message + ")", "Give this user the right to it, or run as its owner.");
  const std::string name = printable(path_of(about));
  message += fmt::format("; {} is {:04o}, owned by {})", name, found.st_mode & 07777U, found.st_uid);
  if (code == EPERM && geteuid() == 0)
    return fail(Kind::permission, message, "See whether it is immutable (lsattr), or a capability is missing.");
  const bool folder = S_ISDIR(found.st_mode);
  return fail(
      Kind::permission, message,
      fmt::format("Give this user access to the {} {}, or run as its owner.", folder ? "folder" : "file", name));
}

}  // namespace

std::string errno_text(int code) {
  const char* found = strerrordesc_np(code);
  std::string text = found != nullptr ? found : fmt::format("error {}", code);
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0)
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

std::string path_of(int fd) {
  std::array<char, 4096> target{};
  const ssize_t n = readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), target.data(), target.size());
  return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : fmt::format("descriptor {}", fd);
}

std::unexpected<Error> failure(int code, std::string_view verb, std::string_view path, int about) {
  const std::string what = fmt::format("cannot {} {}", verb, printable(path));
  const auto with = [&](Kind kind, std::string_view why, std::string hint = {}, std::string name = {}) {
    return fail(kind, fmt::format("{}: {}", what, why), std::move(hint), std::move(name));
  };
  switch (code) {
    case ENOENT: return with(Kind::not_found, "there is no such file or folder");
    case EACCES:
    case EPERM:
    case EROFS: return rights_missing(code, what, about);
    case ELOOP:
      return with(Kind::refused, "a symlink is on the way", "Name the folder that the symlink leads to.", "outside");
    case EEXIST: return with(Kind::refused, "it is there already", "", "exists");
    case ENOTEMPTY: return with(Kind::refused, "it is not empty", "", "not-empty");
    case ENOTDIR: return with(Kind::refused, "it is not a folder", "", "not-a-folder");
    case EISDIR: return with(Kind::refused, "it is a folder", "", "folder");
    case ENAMETOOLONG: return with(Kind::bad_input, "the name is too long for its file system");
    case EBUSY:
    case ETXTBSY:
    case EAGAIN: return with(Kind::busy, "it is in use");
    case EXDEV: return with(Kind::unavailable, "the two are on different file systems");
    case ENOSPC: return with(Kind::unavailable, errno_text(code), "Free some room on its file system.");
    case EDQUOT: return with(Kind::unavailable, errno_text(code), "Free some room, or have this user's quota raised.");
    case EMFILE:
    case ENFILE: return with(Kind::unavailable, errno_text(code), "Raise the limit of open files (ulimit -n).");
    default: return with(Kind::unavailable, errno_text(code));
  }
}

}  // namespace steward::files
