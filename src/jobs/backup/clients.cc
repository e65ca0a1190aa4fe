#include "jobs/backup/clients.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "core/text.h"
#include "io/process/piped.h"

namespace steward::backup {
namespace {
namespace fs = std::filesystem;

bool is_program(const std::string& path) { return access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path); }

/// Folders that packages make for one major each: below `/usr/lib/postgresql/`, and beside one another in `/usr`.
std::vector<std::string> package_folders() {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& major : fs::directory_iterator("/usr/lib/postgresql", ignored)) out.push_back(major.path() / "bin");
  for (const auto& one : fs::directory_iterator("/usr", ignored))
    if (one.path().filename().string().starts_with("pgsql-")) out.push_back(one.path() / "bin");
  return out;
}

/// "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" -> "15.18".
std::string version_in(std::string_view text) {
  constexpr std::string_view mark = "(PostgreSQL) ";
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + mark.size());
  return std::string(text.substr(0, text.find_first_of(" \n")));
}

std::optional<Clients> look(const std::string& folder) {
  Clients clients{.folder = folder};
  for (const std::string_view name : {"pg_dump", "pg_dumpall", "pg_restore", "psql"})
    if (!is_program(clients.program(name))) return {};
  // Debian's /usr/bin/pg_dump is a script that chooses among those of the packages, which are looked at themselves.
  std::error_code failed;
  const fs::path real = fs::canonical(clients.program("pg_dump"), failed);
  if (failed || real.filename() == "pg_wrapper") return {};
  auto child = process::Piped::start({.command = {.arguments = {clients.program("pg_dump"), "--version"},
                                                  .environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"}}});
  if (!child) return {};
  std::array<std::byte, 256> answer{};
  const auto n = child->output().read(answer);
  if (!n || !child->finish("ask pg_dump for its version")) return {};
  clients.version = version_in({reinterpret_cast<const char*>(answer.data()), *n});
  std::from_chars(clients.version.data(), clients.version.data() + clients.version.size(), clients.major);
  if (clients.major == 0) return {};
  clients.has_server = is_program(clients.program("initdb")) && is_program(clients.program("postgres"));
  return clients;
}

}  // namespace

std::vector<Clients> installed_clients(const std::string& folder, std::string_view path) {
  std::vector<std::string> folders{folder};
  if (folder.empty()) {
    folders = package_folders();
    for (const std::string& one : split(path, ':'))
      if (one.starts_with('/')) folders.push_back(one);
  }
  std::vector<Clients> out;
  std::set<std::string> seen;
  for (const std::string& one : folders) {
    std::error_code failed;
    const fs::path real = fs::canonical(one, failed);
    if (failed || !seen.insert(real).second) continue;
    if (auto clients = look(one)) out.push_back(*std::move(clients));
  }
  std::ranges::sort(out, {}, [](const Clients& one) { return std::pair(one.major, one.folder); });
  return out;
}

std::vector<Clients> installed_clients(const std::string& folder) {
  const char* path = std::getenv("PATH");
  return installed_clients(folder, path == nullptr ? "" : path);
}

int major_in(std::string_view version) {
  constexpr std::string_view digits = "0123456789";
  version.remove_prefix(std::min(version.find_first_of(digits), version.size()));
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

Result<Clients> clients_for(int major, std::span<const Clients> installed, bool with_server) {
  const Clients* newest = nullptr;  // of those that have what is asked for
  for (const Clients& one : installed) {
    if (with_server && !one.has_server) continue;
    if (one.major >= major) return one;
    newest = &one;
  }
  const std::string package = fmt::format("{}-{}", with_server ? "postgresql" : "postgresql-client", major);
  const std::string_view what = with_server ? "initdb and postgres" : "pg_dump";
  if (newest == nullptr)
    return fail(Kind::not_found, fmt::format("there is no {} here", what), fmt::format("Install {}.", package));
  return fail(Kind::not_found,
              fmt::format("the server is PostgreSQL {}, and there is no {} of {} or later here (only of {})", major,
                          what, major, newest->major),
              fmt::format("Install {}.", package));
}

Result<Clients> clients_to_restore(int dumped_by, int server, std::span<const Clients> installed) {
  if (dumped_by <= server) return clients_for(server, installed);
  for (const Clients& one : installed)
    if (one.major >= dumped_by) return one;
  return fail(
      Kind::not_found,
      fmt::format("the backup was made by pg_dump {0}, and there is no pg_restore of {0} or later here", dumped_by),
      fmt::format("Install postgresql-client-{}.", dumped_by));
}

}  // namespace steward::backup
