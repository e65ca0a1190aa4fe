#include "jobs/retention/needs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
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

/// Names whose meaning needs decoding: URLs with a `%`, a `?` or a `#`.
std::string hard_url_sql(const std::string& column) {
  return fmt::format(
      "((lower(substr({0}, 1, 4)) = 'http' or substr({0}, 1, 2) = '//') and "
      "replace(replace(replace({0}, '%', ''), '?', ''), '#', '') <> {0})",
      column);
}

bool leads_to_bucket(const UrlPrefix& url) { return url.store.url.starts_with("s3://"); }

/// Whether a URL may name a file in, above or at the folder.
bool leads_near(const UrlPrefix& url, const std::string& folder) {
  if (leads_to_bucket(url)) return false;
  const std::string place = url.store.url.substr(7);
  for (const std::string& name : {place, resolved(place)})
    if (!name.empty() && (below(folder, name) || below(name, folder))) return true;
  return false;
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
    const bool near = below(folder, root) || below(root, folder) ||
                      std::ranges::any_of(by.urls, [&](const UrlPrefix& url) { return leads_near(url, folder); });
    if (!folder.empty() && !near) continue;
    auto db = TRY(sql::connect(by.database));
    Table table{.db = std::move(db), .roots = {by.root}, .urls = by.urls};
    if (!root.empty() && root != by.root) table.roots.push_back(root);
    const auto info = table.db->describe(by.table);
    if (!info && info.error().kind == Kind::not_found) continue;
    const sql::TableInfo described = TRY(info);
    table.sql_name = TRY(sql::qualified(*table.db, described));
    table.column = fmt::format("cast({} as text)", TRY(table.db->quote_identifier(by.column)));
    if (!root.empty() || !by.urls.empty()) TRY(needs.find_aliases(table));
    needs.tables_.push_back(std::move(table));
  }
  return needs;
}

Result<void> Needs::find_aliases(Table& table) {
  return table.db->stream(
      fmt::format("select {0} from {1} where {0} is not null and {0} <> ''", table.column, table.sql_name), {},
      [&](const sql::Row& row) -> Result<bool> {
        for (const std::string& path : paths(table, sql::to_text(row[0]))) {
          struct stat info{};
          if (::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) aliased_.insert(resolved(path));
        }
        return true;
      });
}

std::vector<std::string> Needs::paths(const Table& table, const std::string& stored) {
  std::vector<std::string> all;
  if (const Location location = locate(stored, table.roots); location.place == Place::file)
    all.push_back(table.roots.back() + '/' + location.path);
  for (const std::string& address : mapped(stored, table.urls))
    if (const Location location = locate(address, {"/"}); location.place == Place::file)
      all.push_back('/' + location.path);
  return all;
}

Result<void> Needs::each_candidate(Table& table, std::span<const std::string> base_names,
                                   const std::function<void(const std::string& stored)>& take) {
  return in_pieces(base_names, [&](std::span<const std::string> some) -> Result<void> {
    std::vector<sql::Value> parameters;
    std::string where = one_of(*table.db, base_name_sql(table.column), some, parameters);
    // What a URL with escapes or a query names, SQL cannot say: all of these are looked at.
    if (!table.urls.empty()) where = fmt::format("{} or {}", where, hard_url_sql(table.column));
    return table.db->stream(fmt::format("select {} from {} where {}", table.column, table.sql_name, where), parameters,
                            [&](const sql::Row& row) -> Result<bool> {
                              if (!sql::is_null(row[0])) take(sql::to_text(row[0]));
                              return true;
                            });
  });
}

Result<std::set<std::string>> Needs::files(std::span<const std::string> paths) {
  if (tables_.empty()) return std::set<std::string>{};
  std::set<std::string> wanted(paths.begin(), paths.end()), found;
  for (const std::string& path : paths)
    if (aliased_.contains(path)) found.insert(path);
  std::vector<std::string> names;
  for (const std::string& path : paths) names.emplace_back(base_name(path));
  for (Table& table : tables_)
    TRY(each_candidate(table, names, [&](const std::string& stored) {
      for (const std::string& path : Needs::paths(table, stored)) {
        if (wanted.contains(path)) found.insert(path);
        if (const std::string real = resolved(path); wanted.contains(real)) found.insert(real);
      }
    }));
  return found;
}

Result<std::set<std::string>> Needs::objects(std::span<const std::string> addresses) {
  std::set<std::string> found, wanted;
  std::vector<std::string> names;
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
    if (std::ranges::none_of(table.urls, leads_to_bucket)) continue;
    if (wanted.empty()) {
      wanted.insert(addresses.begin(), addresses.end());
      for (const std::string& address : addresses) names.emplace_back(base_name(address));
    }
    TRY(each_candidate(table, names, [&](const std::string& stored) {
      for (const std::string& address : mapped(stored, table.urls))
        if (wanted.contains(address)) found.insert(address);
    }));
  }
  return found;
}

}  // namespace steward::retention
