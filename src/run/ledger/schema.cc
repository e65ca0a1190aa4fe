#include "run/ledger/schema.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/random.h"
#include "io/sql/database_url.h"
#include "run/ledger/ledger.h"

namespace steward::ledger {
namespace {

// `bigint` and `text` mean the same to both databases. Instants are microseconds since 1970.
const Migration first{
    "create table @runs (id text primary key, job text not null, status text not null, started bigint not null, "
    "ended bigint, heartbeat bigint not null, host text not null, boot text not null, pid bigint not null, "
    "started_ticks bigint not null, launched_by text not null, actor text not null, version text not null, "
    "environment text not null, plan_digest text not null, plan text not null, progress text not null, "
    "error text not null, cancel_requested bigint not null, cancelled_by text not null)",
    "create index runs_by_job on @runs (job, started)",
    "create index runs_by_start on @runs (started)",
    "create table @tasks (run text not null references @runs (id), task text not null, position bigint not null, "
    "status text not null, "
    "planned_items bigint not null, done_items bigint not null, done_bytes bigint not null, detail text not null, "
    "primary key (run, task))",
    "create index tasks_by_name on @tasks (task)",
    "create table @holds (id text primary key, kind text not null, target text not null, hold_key text not null, "
    "is_prefix bigint not null, reason text not null, who text not null, made bigint not null, hold_until bigint, "
    "released bigint, released_by text not null)",
    "create table @archives (location text primary key, id text not null, first_seen bigint not null)",
    "create table @audit (number bigint primary key, happened bigint not null, actor text not null, act text not null, "
    "subject text not null, detail text not null, previous text not null, hash text not null)",
};

const Migration second{
    "alter table @runs add column scope text not null default ''",
    "alter table @holds add column condition text not null default ''",
    "create table @freezes (id text primary key, reason text not null, who text not null, made bigint not null, "
    "freeze_until bigint, lifted bigint, lifted_by text not null)",
};

// `lease_until` is by the clock of the ledger's server, which all that share it have in common; see agenda.cc.
const Migration third{
    "alter table @runs add column pid_namespace text not null default ''",
    "alter table @runs add column pulse bigint",
    "alter table @runs add column due bigint",
    "alter table @runs add column attempt bigint not null default 1",
    "alter table @runs add column retry_of text not null default ''",
    "alter table @runs add column retried_by text not null default ''",
    "alter table @runs add column not_before bigint",
    "alter table @runs add column launch text not null default ''",
    "alter table @runs add column launched bigint",
    "create index runs_by_status on @runs (status)",
    "create table @ticks (job text not null, due bigint not null, outcome text not null, reason text not null, "
    "since bigint, run text not null, decided bigint not null, daemon text not null, primary key (job, due))",
    "create index ticks_by_due on @ticks (due)",
    "create table @leases (name text primary key, holder text not null, term bigint not null, "
    "lease_until bigint not null)",
    "create table @pauses (id text primary key, job text not null, reason text not null, who text not null, "
    "made bigint not null, pause_until bigint, lifted bigint, lifted_by text not null)",
};

// An approval's row stays when its run's plan is forgotten: who allowed what is kept for good.
const Migration fourth{
    "create table @approvals (run text primary key references @runs (id), job text not null, digest text not null, "
    "tasks text not null, reasons text not null, asked bigint not null, asked_by text not null, "
    "expires bigint not null, four_eyes bigint not null, again bigint not null, reminded bigint, "
    "state text not null, decided bigint, decided_by text not null, decision text not null, "
    "break_glass bigint not null, used bigint)",
    "create index approvals_by_state on @approvals (state)",
    "create table @users (name text primary key, role text not null, password text not null, "
    "disabled bigint not null, made bigint not null, signed_in bigint)",
    "create table @sessions (id text primary key, user_name text not null, made bigint not null, seen bigint not null, "
    "idle_end bigint not null, session_end bigint not null, address text not null, agent text not null)",
    "create index sessions_by_user on @sessions (user_name, made)",
    "create table @tokens (id text primary key, name text not null, hash text not null unique, role text not null, "
    "owner text not null, made bigint not null, made_by text not null, expires bigint, used bigint, revoked bigint)",
    "create table @login_failures (subject text primary key, failures bigint not null, last bigint not null)",
    "create table @setup_links (hash text primary key, expires bigint not null)",
    "create table @requests (actor text not null, request_key text not null, request text not null, "
    "run text not null, made bigint not null, primary key (actor, request_key))",
};

// The cursors say up to where the trail and the ticks were read; what stood there before there was an outbox is not
// told of. Each look at the ticks goes back a little behind its cursor, and never behind `outbox_ticks_began`.
const Migration fifth{
    "create table @events (id bigint primary key, kind text not null, event_key text not null unique, "
    "job text not null, run text not null, happened bigint not null, detail text not null, dispatched bigint not null)",
    "create index events_by_dispatch on @events (dispatched, id)",
    "create index events_by_job on @events (job, kind, id)",
    "create table @deliveries (id bigint primary key, channel text not null, topic text not null, job text not null, "
    "events text not null, message text not null, made bigint not null, due bigint not null, attempts bigint not null, "
    "error text not null, sent bigint, given_up bigint, taker text not null, taken_until bigint)",
    "create index deliveries_by_due on @deliveries (due)",
    "insert into @meta select 'outbox_audit', cast(coalesce(max(number), 0) as text) from @audit",
    "insert into @meta select 'outbox_ticks', cast(coalesce(max(decided), 0) as text) from @ticks",
    "insert into @meta select 'outbox_ticks_began', cast(coalesce(max(decided), 0) as text) from @ticks",
    "insert into @meta values ('outbox_event', '0'), ('outbox_delivery', '0')",
};

// `taken`: what a shard has taken on of its plan; all of a set together are no more than `ceiling`.
const Migration sixth{
    "alter table @runs add column shard bigint not null default 0",
    "create index runs_by_plan on @runs (plan_digest)",
    "create table @shard_sets (digest text primary key, job text not null, task text not null, made bigint not null, "
    "made_by text not null, ceiling bigint not null, document text not null)",
    "create table @shards_taken (digest text not null, number bigint not null, taken bigint not null, "
    "primary key (digest, number))",
};

/// SQLite names an index's table without a schema, and the index with one.
std::string for_sqlite(std::string_view statement) {
  std::string out(statement);
  if (statement.starts_with("create index ")) {
    out.replace(out.find('@'), 1, "");
    out.insert(std::string_view("create index ").size(), "main.");
  }
  if (const std::size_t at = out.find("references @"); at != std::string::npos) out.erase(at + 11, 1);
  return out;
}

std::unexpected<Error> newer(const LedgerDatabase& db, int found, int known) {
  std::string back = db.is_sqlite() ? fmt::format(", or put back the copy ledger.db.before-v{}", known + 1) : "";
  return fail(Kind::refused,
              fmt::format("the ledger {} has schema {}; this steward knows up to {}", db.shown(), found, known),
              fmt::format("Use the newer steward again{}.", back), "ledger-newer");
}

std::unexpected<Error> cannot_copy(std::string_view path) {
  return fail(Kind::unavailable,
              fmt::format("cannot copy the ledger to {} before it is migrated: {}", path, std::strerror(errno)),
              "Make room and give this user the right to write there; the ledger was left as it is.");
}

Result<void> sync(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool durable = file >= 0 && fsync(file) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  errno = error;
  return durable ? Result<void>{} : cannot_copy(path);
}

/// Copies the ledger's last committed state, by a connection of its own: the one that holds the lock is in a
/// transaction.
Result<void> copy_before(const LedgerDatabase& db, int version) {
  const std::string ledger = TRY(sql::parse_database_url(db.shown())).path;
  const std::string copy = fmt::format("{}.before-v{}", ledger, version);
  const std::string temporary = copy + ".tmp";
  unlink(temporary.c_str());  // of a migration that was killed
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return cannot_copy(temporary);
  close(file);
  const auto source = TRY(sql::connect({.url = db.shown(), .application = "steward ledger"}));
  const sql::Value name = temporary;
  TRY(source->execute("vacuum into ?1", {&name, 1}));
  TRY(sync(temporary));
  if (std::rename(temporary.c_str(), copy.c_str()) != 0) return cannot_copy(copy);
  return sync(std::filesystem::path(copy).parent_path());
}

/// Excludes other processes until the transaction ends.
Result<void> lock(LedgerDatabase& db) {
  if (db.is_sqlite()) return {};                                       // BEGIN IMMEDIATE has done so
  TRY(db.query("select pg_advisory_xact_lock(7146057691437232485)"));  // "c-ledger" in ASCII
  TRY(db.execute("create schema if not exists steward"));
  return {};
}

Result<void> found(LedgerDatabase& db) {
  TRY(db.execute("create table @meta (name text primary key, value text not null)"));
  const std::string id = random_hex(16);
  TRY(db.execute("insert into @meta values ('id', ?1), ('version', '0'), ('hold_generation', '0'), ('audit_head', ?2)",
                 {id, fmt::format("0 {}", id)}));
  return {};
}

Result<void> apply(LedgerDatabase& db, std::span<const Migration> steps, std::size_t version) {
  for (const std::string_view statement : steps[version - 1])
    TRY(db.execute(db.is_sqlite() ? for_sqlite(statement) : std::string(statement)));
  TRY(db.execute("update @meta set value = ?1 where name = 'version'", {std::to_string(version)}));
  return {};
}

Result<Founding> read_founding(LedgerDatabase& db) {
  const sql::Rows exists =
      TRY(db.query(db.is_sqlite() ? "select count(*) from @sqlite_schema where name = 'meta'"
                                  : "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
                                    "where n.nspname = 'steward' and c.relname = 'meta'"));
  if (sql::to_integer(exists.rows.at(0).at(0)) == 0) return Founding{};
  const sql::Rows rows = TRY(db.query("select name, value from @meta where name in ('id', 'version')"));
  Founding out;
  for (const sql::Row& row : rows.rows) {
    if (row[0] == sql::Value{"id"}) out.id = sql::to_text(row[1]);
    if (row[0] == sql::Value{"version"}) out.version = static_cast<int>(sql::to_integer(row[1]));
  }
  if (out.id.empty() || out.version < 1)
    return fail(Kind::corrupt, fmt::format("{} has a table \"meta\" that is not a ledger's", db.shown()),
                "Name another database in STEWARD_LEDGER_URL.");
  return out;
}

}  // namespace

std::span<const Migration> migrations() {
  static const std::vector<Migration> steps{first, second, third, fourth, fifth, sixth};
  static_assert(schema_version == 6, "a new version needs its migration here");
  return steps;
}

Result<Founding> founding(LedgerDatabase& db) {
  Founding out;
  TRY(db.read([&]() -> Result<void> {
    out = TRY(read_founding(db));
    return {};
  }));
  return out;
}

Result<void> migrate(LedgerDatabase& db, std::span<const Migration> steps) {
  const auto known = static_cast<int>(steps.size());
  if (TRY(founding(db)).version == known) return {};  // as nearly always: no lock is needed to see it
  return db.change([&]() -> Result<void> {
    TRY(lock(db));
    const int version = TRY(read_founding(db)).version;  // another process may have been faster
    if (version > known) return newer(db, version, known);
    if (version == known) return {};
    if (version == 0) TRY(found(db));
    // Named as the steward that knows `version` says it where it meets the newer one, however many steps there were.
    if (version > 0 && db.is_sqlite()) TRY(copy_before(db, version + 1));
    for (int next = version + 1; next <= known; ++next) TRY(apply(db, steps, static_cast<std::size_t>(next)));
    return {};
  });
}

std::unexpected<Error> no_ledger(std::string_view shown) {
  return fail(Kind::not_found, fmt::format("there is no ledger in {} yet", shown), "The first `steward run` makes it.");
}

Result<void> check_version(LedgerDatabase& db, int known) {
  const int version = TRY(founding(db)).version;
  if (version > known) return newer(db, version, known);
  if (version == 0) return no_ledger(db.shown());
  if (version < known)
    return fail(Kind::refused, fmt::format("the ledger {} has the older schema {}", db.shown(), version),
                "The next `steward run` migrates it.", "ledger-older");
  return {};
}

}  // namespace steward::ledger
