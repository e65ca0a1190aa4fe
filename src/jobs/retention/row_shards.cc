#include "jobs/retention/row_shards.h"

#include <fmt/format.h>

#include <algorithm>

#include "jobs/retention/row_step.h"
#include "run/locks.h"

namespace steward::retention {
namespace {

/// So many keys tell where to cut, and are no burden. Up to twice as many are all asked for.
constexpr std::uint64_t keys_wanted = 50'000;
/// Rows of a page are neighbours and tell the same thing: the sample is of so many times more pages than would do for
/// its keys, and takes one in so many of their rows. With 2,000 pages a quarter is cut to within some percent.
constexpr double spread = 10;

/// Keys of rows that are to go, in the order of the key's index: a share of those in a share of the pages, both from 0
/// to 1, picked by chance.
Result<std::vector<ShardKey>> keys(const Table& table, Instant cutoff, const Holds& holds, double pages, double rows) {
  const std::string key = TRY(table.key_list("t."));
  const std::string sample = pages < 1 ? fmt::format(" tablesample system ({:.6f})", 100 * pages) : "";
  const std::string thinned = rows < 1 ? fmt::format(" and random() < {:.9f}", rows) : "";
  const sql::Fragment question = "select " + key + " from " + table.sql_name() + " t" + sample + " where " +
                                 TRY(table.removable(cutoff, holds)) + thinned + " order by " + key;
  std::vector<ShardKey> out;
  TRY(sql::stream(table.db(), question, [&](const sql::Row& row) -> Result<bool> {
    ShardKey& one = out.emplace_back();
    for (const sql::Value& value : row) one.push_back(sql::to_text(value));
    return true;
  }));
  return out;
}

}  // namespace

Result<Split> split_rows(const Table& table, const Step& step, std::uint64_t count, const Holds& holds) {
  if (table.db().dialect() == sql::Dialect::sqlite) return in_one(step, "SQLite has one writer at a time");
  if (table.info().primary_key.empty())
    return in_one(step, fmt::format("{} has no primary key to be cut by", table.name()));
  if (!step.items.empty()) return in_one(step, "whole partitions are dropped, which takes a moment");
  count = std::min(count, step.planned.items);
  if (count <= 1) return in_one(step, "");
  const double share = static_cast<double>(keys_wanted) / static_cast<double>(step.planned.items);
  if (share > 0.5) return cut_by(TRY(keys(table, step.cutoff, holds, 1, 1)), count, step.planned);
  const double pages = std::min(1.0, spread * share);
  std::vector<ShardKey> sample = TRY(keys(table, step.cutoff, holds, pages, share / pages));
  // Where few pages have all the old rows, none of these may have been picked.
  if (sample.size() < keys_wanted / 10) sample = TRY(keys(table, step.cutoff, holds, 1, share));
  return cut_by(sample, count, step.planned);
}

Result<std::vector<std::unique_ptr<Lock>>> lock_shard_of_table(const RowRules& rules, const ShardOf& of) {
  std::vector<std::unique_ptr<Lock>> locks;
  locks.push_back(TRY(lock_part_in_database(rules.database, lock_name(rules.table),
                                            fmt::format("shard {} of {}", of.number, of.digest))));
  return locks;
}

}  // namespace steward::retention
