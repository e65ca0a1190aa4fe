#include "jobs/retention/needs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>

#include "core/text.h"
#include "jobs/retention/location.h"

namespace steward::retention {
namespace {

constexpr std::size_t names_at_once = 500;

bool below(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path == folder || (path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] == '/');
}

/// `column in (…)` for texts, in either dialect, with its parameters from number 1.
std::string one_of(const sql::Connection& db, const std::string& expression, std::span<const std::string> texts,
                   std::vector<sql::Value>& parameters) {
  std::string list;
  for (const std::string& text : texts) {
    // A text that is not UTF-8 cannot stand in a PostgreSQL database, and the server would refuse the whole question.
    if (db.dialect() == sql::Dialect::postgres && !is_utf8(text)) continue;
    parameters.emplace_back(text);
    list += (list.empty() ? "" : ", ") + db.placeholder(static_cast<int>(parameters.size()));
  }
  return list.empty() ? "false" : fmt::format("{} in ({})", expression, list);
}

template <class Take>
Result<void> in_pieces(std::span<const std::string> all, const Take& take) {
  for (std::size_t begin = 0; begin < all.size(); begin += names_at_once)
    TRY(take(all.subspan(begin, std::min(names_at_once, all.size() - begin))));
  return {};
}

}  // namespace

std::string resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : std::string{};
}

bool belongs_to_steward(const OutOfReach& out_of_reach, std::string_view absolute_path) {
  for (const std::string& folder : out_of_reach.folders)
    if (below(absolute_path, folder)) return true;
  for (const std::string& file : out_of_reach.files) {
    // SQLite's companions: -wal, -shm, -journal
    if (absolute_path == file || (absolute_path.starts_with(file) && absolute_path[file.size()] == '-')) return true;
  }
  return false;
}

bool object_belongs_to_steward(const OutOfReach& out_of_reach, std::string_view address) {
  for (const std::string& store : out_of_reach.stores)
    if (below(address, store)) return true;
  return base_name(address).starts_with(".steward-");
}

Result<Needs> Needs::open(const std::vector<NeededBy>& needed, const std::string& folder) {
  Needs needs;
  for (const NeededBy& by : needed) {
    const std::string root = resolved(by.root);
    if (!folder.empty() && !below(folder, root) && !below(root, folder)) continue;
    auto db = TRY(sql::connect(by.database));
    Table table{.db = std::move(db), .roots = {by.root}};
    if (!root.empty() && root != by.root) table.roots.push_back(root);
    const auto info = table.db->describe(by.table);
    if (!info && info.error().kind == Kind::not_found) continue;
    const sql::TableInfo described = TRY(info);
    table.sql_name = TRY(sql::qualified(*table.db, described));
    table.column = fmt::format("cast({} as text)", TRY(table.db->quote_identifier(by.column)));
    if (!root.empty()) TRY(needs.find_aliases(table));
    needs.tables_.push_back(std::move(table));
  }
  return needs;
}

Result<void> Needs::find_aliases(Table& table) {
  return table.db->stream(
      fmt::format("select {0} from {1} where {0} is not null and {0} <> ''", table.column, table.sql_name), {},
      [&](const sql::Row& row) -> Result<bool> {
        const Location location = locate(sql::to_text(row[0]), table.roots);
        if (location.place != Place::file) return true;
        const std::string path = table.roots.back() + '/' + location.path;
        struct stat info{};
        if (::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) aliased_.insert(resolved(path));
        return true;
      });
}

Result<std::set<std::string>> Needs::files(std::span<const std::string> paths) {
  if (tables_.empty()) return std::set<std::string>{};
  std::set<std::string> wanted(paths.begin(), paths.end()), found;
  for (const std::string& path : paths)
    if (aliased_.contains(path)) found.insert(path);
  std::vector<std::string> names;
  for (const std::string& path : paths) names.emplace_back(base_name(path));
  for (Table& table : tables_) {
    TRY(in_pieces(names, [&](std::span<const std::string> some) -> Result<void> {
      std::vector<sql::Value> parameters;
      const std::string where = one_of(*table.db, base_name_sql(table.column), some, parameters);
      return table.db->stream(fmt::format("select {} from {} where {}", table.column, table.sql_name, where),
                              parameters, [&](const sql::Row& row) -> Result<bool> {
                                const Location location = locate(sql::to_text(row[0]), table.roots);
                                if (location.place != Place::file) return true;
                                const std::string path = table.roots.back() + '/' + location.path;
                                if (wanted.contains(path)) found.insert(path);
                                if (const std::string real = resolved(path); wanted.contains(real)) found.insert(real);
                                return true;
                              });
    }));
  }
  return found;
}

Result<std::set<std::string>> Needs::objects(std::span<const std::string> addresses) {
  std::set<std::string> found;
  for (Table& table : tables_) {
    TRY(in_pieces(addresses, [&](std::span<const std::string> some) -> Result<void> {
      std::vector<sql::Value> parameters;
      const std::string where = one_of(*table.db, table.column, some, parameters);
      return table.db->stream(fmt::format("select {} from {} where {}", table.column, table.sql_name, where),
                              parameters, [&](const sql::Row& row) -> Result<bool> {
                                found.insert(sql::to_text(row[0]));
                                return true;
                              });
    }));
  }
  return found;
}

}  // namespace steward::retention
