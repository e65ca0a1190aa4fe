#include "jobs/retention/returned_rows.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <span>
#include <string>

#include "jobs/retention/archived_rows.h"
#include "jobs/retention/row_step.h"

namespace steward::retention {
namespace {

using manifest::Item;

/// Up to when the last run on this table took rows; nothing where there was none.
Result<std::optional<Instant>> last_cutoff(object::Store& store, const std::vector<manifest::Listed>& manifests,
                                           const Table& table, const Age& age) {
  for (const manifest::Listed& listed : std::views::reverse(manifests)) {
    const manifest::Header header =
        TRY(manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; }));
    // Before there was a cutoff in it, the run's beginning says about when.
    if (header.table == table.name()) return header.cutoff ? header.cutoff : before(header.began, age);
  }
  return std::nullopt;
}

Result<std::uint64_t> count(const Table& table, std::span<const sql::Row> keys, Instant cutoff, const Holds& holds) {
  std::uint64_t rows = 0;
  for (std::size_t begin = 0; begin < keys.size(); begin += table.keys_at_once()) {
    const auto some = keys.subspan(begin, std::min(table.keys_at_once(), keys.size() - begin));
    const sql::Rows there =
        TRY(sql::query(table.db(), "select count(*) from " + table.sql_name() + " t where " + table.with_keys(some) +
                                       " and " + TRY(table.removable(cutoff, holds))));
    rows += static_cast<std::uint64_t>(sql::to_integer(there.rows.at(0).at(0)));
  }
  return rows;
}

}  // namespace

Result<std::vector<ReturnedSegment>> returned_segments(const Table& table, const RowPolicy& policy, Instant cutoff,
                                                       const Holds& holds) {
  std::vector<ReturnedSegment> out;
  const auto store = object::open(policy.archive->store);
  if (!store && store.error().kind == Kind::not_found) return out;
  if (!store) return std::unexpected(store.error());
  const std::vector<manifest::Listed> manifests = TRY(manifest::list(**store, archive_folder(*policy.archive, table)));
  const std::optional<Instant> last = TRY(last_cutoff(**store, manifests, table, policy.rows.age));
  if (!last) return out;
  const sql::Rows due =
      TRY(sql::query(table.db(), "select 1 from " + table.sql_name() + " t where " +
                                     TRY(table.removable(std::min(*last, cutoff), holds)) + " limit 1"));
  if (due.rows.empty()) return out;
  std::set<std::string> seen;
  for (const manifest::Listed& listed : std::views::reverse(manifests)) {
    std::vector<Item> segments;
    const manifest::Header header = TRY(manifest::read(**store, listed, [&](const Item& item) -> Result<bool> {
      if (item.state == manifest::State::row_gone && item.rows > 0) segments.push_back(item);
      return true;
    }));
    if (header.table != table.name()) continue;
    for (const Item& item : segments) {
      if (!seen.insert(item.copy).second) continue;
      std::vector<sql::Row> keys;
      TRY(each_archived_row(**store, item, [&](const ArchivedRow& row) -> Result<bool> {
        keys.push_back(TRY(row.values_of(table.info().primary_key)));
        return true;
      }));
      if (const std::uint64_t rows = TRY(count(table, keys, cutoff, holds)); rows > 0) out.push_back({item, rows});
    }
  }
  return out;
}

}  // namespace steward::retention
