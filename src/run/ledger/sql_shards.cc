#include "run/ledger/sql_shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/bytes.h"
#include "core/text.h"
#include "run/ledger/audit_trail.h"
#include "run/ledger/runs.h"

namespace steward::ledger {
namespace {

constexpr std::size_t shortest_digest = 8;

ShardSetRecord set_of(const sql::Row& row) {
  return {.digest = text_of(row[0]),
          .job = text_of(row[1]),
          .task = text_of(row[2]),
          .made = instant_of(row[3]),
          .made_by = text_of(row[4]),
          .ceiling = count_of(row[5]),
          .document = text_of(row[6])};
}

std::unexpected<Error> no_such_set(std::string_view digest) {
  return fail(Kind::not_found, fmt::format("no plan \"{}\" was handed out in shards", printable(digest)),
              "`steward shards JOB/TASK` makes one, and says its digest.");
}

}  // namespace

Result<void> SqlShards::enter(const ShardSetRecord& set) {
  return db_.change([&]() -> Result<void> {
    const std::int64_t entered =
        TRY(db_.execute("insert into @shard_sets (digest, job, task, made, made_by, ceiling, document) "
                        "values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (digest) do nothing",
                        {stored(set.digest), stored(set.job), stored(set.task), stored(set.made), stored(set.made_by),
                         stored(set.ceiling), stored(set.document)}));
    if (entered == 0) return {};
    const nlohmann::json detail{{"job", set.job}, {"task", set.task}, {"items", set.ceiling}};
    return append(db_, {set.made_by, "shards.hand-out", set.digest, detail.dump(), set.made});
  });
}

Result<ShardSetRecord> SqlShards::set(std::string_view job, std::string_view task, std::string_view digest) {
  if (digest.size() < shortest_digest)
    return fail(Kind::bad_input, fmt::format("\"{}\" is too short for a digest", printable(digest)),
                "Write eight digits of it, or more.");
  std::vector<ShardSetRecord> fitting;
  TRY(db_.read([&]() -> Result<void> {
    fitting.clear();
    const sql::Rows rows = TRY(db_.query(
        "select digest, job, task, made, made_by, ceiling, document from @shard_sets where job = ?1 and task = ?2 and "
        "substr(digest, 1, length(cast(?3 as text))) = ?3 limit 2",
        {stored(job), stored(task), stored(digest)}));
    std::ranges::transform(rows.rows, std::back_inserter(fitting), set_of);
    return {};
  }));
  if (fitting.empty()) return no_such_set(digest);
  if (fitting.size() > 1)
    return fail(Kind::bad_input, fmt::format("several plans begin with \"{}\"", printable(digest)),
                "Write more of the digest.");
  return std::move(fitting.front());
}

Result<void> SqlShards::take_on(std::string_view digest, std::uint64_t number, std::uint64_t items) {
  return db_.change([&]() -> Result<void> {
    // Locks the set's row: of two shards that ask at once, one sees what the other has taken on.
    const sql::Rows sets = TRY(
        db_.query("update @shard_sets set ceiling = ceiling where digest = ?1 returning ceiling", {stored(digest)}));
    if (sets.rows.empty()) return no_such_set(digest);
    const std::uint64_t ceiling = count_of(sets.rows.front().front());
    std::uint64_t others = 0, own = 0;
    for (const sql::Row& row :
         TRY(db_.query("select number, taken from @shards_taken where digest = ?1", {stored(digest)})).rows) {
      (count_of(row[0]) == number ? own : others) += count_of(row[1]);
    }
    const std::uint64_t now = std::max(own, items);
    if (now > own && others + now > ceiling)
      return fail(
          Kind::refused,
          fmt::format("shard {} has {} items now, and with the {} of the others that is more than the {} of the "
                      "plan",
                      number, format_count(now), format_count(others), format_count(ceiling)),
          "Hand out a fresh plan with `steward shards`.", "plan-outdated");
    TRY(
        db_.execute("insert into @shards_taken (digest, number, taken) values (?1, ?2, ?3) "
                    "on conflict (digest, number) do update set taken = excluded.taken",
                    {stored(digest), stored(number), stored(now)}));
    return {};
  });
}

Result<std::vector<ShardRun>> SqlShards::runs(std::string_view digest) {
  std::vector<ShardRun> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    for (Run& run : TRY(runs_of_shards(db_, digest))) {
      std::vector<TaskRecord> tasks = TRY(tasks_of(db_, run.id));
      out.push_back({.run = std::move(run), .tasks = std::move(tasks)});
    }
    return {};
  }));
  return out;
}

Result<std::uint64_t> SqlShards::forget(Instant before) {
  std::int64_t gone = 0;
  TRY(db_.change([&]() -> Result<void> {
    TRY(db_.execute("delete from @shards_taken where digest in (select digest from @shard_sets where made < ?1)",
                    {stored(before)}));
    gone = TRY(db_.execute("delete from @shard_sets where made < ?1", {stored(before)}));
    return {};
  }));
  return static_cast<std::uint64_t>(gone);
}

}  // namespace steward::ledger
