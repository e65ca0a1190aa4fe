#include "io/sql/sqlite_backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "core/text.h"
#include "io/sql/database_url.h"
#include "io/sql/sqlite_file.h"

namespace steward::sql {
namespace {

constexpr int pages_at_once = 2'000;
constexpr int most_beginnings = 5;
constexpr std::chrono::milliseconds pause{20};

struct EndBackup {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};
using Backup = std::unique_ptr<sqlite3_backup, EndBackup>;

std::unexpected<Error> failed(const std::string& shown, int code) {
  return fail(kind_of(code, {}), fmt::format("cannot copy {}: {}", shown, sqlite3_errstr(code)));
}

Result<SqliteFile> make_copy(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(errno == EACCES ? Kind::permission : Kind::unavailable,
                fmt::format("cannot write {}: {}", printable(path), std::strerror(errno)));
  ::close(fd);
  sqlite3* file = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteFile out(file);
  if (code != SQLITE_OK) return failed(path, code);
  return out;
}

/// Steps through the pages. A write by another process makes SQLite begin anew, which shows in that more is left.
Result<void> copy_pages(sqlite3* from, sqlite3* to, const Target& target, const std::string& shown) {
  const Backup backup(sqlite3_backup_init(to, "main", from, "main"));
  if (!backup) return failed(shown, sqlite3_extended_errcode(to));
  const auto give_up = std::chrono::steady_clock::now() + target.lock_timeout;
  int beginnings = 1, left = 0;
  while (true) {
    if (target.stop.stop_requested())
      return fail(Kind::interrupted, fmt::format("told to stop while {} was copied", shown));
    const int code = sqlite3_backup_step(backup.get(), beginnings < most_beginnings ? pages_at_once : -1);
    if (code == SQLITE_DONE) return {};
    const int code_kind = code & 0xff;
    const bool waits = code_kind == SQLITE_BUSY || code_kind == SQLITE_LOCKED;
    if (!waits && code != SQLITE_OK) return failed(shown, code);
    if (waits && std::chrono::steady_clock::now() > give_up)
      return fail(Kind::busy, fmt::format("{} is locked by another process", shown));
    if (waits) std::this_thread::sleep_for(pause);
    const int now_left = sqlite3_backup_remaining(backup.get());
    if (now_left > left && left > 0) ++beginnings;
    left = now_left;
  }
}

}  // namespace

Result<void> back_up_file(const Target& target, const std::string& path) {
  const DatabaseUrl url = TRY(parse_database_url(target.url));
  Target reading = target;
  reading.create = false;
  const OpenedFile from = TRY(open_file(url.path, reading));
  const std::string shown = shown_of_file(from.path);
  SqliteFile to = TRY(make_copy(path));
  sqlite3_exec(to.get(), "pragma synchronous = off", nullptr, nullptr, nullptr);  // read once, and removed
  auto copied = copy_pages(from.file.get(), to.get(), target, shown);
  to.reset();
  if (!copied) ::unlink(path.c_str());
  return copied;
}

Result<Bytes> file_size_of(const Target& target) {
  const auto connection = TRY(connect(target));
  const Rows pages = TRY(connection->query("pragma page_count"));
  const Rows size = TRY(connection->query("pragma page_size"));
  return Bytes{static_cast<std::uint64_t>(to_integer(pages.rows.at(0).at(0)) * to_integer(size.rows.at(0).at(0)))};
}

}  // namespace steward::sql
