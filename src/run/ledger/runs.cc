#include "run/ledger/runs.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/ledger/audit_trail.h"
#include "run/ledger/sql_approvals.h"

namespace steward::ledger {
namespace {

constexpr std::string_view columns =
    "id, job, status, started, ended, heartbeat, host, boot, pid, started_ticks, launched_by, actor, version, "
    "environment, plan_digest, plan, progress, error, cancel_requested, cancelled_by, scope, pid_namespace, pulse, "
    "due, attempt, retry_of, not_before, launch, launched, shard";

constexpr std::string_view has_old_plan =
    "started < ?1 and status not in ('queued', 'running', 'waiting') and (plan <> '' or progress <> '')";

Result<Run> run_of(const sql::Row& row) {
  const std::string status = text_of(row.at(2));
  const auto known = status_named(status);
  if (!known)
    return fail(Kind::corrupt, fmt::format("run {} has an unknown status \"{}\"", text_of(row.at(0)), status));
  return Run{.id = text_of(row.at(0)),
             .job = text_of(row.at(1)),
             .scope = text_of(row.at(20)),
             .shard = count_of(row.at(29)),
             .status = *known,
             .started = instant_of(row.at(3)),
             .ended = optional_instant_of(row.at(4)),
             .heartbeat = instant_of(row.at(5)),
             .process = {.host = text_of(row.at(6)),
                         .boot = text_of(row.at(7)),
                         .pid = sql::to_integer(row.at(8)),
                         .started_ticks = sql::to_integer(row.at(9)),
                         .pid_namespace = text_of(row.at(21))},
             .trigger = text_of(row.at(10)),
             .actor = text_of(row.at(11)),
             .version = text_of(row.at(12)),
             .environment = text_of(row.at(13)),
             .plan_digest = text_of(row.at(14)),
             .plan = text_of(row.at(15)),
             .progress = text_of(row.at(16)),
             .error = text_of(row.at(17)),
             .cancel_requested = flag_of(row.at(18)),
             .cancelled_by = text_of(row.at(19)),
             .pulse = optional_instant_of(row.at(22)),
             .due = optional_instant_of(row.at(23)),
             .attempt = sql::to_integer(row.at(24)),
             .retry_of = text_of(row.at(25)),
             .not_before = optional_instant_of(row.at(26)),
             .launch = text_of(row.at(27)),
             .launched = optional_instant_of(row.at(28))};
}

/// Of a row that begins with task, status, planned_items, done_items, done_bytes, detail.
TaskRecord record_of(const sql::Row& row) {
  return {.task = text_of(row[0]),
          .status = text_of(row[1]),
          .planned_items = count_of(row[2]),
          .done_items = count_of(row[3]),
          .done_bytes = count_of(row[4]),
          .detail = text_of(row[5])};
}

Result<std::vector<Run>> runs_of(const sql::Rows& rows) {
  std::vector<Run> out;
  for (const sql::Row& row : rows.rows) out.push_back(TRY(run_of(row)));
  return out;
}

std::unexpected<Error> no_such_run(std::string_view id) {
  return fail(Kind::not_found, fmt::format("there is no run \"{}\"", printable(id)), "`steward runs` lists them.");
}

/// The status of a run; not_found where there is none.
Result<std::string> status_of(LedgerDatabase& db, std::string_view run) {
  const sql::Rows rows = TRY(db.query("select status from @runs where id = ?1", {stored(run)}));
  if (rows.rows.empty()) return no_such_run(run);
  return text_of(rows.rows[0][0]);
}

/// A small JSON object. Names that are not UTF-8 lose their bytes here: it is for people.
std::string json(std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, value] : members) object[std::string(name)] = std::string(value);
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

Result<void> insert_run(LedgerDatabase& db, const Run& run) {
  TRY(db.execute(
      fmt::format("insert into @runs ({}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
                  "?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)",
                  columns),
      {stored(run.id),
       stored(run.job),
       stored(name_of(run.status)),
       stored(run.started),
       stored(run.ended),
       stored(run.heartbeat),
       stored(run.process.host),
       stored(run.process.boot),
       run.process.pid,
       run.process.started_ticks,
       stored(run.trigger),
       stored(run.actor),
       stored(run.version),
       stored(run.environment),
       stored(run.plan_digest),
       stored(run.plan),
       stored(run.progress),
       stored(run.error),
       stored(run.cancel_requested),
       stored(run.cancelled_by),
       stored(run.scope),
       stored(run.process.pid_namespace),
       stored(run.pulse),
       stored(run.due),
       run.attempt,
       stored(run.retry_of),
       stored(run.not_before),
       stored(run.launch),
       stored(run.launched),
       stored(run.shard)}));
  return {};
}

Result<void> audit_begin(LedgerDatabase& db, const Run& run) {
  const std::string detail = run.scope.empty()
                                 ? json({{"job", run.job}, {"trigger", run.trigger}})
                                 : json({{"job", run.job}, {"scope", run.scope}, {"trigger", run.trigger}});
  return append(db, {run.actor, "run.begin", run.id, detail, run.started});
}

Result<void> begin_run(LedgerDatabase& db, const Run& run) {
  return db.change([&]() -> Result<void> {
    TRY(insert_run(db, run));
    return audit_begin(db, run);
  });
}

namespace {

/// Whether the run that an update has returned is to stop: a cancel was asked for, or it is not running any more.
constexpr std::string_view returning_stop = "returning cancel_requested = 1 or status <> 'running'";
Result<bool> is_to_stop(const sql::Rows& updated, std::string_view run) {
  if (updated.rows.empty()) return no_such_run(run);
  return updated.rows[0][0] == sql::Value{"t"} || sql::to_integer(updated.rows[0][0]) == 1;
}

}  // namespace

Result<bool> pulse(LedgerDatabase& db, std::string_view run, Instant now) {
  bool stop = false;
  TRY(db.change([&]() -> Result<void> {
    stop = TRY(is_to_stop(TRY(db.query(fmt::format("update @runs set pulse = case when status = 'running' then ?2 else "
                                                   "pulse end where id = ?1 {}",
                                                   returning_stop),
                                       {stored(run), stored(now)})),
                          run));
    return {};
  }));
  return stop;
}

Result<bool> heartbeat(LedgerDatabase& db, std::string_view run, Instant now, std::string_view progress) {
  bool stop = false;
  TRY(db.change([&]() -> Result<void> {
    // A run that another process has given up for dead is to stop as well: a new one may have taken its place.
    const sql::Rows updated =
        TRY(db.query(fmt::format("update @runs set heartbeat = case when status = 'running' then ?2 else heartbeat "
                                 "end, progress = case when status = 'running' then ?3 else progress end where id = ?1 "
                                 "{}",
                                 returning_stop),
                     {stored(run), stored(now), stored(progress)}));
    stop = TRY(is_to_stop(updated, run));
    return {};
  }));
  return stop;
}

Result<void> record_task(LedgerDatabase& db, std::string_view run, const TaskRecord& record) {
  return db.change([&]() -> Result<void> {
    TRY(status_of(db, run));
    TRY(
        db.execute("insert into @tasks (run, task, position, status, planned_items, done_items, done_bytes, detail) "
                   "values (?1, ?2, (select count(*) from @tasks where run = ?1), ?3, ?4, ?5, ?6, ?7) "
                   "on conflict (run, task) do update set status = excluded.status, "
                   "planned_items = excluded.planned_items, done_items = excluded.done_items, "
                   "done_bytes = excluded.done_bytes, detail = excluded.detail",
                   {stored(run), stored(record.task), stored(record.status), stored(record.planned_items),
                    stored(record.done_items), stored(record.done_bytes), stored(record.detail)}));
    return {};
  });
}

Result<void> set_plan(LedgerDatabase& db, std::string_view run, std::string_view digest, std::string_view plan) {
  return db.change([&]() -> Result<void> {
    const std::int64_t changed = TRY(db.execute("update @runs set plan_digest = ?2, plan = ?3 where id = ?1",
                                                {stored(run), stored(digest), stored(plan)}));
    return changed == 0 ? no_such_run(run) : Result<void>{};
  });
}

Result<void> end_run(LedgerDatabase& db, std::string_view run, Status status, Instant now, std::string_view error) {
  if (status == Status::running || status == Status::queued)
    return fail(Kind::bug, fmt::format("a run cannot end as {}", name_of(status)));
  return db.change([&]() -> Result<void> {
    const sql::Rows rows = TRY(db.query(
        "update @runs set status = ?2, ended = ?3, error = ?4 where id = ?1 and status in ('running', 'queued') "
        "returning actor",
        {stored(run), stored(name_of(status)), stored(now), stored(error)}));
    if (rows.rows.empty()) {
      TRY(status_of(db, run));
      return {};
    }
    const std::string detail = json({{"status", name_of(status)}});
    return append(db, {text_of(rows.rows[0][0]), "run.end", run, detail, now});
  });
}

Result<void> request_cancel(LedgerDatabase& db, std::string_view run, std::string_view who, Instant now) {
  return db.change([&]() -> Result<void> {
    const std::int64_t changed =
        TRY(db.execute("update @runs set cancel_requested = 1, cancelled_by = ?2 where id = ?1 and status = 'running'",
                       {stored(run), stored(who)}));
    if (changed > 0) return append(db, {who, "run.cancel", run, "{}", now});
    const std::int64_t unbegun = TRY(db.execute(
        "update @runs set cancel_requested = 1, cancelled_by = ?2, status = 'cancelled', ended = ?3 where id = ?1 "
        "and status in ('queued', 'waiting')",
        {stored(run), stored(who), stored(now)}));
    if (unbegun > 0) {
      TRY(withdraw_approval(db, run, who, now));
      TRY(append(db, {who, "run.cancel", run, "{}", now}));
      return append(db, {who, "run.end", run, json({{"status", name_of(Status::cancelled)}}), now});
    }
    const std::string status = TRY(status_of(db, run));
    return fail(Kind::refused, fmt::format("run {} is not running: it is {}", run, status),
                "`steward runs` lists those that are.", "not-running");
  });
}

Result<std::vector<Run>> find_runs(LedgerDatabase& db, const RunFilter& filter) {
  const std::string_view status = filter.status ? name_of(*filter.status) : "";
  return runs_of(TRY(db.query(
      fmt::format(
          "select {} from @runs where (job = ?1 or ?1 = '') and (status = ?2 or ?2 = '') "
          "and (scope = '' or ?4 = 0) and (?5 = '' or (started, id) < (select started, id from @runs where id = "
          "?5)) order by started desc, id desc limit ?3",
          columns),
      {stored(filter.job), stored(status), stored(static_cast<std::uint64_t>(filter.limit)), stored(filter.whole),
       stored(filter.before)})));
}

Result<std::vector<Run>> unretried_runs(LedgerDatabase& db, Instant since) {
  return runs_of(TRY(db.query(fmt::format("select {} from @runs where due is not null and ended >= ?1 and retried_by = "
                                          "'' and status in ('failed', 'partial', 'interrupted') order by ended, id",
                                          columns),
                              {stored(since)})));
}

Result<bool> claim_retry(LedgerDatabase& db, std::string_view run, std::string_view retry) {
  return TRY(db.execute("update @runs set retried_by = ?2 where id = ?1 and retried_by = ''",
                        {stored(run), stored(retry)})) > 0;
}

Result<std::vector<Run>> unended_runs(LedgerDatabase& db) {
  return runs_of(TRY(db.query(
      fmt::format("select {} from @runs where status in ('queued', 'running') order by started, id", columns))));
}

Result<Run> find_run(LedgerDatabase& db, std::string_view id) {
  if (id == "latest") {
    std::vector<Run> newest = TRY(find_runs(db, {.limit = 1}));
    if (newest.empty()) return fail(Kind::not_found, "there is no run yet", "`steward run cleanup` makes the first.");
    return std::move(newest[0]);
  }
  if (id.empty()) return no_such_run(id);
  const sql::Rows rows = TRY(db.query(
      fmt::format("select {} from @runs where substr(id, 1, length(cast(?1 as text))) = ?1 order by id desc limit 20",
                  columns),
      {stored(id)}));
  std::vector<Run> fitting = TRY(runs_of(rows));
  if (fitting.empty()) return no_such_run(id);
  for (Run& run : fitting)
    if (run.id == id || fitting.size() == 1) return std::move(run);
  std::vector<std::string> ids;
  for (const Run& run : fitting) ids.push_back(run.id);
  return fail(Kind::bad_input, fmt::format("\"{}\" fits several runs: {}", printable(id), join_and(ids)),
              "Write more of the id.");
}

Result<std::uint64_t> runs_with_plan(LedgerDatabase& db, Instant before) {
  const sql::Rows rows =
      TRY(db.query(fmt::format("select count(*) from @runs where {}", has_old_plan), {stored(before)}));
  return count_of(rows.rows.at(0).at(0));
}

Result<std::uint64_t> forget_plans(LedgerDatabase& db, Instant before) {
  std::int64_t changed = 0;
  TRY(db.change([&]() -> Result<void> {
    changed = TRY(
        db.execute(fmt::format("update @runs set plan = '', progress = '' where {}", has_old_plan), {stored(before)}));
    return {};
  }));
  return static_cast<std::uint64_t>(changed);
}

Result<std::vector<TaskRecord>> tasks_of(LedgerDatabase& db, std::string_view run) {
  TRY(status_of(db, run));
  const sql::Rows rows = TRY(db.query(
      "select task, status, planned_items, done_items, done_bytes, detail from @tasks where run = ?1 order by position",
      {stored(run)}));
  std::vector<TaskRecord> out;
  for (const sql::Row& row : rows.rows) out.push_back(record_of(row));
  return out;
}

Result<std::vector<Run>> runs_of_shards(LedgerDatabase& db, std::string_view digest) {
  return runs_of(TRY(
      db.query(fmt::format("select {} from @runs where plan_digest = ?1 and shard > 0 order by started, id", columns),
               {stored(digest)})));
}

Result<std::vector<std::uint64_t>> last_removed(LedgerDatabase& db, std::string_view job, std::string_view task,
                                                std::size_t count, std::string_view but_for) {
  const sql::Rows rows = TRY(
      db.query("select sum(t.done_items) from @tasks t join @runs r on r.id = t.run where r.job = ?1 and t.task = ?2 "
               "and t.status = 'succeeded' and t.done_items > 0 and (r.shard = 0 or r.plan_digest <> ?4) "
               "group by case when r.shard > 0 then r.plan_digest else r.id end "
               "order by max(r.started) desc, max(r.id) desc limit ?3",
               {stored(job), stored(task), stored(static_cast<std::uint64_t>(count)), stored(but_for)}));
  std::vector<std::uint64_t> out;
  for (const sql::Row& row : rows.rows) out.push_back(count_of(row[0]));
  return out;
}

Result<std::vector<PastTask>> past_tasks(LedgerDatabase& db, std::string_view job, std::string_view task,
                                         std::size_t count) {
  const sql::Rows rows = TRY(db.query(
      "select t.task, t.status, t.planned_items, t.done_items, t.done_bytes, t.detail, r.id, r.started, r.plan "
      "from @tasks t join @runs r on r.id = t.run where r.job = ?1 and t.task = ?2 and r.shard = 0 "
      "order by r.started desc, r.id desc limit ?3",
      {stored(job), stored(task), stored(static_cast<std::uint64_t>(count))}));
  std::vector<PastTask> out;
  for (const sql::Row& row : rows.rows)
    out.push_back(
        {.run = text_of(row[6]), .started = instant_of(row[7]), .record = record_of(row), .plan = text_of(row[8])});
  return out;
}

Result<MadeByTask> made_by(LedgerDatabase& db, std::string_view job, std::string_view task) {
  MadeByTask out;
  const sql::Rows made =
      TRY(db.query("select r.id, r.started, r.ended from @tasks t join @runs r on r.id = t.run where r.job = ?1 "
                   "and t.task = ?2 and t.status = 'succeeded' and t.done_items > 0 order by r.started desc, r.id desc "
                   "limit 1",
                   {stored(job), stored(task)}));
  if (!made.rows.empty()) {
    const sql::Row& row = made.rows.front();
    out.run = text_of(row[0]);
    out.began = instant_of(row[1]);
    out.ended = optional_instant_of(row[2]);
  }
  const sql::Rows first =
      TRY(db.query("select min(r.started) from @tasks t join @runs r on r.id = t.run where r.job = ?1 and t.task = ?2 "
                   "and t.status not in ('off', 'not_configured')",
                   {stored(job), stored(task)}));
  out.known_since = optional_instant_of(first.rows.at(0).at(0));
  if (out.known_since) return out;
  const sql::Rows without =
      TRY(db.query("select max(r.started) from @runs r where r.job = ?1 and r.scope = '' "
                   "and exists (select 1 from @tasks t where t.run = r.id)",
                   {stored(job)}));
  out.known_since = optional_instant_of(without.rows.at(0).at(0));
  return out;
}

}  // namespace steward::ledger
