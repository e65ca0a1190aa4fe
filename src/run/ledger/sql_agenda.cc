#include "run/ledger/sql_agenda.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/ledger/audit_trail.h"
#include "run/ledger/runs.h"
#include "run/ledger/sql_approvals.h"

namespace steward::ledger {
namespace {

constexpr std::chrono::hours requests_kept{48};

/// Now, in microseconds since 1970, as the ledger's server has it: hosts that share it may differ. A transaction of
/// PostgreSQL begins before it has its lock, so that `now()` could be long past; clock_timestamp() is not.
std::string server_now(const LedgerDatabase& db, std::string_view parameter) {
  return db.is_sqlite()
             ? std::string(parameter)
             : fmt::format("(extract(epoch from clock_timestamp()) * 1000000)::bigint + 0 * cast({} as bigint)",
                           parameter);
}

std::string detail(const Pause& pause) {
  return nlohmann::ordered_json{{"pause", pause.id}, {"reason", pause.reason}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<void> check_lease(LedgerDatabase& db, const Lease& lease) {
  // The row stays locked until the tick is committed: whoever takes the lease over waits for that.
  const sql::Rows rows =
      TRY(db.query("update @leases set term = term where name = ?1 and holder = ?2 and term = ?3 returning term",
                   {stored(lease.name), stored(lease.holder), lease.term}));
  if (!rows.rows.empty()) return {};
  return fail(Kind::interrupted, fmt::format("the lease \"{}\" has gone to another daemon", lease.name),
              "Nothing to do: the other one goes on.");
}

}  // namespace

Result<std::optional<Lease>> SqlAgenda::take_lease(std::string_view name, std::string_view holder,
                                                   std::chrono::seconds length, Instant now) {
  std::optional<Lease> mine;
  TRY(db_.change([&]() -> Result<void> {
    mine.reset();
    const std::string at = server_now(db_, "?3");
    TRY(db_.execute("insert into @leases values (?1, '', 0, 0) on conflict (name) do nothing", {stored(name)}));
    const sql::Rows rows = TRY(db_.query(
        fmt::format("update @leases set term = case when holder = ?2 then term else term + 1 end, holder = ?2, "
                    "lease_until = {0} + ?4 where name = ?1 and (holder = ?2 or lease_until <= {0} or "
                    "lease_until > {0} + ?4) returning term",
                    at),
        {stored(name), stored(holder), stored(now), std::chrono::microseconds(length).count()}));
    if (!rows.rows.empty())
      mine =
          Lease{.name = std::string(name), .holder = std::string(holder), .term = sql::to_integer(rows.rows[0].at(0))};
    return {};
  }));
  return mine;
}

Result<void> SqlAgenda::give_up_lease(const Lease& lease) {
  return db_.change([&]() -> Result<void> {
    TRY(db_.execute("update @leases set lease_until = 0, holder = '' where name = ?1 and holder = ?2 and term = ?3",
                    {stored(lease.name), stored(lease.holder), lease.term}));
    return {};
  });
}

Result<std::vector<LeaseState>> SqlAgenda::leases(Instant now) {
  std::vector<LeaseState> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    const sql::Rows rows = TRY(db_.query(
        fmt::format("select name, holder, term, lease_until, case when lease_until > {} then 1 else 0 end from @leases "
                    "where holder <> '' order by name",
                    server_now(db_, "?1")),
        {stored(now)}));
    for (const sql::Row& row : rows.rows)
      out.push_back(
          {.lease = {.name = text_of(row.at(0)), .holder = text_of(row.at(1)), .term = sql::to_integer(row.at(2))},
           .until = instant_of(row.at(3)),
           .in_force = sql::to_integer(row.at(4)) != 0});
    return {};
  }));
  return out;
}

Result<bool> SqlAgenda::enter(const Tick& tick, const std::optional<Run>& queued, const std::optional<Lease>& lease) {
  bool entered = false;
  TRY(db_.change([&]() -> Result<void> {
    entered = false;
    if (lease) TRY(check_lease(db_, *lease));
    const std::string run = queued ? queued->id : tick.run;
    const std::int64_t inserted = TRY(
        db_.execute("insert into @ticks (job, due, outcome, reason, since, run, decided, daemon) values (?1, ?2, "
                    "?3, ?4, ?5, ?6, ?7, ?8) on conflict (job, due) do update set outcome = excluded.outcome, reason = "
                    "excluded.reason, since = excluded.since, run = excluded.run, decided = excluded.decided, "
                    "daemon = excluded.daemon where @ticks.outcome = 'left' and excluded.outcome = 'fired'",
                    {stored(tick.job), stored(tick.due), stored(tick.outcome), stored(tick.reason), stored(tick.since),
                     stored(run), stored(tick.decided), stored(tick.daemon)}));
    if (inserted == 0) return {};
    if (queued) TRY(insert_run(db_, *queued));
    entered = true;
    return {};
  }));
  return entered;
}

Result<std::map<std::string, Instant>> SqlAgenda::last_ticks() {
  std::map<std::string, Instant> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    for (const sql::Row& row : TRY(db_.query("select job, max(due) from @ticks group by job")).rows)
      out.emplace(text_of(row.at(0)), instant_of(row.at(1)));
    return {};
  }));
  return out;
}

Result<std::vector<Tick>> SqlAgenda::ticks(const TickFilter& filter) {
  std::vector<Tick> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    const sql::Rows rows =
        TRY(db_.query("select job, due, outcome, reason, since, run, decided, daemon from @ticks where (job = ?1 or "
                      "?1 = '') and (?2 = 1 or outcome <> 'fired') order by due desc, job limit ?3",
                      {stored(filter.job), stored(filter.fired), stored(static_cast<std::uint64_t>(filter.limit))}));
    for (const sql::Row& row : rows.rows)
      out.push_back({.job = text_of(row.at(0)),
                     .due = instant_of(row.at(1)),
                     .outcome = text_of(row.at(2)),
                     .reason = text_of(row.at(3)),
                     .since = optional_instant_of(row.at(4)),
                     .run = text_of(row.at(5)),
                     .decided = instant_of(row.at(6)),
                     .daemon = text_of(row.at(7))});
    return {};
  }));
  return out;
}

Result<bool> SqlAgenda::enqueue(const Run& run) {
  if (run.status != Status::queued) return fail(Kind::bug, "a run that is to be started has to be queued");
  bool entered = false;
  TRY(db_.change([&]() -> Result<void> {
    entered = run.retry_of.empty() || TRY(claim_retry(db_, run.retry_of, run.id));
    return entered ? insert_run(db_, run) : Result<void>{};
  }));
  return entered;
}

Result<std::string> SqlAgenda::enqueue_once(const Run& run, const RequestKey& key) {
  if (run.status != Status::queued) return fail(Kind::bug, "a run that is to be started has to be queued");
  std::string entered;
  TRY(db_.change([&]() -> Result<void> {
    TRY(db_.execute("delete from @requests where made <= ?1", {stored(run.started - requests_kept)}));
    const std::int64_t inserted = TRY(
        db_.execute("insert into @requests (actor, request_key, request, run, made) values (?1, ?2, ?3, ?4, ?5) on "
                    "conflict (actor, request_key) do nothing",
                    {stored(key.actor), stored(key.key), stored(key.request), stored(run.id), stored(run.started)}));
    entered = run.id;
    if (inserted > 0) return insert_run(db_, run);
    const sql::Rows before = TRY(db_.query("select request, run from @requests where actor = ?1 and request_key = ?2",
                                           {stored(key.actor), stored(key.key)}));
    if (before.rows.empty() || text_of(before.rows[0].at(0)) != key.request)
      return fail(Kind::refused, "this idempotency key was used for another request",
                  "Give each request a key of its own, and repeat one only with the same body.", "request-reused");
    entered = text_of(before.rows[0].at(1));
    return {};
  }));
  return entered;
}

Result<std::vector<Run>> SqlAgenda::without_retry(Instant since) {
  std::vector<Run> out;
  TRY(db_.read([&]() -> Result<void> {
    out = TRY(unretried_runs(db_, since));
    return {};
  }));
  return out;
}

Result<std::vector<Run>> SqlAgenda::open_runs() {
  std::vector<Run> out;
  TRY(db_.read([&]() -> Result<void> {
    out = TRY(unended_runs(db_));
    return {};
  }));
  return out;
}

Result<bool> SqlAgenda::launch(std::string_view run, std::string_view before, std::string_view token,
                               const Process& launcher, Instant now) {
  std::int64_t changed = 0;
  TRY(db_.change([&]() -> Result<void> {
    changed = TRY(
        db_.execute("update @runs set launch = ?3, launched = ?4, host = ?5, boot = ?6, pid = ?7, started_ticks = ?8, "
                    "pid_namespace = ?9 where id = ?1 and status = 'queued' and launch = ?2",
                    {stored(run), stored(before), stored(token), stored(now), stored(launcher.host),
                     stored(launcher.boot), launcher.pid, launcher.started_ticks, stored(launcher.pid_namespace)}));
    return {};
  }));
  return changed > 0;
}

Result<bool> SqlAgenda::take_over(const Run& run, std::string_view token) {
  bool taken = false;
  TRY(db_.change([&]() -> Result<void> {
    taken = false;
    const sql::Rows rows = TRY(db_.query(
        "update @runs set status = 'running', started = ?3, heartbeat = ?3, pulse = ?3, host = ?4, boot = ?5, pid = "
        "?6, started_ticks = ?7, pid_namespace = ?8, version = ?9, environment = ?10, scope = ?11, "
        "launched_by = case when ?12 = 'dagster' then ?12 else launched_by end, "
        "actor = case when ?12 = 'dagster' then ?13 else actor end where id = ?1 and "
        "status = 'queued' and launch = ?2 and launch <> '' returning job, actor, launched_by",
        {stored(run.id), stored(token), stored(run.started), stored(run.process.host), stored(run.process.boot),
         run.process.pid, run.process.started_ticks, stored(run.process.pid_namespace), stored(run.version),
         stored(run.environment), stored(run.scope), stored(run.trigger), stored(run.actor)}));
    if (rows.rows.empty()) return {};
    if (!TRY(use_approval(db_, run.id, run.started)))
      return fail(Kind::refused, fmt::format("run {} waits for an approval that was not given", run.id),
                  fmt::format("`steward approvals show {}` tells more.", run.id), "approval-decided");
    taken = true;
    Run begun = run;
    begun.job = text_of(rows.rows[0].at(0));
    begun.actor = text_of(rows.rows[0].at(1));
    begun.trigger = text_of(rows.rows[0].at(2));
    return audit_begin(db_, begun);
  }));
  return taken;
}

Result<void> SqlAgenda::add_pause(const Pause& pause) {
  return db_.change([&]() -> Result<void> {
    TRY(db_.execute("insert into @pauses values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    {stored(pause.id), stored(pause.job), stored(pause.reason), stored(pause.who), stored(pause.made),
                     stored(pause.until), stored(pause.lifted), stored(pause.lifted_by)}));
    return append(db_, {pause.who, "job.pause", pause.job, detail(pause), pause.made});
  });
}

Result<void> SqlAgenda::lift_pause(std::string_view id, std::string_view who, Instant now) {
  return db_.change([&]() -> Result<void> {
    const sql::Rows lifted =
        TRY(db_.query("update @pauses set lifted = ?2, lifted_by = ?3 where id = ?1 and lifted is "
                      "null returning job",
                      {stored(id), stored(now), stored(who)}));
    if (!lifted.rows.empty())
      return append(
          db_, {who, "job.resume", text_of(lifted.rows[0].at(0)), detail({.id = std::string(id), .reason = ""}), now});
    const sql::Rows known = TRY(db_.query("select count(*) from @pauses where id = ?1", {stored(id)}));
    if (count_of(known.rows.at(0).at(0)) == 0)
      return fail(Kind::not_found, fmt::format("there is no pause \"{}\"", printable(id)),
                  "`steward pause list` lists them.");
    return fail(Kind::refused, fmt::format("pause {} is lifted already", id), "Nothing is left to do.", "lifted");
  });
}

Result<std::vector<Pause>> SqlAgenda::pauses(Instant now, bool all) {
  std::vector<Pause> out;
  TRY(db_.read([&]() -> Result<void> {
    out.clear();
    const sql::Rows rows =
        TRY(db_.query("select id, job, reason, who, made, pause_until, lifted, lifted_by from @pauses where ?2 = 1 or "
                      "(lifted is null and (pause_until is null or pause_until > ?1)) order by made, id",
                      {stored(now), stored(all)}));
    for (const sql::Row& row : rows.rows)
      out.push_back({.id = text_of(row.at(0)),
                     .job = text_of(row.at(1)),
                     .reason = text_of(row.at(2)),
                     .who = text_of(row.at(3)),
                     .made = instant_of(row.at(4)),
                     .until = optional_instant_of(row.at(5)),
                     .lifted = optional_instant_of(row.at(6)),
                     .lifted_by = text_of(row.at(7))});
    return {};
  }));
  return out;
}

}  // namespace steward::ledger
