#include "io/files/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "core/text.h"
#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/info.h"

namespace steward::files {
namespace {

constexpr int listing = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t private_folder = 0700;

/// fsync, unless the file system has none for folders: that is all it can do.
Result<void> sync_handle(int fd, std::string_view shown) {
  if (retried([&] { return fsync(fd); }) != 0 && errno != EINVAL && errno != ENOTSUP)
    return failure(errno, "sync", shown, fd);
  return {};
}

/// Makes `name` in `folder` if it is absent, and its entry durable.
Result<void> make_folder(int folder, const std::string& name, const std::string& shown) {
  if (mkdirat(folder, name.c_str(), private_folder) != 0 && errno != EEXIST)
    return failure(errno, "make folder", shown, folder);
  return sync_handle(folder, shown);
}

Result<FileInfo> info_at(int folder, const char* name, std::string_view shown) {
  struct stat found{};
  if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
    return failure(errno, "look at", shown, folder);
  return info_from(found);
}

std::unexpected<Error> not_a_file(FileType type, std::string_view verb, std::string_view shown) {
  if (type == FileType::symlink) return failure(ELOOP, verb, shown);
  if (type == FileType::folder) return failure(EISDIR, verb, shown);
  return fail(Kind::refused, fmt::format("cannot {} {}: it is not a regular file", verb, printable(shown)), "",
              "not-a-file");
}

}  // namespace

Handle::~Handle() {
  if (fd_ >= 0) close(fd_);
}

Result<Folder> Folder::open(const std::string& path, Calls calls) {
  if (path.empty() || path.contains('\0'))
    return fail(Kind::bad_input, fmt::format("\"{}\" is not the path of a folder", printable(path)));
  Handle handle(retried([&] { return ::open(path.c_str(), listing); }));
  if (!handle.valid()) {
    const int code = errno;
    const Handle there(::open(path.c_str(), O_PATH | O_CLOEXEC));
    return failure(code, "open folder", path, there.fd());
  }
  std::string resolved = path_of(handle.fd());
  if (!resolved.starts_with('/')) {  // no /proc here
    const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), &std::free);
    if (!real) return failure(errno, "open folder", path);
    resolved = real.get();
  }
  return Folder(std::move(handle), std::move(resolved), calls);
}

Result<Folder> Folder::create(const std::string& path, Calls calls) {
  if (auto there = open(path, calls); there || there.error().kind != Kind::not_found) return there;
  // Only the missing end is made: what is there may be out of reach for listing, and need not be synced by us.
  const std::string_view trimmed = std::string_view(path).substr(0, path.find_last_not_of('/') + 1);
  auto [above, name] = split_last(trimmed);
  if (above.empty()) above = path.starts_with('/') ? "/" : ".";
  if (name == "..") return failure(ENOENT, "make folder", path);
  const Folder parent = TRY(create(std::string(above), calls));
  if (name != ".") TRY(make_folder(parent.fd(), name, path));
  return open(path, calls);
}

std::string Folder::shown(std::string_view path) const {
  return path.empty() ? path_ : fmt::format("{}{}{}", path_, path_.ends_with('/') ? "" : "/", path);
}

Result<Folder::Parent> Folder::parent(std::string_view verb, std::string_view path, int flags) const {
  TRY(check_path(path));
  const std::string_view folder = split_last(path).folder;
  if (folder.empty()) return Parent{.at = handle_.fd()};
  Opened answer = open_beneath(handle_.fd(), folder, flags | O_DIRECTORY, calls_);
  if (answer) return Parent{.opened = std::move(*answer)};
  // A file on the way: what is asked for cannot be there.
  if (answer.error() == ENOTDIR) return failure(ENOENT, verb, shown(path));
  if (answer.error() == EXDEV) return failure(ELOOP, verb, shown(path));
  const Opened denied = open_beneath(handle_.fd(), folder, O_PATH | O_DIRECTORY, calls_);
  return failure(answer.error(), verb, shown(path), denied ? denied->fd() : handle_.fd());
}

Result<FileInfo> Folder::info() const {
  struct stat found{};
  if (fstat(handle_.fd(), &found) != 0) return failure(errno, "look at", path_);
  return info_from(found);
}

Result<FileInfo> Folder::stat(std::string_view path) const {
  const Parent folder = TRY(parent("look at", path, O_PATH));
  return info_at(folder.fd(), split_last(path).name.c_str(), shown(path));
}

Result<Handle> Folder::open_for_reading(std::string_view path) const { return open_file("read", path, O_RDONLY); }

Result<Handle> Folder::open_for_changing(std::string_view path) const { return open_file("change", path, O_RDWR); }

Result<Handle> Folder::open_file(std::string_view verb, std::string_view path, int access) const {
  const Parent folder = TRY(parent(verb, path, O_PATH));
  const std::string name = split_last(path).name;
  // Looked at before it is opened: opening a device or a FIFO is an act of its own.
  const FileInfo before = TRY(info_at(folder.fd(), name.c_str(), shown(path)));
  if (before.type != FileType::regular) return not_a_file(before.type, verb, shown(path));
  const int flags = access | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Handle file(retried([&] { return openat(folder.fd(), name.c_str(), flags); }));
  if (!file.valid()) {
    const int code = errno;
    const Handle denied(openat(folder.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    return failure(code, verb, shown(path), denied.valid() ? denied.fd() : folder.fd());
  }
  struct stat found{};
  if (fstat(file.fd(), &found) != 0) return failure(errno, verb, shown(path));
  if (!S_ISREG(found.st_mode)) return not_a_file(info_from(found).type, verb, shown(path));
  return file;
}

Result<Folder> Folder::subfolder(std::string_view path) const {
  TRY(check_path(path));
  Opened straight = open_beneath(handle_.fd(), path, O_RDONLY | O_DIRECTORY, calls_);
  if (straight) return Folder(std::move(*straight), shown(path), calls_);
  // Once more in two steps, to tell which of them fails.
  const Parent folder = TRY(parent("open folder", path, O_PATH));
  const std::string name = split_last(path).name;
  Opened answer = open_beneath(folder.fd(), name, O_RDONLY | O_DIRECTORY, calls_);
  if (!answer) {
    const Handle denied(openat(folder.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    return failure(answer.error(), "open folder", shown(path), denied.valid() ? denied.fd() : folder.fd());
  }
  return Folder(std::move(*answer), shown(path), calls_);
}

Result<void> Folder::make_folders(std::string_view path) const {
  TRY(check_path(path));
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = path.find('/', end + 1);
    const std::string_view part = path.substr(0, end);
    const Parent above = TRY(parent("make folder", part, O_RDONLY));
    TRY(make_folder(above.fd(), split_last(part).name, shown(part)));
  }
  TRY(subfolder(path));  // what was there already may be a file or a symlink
  return {};
}

Result<void> Folder::sync(std::string_view folder) const {
  if (folder.empty()) return sync_handle(handle_.fd(), path_);
  return sync_handle(TRY(subfolder(folder)).fd(), shown(folder));
}

Result<Folder::Space> Folder::space() const {
  struct statvfs found{};
  if (fstatvfs(handle_.fd(), &found) != 0) return failure(errno, "ask for the room of", path_);
  return Space{.room = {std::uint64_t{found.f_bavail} * found.f_frsize},
               .total = {std::uint64_t{found.f_blocks} * found.f_frsize}};
}

Result<Bytes> Folder::room() const { return TRY(space()).room; }

}  // namespace steward::files
