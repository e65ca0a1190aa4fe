/// PostgreSQL's own programs, as they are installed here: several majors may be, side by side.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace steward::backup {

/// A folder with pg_dump, pg_dumpall, pg_restore and psql in it.
struct Clients {
  int major = 0;          ///< 15.
  std::string version{};  ///< "15.18".
  std::string folder{};
  bool has_server = false;  ///< Also initdb and postgres.
  std::string program(std::string_view name) const { return folder + '/' + std::string(name); }
};

/// All that are here, by major, ascending: in `folder` alone where it is not empty; else where Debian's, the PGDG's and
/// Red Hat's packages put them, and in the folders of `path` (as in PATH).
std::vector<Clients> installed_clients(const std::string& folder, std::string_view path);
/// The same with this process's PATH.
std::vector<Clients> installed_clients(const std::string& folder);

/// "PostgreSQL 15.18", "pg_dump (PostgreSQL) 15.18" -> 15; 0 where it says none.
int major_in(std::string_view version);

/// Those for a server of `major`: of the same, else of the lowest above it; a server's programs too where
/// `with_server`. An older pg_dump is refused by the server's makers, and by this. not_found, with the package to
/// install.
Result<Clients> clients_for(int major, std::span<const Clients> installed, bool with_server = false);

/// Those that restore what pg_dump of `dumped_by` has made into a server of `server`: no older than either.
Result<Clients> clients_to_restore(int dumped_by, int server, std::span<const Clients> installed);

}  // namespace steward::backup
