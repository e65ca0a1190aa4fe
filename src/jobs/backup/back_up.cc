// The task that backs up: plans with a look at the database and the store, and executes object by object.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.h"
#include "io/files/copy.h"
#include "io/sql/database_url.h"
#include "io/sql/sqlite_backup.h"
#include "jobs/backup/age.h"
#include "jobs/backup/backup.h"
#include "jobs/backup/by_hand.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/framed.h"
#include "jobs/backup/locked_objects.h"
#include "jobs/backup/manifest.h"
#include "jobs/backup/parallel_dump.h"
#include "jobs/backup/postgres_dump.h"
#include "jobs/backup/scratch_file.h"
#include "jobs/backup/sqlite_dump.h"
#include "jobs/backup/stored_object.h"
#include "jobs/backup/tidying.h"

namespace steward::backup {
namespace {

/// As two nights in a row differ at most, mostly.
constexpr double strange_share = 0.5;

Result<Clients> clients_of(const Policy& policy, int major) {
  return clients_for(major, installed_clients(policy.clients));
}

bool is_sqlite(const Policy& policy) {
  const auto url = sql::parse_database_url(policy.database.url);
  return url && url->dialect == sql::Dialect::sqlite;
}

class BackUp final : public Task {
 public:
  BackUp(TaskInfo info, Policy policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    step.planned.items = 1;
    if (is_sqlite(policy_)) {
      sql::Target reading = policy_.database;
      reading.read_only = true;
      const auto connection = TRY(sql::connect(reading));
      step.target = connection->shown();
      step.identity = connection->identity();
      step.planned.bytes = TRY(sql::file_size_of(reading));
      step.strategy = fmt::format("SQLite's backup interface, then zstd {}", policy_.level);
    } else {
      const PostgresFacts facts = TRY(postgres_facts(policy_.database));
      const Clients clients = TRY(clients_of(policy_, facts.major));
      step.target = facts.shown;
      step.identity = facts.identity;
      step.planned.bytes = facts.size;
      step.strategy = fmt::format("pg_dump {} in its custom format{}, then zstd {}{}", clients.version, in_parts(facts),
                                  policy_.level, policy_.globals ? "; roles and tablespaces beside it" : "");
      if (clients.major > facts.major)
        step.notes.push_back(fmt::format(
            "pg_dump {} is newer than the server ({}): to restore, PostgreSQL {} will be needed. postgresql-client-{} "
            "here makes backups for its own version",
            clients.major, facts.major, clients.major, facts.major));
    }
    if (!policy_.recipients.empty()) TRY(expect_age());
    if (!policy_.recipients.empty())
      step.strategy += fmt::format(", encrypted to {} key{} of age", policy_.recipients.size(),
                                   policy_.recipients.size() == 1 ? "" : "s");
    step.strategy += fmt::format("; to {}/{}, read back and hashed", policy_.store.url, policy_.name);
    step.filter = "the whole database, as it is at one moment";
    const std::vector<Backup> there = TRY(backups_there());
    step.reason =
        there.empty()
            ? "there is no backup yet"
            : fmt::format("the last one is of {} ({}, {})",
                          format_instant(std::chrono::floor<std::chrono::seconds>(there.back().manifest.begun)),
                          format_bytes(there.back().manifest.size()), there.back().standing());
    if (policy_.keep.empty() && !there.empty())
      step.reason += fmt::format("; no rule removes any: {}", text_of(growth(there)));
    if (is_locked()) step.strategy += fmt::format(", locked there for {}", format_age({policy_.locked}));
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return lock_policy(policy_); }

  Result<void> recover(RunContext& run) const override {
    remove_scratch_files(policy_, run);
    auto store = object::open(policy_.store);
    if (!store && store.error().kind == Kind::not_found) return {};
    if (!store) return std::unexpected(std::move(store).error());
    return tidy(**store, policy_.name, run);
  }

  Result<void> execute(const Step&, RunContext& run) const override {
    object::StoreTarget target = policy_.store;
    target.create = true;
    const auto store = TRY(object::open(target));
    Manifest manifest{.name = policy_.name, .run = run.run(), .begun = run.clock().now()};
    if (is_locked()) manifest.locked_until = manifest.begun + policy_.locked;
    const auto contents = make(*store, manifest, run);
    if (!contents) {
      // Best done now; what cannot be removed is debris for the next run.
      for (const StoredObject& object : manifest.objects) (void)store->remove({.key = manifest.key_of(object.key)});
      return std::unexpected(contents.error());
    }
    const std::optional<Error> lost = is_locked() ? claim_lock(policy_.store, manifest, run) : std::nullopt;
    manifest.ended = run.clock().now();
    manifest.by_hand = by_hand(manifest, policy_.store.url);
    // Nothing is removed where this fails: an answer may have been lost, and the backup be whole.
    const std::optional<Error> lost_last = TRY(seal(*store, policy_.store, manifest, run));
    run.done(1);
    say_what_is_strange(*store, manifest, *contents, run);
    if (lost || lost_last) return std::unexpected(not_locked(manifest, lost ? *lost : *lost_last));
    return {};
  }

 private:
  /// A backup's contents, and how many of its objects have been read back already.
  struct Made {
    Contents contents{};
    std::size_t read_back = 0;
  };

  bool is_in_parts() const { return policy_.format == Format::directory; }
  /// What a plan says of that.
  std::string in_parts(const PostgresFacts& facts) const {
    if (!is_in_parts()) return {};
    const bool is_s3 = policy_.store.url.starts_with("s3://");
    return fmt::format(", {} table{} at once from one snapshot, an object each (up to {} of memory)", policy_.jobs,
                       policy_.jobs == 1 ? "" : "s", format_bytes(memory_of(policy_.jobs, facts.size, is_s3)));
  }

  bool is_locked() const { return policy_.locked > std::chrono::microseconds::zero(); }

  Result<std::vector<Backup>> backups_there() const {
    auto store = object::open(policy_.store);
    if (!store && store.error().kind == Kind::not_found) return std::vector<Backup>{};
    if (!store) return std::unexpected(std::move(store).error());
    return list_backups(**store, policy_.name);
  }

  /// All but the manifest, read back.
  Result<Contents> make(object::Store& store, Manifest& manifest, RunContext& run) const {
    manifest.steward = policy_.steward;
    TRY(run.checkpoint("begin"));
    Made made = TRY(is_sqlite(policy_) ? dump_sqlite(store, manifest, run) : dump_database(store, manifest, run));
    const Contents& contents = made.contents;
    TRY(run.checkpoint("dumped"));
    manifest.objects.push_back(TRY(upload(uploading(store, manifest, contents_key, run),
                                          [&](FramedSink& sink) { return write(contents, sink); })));
    manifest.tables = contents.tables.size();
    manifest.rows = contents.rows();
    manifest.large_objects = contents.large_objects.items;
    TRY(run.checkpoint("contents"));
    for (std::size_t i = made.read_back; i < manifest.objects.size(); ++i)
      TRY(read_back(store, manifest.id(), manifest.objects[i], [&](Bytes) { return run.checkpoint("reading back"); }));
    TRY(run.checkpoint("read back"));
    return std::move(made.contents);
  }

  Upload uploading(object::Store& store, const Manifest& manifest, std::string_view key, RunContext& run) const {
    return {.store = store,
            .folder = manifest.id(),
            .key = std::string(key),
            .level = policy_.level,
            // Compressed it is smaller than on its server's disk, but for what is small beside its overhead.
            .about = key == postgres_dump_key || key == sqlite_dump_key ? std::optional(manifest.database_size)
                                                                        : std::nullopt,
            .locked_until = manifest.locked_until,
            .recipients = policy_.recipients,
            .stop = policy_.database.stop,
            .check = [&run] { return run.checkpoint("uploading"); },
            .progress = [&run](Bytes more) { run.done(0, more); }};
  }

  Result<Made> dump_database(object::Store& store, Manifest& manifest, RunContext& run) const {
    const PostgresFacts facts = TRY(postgres_facts(policy_.database));
    const Clients clients = TRY(clients_of(policy_, facts.major));
    manifest.database = facts.shown;
    manifest.identity = facts.identity;
    manifest.server = facts.version;
    manifest.encoding = facts.encoding;
    manifest.database_size = facts.size;
    manifest.client = fmt::format("pg_dump (PostgreSQL) {}", clients.version);
    Made made =
        TRY(is_in_parts() ? dump_parts(store, manifest, clients, run) : dump_whole(store, manifest, clients, run));
    TRY(run.checkpoint("globals"));
    if (policy_.globals) TRY(add_globals(store, manifest, clients, run));
    return made;
  }

  Result<Made> dump_whole(object::Store& store, Manifest& manifest, const Clients& clients, RunContext& run) const {
    const Snapshot snapshot = TRY(Snapshot::take(policy_.database));
    manifest.snapshot = snapshot.mark().transactions;
    manifest.lsn = snapshot.mark().lsn;
    Contents contents;
    manifest.objects.push_back(
        TRY(upload(uploading(store, manifest, postgres_dump_key, run), [&](FramedSink& sink) -> Result<void> {
          contents = TRY(dump_postgres(policy_.database, clients, snapshot.mark().name, &sink, {}, policy_.lock_wait));
          contents.frames = sink.frames();
          return {};
        })));
    return Made{.contents = std::move(contents)};
  }

  Result<Made> dump_parts(object::Store& store, Manifest& manifest, const Clients& clients, RunContext& run) const {
    Contents contents = TRY(dump_in_parallel({.database = policy_.database,
                                              .clients = clients,
                                              .jobs = policy_.jobs,
                                              .lock_wait = policy_.lock_wait,
                                              .upload = uploading(store, manifest, {}, run)},
                                             manifest));
    return Made{.contents = std::move(contents), .read_back = manifest.objects.size()};
  }

  Result<void> add_globals(object::Store& store, Manifest& manifest, const Clients& clients, RunContext& run) const {
    bool without_passwords = false;
    auto globals = upload(uploading(store, manifest, globals_key, run), [&](FramedSink& sink) -> Result<void> {
      without_passwords = TRY(dump_globals(policy_.database, clients, sink));
      return {};
    });
    if (!globals) return std::unexpected(std::move(globals).error());
    manifest.objects.push_back(*std::move(globals));
    if (without_passwords)
      run.note(Level::warning, "the roles are backed up without their passwords, which only a superuser may read");
    return {};
  }

  Result<Made> dump_sqlite(object::Store& store, Manifest& manifest, RunContext& run) const {
    sql::Target reading = policy_.database;
    reading.read_only = true;
    {
      const auto connection = TRY(sql::connect(reading));
      manifest.database = connection->shown();
      manifest.identity = connection->identity();
      manifest.server = manifest.client = connection->version();
      manifest.database_size = TRY(sql::file_size_of(reading));
    }
    const ScratchFile copy(run.state(), policy_);
    TRY(sql::back_up_file(reading, copy.path()));
    TRY(run.checkpoint("copied"));
    sql::Target copied = reading;
    copied.url = "sqlite:///" + copy.path();
    Contents contents = TRY(sqlite_contents(copied));
    auto stored = upload(uploading(store, manifest, sqlite_dump_key, run), [&](FramedSink& sink) -> Result<void> {
      const files::Folder folder = TRY(files::Folder::open(run.state().folder().path()));
      const files::Handle file = TRY(folder.open_for_reading(copy.name()));
      files::FileSource source(file.fd());
      TRY(files::copy(source, sink));
      contents.frames = sink.frames();
      return {};
    });
    if (!stored) return std::unexpected(std::move(stored).error());
    manifest.objects.push_back(*std::move(stored));
    return Made{.contents = std::move(contents)};
  }

  /// Half of yesterday's, or a table that is gone: the backup is whole, and a person should look.
  void say_what_is_strange(object::Store& store, const Manifest& manifest, const Contents& now, RunContext& run) const {
    const auto all = list_backups(store, policy_.name);
    if (!all || all->size() < 2) return;
    const Manifest& before = all->at(all->size() - 2).manifest;
    if (static_cast<double>(manifest.size().count) < strange_share * static_cast<double>(before.size().count))
      run.note(Level::warning, fmt::format("this backup has {}, the one before ({}) had {}",
                                           format_bytes(manifest.size()), before.run, format_bytes(before.size())));
    const auto then = contents_of(store, before, {.identity = policy_.identity, .stop = policy_.database.stop});
    if (!then) return;
    std::set<std::pair<std::string, std::string>> there;
    for (const TableContents& table : now.tables) there.emplace(table.schema, table.name);
    std::vector<std::string> gone;
    for (const TableContents& table : then->tables)
      if (!there.contains({table.schema, table.name}))
        gone.push_back(printable(table.schema.empty() ? table.name : table.schema + '.' + table.name));
    if (!gone.empty())
      run.note(Level::warning,
               fmt::format("since the backup before ({}) these tables are gone: {}", before.run, join_and(gone)));
  }

  TaskInfo info_;
  Policy policy_;
};

}  // namespace

std::unique_ptr<Task> back_up(TaskInfo info, Policy policy) {
  return std::make_unique<BackUp>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
