#include "jobs/backup/postgres_dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"
#include "io/process/piped.h"
#include "io/sql/postgres_environment.h"
#include "jobs/backup/copy_statement.h"
#include "jobs/backup/pg_archive.h"

namespace steward::backup {
namespace {

std::string waiting(std::chrono::milliseconds most) { return fmt::format("--lock-wait-timeout={}", most.count()); }

/// What says nothing about whether a database came back: settings of the session and of the whole database, rights,
/// comments, and what is compared as rows.
constexpr std::array<std::string_view, 15> not_compared{
    "ENCODING", "STDSTRINGS",     "SEARCHPATH",      "DATABASE",      "DATABASE PROPERTIES",
    "ACL",      "DEFAULT ACL",    "COMMENT",         "BLOB",          "BLOB METADATA",
    "BLOBS",    "SECURITY LABEL", "STATISTICS DATA", "BLOB COMMENTS", "SUBSCRIPTION"};

/// pg_dump quotes names where it must; a table's name in its contents is bare.
bool is_compared(const TocEntry& entry) {
  // Every database has it; it is only in the contents where somebody changed it.
  if (entry.description == "SCHEMA" && entry.tag == "public") return false;
  return !entry.has_data && std::ranges::find(not_compared, entry.description) == not_compared.end();
}

class DumpListener final : public ArchiveListener {
 public:
  explicit DumpListener(FramedSink* sink) : sink_(sink) {}

  Result<void> raw(std::span<const std::byte> bytes) override {
    if (sink_ == nullptr) return {};
    auto written = sink_->write(bytes);
    has_refused_ |= !written;
    return written;
  }
  Result<void> contents(const Toc& toc) override {
    contents_.definitions = definitions_of(toc);
    return {};
  }
  Result<void> begin(const TocEntry& entry, std::uint64_t offset) override {
    if (sink_ != nullptr) {
      auto ended = sink_->boundary();
      has_refused_ |= !ended;
      TRY(ended);
    }
    rows_ = {};
    is_large_objects_ = entry.description != "TABLE DATA";
    offset_ = offset;
    return {};
  }
  Result<void> large_object(std::uint32_t oid) override {
    objects_.begin(oid);
    return {};
  }
  Result<void> data(std::span<const std::byte> bytes) override {
    if (is_large_objects_)
      objects_.add(bytes);
    else
      rows_.add(bytes);
    return {};
  }
  Result<void> end(const TocEntry& entry) override {
    if (is_large_objects_) {
      contents_.large_objects = objects_.finish();
      contents_.large_object_blocks.push_back({.offset = offset_});
    } else {
      contents_.tables.push_back({.schema = entry.schema,
                                  .name = entry.tag,
                                  .rows = rows_.so_far(),
                                  .at = {.offset = offset_},
                                  .root = root_of(entry)});
    }
    return {};
  }

  Contents take() { return std::move(contents_); }
  /// It was the sink that took no more.
  bool has_refused() const { return has_refused_; }

 private:
  FramedSink* sink_;
  bool has_refused_ = false;
  Contents contents_{};
  RowTally rows_{};
  bool is_large_objects_ = false;
  LargeObjectTally objects_{};
  std::uint64_t offset_ = 0;
};

/// A name as a pattern of psql's that means it alone: in quotes nothing is special but a quote.
std::string pattern_of(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

struct Program {
  std::vector<std::string> arguments{};
  const sql::Target& target;
};

Result<process::Piped> start(Program program) {
  sql::ProgramEnvironment environment = TRY(sql::program_environment(program.target));
  if (!environment.conninfo.empty()) program.arguments.push_back("--dbname=" + environment.conninfo);
  return process::Piped::start(
      {.command = {.arguments = std::move(program.arguments), .environment = std::move(environment.variables)},
       .stop = program.target.stop});
}

std::string text_in(const sql::Rows& rows, std::size_t column) { return sql::to_text(rows.rows.at(0).at(column)); }

}  // namespace

std::vector<Definition> definitions_of(const Toc& toc) {
  std::vector<Definition> out;
  for (const TocEntry& entry : toc.entries)
    if (is_compared(entry))
      out.push_back({.kind = entry.description,
                     .schema = entry.schema,
                     .name = entry.tag,
                     .value = entry.description == "SEQUENCE SET" ? entry.definition : std::string{}});
  return out;
}

Result<SnapshotMark> export_snapshot(sql::Connection& connection) {
  const sql::Rows rows = TRY(
      connection.query("select pg_export_snapshot(), pg_current_snapshot()::text, (case when pg_is_in_recovery() then "
                       "pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text"));
  return SnapshotMark{.name = text_in(rows, 0), .transactions = text_in(rows, 1), .lsn = text_in(rows, 2)};
}

Result<Snapshot> Snapshot::take(const sql::Target& target) {
  auto connection = TRY(sql::connect(target));
  sql::Transaction transaction = TRY(connection->begin());
  TRY(connection->execute("set transaction isolation level repeatable read read only"));
  SnapshotMark mark = TRY(export_snapshot(*connection));
  return Snapshot(std::move(connection), std::move(transaction), std::move(mark));
}

Result<PostgresFacts> postgres_facts(const sql::Target& target) {
  const auto connection = TRY(sql::connect(target));
  const sql::Rows rows = TRY(connection->query(
      "select current_setting('server_version_num')::int / 10000, pg_database_size(current_database()), "
      "current_setting('server_encoding')"));
  return PostgresFacts{.shown = connection->shown(),
                       .identity = connection->identity(),
                       .version = connection->version(),
                       .encoding = text_in(rows, 2),
                       .major = static_cast<int>(sql::to_integer(rows.rows.at(0).at(0))),
                       .size = {static_cast<std::uint64_t>(sql::to_integer(rows.rows.at(0).at(1)))}};
}

namespace {

Program pg_dump(const sql::Target& target, const Clients& clients, const std::string& snapshot,
                std::chrono::milliseconds most) {
  Program program{
      .arguments = {clients.program("pg_dump"), "--format=custom", "--compress=0", "--no-password", waiting(most)},
      .target = target};
  if (!snapshot.empty()) program.arguments.push_back("--snapshot=" + snapshot);
  return program;
}

}  // namespace

Result<Beginning> beginning_of_dump(const sql::Target& target, const Clients& clients, const std::string& snapshot,
                                    std::chrono::milliseconds most) {
  process::Piped dump = TRY(start(pg_dump(target, clients, snapshot, most)));
  auto beginning = read_beginning(dump.output());
  // What comes after it nobody waits for: pg_dump is killed.
  if (beginning || beginning.error().kind != Kind::unavailable) return beginning;
  TRY(dump.finish("dump the database"));
  return beginning;
}

Result<Contents> dump_postgres(const sql::Target& target, const Clients& clients, const std::string& snapshot,
                               FramedSink* sink, std::span<const TableContents> only,
                               std::chrono::milliseconds lock_wait) {
  Program program = pg_dump(target, clients, snapshot, lock_wait);
  for (const TableContents& table : only)
    program.arguments.push_back(fmt::format("--table={}.{}", pattern_of(table.schema), pattern_of(table.name)));
  process::Piped dump = TRY(start(std::move(program)));
  DumpListener listener(sink);
  const Result<void> read = read_archive(dump.output(), listener);
  // An archive that ends in the middle is the trace of a pg_dump that failed: what it says is the better word. In any
  // other case it has not ended, and is killed instead of being read to its end for nothing.
  if (!read && (read.error().kind != Kind::unavailable || listener.has_refused())) return std::unexpected(read.error());
  TRY(dump.finish("dump the database"));
  if (!read) return std::unexpected(read.error());
  return listener.take();
}

namespace {

Result<void> dump_globals_with(const sql::Target& target, const Clients& clients, bool passwords, Sink& sink) {
  Program program{
      .arguments = {clients.program("pg_dumpall"), "--globals-only", "--no-password", waiting(usual_lock_wait)},
      .target = target};
  if (!passwords) program.arguments.emplace_back("--no-role-passwords");
  // It would look for a database called "postgres", which this user may not enter.
  const auto connection = TRY(sql::connect(target));
  const sql::Rows name = TRY(connection->query("select current_database()"));
  program.arguments.push_back("--database=" + text_in(name, 0));
  process::Piped dump = TRY(start(std::move(program)));
  std::array<std::byte, 65536> buffer{};
  while (const std::size_t n = TRY(dump.output().read(buffer))) TRY(sink.write(std::span(buffer).first(n)));
  return dump.finish("dump roles and tablespaces");
}

}  // namespace

Result<bool> dump_globals(const sql::Target& target, const Clients& clients, FramedSink& sink) {
  // Small: kept until it is known to be whole.
  StringSink text;
  const Result<void> whole = dump_globals_with(target, clients, true, text);
  if (!whole && !whole.error().message.contains("permission denied")) return std::unexpected(whole.error());
  if (!whole) {
    text.text.clear();
    TRY(dump_globals_with(target, clients, false, text));
  }
  TRY(sink.write(std::as_bytes(std::span(text.text))));
  return !whole;
}

}  // namespace steward::backup
