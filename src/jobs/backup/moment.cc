#include "jobs/backup/moment.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <unordered_map>

#include "core/text.h"
#include "jobs/backup/copy_statement.h"
#include "jobs/backup/restore_parts.h"

namespace steward::backup {
namespace {

/// So often all locks are let go of, and waited for anew: one long wait would make those wait who come after somebody
/// that waits for ours.
constexpr int attempts = 4;
/// That are locked by one statement.
constexpr std::size_t tables_at_once = 200;

/// Whether the same may go well once everybody has let go of everything.
bool may_pass(const Error& error) {
  const bool waited_in_vain =
      error.message.contains("statement timeout") || error.message.contains("lock timeout");  // pg_dump's
  return error.kind == Kind::busy || error.kind == Kind::not_found || waited_in_vain;
}

std::uint64_t number(const sql::Value& value) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, sql::to_integer(value)));
}

/// `SET client_encoding = 'LATIN1';`: rows are to be in the encoding that the table of contents says.
std::string encoding_statement(const Toc& toc) {
  const auto found = std::ranges::find(toc.entries, "ENCODING", &TocEntry::description);
  return found == toc.entries.end() ? std::string{} : found->definition;
}

}  // namespace

struct Moment::Table {
  std::string oid{}, schema{}, name{};
  std::uint64_t size = 0;
  std::size_t session = 0;
};

Result<Moment> Moment::take(const sql::Target& target, const Clients& clients, std::size_t sessions,
                            const std::function<Result<void>()>& check, std::chrono::milliseconds lock_wait) {
  for (int i = 1;; ++i) {
    TRY(check());
    auto moment = attempt(target, clients, sessions, std::max(lock_wait / attempts, std::chrono::milliseconds{1}));
    if (moment || !may_pass(moment.error())) return moment;
    if (i == attempts)
      return fail(Kind::busy,
                  fmt::format("tables' definitions are being changed all the time: {}", moment.error().message),
                  "Back up at another hour, look in pg_locks for who keeps a table locked, or give it more time: "
                  "lock_timeout.");
  }
}

Result<Moment> Moment::attempt(const sql::Target& target, const Clients& clients, std::size_t sessions,
                               std::chrono::milliseconds lock_wait) {
  sql::Target waiting = target;
  waiting.lock_timeout = lock_wait;
  Moment moment;
  for (std::size_t i = 0; i < sessions; ++i) moment.sessions_.push_back({.connection = TRY(sql::connect(waiting))});
  std::vector<Table> tables = TRY(tables_of(moment.session(0)));
  std::vector<std::uint64_t> sizes;
  for (const Table& table : tables) sizes.push_back(table.size + 1);
  const auto hands = dealt(sizes, sessions);
  for (std::size_t session = 0; session < hands.size(); ++session)
    for (const std::size_t i : hands[session]) tables[i].session = session;
  TRY(moment.lock(tables));
  TRY(moment.see());
  moment.beginning_ = TRY(beginning_of_dump(target, clients, moment.mark_.name, lock_wait));
  TRY(moment.settle());
  TRY(moment.find_parts(tables));
  return moment;
}

/// All tables that may be in a dump. Those that this user may not read pg_dump either leaves out or fails for.
Result<std::vector<Moment::Table>> Moment::tables_of(sql::Connection& connection) {
  const sql::Rows rows = TRY(connection.query(
      "select c.oid, n.nspname, c.relname, pg_catalog.pg_table_size(c.oid) from pg_catalog.pg_class c join "
      "pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and c.relpersistence <> 't' and "
      "c.oid >= 16384 and pg_catalog.has_schema_privilege(n.oid, 'USAGE') and "
      "pg_catalog.has_table_privilege(c.oid, 'SELECT') order by c.oid"));
  std::vector<Table> out;
  for (const sql::Row& row : rows.rows)
    out.push_back({.oid = sql::to_text(row[0]),
                   .schema = sql::to_text(row[1]),
                   .name = sql::to_text(row[2]),
                   .size = number(row[3])});
  return out;
}

/// Locks before anything is read: a snapshot is taken by the first query, and LOCK is none.
Result<void> Moment::lock(const std::vector<Table>& tables) {
  std::vector<std::string> statements(sessions_.size());
  std::vector<std::size_t> count(sessions_.size());
  const auto flush = [&](std::size_t i) -> Result<void> {
    if (statements[i].empty()) return {};
    TRY(session(i).execute("lock table " + std::exchange(statements[i], {}) + " in access share mode"));
    count[i] = 0;
    return {};
  };
  for (Session& one : sessions_) {
    one.transaction.emplace(TRY(one.connection->begin()));
    TRY(one.connection->execute("set transaction isolation level repeatable read read only"));
  }
  for (const Table& table : tables) {
    std::string& statement = statements[table.session];
    statement += (statement.empty() ? "only " : ", only ") + quoted_name(table.schema, table.name);
    if (++count[table.session] == tables_at_once) TRY(flush(table.session));
  }
  for (std::size_t i = 0; i < sessions_.size(); ++i) TRY(flush(i));
  return {};
}

Result<void> Moment::see() {
  mark_ = TRY(export_snapshot(session(0)));
  // An exported snapshot has a name of digits and dashes, which no parameter can take the place of.
  for (std::size_t i = 1; i < sessions_.size(); ++i)
    TRY(session(i).execute(fmt::format("set transaction snapshot '{}'", mark_.name)));
  return {};
}

/// What pg_dump sets before it copies (pg_dump.c, setup_connection), where connection.h does it not.
Result<void> Moment::settle() {
  const std::string encoding = encoding_statement(beginning_.toc);
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    sql::Connection& connection = session(i);
    TRY(connection.query("select pg_catalog.set_config('search_path', '', true)"));
    TRY(connection.query(
        "select pg_catalog.set_config(name, 'view, foreign-table', true) from pg_catalog.pg_settings where name = "
        "'restrict_nonsystem_relation_kind'"));
    TRY(connection.execute("set local synchronize_seqscans to off"));
    TRY(connection.execute("set local lc_monetary to default"));
    if (!encoding.empty()) TRY(connection.execute(encoding));
  }
  return {};
}

Result<void> Moment::find_parts(const std::vector<Table>& tables) {
  std::unordered_map<std::string, const Table*> locked;
  for (const Table& table : tables) locked.emplace(table.oid, &table);
  const sql::Rows conditions = TRY(session(0).query(
      "select t.oid, t.condition from pg_catalog.pg_extension e, unnest(e.extconfig, e.extcondition) as t(oid, "
      "condition) where t.condition <> ''"));
  std::map<std::string, std::string> filters;
  for (const sql::Row& row : conditions.rows) filters.emplace(sql::to_text(row[0]), sql::to_text(row[1]));
  const sql::Rows large = TRY(session(0).query("select pg_catalog.pg_table_size('pg_catalog.pg_largeobject')"));

  const std::vector<TocEntry>& entries = beginning_.toc.entries;
  const auto blocks = static_cast<std::uint64_t>(std::ranges::count(entries, "BLOBS", &TocEntry::description));
  std::vector<std::uint64_t> carried(sessions_.size());
  std::vector<std::size_t> free_ones;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const TocEntry& entry = entries[i];
    if (!entry.has_data) continue;
    DumpPart part{.entry = i};
    const auto table = locked.find(entry.oid);
    const bool is_table = entry.description == "TABLE DATA";
    if (!is_table && entry.description != "BLOBS")
      return fail(Kind::corrupt,
                  fmt::format("pg_dump has data of a kind that is not known here: {}", printable(entry.description)));
    if (const auto filter = filters.find(entry.oid); is_table && filter != filters.end())
      part.condition = filter->second;
    if (is_table && table != locked.end()) {
      part.session = table->second->session;
      part.size = table->second->size;
      carried[part.session] += part.size + 1;
    } else {
      if (!is_table) part.size = number(large.rows.at(0).at(0)) / std::max<std::uint64_t>(1, blocks);
      free_ones.push_back(parts_.size());
    }
    parts_.push_back(std::move(part));
  }
  for (const std::size_t i : free_ones) {
    const auto least = std::ranges::min_element(carried);
    parts_[i].session = static_cast<std::size_t>(least - carried.begin());
    *least += parts_[i].size + 1;
  }
  return {};
}

}  // namespace steward::backup
