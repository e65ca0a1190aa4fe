// The walk: one frame for each folder on the way down. Only the deepest frames keep their handle; one that gave it up
// comes back by its path and goes on at the cookie where it was, if it is still the same folder.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "core/text.h"
#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/folder.h"
#include "io/files/info.h"

namespace steward::files {
namespace {

constexpr std::size_t most_handles = 64;
constexpr std::size_t buffer_size = std::size_t{32} * 1024;

struct Entry {
  const char* name;
  unsigned char type;  // DT_…
};

/// What statx tells. The mount is empty where the kernel (before 5.8) does not say.
struct Looked {
  FileInfo info{};
  std::optional<std::uint64_t> mount{};

  /// Mounts have ids; without one, the device has to do. (Not the device where there is an id: on overlayfs a folder's
  /// and its file's may differ, and a btrfs subvolume has its own.)
  bool same_mount(const Looked& other) const {
    return mount && other.mount ? mount == other.mount : info.device == other.info.device;
  }
};

/// `name` in `folder`, or with "" the folder itself.
std::expected<Looked, int> look_at(int folder, const char* name) {
  struct statx found{};
  constexpr int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
  if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_MNT_ID, &found) == 0) {
    Looked looked{info_from(found)};
    if ((found.stx_mask & STATX_MNT_ID) != 0) looked.mount = found.stx_mnt_id;
    return looked;
  }
  if (errno != EPERM) return std::unexpected(errno);
  struct stat plain{};  // an old seccomp filter that has not heard of statx
  if (fstatat(folder, name, &plain, flags) != 0) return std::unexpected(errno);
  return Looked{info_from(plain)};
}

using Buffer = std::unique_ptr<std::byte[]>;

/// One folder that is being listed.
struct Frame {
  Handle handle{};
  Buffer buffer{};  // what getdents64 gave, from `at` to `end` still to be looked at
  std::size_t at = 0, end = 0;
  off_t cookie = 0;             // where to go on after the last entry that was looked at
  std::size_t path_length = 0;  // of this folder's path, at the front of the walker's
  Looked self{};                // this folder; of `info`, device and inode alone, once the handle is given up

  /// Another entry, none at the end, or errno.
  std::expected<std::optional<Entry>, int> next() {
    if (at == end) {
      if (!buffer) buffer = std::make_unique_for_overwrite<std::byte[]>(buffer_size);
      const ssize_t n = retried([&] { return getdents64(handle.fd(), buffer.get(), buffer_size); });
      if (n < 0 && errno == ENOENT) return std::optional<Entry>{};  // the folder itself was removed meanwhile
      if (n < 0) return std::unexpected(errno);
      if (n == 0) return std::optional<Entry>{};
      at = 0;
      end = static_cast<std::size_t>(n);
    }
    const auto* found = reinterpret_cast<const dirent64*>(buffer.get() + at);
    at += found->d_reclen;
    cookie = found->d_off;
    return Entry{found->d_name, found->d_type};
  }
  void give_up_handle() {
    struct stat found{};
    if (fstat(handle.fd(), &found) == 0) {  // else it cannot be told from another when it comes back, and stays away
      self.info.device = found.st_dev;
      self.info.inode = found.st_ino;
    }
    handle = Handle();
    buffer = {};
    at = end = 0;
  }
};

bool is_dot(const char* name) { return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0; }

bool is_still(const FileInfo& info, int fd) {
  struct stat found{};
  return fstat(fd, &found) == 0 && found.st_dev == info.device && found.st_ino == info.inode;
}

class Walker {
 public:
  Walker(const Folder& root, Calls calls, const WalkOptions& options,
         const std::function<Result<bool>(const Found&)>& take,
         const std::function<void(const Unreadable&)>& unreadable)
      : root_(root), calls_(calls), options_(options), take_(take), unreadable_(unreadable) {}

  Result<void> run() {
    // A description of its own: listing moves its offset.
    Opened top = open_beneath(root_.fd(), "", O_RDONLY | O_DIRECTORY, calls_);
    if (!top) return failure(top.error(), "list", root_.path(), root_.fd());
    TRY(push(std::move(*top)));
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      path_.resize(frame.path_length);
      const auto entry = frame.next();
      if (!entry) {
        if (frames_.size() == 1) return failure(entry.error(), "list", root_.path(), root_.fd());
        report(failure(entry.error(), "list", shown(), frame.handle.fd()));
      }
      if (!entry || !*entry) {
        pop();
        continue;
      }
      if (is_dot((*entry)->name)) continue;
      if (!TRY(visit(frame, **entry))) return {};
    }
    return {};
  }

 private:
  std::string shown() const { return path_.empty() ? root_.path() : fmt::format("{}/{}", root_.path(), path_); }

  void report(std::unexpected<Error> error) const {
    if (unreadable_) unreadable_({path_, std::move(error).error()});
  }

  /// False to stop.
  Result<bool> visit(const Frame& frame, const Entry& entry) {
    if (!path_.empty()) path_ += '/';
    path_ += entry.name;
    switch (entry.type) {
      case DT_REG: return file(frame, entry.name);
      case DT_DIR: return folder(frame, entry.name);
      case DT_UNKNOWN: break;  // a file system that keeps no types in its folders
      default: return true;
    }
    const auto looked = look_at(frame.handle.fd(), entry.name);
    if (looked && looked->info.type == FileType::folder) return folder(frame, entry.name);
    if (looked && looked->info.type != FileType::regular) return true;
    return file(frame, entry.name);
  }

  Result<bool> file(const Frame& frame, const char* name) {
    const auto looked = look_at(frame.handle.fd(), name);
    if (!looked) {
      if (looked.error() != ENOENT) report(failure(looked.error(), "look at", shown(), frame.handle.fd()));
      return true;
    }
    if (looked->info.type != FileType::regular) return true;  // replaced meanwhile
    if (!options_.cross_mounts && !looked->same_mount(frame.self)) {
      report(another_mount());
      return true;
    }
    found_.path = path_;
    found_.info = looked->info;
    return take_(found_);
  }

  Result<bool> folder(const Frame& frame, const char* name) {
    if (options_.enter && !options_.enter(path_)) return true;
    if (frames_.size() > static_cast<std::size_t>(options_.max_depth)) {
      report(
          fail(Kind::refused,
               fmt::format("cannot list {}: it is more than {} folders deep", printable(shown()), options_.max_depth),
               "", "depth"));
      return true;
    }
    Opened below = options_.cross_mounts ? open_beneath(frame.handle.fd(), name, O_RDONLY | O_DIRECTORY, calls_)
                                         : open_on_same_mount(frame.handle.fd(), name, calls_);
    if (below) {
      // On the same mount, as its opening has shown.
      TRY(push(std::move(*below), options_.cross_mounts ? std::nullopt : frame.self.mount));
      return true;
    }
    const int code = below.error();
    if (code == ENOENT || code == ELOOP || code == ENOTDIR) return true;  // removed or replaced meanwhile
    if (code == EXDEV)
      report(another_mount());
    else
      report(failure(code, "list", shown(),
                     Handle(openat(frame.handle.fd(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC)).fd()));
    return true;
  }

  std::unexpected<Error> another_mount() const {
    return fail(Kind::refused, fmt::format("cannot list {}: it is on another mount", printable(shown())), "", "mount");
  }

  /// `mount`: which one it is on, where that is known.
  Result<void> push(Handle handle, std::optional<std::uint64_t> mount = {}) {
    Looked self{.mount = mount};
    if (!mount) {
      auto looked = look_at(handle.fd(), "");
      if (!looked) return failure(looked.error(), "look at", shown(), handle.fd());
      self = *looked;
    }
    if (frames_.size() >= most_handles) frames_[frames_.size() - most_handles].give_up_handle();
    Frame& frame = frames_.emplace_back();
    frame.handle = std::move(handle);
    if (!spare_.empty()) {
      frame.buffer = std::move(spare_.back());
      spare_.pop_back();
    }
    frame.path_length = path_.size();
    frame.self = self;
    return {};
  }

  void pop() {
    do {
      if (frames_.back().buffer) spare_.push_back(std::move(frames_.back().buffer));
      frames_.pop_back();
      if (frames_.empty() || frames_.back().handle.valid()) return;
      path_.resize(frames_.back().path_length);
    } while (!come_back(frames_.back()));
  }

  /// Opens the handle again that `frame` gave up. False where the folder is no longer there, or another one is: what it
  /// still had is then not looked at, and that is reported.
  bool come_back(Frame& frame) {
    Opened again = open_beneath(root_.fd(), path_, O_RDONLY | O_DIRECTORY, calls_);
    if (again && is_still(frame.self.info, again->fd()) && lseek(again->fd(), frame.cookie, SEEK_SET) == frame.cookie) {
      frame.handle = std::move(*again);
      return true;
    }
    if (!again && again.error() != ENOENT && again.error() != ELOOP && again.error() != ENOTDIR)
      report(failure(again.error(), "list", shown()));
    else
      report(fail(Kind::unavailable,
                  fmt::format("cannot list the rest of {}: it was moved meanwhile", printable(shown()))));
    return false;
  }

  const Folder& root_;
  Calls calls_;
  const WalkOptions& options_;
  const std::function<Result<bool>(const Found&)>& take_;
  const std::function<void(const Unreadable&)>& unreadable_;
  std::vector<Frame> frames_{};
  std::vector<Buffer> spare_{};  // of folders that are done, for the next ones
  std::string path_{};
  Found found_{};
};

}  // namespace

Result<void> Folder::walk(const WalkOptions& options, const std::function<Result<bool>(const Found&)>& take,
                          const std::function<void(const Unreadable&)>& unreadable) const {
  return Walker(*this, calls_, options, take, unreadable).run();
}

}  // namespace steward::files
