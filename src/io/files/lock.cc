// flock on folders, counted for the whole process: flock itself is per open file description, so that a second one of
// ours would find the first in its way.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <tuple>

#include "core/text.h"
#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/folder.h"

namespace steward::files {
namespace {

struct flock whole(short type) {
  struct flock range{};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return range;
}

/// The locks that this process has.
class Locks {
 public:
  using Key = std::tuple<std::uint64_t, std::uint64_t, int>;  // device, inode, LOCK_EX or LOCK_SH

  Result<std::shared_ptr<void>> take(Key key, int folder, const std::string& shown) {
    const std::scoped_lock guard(mutex_);
    auto found = held_.find(key);
    if (found == held_.end()) {
      Opened own = open_beneath(folder, "", O_RDONLY | O_DIRECTORY, Calls::portable);
      if (!own) return failure(own.error(), "lock", shown, folder);
      if (retried([&] { return flock(own->fd(), std::get<int>(key) | LOCK_NB); }) != 0)
        return refused(errno, shown, folder);
      // For is_locked(): of a flock nobody can ask without trying to take it. Keeps nobody out by itself.
      struct flock asked = whole(F_RDLCK);
      (void)fcntl(own->fd(), F_OFD_SETLK, &asked);
      found = held_.emplace(key, Held{std::move(*own), 0}).first;
    }
    ++found->second.count;
    return std::shared_ptr<void>(this, [key](void* locks) { static_cast<Locks*>(locks)->give_back(key); });
  }

 private:
  struct Held {
    Handle handle{};
    int count = 0;
  };

  static std::unexpected<Error> refused(int code, const std::string& shown, int folder) {
    if (code != EWOULDBLOCK) return failure(code, "lock", shown, folder);
    return fail(Kind::busy, fmt::format("cannot lock {}: another process has it locked", printable(shown)),
                "Wait for it to finish; `lslocks` shows which it is.");
  }

  void give_back(Key key) {
    const std::scoped_lock guard(mutex_);
    const auto found = held_.find(key);
    if (--found->second.count == 0) held_.erase(found);
  }

  std::mutex mutex_{};
  std::map<Key, Held> held_{};
};

}  // namespace

namespace {

Result<std::shared_ptr<void>> take(const Folder& folder, int how) {
  static auto& locks = *new Locks;  // never destroyed: a handle may outlive main
  const FileInfo self = TRY(folder.info());
  return locks.take({self.device, self.inode, how}, folder.fd(), folder.path());
}

}  // namespace

Result<std::shared_ptr<void>> Folder::lock() const { return take(*this, LOCK_EX); }
Result<std::shared_ptr<void>> Folder::lock_beside() const { return take(*this, LOCK_SH); }

Result<bool> Folder::is_locked() const {
  // A descriptor of its own: what a descriptor has itself is not in its way.
  Opened own = open_beneath(fd(), "", O_RDONLY | O_DIRECTORY, Calls::portable);
  if (!own) return failure(own.error(), "look at", path(), fd());
  struct flock asked = whole(F_WRLCK);
  if (fcntl(own->fd(), F_OFD_GETLK, &asked) != 0) return failure(errno, "look at", path(), fd());
  return asked.l_type != F_UNLCK;
}

}  // namespace steward::files
