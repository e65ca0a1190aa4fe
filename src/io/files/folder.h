/// Files below a folder, without races: everything is opened relative to a handle of the folder, no symlink below it is
/// followed, and nothing outside it is reached (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS; where the kernel
/// refuses openat2, component by component with O_NOFOLLOW, to the same effect).
///
/// Paths are relative, without an empty, "." or ".." segment; anything else is bad_input. Names are bytes.
///
/// Errors  not_found, permission (EACCES, EPERM, EROFS), busy (EBUSY, EAGAIN), bad_input (ENAMETOOLONG, NUL),
///         refused with code "outside" (a symlink on the way or at the end), "exists", or as said below,
///         unavailable (ENOSPC, EDQUOT, EIO, ESTALE …: what, and errno's text).
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "core/stream.h"

namespace steward::files {

/// A file descriptor that is closed when it goes out of scope.
class Handle {
 public:
  Handle() = default;
  explicit Handle(int fd) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle();
  int fd() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

enum class FileType { regular, folder, symlink, other };

/// What stat knows.
struct FileInfo {
  FileType type = FileType::other;
  Bytes size{};
  Instant modified{};  ///< mtime, floored to microseconds.
  std::uint64_t device = 0, inode = 0;
  std::uint64_t links = 0;
  std::uint32_t mode = 0, owner = 0, group = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  ///< mtime and ctime in ns since 1970, for identity.
  /// The same file with the same content, as far as metadata can tell: device, inode, size, mtime.
  bool same_as(const FileInfo& other) const {
    return device == other.device && inode == other.inode && size == other.size && modified_ns == other.modified_ns;
  }
};

/// One file that `walk` found.
struct Found {
  std::string path{};  ///< Relative to the folder.
  FileInfo info{};
};
/// What `walk` could not look into, and why; it goes on.
struct Unreadable {
  std::string path{};
  Error error{};
};
struct WalkOptions {
  bool cross_mounts = false;
  int max_depth = 100;
  std::function<bool(std::string_view folder)>
      enter{};  ///< Relative path of a subfolder; false leaves it out. Empty: all.
};

/// Which calls of the kernel are used. `best` falls back by itself where one is missing; `portable` never asks for
/// openat2 and renameat2, so that the tests can show that both ways keep the same promises.
enum class Calls { best, portable };

/// How the names of temporaries begin: what a crash leaves behind can be told by it.
inline constexpr std::string_view temporary_prefix = ".steward-tmp-";

/// When an act has to be on the disk.
enum class Durable { now, later };

/// A folder that is held open.
class Folder {
 public:
  /// `path` itself may be a symlink, or lie behind one. not_found / permission / refused (it is not a folder).
  static Result<Folder> open(const std::string& path, Calls calls = Calls::best);
  /// Makes `path` and its parents (mode 0700) where they are absent, durably.
  static Result<Folder> create(const std::string& path, Calls calls = Calls::best);

  /// Absolute, with all symlinks resolved when it was opened.
  const std::string& path() const { return path_; }
  int fd() const { return handle_.fd(); }
  Calls calls() const { return calls_; }

  Result<FileInfo> info() const;                       ///< Of the folder itself.
  Result<FileInfo> stat(std::string_view path) const;  ///< Does not follow a symlink at the end.
  /// Regular files only; others are refused (code "not-a-file"), and never opened: a FIFO cannot hang it.
  Result<Handle> open_for_reading(std::string_view path) const;
  /// A regular file that is there, to be changed in place; as above.
  Result<Handle> open_for_changing(std::string_view path) const;
  Result<Folder> subfolder(std::string_view path) const;
  /// And parents (mode 0700). There already is a success, and made durable all the same: who made them may have died
  /// before. Costs an fsync a segment: call it once a folder, not once a file.
  Result<void> make_folders(std::string_view path) const;

  /// A new empty file under a temporary name in the folder of `path`, mode 0600, open for writing and reading.
  struct Temporary {
    Handle handle{};
    std::string path{};
  };
  Result<Temporary> temporary_beside(std::string_view path) const;
  /// `replace` false: refused (code "exists") where `to` is there. Both folders are fsynced. renameat2; where a file
  /// system has no rename without replacing, link and unlink: a crash between them leaves both names, and calling it
  /// again finishes.
  Result<void> rename(std::string_view from, std::string_view to, bool replace) const;
  /// The same into another folder of the same file system; unavailable (EXDEV) where it is on another.
  /// `Durable::later`: without the fsyncs, for many in a row: sync both folders behind them.
  Result<void> move(std::string_view from, const Folder& target, std::string_view to, bool replace,
                    Durable durable = Durable::now) const;
  /// unlinkat and fsync of its folder (also where it was absent already: a success). A symlink goes itself. Folders are
  /// refused (code "folder"). `Durable::later`: without the fsync, for what may come back after a power loss and is
  /// then removed once more.
  Result<void> unlink(std::string_view path, Durable durable = Durable::now) const;
  Result<void> remove_empty_folder(
      std::string_view path) const;                       ///< Not empty is refused ("not-empty"); absent a success.
  Result<void> sync(std::string_view folder = "") const;  ///< fsync of a folder below ("" is this one).

  /// Every regular file below, in no promised order, in memory that grows with depth alone, and with no more than 64
  /// open folders however deep it goes. Symlinks, FIFOs, devices and sockets are left out. `take` returns false to
  /// stop; it may remove what it was given. What cannot be read, another mount (code "mount"; a file can be one too)
  /// and what lies deeper than `max_depth` (code "depth") go to `unreadable` (if given) and the walk goes on. What
  /// vanishes meanwhile is left out.
  Result<void> walk(const WalkOptions& options, const std::function<Result<bool>(const Found&)>& take,
                    const std::function<void(const Unreadable&)>& unreadable = {}) const;

  /// Exclusive flock on the folder, without waiting: busy where another process has it. Released with the last of the
  /// handles that come back, and by the end of the process. Taking it twice in one process (also through another Folder
  /// of the same directory, and from any thread) is counted, and succeeds.
  Result<std::shared_ptr<void>> lock() const;
  /// The same, beside others that have it so: busy where another process has it alone, and in its way.
  Result<std::shared_ptr<void>> lock_beside() const;
  /// Whether any process of this machine has it locked, this one too; also one in another container. Asks, and takes
  /// nothing: whoever locks at this moment is not in its way.
  Result<bool> is_locked() const;

  /// Room left for this user on its file system.
  Result<Bytes> room() const;
  /// The same with how large that is.
  struct Space {
    Bytes room{}, total{};
  };
  Result<Space> space() const;

 private:
  Folder(Handle handle, std::string path, Calls calls)
      : handle_(std::move(handle)), path_(std::move(path)), calls_(calls) {}
  /// The folder that a path lies in: this one, or one below that was opened for the purpose.
  struct Parent {
    Handle opened{};
    int at = -1;
    int fd() const { return opened.valid() ? opened.fd() : at; }
  };
  std::string shown(std::string_view path) const;  // for messages
  Result<Handle> open_file(std::string_view verb, std::string_view path, int access) const;
  Result<Parent> parent(std::string_view verb, std::string_view path, int flags) const;

  Handle handle_{};
  std::string path_{};
  Calls calls_ = Calls::best;
};

/// What file system a path is on, as far as durability is concerned.
enum class Durability { durable, memory /* tmpfs, ramfs */, container_layer /* overlayfs */ };
Result<Durability> durability(const Folder& folder);

/// Reads and writes through a descriptor.
class FileSource final : public Source {
 public:
  explicit FileSource(int fd) : fd_(fd) {}
  Result<std::size_t> read(std::span<std::byte> buffer) override;

 private:
  int fd_;
};
class FileSink final : public Sink {
 public:
  explicit FileSink(int fd) : fd_(fd) {}
  Result<void> write(std::span<const std::byte> bytes) override;

 private:
  int fd_;
};

/// fsync of a file.
Result<void> sync_file(int fd);

/// Writes `content` to `path` so that a reader and a crash see the old file or the new one, never a part: temporary
/// name, fsync, rename, fsync of the folder.
Result<void> replace_file(const Folder& folder, std::string_view path, std::string_view content,
                          std::uint32_t mode = 0600);
/// The whole of a small file; refused (code "too-large") over `limit`.
Result<std::string> read_file(const Folder& folder, std::string_view path, Bytes limit);

}  // namespace steward::files
