#include "io/files/found_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>

#include "io/files/beneath.h"
#include "io/files/failure.h"
#include "io/files/info.h"
#include "io/files/open_files.h"

namespace steward::files {
namespace {

constexpr std::size_t files_in_piece = 16;  // what one thread takes at a time
constexpr std::size_t most_handles = 16;    // of folders, in one thread

Standing standing_of(Use use) {
  switch (use) {
    case Use::nobody: return Standing::free;
    case Use::somebody: return Standing::in_use;
    case Use::unknown: return Standing::unknown;
  }
  return Standing::unknown;
}

bool is_as_found(int folder, const char* name, const FileInfo& found) {
  struct stat now{};
  return fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 && info_from(now).same_as(found);
}

/// One file after another, in one thread. The folder of the last one is kept for the next, and those above it that were
/// opened on the way: in the order of paths, a folder is opened from the one above it, by one name.
class OneByOne {
 public:
  OneByOne(const Folder& root, bool shared) : root_(root), shared_(shared) {}

  Standing look(const Found& found) {
    const auto at = reach(found.path);
    if (!at) return at.error();
    const auto file = open_unused(*at);
    return file ? Standing::free : file.error();
  }

  Result<Standing> remove(const Found& found) {
    const auto at = reach(found.path);
    if (!at) return at.error();
    const auto file = open_unused(*at);  // its lease is held until the name is gone
    if (!file) return file.error();
    if (!is_as_found(at->folder, at->name, found.info)) return Standing::changed;
    if (unlinkat(at->folder, at->name, 0) == 0) return Standing::free;
    if (errno == ENOENT) return Standing::changed;
    return failure(errno, "remove", fmt::format("{}/{}", root_.path(), found.path), at->folder);
  }

 private:
  struct Reached {
    int folder = -1;
    const char* name = nullptr;
  };
  struct Level {
    std::size_t length = 0;  ///< Of its path, at the front of `path_`.
    Handle folder{};
  };

  /// Or why not.
  std::expected<Reached, Standing> reach(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return Reached{root_.fd(), path.c_str()};
    const std::string_view above = std::string_view(path).substr(0, slash);
    while (!way_.empty() && !leads_to(above)) way_.pop_back();
    if (way_.empty() || way_.back().length != above.size()) {
      const auto opened = go_down(above);
      if (!opened) return std::unexpected(opened.error());
    }
    return Reached{way_.back().folder.fd(), path.c_str() + slash + 1};
  }

  /// Whether the last folder of the way is `path` or above it.
  bool leads_to(std::string_view path) const {
    const std::size_t length = way_.back().length;
    return path.starts_with(std::string_view(path_).substr(0, length)) &&
           (path.size() == length || path[length] == '/');
  }

  std::expected<void, Standing> go_down(std::string_view path) {
    const int from = way_.empty() ? root_.fd() : way_.back().folder.fd();
    const std::string_view rest = way_.empty() ? path : path.substr(way_.back().length + 1);
    Opened opened = open_beneath(from, rest, O_PATH | O_DIRECTORY, root_.calls());
    if (!opened) {
      const int code = opened.error();
      const bool replaced = code == ENOENT || code == ELOOP || code == ENOTDIR || code == EXDEV;
      return std::unexpected(replaced ? Standing::changed : Standing::unreadable);
    }
    if (way_.size() == most_handles) way_.erase(way_.begin());
    way_.push_back({path.size(), std::move(*opened)});
    path_ = path;
    return {};
  }

  std::expected<Handle, Standing> open_unused(const Reached& at) const {
    // The walk saw a regular file. Should a FIFO be there by now, this does not wait for its other end.
    constexpr int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    Handle file(retried([&] { return openat(at.folder, at.name, flags); }));
    if (!file.valid())
      return std::unexpected(errno == ENOENT || errno == ELOOP ? Standing::changed : Standing::unreadable);
    const Standing standing = standing_of(use_of(file.fd(), shared_));
    if (standing != Standing::free) return std::unexpected(standing);
    return file;
  }

  const Folder& root_;
  bool shared_;
  std::vector<Level> way_{};  ///< To the folder of the last file, of which it is the last: those that were opened.
  std::string path_{};        ///< Of that folder.
};

}  // namespace

unsigned threads_for_files() { return std::clamp(std::thread::hardware_concurrency(), 1U, 4U); }

FoundFiles::FoundFiles(const Folder& root, unsigned threads)
    : root_(root), shared_(is_shared(root.fd())), threads_(threads) {}

template <class Act>
std::size_t FoundFiles::share_out(std::size_t count, std::optional<std::chrono::steady_clock::time_point> end,
                                  const Act& act) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    OneByOne mine(root_, shared_);
    do {
      const std::size_t begin = next.fetch_add(files_in_piece);
      for (std::size_t i = begin; i < std::min(begin + files_in_piece, count); ++i) act(mine, i);
    } while (next < count && (!end || std::chrono::steady_clock::now() < *end));
  };
  if (count <= files_in_piece * 2)
    work();
  else
    threads_.run(work);
  return std::min(next.load(), count);
}

std::vector<Standing> FoundFiles::look(std::span<const Found* const> files) {
  std::vector<Standing> out(files.size());
  share_out(files.size(), {}, [&](OneByOne& mine, std::size_t i) { out[i] = mine.look(*files[i]); });
  return out;
}

std::vector<Result<Standing>> FoundFiles::remove(std::span<const Found* const> files,
                                                 std::chrono::milliseconds at_most) {
  std::vector<Result<Standing>> out(files.size());
  const auto end = std::chrono::steady_clock::now() + at_most;
  out.resize(share_out(files.size(), end, [&](OneByOne& mine, std::size_t i) { out[i] = mine.remove(*files[i]); }));
  return out;
}

}  // namespace steward::files
