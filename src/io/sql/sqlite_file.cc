#include "io/sql/sqlite_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/url.h"
#include "core/zone.h"

namespace steward::sql {
namespace {

/// steward_instant(x): see sqlite.h.
void steward_instant(sqlite3_context* context, int, sqlite3_value** arguments) {
  if (sqlite3_value_type(arguments[0]) != SQLITE_TEXT) return sqlite3_result_null(context);
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(arguments[0]));
  const auto instant = text == nullptr ? std::nullopt : parse_instant({text, size});
  if (!instant) return sqlite3_result_null(context);
  sqlite3_result_int64(context, instant->time_since_epoch().count());
}

/// steward_instant(x, zone): likewise. The zone is a constant of its statement, and is loaded once for it.
void steward_instant_in(sqlite3_context* context, int, sqlite3_value** arguments) {
  auto* zone = static_cast<Zone*>(sqlite3_get_auxdata(context, 1));
  std::unique_ptr<Zone> loaded;
  if (zone == nullptr) {
    const auto* name = reinterpret_cast<const char*>(sqlite3_value_text(arguments[1]));
    auto found = Zone::load(name == nullptr ? std::string_view{} : std::string_view(name));
    if (!found) return sqlite3_result_error(context, found.error().message.c_str(), -1);
    loaded = std::make_unique<Zone>(*std::move(found));
    zone = loaded.get();
  }
  std::optional<Instant> instant;
  if (sqlite3_value_type(arguments[0]) == SQLITE_TEXT) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
    const auto size = static_cast<std::size_t>(sqlite3_value_bytes(arguments[0]));
    if (text != nullptr) instant = parse_instant({text, size}, *zone);
  }
  if (instant)
    sqlite3_result_int64(context, instant->time_since_epoch().count());
  else
    sqlite3_result_null(context);
  // Last: SQLite may free it at once, and then calls for it again.
  if (loaded) sqlite3_set_auxdata(context, 1, loaded.release(), [](void* old) { delete static_cast<Zone*>(old); });
}

std::unexpected<Error> cannot_open(const std::string& path, int error) {
  const std::string message = fmt::format("cannot open {}: {}", shown_of_file(path), std::strerror(error));
  if (error == ENOENT || error == ENOTDIR)
    return fail(Kind::not_found, message,
                "Check the path in the database's URL: three slashes before a relative one, four before an absolute.");
  if (error == EACCES || error == EPERM || error == EROFS)
    return fail(Kind::permission, message, "Give this user read and write access to the file and to its folder.");
  return fail(Kind::unavailable, message);
}

/// Makes an empty file, which SQLite takes for an empty database, with the rights that its journal and WAL inherit.
Result<void> make_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return errno == EEXIST ? Result<void>{} : cannot_open(path, errno);
  close(file);
  const std::string folder = std::filesystem::path(path).parent_path();
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool durable = directory >= 0 && fsync(directory) == 0;
  const int error = errno;
  if (directory >= 0) close(directory);
  return durable ? Result<void>{} : cannot_open(path, error);
}

Result<std::string> identity_of(const std::string& path) {
  struct stat found{};
  if (stat(path.c_str(), &found) != 0) return cannot_open(path, errno);
  if (S_ISDIR(found.st_mode))
    return fail(Kind::bad_input, fmt::format("{} is a folder", shown_of_file(path)),
                "Name the database's file in its URL.");
  return fmt::format("{}:{}", found.st_dev, found.st_ino);
}

}  // namespace

void CloseFile::operator()(sqlite3* file) const { sqlite3_close_v2(file); }

std::string shown_of_file(std::string_view path) { return "sqlite:///" + percent_encode(path, /*keep_slash=*/true); }

Kind kind_of(int code, std::string_view message) {
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_SCHEMA: return Kind::busy;
    case SQLITE_INTERRUPT: return Kind::interrupted;
    case SQLITE_CONSTRAINT: return Kind::held;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Kind::corrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return Kind::permission;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_NOLFS: return Kind::unavailable;
    case SQLITE_MISUSE: return Kind::bug;
    default: return message.starts_with("no such ") ? Kind::not_found : Kind::bad_input;
  }
}

Result<OpenedFile> open_file(const std::string& path, const Target& target) {
  OpenedFile out;
  out.path = std::filesystem::absolute(path);
  if (target.create) TRY(make_file(out.path));
  out.identity = TRY(identity_of(out.path));
  // SQLite would fall back to reading alone without a word.
  const int rights = target.read_only ? R_OK : R_OK | W_OK;
  if (faccessat(AT_FDCWD, out.path.c_str(), rights, AT_EACCESS) != 0) return cannot_open(out.path, errno);

  sqlite3* file = nullptr;
  const int flags =
      (target.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(out.path.c_str(), &file, flags, nullptr);
  out.file.reset(file);
  if (code != SQLITE_OK)
    return fail(kind_of(code, {}), fmt::format("cannot open {}: {}", shown_of_file(out.path), sqlite3_errmsg(file)));
  sqlite3_create_function_v2(file, "steward_instant", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
                             steward_instant, nullptr, nullptr, nullptr);
  sqlite3_create_function_v2(file, "steward_instant", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, nullptr,
                             steward_instant_in, nullptr, nullptr, nullptr);
  return out;
}

}  // namespace steward::sql
