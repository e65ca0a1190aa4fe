#include "jobs/backup/restore.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "core/text.h"
#include "io/files/folder.h"
#include "io/sql/database_url.h"
#include "jobs/backup/feeding.h"
#include "jobs/backup/framed.h"
#include "jobs/backup/postgres_dump.h"
#include "jobs/backup/restore_parts.h"
#include "jobs/backup/sqlite_dump.h"
#include "run/locks.h"

namespace steward::backup {
namespace {

bool is_sqlite(const sql::Target& target) {
  const auto url = sql::parse_database_url(target.url);
  return url && url->dialect == sql::Dialect::sqlite;
}

/// Hands on what pg_dumpall wrote but for the lines that make tablespaces.
class WithoutTablespaces final : public Sink {
 public:
  explicit WithoutTablespaces(Sink& next) : next_(next) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    for (const std::byte one : bytes) {
      line_ += static_cast<char>(one);
      if (line_.back() == '\n') TRY(finish());
    }
    return {};
  }
  /// The last line may have no end.
  Result<void> finish() {
    const std::string line = std::exchange(line_, {});
    return line.starts_with("CREATE TABLESPACE ") ? Result<void>{} : next_.write(std::as_bytes(std::span(line)));
  }

 private:
  Sink& next_;
  std::string line_{};
};

class RestoreBackup final : public Task {
 public:
  RestoreBackup(TaskInfo info, RestoreRequest request) : info_(std::move(info)), request_(std::move(request)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    const auto store = TRY(object::open(request_.store));
    const Backup backup = TRY(find_backup(*store, request_.backup, request_.name));
    const Manifest& manifest = backup.manifest;
    if (backup.unreadable)
      return fail(Kind::corrupt, fmt::format("{}: {}", manifest.id(), *backup.unreadable),
                  "Take another backup; or restore it by hand, which needs no manifest (docs/emergency-restore.md).");
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    TRY(check(manifest, step));
    step.planned = {.items = manifest.rows, .bytes = Bytes{}};
    for (const StoredObject* object : manifest.dump()) step.planned.add(0, object->size);
    if (!request_.options.tables.empty()) step.planned = TRY(planned_of_tables(*store, manifest));
    step.filter = request_.options.tables.empty()
                      ? fmt::format("all {} tables of {}", format_count(manifest.tables), manifest.id())
                      : fmt::format("{} of {}", join_and(request_.options.tables), manifest.id());
    step.reason =
        fmt::format("{} was made of {} at {}: {}", manifest.id(), manifest.database,
                    format_instant(std::chrono::floor<std::chrono::seconds>(manifest.begun)), backup.standing());
    if (backup.is_bad()) step.notes.push_back("its last verification failed: " + backup.proofs.back().faults.front());
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    std::vector<std::unique_ptr<Lock>> locks;
    if (!is_sqlite(request_.to)) locks.push_back(TRY(lock_in_database(request_.to, "backup/restore")));
    return locks;
  }

  Result<void> execute(const Step&, RunContext& run) const override {
    const auto store = TRY(object::open(request_.store));
    const Backup backup = TRY(find_backup(*store, request_.backup, request_.name));
    const Manifest& manifest = backup.manifest;
    TRY(run.checkpoint("begin"));
    RestoreOptions options = request_.options;
    options.with_needs = !request_.not_empty_too;
    options.reading.progress = [&run](Bytes more) {
      run.done(0, more);
      return run.checkpoint("restoring");
    };
    if (manifest.is_sqlite()) {
      TRY(restore_file(*store, manifest, path_of_target(), options.reading));
    } else {
      const PostgresFacts facts = TRY(postgres_facts(request_.to));
      const Clients clients = TRY(clients_here(manifest, facts.major));
      if (request_.globals) TRY(restore_globals(*store, manifest, request_.to, clients, request_.options.reading));
      if (const auto refused = TRY(restore_dump(*store, manifest, request_.to, clients, options)))
        return std::unexpected(*refused);
    }
    TRY(run.checkpoint("restored"));
    if (request_.compare)
      TRY(compare(*store, manifest, run));
    else
      run.done(manifest.rows);
    return {};
  }

 private:
  /// The rows of the tables that were named, and their size in the dump.
  Result<Amount> planned_of_tables(object::Store& store, const Manifest& manifest) const {
    const Contents contents = TRY(contents_of(store, manifest, request_.options.reading));
    Amount amount{.bytes = Bytes{}};
    for (const TableContents& table : TRY(tables_named(contents, request_.options.tables)))
      amount.add(table.rows.items, table.rows.bytes);
    return amount;
  }

  std::string path_of_target() const {
    const auto url = sql::parse_database_url(request_.to.url);
    return url ? url->path : std::string{};
  }

  Result<Clients> clients_here(const Manifest& manifest, int server) const {
    return clients_to_restore(major_in(manifest.client), server, installed_clients(request_.clients));
  }

  /// Refuses what would overwrite, and what cannot go there.
  Result<void> check(const Manifest& manifest, Step& step) const {
    if (manifest.is_sqlite() != is_sqlite(request_.to))
      return fail(Kind::bad_input,
                  fmt::format("backup {} is of {}, and the target is not", manifest.id(), manifest.server),
                  manifest.is_sqlite() ? "Give --to sqlite:////absolute/path." : "Give --to postgresql://….");
    if (manifest.is_sqlite()) {
      step.target = "sqlite:///" + path_of_target();
      step.strategy = "the file is written whole, then compared";
      if (std::filesystem::exists(path_of_target()))
        return fail(Kind::refused, fmt::format("{} is there already", printable(path_of_target())),
                    "Name a file that is not there, and move it into place afterwards.", "target-not-empty");
      return {};
    }
    const PostgresFacts facts = TRY(postgres_facts(request_.to));
    const Clients clients = TRY(clients_here(manifest, facts.major));
    step.target = facts.shown;
    step.identity = facts.identity;
    step.strategy =
        fmt::format("zstd, then pg_restore {}{}", clients.version,
                    request_.compare ? "; then tables, rows and their content are compared with the backup's" : "");
    return request_.not_empty_too ? Result<void>{} : expect_empty(request_.to);
  }

  Result<Contents> contents_of_target(std::span<const TableContents> only) const {
    if (is_sqlite(request_.to)) return sqlite_contents(request_.to);
    const PostgresFacts facts = TRY(postgres_facts(request_.to));
    const Clients clients = TRY(clients_for(facts.major, installed_clients(request_.clients)));
    return dump_postgres(request_.to, clients, {}, nullptr, only);
  }

  /// What was in the target before is no fault of the backup. Large objects have no names that tell whose they are.
  static void leave_out_others(const Contents& wanted, Contents& has) {
    std::set<std::pair<std::string, std::string>> tables;
    for (const TableContents& table : wanted.tables) tables.emplace(table.schema, table.name);
    std::erase_if(has.tables, [&](const TableContents& table) { return !tables.contains({table.schema, table.name}); });
    std::set<Definition> definitions(wanted.definitions.begin(), wanted.definitions.end());
    std::erase_if(has.definitions, [&](const Definition& one) { return !definitions.contains(one); });
    has.large_objects = wanted.large_objects;
  }

  Result<void> compare(object::Store& store, const Manifest& manifest, RunContext& run) const {
    Contents wanted = TRY(contents_of(store, manifest, request_.options.reading)), has;
    if (request_.options.tables.empty()) {
      has = TRY(contents_of_target({}));
      if (request_.not_empty_too) leave_out_others(wanted, has);
    } else {
      // What was made for them is no question: pg_restore would have failed.
      wanted = {.tables = TRY(tables_named(wanted, request_.options.tables))};
      has = {.tables = TRY(contents_of_target(wanted.tables)).tables};
    }
    const std::vector<std::string> differ = differences(wanted, has);
    if (!differ.empty())
      return fail(Kind::corrupt,
                  fmt::format("what was restored is not what was backed up: {}", fmt::join(differ, "; ")));
    run.done(wanted.rows());
    run.note(Level::info, fmt::format("{} tables with {} rows: each has the rows and the content of the backup",
                                      format_count(wanted.tables.size()), format_count(wanted.rows())));
    return {};
  }

  TaskInfo info_;
  RestoreRequest request_;
};

}  // namespace

Result<void> expect_empty(const sql::Target& target) {
  const auto connection = TRY(sql::connect(target));
  const sql::Rows rows = TRY(connection->query(
      "select count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where "
      "n.nspname <> 'information_schema' and n.nspname !~ '^pg_' and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and "
      "not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = "
      "c.oid and d.deptype = 'e')"));
  const auto there = static_cast<std::uint64_t>(sql::to_integer(rows.rows.at(0).at(0)));
  if (there == 0) return {};
  return fail(
      Kind::refused,
      fmt::format("{} is not empty: it has {} tables, views and sequences", connection->shown(), format_count(there)),
      "Restore into a new database (createdb), or add --into-existing.", "target-not-empty");
}

Result<std::optional<Error>> restore_dump(object::Store& store, const Manifest& manifest, const sql::Target& target,
                                          const Clients& clients, const RestoreOptions& options) {
  const std::vector<const StoredObject*> dump = manifest.dump();
  if (dump.empty()) return fail(Kind::not_found, fmt::format("backup {} has no dump", manifest.id()));
  // Of an encrypted dump in one object each process would read all that lies before its own tables.
  const bool at_once = options.jobs > 1 && (manifest.is_in_parts() || !dump.front()->is_encrypted());
  if (at_once || !options.tables.empty()) return restore_parts(store, manifest, target, clients, options);
  const std::vector<std::string> arguments = restore_arguments(clients, options);
  process::Piped program = TRY(start_reader(target, arguments));
  return process::feed(program, fmt::format("restore {}", manifest.id()), [&](Sink& sink) -> Result<void> {
    for (const StoredObject* object : dump) TRY(read_object(store, manifest, object->key, sink, options.reading));
    return {};
  });
}

Result<void> restore_globals(object::Store& store, const Manifest& manifest, const sql::Target& target,
                             const Clients& clients, const ReadOptions& reading, bool tablespaces) {
  if (manifest.find(globals_key) == nullptr) return {};
  process::Piped program = TRY(
      start_reader(target, {clients.program("psql"), "--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"}));
  const auto refused = TRY(process::feed(program, "restore roles and tablespaces", [&](Sink& sink) -> Result<void> {
    if (tablespaces) return read_object(store, manifest, globals_key, sink, reading);
    WithoutTablespaces roles(sink);
    TRY(read_object(store, manifest, globals_key, roles, reading));
    return roles.finish();
  }));
  return refused ? Result<void>(std::unexpected(*refused)) : Result<void>{};
}

Result<void> restore_file(object::Store& store, const Manifest& manifest, const std::string& path,
                          const ReadOptions& reading) {
  const std::filesystem::path whole = std::filesystem::absolute(path);
  const files::Folder folder = TRY(files::Folder::open(whole.parent_path()));
  const files::Folder::Temporary temporary = TRY(folder.temporary_beside(whole.filename().string()));
  files::FileSink sink(temporary.handle.fd());
  const Result<void> written = read_object(store, manifest, sqlite_dump_key, sink, reading);
  if (!written) {
    (void)folder.unlink(temporary.path);
    return written;
  }
  TRY(files::sync_file(temporary.handle.fd()));
  return folder.rename(temporary.path, whole.filename().string(), /*replace=*/false);
}

std::unique_ptr<Task> restore_backup(TaskInfo info, RestoreRequest request) {
  return std::make_unique<RestoreBackup>(std::move(info), std::move(request));
}

}  // namespace steward::backup
