#include "run/ledger/totals.h"

#include <fmt/format.h>

namespace steward::ledger {
namespace {

constexpr std::string_view by_run =
    "select job, status, count(*), cast(coalesce(sum(ended - started), 0) as bigint) from @runs group by job, status "
    "order by job, status";
constexpr std::string_view by_task =
    "select r.job, t.task, t.status, count(*), cast(coalesce(sum(t.done_items), 0) as bigint), "
    "cast(coalesce(sum(t.done_bytes), 0) as bigint) from @tasks t join @runs r on r.id = t.run "
    "group by r.job, t.task, t.status order by 1, 2, 3";
constexpr std::string_view by_tick =
    "select job, outcome, count(*) from @ticks group by job, outcome order by job, outcome";
// A run's id sorts by its moment, so that the greatest one is the last.
constexpr std::string_view last_of_each =
    "select r.job, r.started, r.due, (select max(s.started) from @runs s where s.job = r.job and s.scope = '' and "
    "s.status = 'succeeded') from @runs r join (select job, max(started) as started from @runs where scope = '' and "
    "status <> 'queued' group by job) l on l.job = r.job and l.started = r.started where r.scope = '' and r.status <> "
    "'queued' order by r.job, r.id desc";
constexpr std::string_view by_channel =
    "select channel, sum(case when sent is null and given_up is null then 1 else 0 end), min(case when sent is null "
    "and "
    "given_up is null then made end), sum(case when given_up is null then 0 else 1 end) from @deliveries group by "
    "channel order by channel";

}  // namespace

Result<Totals> add_up(LedgerDatabase& db) {
  Totals out;
  for (const sql::Row& row : TRY(db.query(by_run)).rows) {
    const auto status = status_named(text_of(row.at(1)));
    if (!status) continue;
    out.runs.push_back({.job = text_of(row.at(0)),
                        .status = *status,
                        .runs = count_of(row.at(2)),
                        .took = std::chrono::microseconds(sql::to_integer(row.at(3)))});
  }
  for (const sql::Row& row : TRY(db.query(by_task)).rows)
    out.tasks.push_back({.job = text_of(row.at(0)),
                         .task = text_of(row.at(1)),
                         .status = text_of(row.at(2)),
                         .runs = count_of(row.at(3)),
                         .items = count_of(row.at(4)),
                         .bytes = count_of(row.at(5))});
  for (const sql::Row& row : TRY(db.query(by_tick)).rows)
    out.ticks.push_back({.job = text_of(row.at(0)), .outcome = text_of(row.at(1)), .ticks = count_of(row.at(2))});
  for (const sql::Row& row : TRY(db.query(last_of_each)).rows) {
    if (!out.last.empty() && out.last.back().job == text_of(row.at(0))) continue;  // two began at one moment
    out.last.push_back({.job = text_of(row.at(0)),
                        .started = instant_of(row.at(1)),
                        .due = optional_instant_of(row.at(2)),
                        .succeeded = optional_instant_of(row.at(3))});
  }
  for (const sql::Row& row : TRY(db.query(by_channel)).rows)
    out.channels.push_back({.channel = text_of(row.at(0)),
                            .waiting = count_of(row.at(1)),
                            .oldest = optional_instant_of(row.at(2)),
                            .given_up = count_of(row.at(3))});
  return out;
}

}  // namespace steward::ledger
