#include "jobs/retention/row_shards.h"

#include <fmt/format.h>

#include <algorithm>

#include "jobs/retention/row_step.h"
#include "run/locks.h"

namespace steward::retention {
namespace {

/// So many keys tell where to cut to within a percent or two, and are no burden. Up to twice as many are all asked for.
constexpr std::uint64_t keys_wanted = 50'000;

/// Keys of rows that are to go, in the order of the key's index: all of them, or those in `percent` of the pages.
Result<std::vector<ShardKey>> keys(const Table& table, Instant cutoff, const Holds& holds, double percent) {
  const std::string key = TRY(table.key_list("t."));
  const std::string sample = percent < 100 ? fmt::format(" tablesample system ({:.6f})", percent) : "";
  const sql::Fragment question = "select " + key + " from " + table.sql_name() + " t" + sample + " where " +
                                 TRY(table.removable(cutoff, holds)) + " order by " + key;
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
  const double percent = 100.0 * static_cast<double>(keys_wanted) / static_cast<double>(step.planned.items);
  std::vector<ShardKey> sample = TRY(keys(table, step.cutoff, holds, percent > 50 ? 100 : percent));
  // Pages are picked by chance: where few of them have all the old rows, none of these may be among them.
  if (percent <= 50 && sample.size() < keys_wanted / 10) sample = TRY(keys(table, step.cutoff, holds, 100));
  return cut_by(sample, count, step.planned);
}

Result<std::vector<std::unique_ptr<Lock>>> lock_shard_of_table(const RowRules& rules, const ShardOf& of) {
  std::vector<std::unique_ptr<Lock>> locks;
  locks.push_back(TRY(lock_part_in_database(rules.database, lock_name(rules.table),
                                            fmt::format("shard {} of {}", of.number, of.digest))));
  return locks;
}

}  // namespace steward::retention
