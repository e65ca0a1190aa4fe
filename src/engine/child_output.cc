#include "engine/child_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/text.h"

namespace steward::engine {
namespace {

constexpr std::int64_t longest = 1 << 20;
constexpr std::int64_t kept_at_each_end = longest / 2;
constexpr std::size_t longest_words = 400;

std::string path_of(std::string_view run) { return fmt::format("runs/{}/output.log", run); }

/// `size` bytes from `offset`; fewer at the end of the file.
std::string part_of(int fd, std::int64_t offset, std::int64_t size) {
  std::string out(static_cast<std::size_t>(size), '\0');
  const ssize_t got = pread(fd, out.data(), out.size(), offset);
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

Result<void> replace(const StateDirectory& state, std::string_view run, const std::string& content) {
  auto temporary = TRY(state.folder().temporary_beside(path_of(run)));
  std::string_view rest = content;
  while (!rest.empty()) {
    const ssize_t written = ::write(temporary.handle.fd(), rest.data(), rest.size());
    if (written < 0)
      return fail(Kind::unavailable, fmt::format("cannot write {}: {}", temporary.path, std::strerror(errno)));
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return state.folder().rename(temporary.path, path_of(run), true);
}

}  // namespace

Result<files::Handle> open_output(const StateDirectory& state, std::string_view run) {
  TRY(state.folder().make_folders(fmt::format("runs/{}", run)));
  const std::string path = fmt::format("{}/{}", state.folder().path(), path_of(run));
  files::Handle handle(::open(path.c_str(), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!handle.valid())
    return fail(Kind::unavailable, fmt::format("cannot open {}: {}", path, std::strerror(errno)),
                "Make room in the state directory, and give this user the right to write there.");
  return handle;
}

std::string last_words(const StateDirectory& state, std::string_view run) {
  const auto file = state.folder().open_for_reading(path_of(run));
  if (!file) return "";
  const std::int64_t size = lseek(file->fd(), 0, SEEK_END);
  std::string text = part_of(file->fd(), std::max<std::int64_t>(0, size - 4096), 4096);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  // What this program says of an error begins so; behind it comes the hint.
  constexpr std::string_view own = "\nsteward: ";
  text.insert(0, 1, '\n');
  const std::size_t said = text.rfind(own), last = text.rfind('\n');
  text = said == std::string::npos ? text.substr(last + 1) : text.substr(said + own.size());
  text = text.substr(0, text.find('\n'));
  return text.empty() ? "" : ": " + printable(text.substr(0, longest_words));
}

void shorten_output(const StateDirectory& state, std::string_view run) {
  const auto file = state.folder().open_for_reading(path_of(run));
  if (!file) return;
  const std::int64_t size = lseek(file->fd(), 0, SEEK_END);
  if (size <= longest) return;
  // A log that stays too long does no harm that would be worth an error.
  (void)replace(
      state, run,
      fmt::format("{}\n[{} bytes are left out here]\n{}", part_of(file->fd(), 0, kept_at_each_end),
                  size - 2 * kept_at_each_end, part_of(file->fd(), size - kept_at_each_end, kept_at_each_end)));
}

}  // namespace steward::engine
