/// Opening an SQLite file: is it there, may it be written, is it one.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "io/sql/connection.h"

struct sqlite3;

namespace steward::sql {

struct CloseFile {
  void operator()(sqlite3* file) const;
};
using SqliteFile = std::unique_ptr<sqlite3, CloseFile>;

struct OpenedFile {
  SqliteFile file{};
  std::string path{};      ///< Absolute.
  std::string identity{};  ///< "DEVICE:INODE".
};

/// Opens `path`; makes it, readable by its owner alone, only where `target.create` says so. It has the function
/// `steward_instant`. Nothing has been read from it yet.
/// Errors: not_found, permission, bad_input (a folder), unavailable.
Result<OpenedFile> open_file(const std::string& path, const Target& target);

/// "sqlite:////srv/app.db"
std::string shown_of_file(std::string_view path);

/// What SQLite's result code means.
Kind kind_of(int code, std::string_view message);

}  // namespace steward::sql
