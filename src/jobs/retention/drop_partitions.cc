#include "jobs/retention/drop_partitions.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/text.h"

namespace steward::retention {
namespace {

using nlohmann::json;

/// A request for an exclusive lock makes all who come after it wait. Less than PostgreSQL's deadlock_timeout (1 s): so
/// it is this session that gives way.
constexpr std::string_view short_waits = "set local lock_timeout to 500";
/// For locks that no reader queues behind. More than deadlock_timeout, after which PostgreSQL ends an autovacuum that
/// stands in the way.
constexpr std::string_view longer_waits = "set local lock_timeout to 1500";
constexpr std::chrono::milliseconds first_pause{250};
constexpr std::string_view marked = "steward: ";

/// An SQL literal, under standard_conforming_strings (which io/sql sees to).
std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + '\'';
}

std::string bound(const std::optional<std::string>& value, std::string_view none) {
  return value ? literal(*value) : std::string(none);
}

json optional_text(const std::optional<std::string>& text) { return text ? json(*text) : json(nullptr); }

/// What stands in the way of one statement, and not of the run: it is a reason to leave the partition alone.
bool is_about_the_partition(const Error& error) {
  return error.kind == Kind::held || error.kind == Kind::bad_input || error.kind == Kind::not_found ||
         error.kind == Kind::permission;
}

/// `cannot run "…" on …: why`: the why.
std::string why(const Error& error) {
  const std::size_t at = error.message.find(": ", error.message.find("\" on "));
  return at == std::string::npos ? error.message : error.message.substr(at + 2);
}

/// Waits on behalf of a run: a stop is heard within a fifth of a second.
Result<void> pause(std::chrono::milliseconds time, RunContext& run) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    TRY(run.checkpoint("partitions: waiting"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return {};
}

/// Ends a statement that runs for too long: outside a transaction there is no lock_timeout of ours, and a setting of
/// the session would stay behind in a pooler's.
class Deadline {
 public:
  Deadline(std::chrono::milliseconds time, std::stop_token also)
      : also_(std::move(also), [this] { stop_.request_stop(); }), thread_([this, time](const std::stop_token& done) {
          std::unique_lock lock(mutex_);
          changed_.wait_for(lock, done, time, [] { return false; });
          if (!done.stop_requested()) stop_.request_stop();
        }) {}
  std::stop_token token() const { return stop_.get_token(); }

 private:
  std::stop_source stop_{};
  std::mutex mutex_{};
  std::condition_variable_any changed_{};
  std::stop_callback<std::function<void()>> also_;
  std::jthread thread_;
};

/// Where a partition is.
struct Whereabouts {
  bool there = false;
  bool attached = false;  ///< Also while it is being detached.
  bool pending = false;
  std::int64_t parent = 0;
};

Result<Whereabouts> whereabouts(sql::Connection& db, std::int64_t oid) {
  const sql::Value parameter = oid;
  const sql::Rows rows =
      TRY(db.query("select i.inhparent::bigint, coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false) "
                   "from pg_class c left join pg_inherits i on i.inhrelid = c.oid where c.oid = $1::bigint::oid",
                   {&parameter, 1}));
  if (rows.rows.empty()) return Whereabouts{};
  const sql::Row& row = rows.rows.front();
  if (sql::is_null(row[0])) return Whereabouts{.there = true};
  return Whereabouts{
      .there = true, .attached = true, .pending = row[1] == sql::Value{"t"}, .parent = sql::to_integer(row[0])};
}

/// What the mark on a partition says.
struct Mark {
  std::string run{};
  std::string table{};  ///< The policy's: "public.events".
  Partition partition{};
  std::optional<std::string> comment{};  ///< The one that was there before.
};

std::string text_of(const Mark& mark) {
  return fmt::format("{}run {} drops this partition of {}; a later run puts it back if this one cannot: {}", marked,
                     mark.run, mark.partition.parent,
                     json{{"run", mark.run},
                          {"table", mark.table},
                          {"from", optional_text(mark.partition.from)},
                          {"to", optional_text(mark.partition.to)},
                          {"parent", mark.partition.parent_oid},
                          {"comment", optional_text(mark.comment)}}
                         .dump());
}

std::optional<std::string> text_in(const json& document, const char* key) {
  const auto at = document.find(key);
  return at != document.end() && at->is_string() ? std::optional(at->get<std::string>()) : std::nullopt;
}

std::optional<Mark> mark_in(std::string_view text) {
  if (!text.starts_with(marked)) return {};
  const std::size_t at = text.find('{');
  if (at == std::string_view::npos) return {};
  const json document = json::parse(text.substr(at), nullptr, false);
  if (!document.is_object() || !document.contains("parent") || !document["parent"].is_number_integer()) return {};
  Mark mark{.run = text_in(document, "run").value_or(""),
            .table = text_in(document, "table").value_or(""),
            .comment = text_in(document, "comment")};
  mark.partition.from = text_in(document, "from");
  mark.partition.to = text_in(document, "to");
  mark.partition.parent_oid = document["parent"].get<std::int64_t>();
  return mark;
}

/// The marked partitions of the policy's table, wherever they are.
Result<std::vector<Mark>> marks(const Table& table) {
  const sql::Rows rows =
      TRY(table.db().query("select c.oid::bigint, n.nspname, c.relname, d.description from pg_description d "
                           "join pg_class c on c.oid = d.objoid join pg_namespace n on n.oid = c.relnamespace "
                           "where d.classoid = 'pg_class'::regclass and d.objsubid = 0 and c.relkind in ('r', 'p') "
                           "and d.description like 'steward: run %' order by 1"));
  std::vector<Mark> found;
  for (const sql::Row& row : rows.rows) {
    std::optional<Mark> mark = mark_in(sql::to_text(row[3]));
    if (!mark || mark->table != table.name()) continue;
    mark->partition.oid = sql::to_integer(row[0]);
    mark->partition.name = sql::to_text(row[1]) + '.' + sql::to_text(row[2]);
    mark->partition.sql_name = TRY(table.quoted(sql::to_text(row[1]))) + '.' + TRY(table.quoted(sql::to_text(row[2])));
    const sql::Value parent = mark->partition.parent_oid;
    const sql::Rows parents = TRY(
        table.db().query("select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                         "where c.oid = $1::bigint::oid and c.relkind = 'p'",
                         {&parent, 1}));
    if (parents.rows.empty()) continue;
    const sql::Row& name = parents.rows.front();
    mark->partition.parent = sql::to_text(name[0]) + '.' + sql::to_text(name[1]);
    mark->partition.parent_sql =
        TRY(table.quoted(sql::to_text(name[0]))) + '.' + TRY(table.quoted(sql::to_text(name[1])));
    found.push_back(*std::move(mark));
  }
  return found;
}

Result<void> set_comment(sql::Connection& db, const Partition& partition, const std::optional<std::string>& comment) {
  TRY(db.execute(fmt::format("comment on table {} is {}", partition.sql_name, comment ? literal(*comment) : "null")));
  return {};
}

/// Completes a detaching that was cut short. busy where a transaction may still see the partition.
Result<void> finalize(sql::Connection& db, const Partition& partition) {
  sql::Transaction transaction = TRY(db.begin());
  TRY(db.execute(short_waits));
  TRY(db.execute(fmt::format("alter table {} detach partition {} finalize", partition.parent_sql, partition.sql_name)));
  return transaction.commit();
}

/// Attaches it where it was, if it is not there, and takes the mark away. Nothing where it is gone.
Result<void> put_back(sql::Connection& db, const Mark& mark) {
  const Partition& partition = mark.partition;
  Whereabouts at = TRY(whereabouts(db, partition.oid));
  if (at.pending) {
    TRY(finalize(db, partition));
    at.attached = false;
  }
  if (!at.there) return {};
  sql::Transaction transaction = TRY(db.begin());
  TRY(db.execute(short_waits));
  if (!at.attached)
    TRY(db.execute(fmt::format("alter table {} attach partition {} for values from ({}) to ({})", partition.parent_sql,
                               partition.sql_name, bound(partition.from, "minvalue"),
                               bound(partition.to, "maxvalue"))));
  TRY(set_comment(db, partition, mark.comment));
  return transaction.commit();
}

}  // namespace

Result<bool> PartitionDrops::drop(const Partition& partition, const Question& question) {
  TRY(run_.checkpoint("partitions: next"));
  const bool concurrent = TRY(may_be_concurrent(partition));
  const Outcome outcome = TRY(concurrent ? in_two_steps(partition, question) : at_once(partition, question));
  if (outcome.end == End::dropped) {
    run_.done(counted_, partition.size);
    run_.note(Level::info, fmt::format("dropped the partition {}: {} rows, {}", partition.name, format_count(counted_),
                                       format_bytes(partition.size)));
    return true;
  }
  if (partition.rows > 0)
    run_.skip("its partition stays: " + outcome.reason, partition.name, partition.rows);
  else
    run_.note(Level::info, fmt::format("the empty partition {} stays: {}", partition.name, outcome.reason));
  return false;
}

Result<bool> PartitionDrops::may_be_concurrent(const Partition& partition) {
  const sql::Value parent = partition.parent_oid;
  const sql::Rows rows = TRY(table_.db().query(
      "select current_setting('server_version_num')::int >= 140000 "
      "and exists (select from pg_partitioned_table where partrelid = $1::bigint::oid and partdefid = 0) "
      "and not exists (select from pg_inherits i where i.inhparent = $1::bigint::oid "
      "and (to_jsonb(i) ->> 'inhdetachpending')::boolean)",
      {&parent, 1}));
  return rows.rows.at(0).at(0) == sql::Value{"t"};
}

/// Tries again with growing pauses; after one partition that nobody would let go of, the others are tried once.
Result<PartitionDrops::Outcome> PartitionDrops::until_not_busy(const std::function<Result<Outcome>()>& attempt) {
  auto time = first_pause;
  for (int n = 1;; ++n, time *= 2) {
    Result<Outcome> outcome = attempt();
    if (!outcome && outcome.error().kind == Kind::busy) outcome = Outcome{End::busy, why(outcome.error())};
    if (!outcome || outcome->end != End::busy) return outcome;
    if (n >= tries_) {
      tries_ = 1;
      outcome->reason = fmt::format("it is in use ({}); the next run tries again", outcome->reason);
      return outcome;
    }
    TRY(pause(time, run_));
  }
}

Result<std::string> PartitionDrops::why_not(const Partition& partition, const Holds& holds, const Question& question) {
  if (holds.any_for_table(partition.name)) return std::string("a hold names it");
  const RowVerdicts verdicts = TRY(row_verdicts(table_, partition, cutoff_, holds));
  counted_ = verdicts.free;
  if (verdicts.kept > 0)
    return fmt::format("{} of its rows have to stay ({})", format_count(verdicts.kept), verdicts.reason);
  if (verdicts.free > partition.rows)
    return fmt::format("it has {} rows now, the plan has {}", format_count(verdicts.free),
                       format_count(partition.rows));
  return question ? TRY(question(partition)) : std::string{};
}

/// Readers go on while the questions are asked; writers wait.
Result<PartitionDrops::Outcome> PartitionDrops::ask_and_drop(const Partition& partition, const Question& question,
                                                             bool attached) {
  sql::Connection& db = table_.db();
  while (true) {
    const Holds holds = *TRY(run_.holds());
    sql::Transaction transaction = TRY(db.begin());
    const auto asked = [&]() -> Result<std::string> {
      TRY(db.execute(longer_waits));
      TRY(db.execute(fmt::format("lock table {} in share row exclusive mode", partition.sql_name)));
      const Whereabouts at = TRY(whereabouts(db, partition.oid));
      if (!at.there || at.attached != attached || at.pending)
        return std::string("it is not where it was planned to be");
      if (std::string reason = TRY(why_not(partition, holds, question)); !reason.empty()) return reason;
      TRY(db.execute(short_waits));
      if (attached)
        TRY(db.execute(fmt::format("alter table {} detach partition {}", partition.parent_sql, partition.sql_name)));
      TRY(db.execute(fmt::format("drop table {}", partition.sql_name)));
      return std::string{};
    };
    Result<std::string> reason = asked();
    if (!reason && is_about_the_partition(reason.error())) reason = why(reason.error());
    if (!reason) {
      (void)transaction.rollback();
      return std::unexpected(std::move(reason).error());
    }
    if (!reason->empty()) {
      TRY(transaction.rollback());
      return Outcome{End::stays, *reason};
    }
    TRY(run_.checkpoint("partitions: before commit"));
    if (TRY(run_.holds())->generation() != holds.generation()) {
      TRY(transaction.rollback());
      continue;
    }
    TRY(transaction.commit());
    return Outcome{End::dropped, {}};
  }
}

Result<PartitionDrops::Outcome> PartitionDrops::at_once(const Partition& partition, const Question& question) {
  return until_not_busy([&] { return ask_and_drop(partition, question, /*attached=*/true); });
}

/// A transaction that has used the table for more than a second is waited for here, where nothing has happened yet.
/// Those of other users show their age to members of pg_monitor alone; for others they are not there.
Result<PartitionDrops::Outcome> PartitionDrops::nobody_lingers(const Partition& partition) {
  return until_not_busy([&]() -> Result<Outcome> {
    const sql::Value parameters[] = {partition.parent_oid, partition.oid};
    const sql::Rows rows = TRY(
        table_.db().query("select l.pid, date_trunc('second', clock_timestamp() - a.xact_start)::text from pg_locks l "
                          "join pg_stat_activity a on a.pid = l.pid where l.locktype = 'relation' and l.granted "
                          "and l.database = (select oid from pg_database where datname = current_database()) "
                          "and l.relation in ($1::bigint::oid, $2::bigint::oid) and l.pid <> pg_backend_pid() "
                          "and a.xact_start < clock_timestamp() - interval '1 second' order by a.xact_start limit 1",
                          parameters));
    if (rows.rows.empty()) return Outcome{End::dropped, {}};
    return Outcome{End::busy, fmt::format("a transaction of process {} has used it for {}",
                                          sql::to_text(rows.rows[0][0]), sql::to_text(rows.rows[0][1]))};
  });
}

Result<void> PartitionDrops::mark(const Partition& partition) {
  sql::Connection& db = table_.db();
  sql::Transaction transaction = TRY(db.begin());
  TRY(db.execute(longer_waits));
  const sql::Value oid = partition.oid;
  const sql::Rows before = TRY(db.query("select obj_description($1::bigint::oid, 'pg_class')", {&oid, 1}));
  const sql::Value& comment = before.rows.at(0).at(0);
  const Mark mark{.run = run_.run(),
                  .table = table_.name(),
                  .partition = partition,
                  .comment = sql::is_null(comment) ? std::nullopt : std::optional(sql::to_text(comment))};
  TRY(set_comment(db, partition, text_of(mark)));
  return transaction.commit();
}

/// Out of the table's sight, without anybody waiting for it.
Result<PartitionDrops::Outcome> PartitionDrops::detach(const Partition& partition) {
  // As long as one would wait for a lock elsewhere; what is waited for here is transactions that began before.
  Deadline deadline(rules_.database.lock_timeout, rules_.database.stop);
  sql::Target target = rules_.database;
  target.stop = deadline.token();
  auto db = TRY(sql::connect(target));
  const auto detached = db->execute(
      fmt::format("alter table {} detach partition {} concurrently", partition.parent_sql, partition.sql_name));
  if (detached) return Outcome{End::dropped, {}};
  if (detached.error().kind == Kind::unavailable) return std::unexpected(detached.error());
  const Whereabouts at = TRY(whereabouts(table_.db(), partition.oid));
  if (!at.attached) return Outcome{End::dropped, {}};
  if (!at.pending) return Outcome{End::stays, why(detached.error())};
  return until_not_busy([&]() -> Result<Outcome> {
    TRY(finalize(table_.db(), partition));
    return Outcome{End::dropped, {}};
  });
}

Result<PartitionDrops::Outcome> PartitionDrops::in_two_steps(const Partition& partition, const Question& question) {
  Outcome alone = TRY(nobody_lingers(partition));
  if (alone.end != End::dropped) return alone;
  // The questions before anything happens: most of what would stand in the way is told without a detaching.
  if (std::string reason = TRY(why_not(partition, *TRY(run_.holds()), {})); !reason.empty())
    return Outcome{End::stays, reason};
  TRY(run_.checkpoint("partitions: to be marked"));
  TRY(mark(partition));
  TRY(run_.checkpoint("partitions: marked"));
  const auto dropped = [&]() -> Result<Outcome> {
    Outcome detached = TRY(detach(partition));
    if (detached.end != End::dropped) return detached;
    TRY(run_.checkpoint("partitions: detached"));
    return until_not_busy([&] { return ask_and_drop(partition, question, /*attached=*/false); });
  };
  Result<Outcome> outcome = dropped();
  if (outcome && outcome->end == End::dropped) {
    TRY(run_.checkpoint("partitions: dropped"));
    return outcome;
  }
  if (const auto back = undo(partition); !back)
    run_.note(Level::warning, fmt::format("the partition {} is detached and not dropped; the next run puts it back: {}",
                                          partition.name, why(back.error())));
  return outcome;
}

/// Back to where it was, also where the run is being stopped: on a connection that is not.
Result<void> PartitionDrops::undo(const Partition& partition) const {
  RowRules rules = rules_;
  rules.database.stop = {};
  const Table table = TRY(Table::open(rules));
  for (const Mark& mark : TRY(marks(table)))
    if (mark.partition.oid == partition.oid) return put_back(table.db(), mark);
  return {};
}

Result<void> recover_partitions(const RowPolicy& policy, RunContext& run) {
  const Table table = TRY(Table::open(policy.rows));
  if (table.info().kind != sql::TableKind::partitioned) return {};
  for (const Mark& mark : TRY(marks(table))) {
    TRY(run.checkpoint("partitions: to be put back"));
    const Whereabouts at = TRY(whereabouts(table.db(), mark.partition.oid));
    Result<void> back;
    auto time = first_pause;
    for (int n = 0; n < 4; ++n, time *= 2) {
      if (n > 0) TRY(pause(time, run));
      back = put_back(table.db(), mark);
      if (back || back.error().kind != Kind::busy) break;
    }
    TRY(run.checkpoint("partitions: put back"));
    if (back) {
      run.note(Level::info,
               fmt::format("run {} was interrupted as it dropped the partition {}: {}", mark.run, mark.partition.name,
                           !at.attached || at.pending ? "it is back in " + mark.partition.parent : "it is as it was"));
      continue;
    }
    if (!is_about_the_partition(back.error()) && back.error().kind != Kind::busy) return back;
    run.note(Level::warning, fmt::format("the partition {} was detached by run {} and cannot be put back yet: {}",
                                         mark.partition.name, mark.run, why(back.error())));
  }
  return {};
}

}  // namespace steward::retention
