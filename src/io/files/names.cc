// What changes the names in a folder: temporaries, renames, removals. Each is durable when it returns.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <span>

#include "core/digest.h"
#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/folder.h"

namespace steward::files {
namespace {

Result<void> sync_folder(int folder, std::string_view shown) {
  if (retried([&] { return fsync(folder); }) != 0 && errno != EINVAL && errno != ENOTSUP)
    return failure(errno, "sync the folder of", shown, folder);
  return {};
}

Result<std::string> random_name() {
  std::array<unsigned char, 8> bytes{};
  if (retried([&] { return getrandom(bytes.data(), bytes.size(), 0); }) != static_cast<ssize_t>(bytes.size()))
    return failure(errno, "draw", "a random name");
  return std::string(temporary_prefix) + hex(bytes);
}

bool same_inode(int folder_a, const char* a, int folder_b, const char* b) {
  struct stat of_a{}, of_b{};
  return fstatat(folder_a, a, &of_a, AT_SYMLINK_NOFOLLOW) == 0 &&
         fstatat(folder_b, b, &of_b, AT_SYMLINK_NOFOLLOW) == 0 && of_a.st_dev == of_b.st_dev &&
         of_a.st_ino == of_b.st_ino;
}

/// Both ends of a rename.
struct Move {
  int from_folder;
  std::string from;
  int to_folder;
  std::string to;

  int rename_over() const { return renameat(from_folder, from.c_str(), to_folder, to.c_str()); }
  int rename_without_replacing() const {
    return static_cast<int>(syscall(SYS_renameat2, from_folder, from.c_str(), to_folder, to.c_str(),
                                    static_cast<unsigned>(RENAME_NOREPLACE)));
  }
  int link_then_unlink() const {
    if (linkat(from_folder, from.c_str(), to_folder, to.c_str(), 0) != 0) {
      const int code = errno;
      // Two names of one file: an earlier call was killed between the two acts.
      const bool half_done = code == EEXIST && same_inode(from_folder, from.c_str(), to_folder, to.c_str());
      errno = code;
      if (!half_done) return -1;
    }
    // The new name is durable before the old one goes.
    if (fsync(to_folder) != 0 && errno != EINVAL && errno != ENOTSUP) return -1;
    return unlinkat(from_folder, from.c_str(), 0);
  }
  int run(bool replace, Calls calls) const {
    if (replace) return rename_over();
    if (calls == Calls::best) {
      if (rename_without_replacing() == 0) return 0;
      if (errno != EINVAL && errno != ENOSYS) return -1;
    }
    return link_then_unlink();
  }
};

}  // namespace

Result<Folder::Temporary> Folder::temporary_beside(std::string_view path) const {
  const Parent folder = TRY(parent("write beside", path, O_PATH));
  const std::string_view above = split_last(path).folder;
  while (true) {
    const std::string name = TRY(random_name());
    constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    Handle file(retried([&] { return openat(folder.fd(), name.c_str(), flags, 0600); }));
    if (file.valid()) return Temporary{std::move(file), above.empty() ? name : fmt::format("{}/{}", above, name)};
    if (errno != EEXIST) return failure(errno, "write beside", shown(path), folder.fd());
  }
}

Result<void> Folder::rename(std::string_view from, std::string_view to, bool replace) const {
  return move(from, *this, to, replace);
}

Result<void> Folder::move(std::string_view from, const Folder& target, std::string_view to, bool replace,
                          Durable durable) const {
  const Parent from_folder = TRY(parent("rename", from, O_RDONLY));
  const Parent to_folder = TRY(target.parent("rename to", to, O_RDONLY));
  const Move move{from_folder.fd(), split_last(from).name, to_folder.fd(), split_last(to).name};
  if (move.run(replace, calls_) != 0) {
    const int code = errno;
    if (code == EEXIST || code == ENOTEMPTY) return failure(EEXIST, "rename to", target.shown(to), to_folder.fd());
    return failure(code, "rename", shown(from), from_folder.fd());
  }
  if (durable == Durable::later) return {};
  // The new name first: whatever is lost between the two, a name is left.
  TRY(sync_folder(to_folder.fd(), target.shown(to)));
  if (this != &target || split_last(from).folder != split_last(to).folder)
    TRY(sync_folder(from_folder.fd(), shown(from)));
  return {};
}

Result<void> Folder::unlink(std::string_view path, Durable durable) const {
  const auto folder = parent("remove", path, O_RDONLY);
  if (!folder && folder.error().kind == Kind::not_found) return {};
  if (!folder) return std::unexpected(folder.error());
  if (unlinkat(folder->fd(), split_last(path).name.c_str(), 0) != 0 && errno != ENOENT)
    return failure(errno, "remove", shown(path), folder->fd());
  if (durable == Durable::later) return {};
  return sync_folder(folder->fd(), shown(path));
}

Result<void> Folder::remove_empty_folder(std::string_view path) const {
  const auto folder = parent("remove folder", path, O_RDONLY);
  if (!folder && folder.error().kind == Kind::not_found) return {};
  if (!folder) return std::unexpected(folder.error());
  if (unlinkat(folder->fd(), split_last(path).name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return failure(errno == EEXIST ? ENOTEMPTY : errno, "remove folder", shown(path), folder->fd());
  return sync_folder(folder->fd(), shown(path));
}

}  // namespace steward::files
