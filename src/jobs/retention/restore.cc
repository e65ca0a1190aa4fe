#include "jobs/retention/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/random.h"
#include "core/text.h"
#include "jobs/retention/archived_rows.h"
#include "jobs/retention/forgetting.h"
#include "jobs/retention/row_step.h"
#include "jobs/retention/source_file.h"
#include "run/locks.h"
#include "run/manifest/archive.h"
#include "run/manifest/manifest.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;

constexpr std::chrono::days held_for{30};
constexpr std::size_t rows_at_once = 200;

/// Whether a request covers a manifest, and a row of it.
class Selection {
 public:
  Selection(const RestoreRequest& request) : request_(request), keys_(request.keys.begin(), request.keys.end()) {}
  bool covers(const manifest::Listed& listed) const {
    return request_.run.empty() || listed.run.starts_with(request_.run);
  }
  bool covers(const manifest::Header& header) const {
    return request_.table.empty() || names_table(request_.table, header.table);
  }
  bool covers(const std::string& key) const { return keys_.empty() || keys_.contains(key); }

 private:
  const RestoreRequest& request_;
  std::set<std::string> keys_;
};

/// Hands over the rows that a request covers, newest manifest first: of a row that was archived twice, the last is
/// tried first.
Result<void> each_selected(object::Store& store, const RestoreRequest& request,
                           const std::function<Result<void>(const manifest::Header&, const Item&, const ArchivedRow&,
                                                            const std::string& key)>& take) {
  const Selection selection(request);
  std::vector<manifest::Listed> manifests = TRY(manifest::list(store, ""));
  std::ranges::reverse(manifests);
  for (const manifest::Listed& listed : manifests) {
    if (!selection.covers(listed)) continue;
    // The header comes with the whole manifest; a first look that stops at once tells whether it is the right table.
    const manifest::Header header =
        TRY(manifest::read(store, listed, [](const Item&) -> Result<bool> { return false; }));
    if (!selection.covers(header)) continue;
    TRY(manifest::read(store, listed, [&](const Item& item) -> Result<bool> {
      if (!left_the_database(item)) return true;
      if (item.rows == 0 && !selection.covers(item.key)) return true;
      const std::set<std::string> kept(item.kept.begin(), item.kept.end());
      TRY(each_archived_row(store, item, [&](const ArchivedRow& row) -> Result<bool> {
        const sql::Row key = TRY(row.values_of(header.key_columns));
        const std::string text = manifest::key_text(key);
        if (!kept.contains(text) && selection.covers(text)) TRY(take(header, item, row, text));
        return true;
      }));
      return true;
    }));
  }
  return {};
}

/// A table that rows come back to.
class Target {
 public:
  static Result<Target> open(sql::Connection& db, const std::string& table) {
    Target target(db);
    target.info_ = TRY(db.describe(table));
    target.sql_name_ = TRY(sql::qualified(db, target.info_));
    return target;
  }

  /// The name of a column of the row that the table has no longer; empty where all are there.
  std::string missing_column(const ArchivedRow& row) const {
    for (const std::string& name : row.columns)
      if (column(name) == nullptr) return name;
    return {};
  }

  /// The row with these key values, as JSON of the archived columns; empty where there is none.
  Result<std::string> read(const ArchivedRow& row, const std::vector<std::string>& key_columns) const {
    std::string list, where;
    for (const std::string& name : row.columns) list += (list.empty() ? "" : ", ") + TRY(db_->quote_identifier(name));
    const sql::Row key = TRY(row.values_of(key_columns));
    for (const std::string& name : key_columns)
      where += fmt::format("{}{} = {}", where.empty() ? "" : " and ", TRY(db_->quote_identifier(name)),
                           db_->placeholder(static_cast<int>(&name - key_columns.data()) + 1));
    const sql::Rows rows = TRY(db_->query(fmt::format("select {} from {} where {}", list, sql_name_, where), key));
    if (rows.rows.empty()) return std::string{};
    return manifest::row_to_json(row.columns, rows.rows.front()).dump();
  }

  Result<void> insert(const ArchivedRow& row) const {
    std::string list, values, overriding;
    std::vector<sql::Value> parameters;
    for (std::size_t i = 0; i < row.columns.size(); ++i) {
      const sql::Column* known = column(row.columns[i]);
      if (known->generated) continue;
      if (known->identity_always) overriding = " overriding system value";
      parameters.push_back(row.values[i]);
      list += (list.empty() ? "" : ", ") + TRY(db_->quote_identifier(row.columns[i]));
      values += (values.empty() ? "" : ", ") + db_->placeholder(static_cast<int>(parameters.size()));
    }
    TRY(db_->execute(fmt::format("insert into {} ({}){} values ({})", sql_name_, list, overriding, values),
                     parameters));
    return {};
  }

 private:
  explicit Target(sql::Connection& db) : db_(&db) {}
  const sql::Column* column(std::string_view name) const {
    const auto it = std::ranges::find_if(info_.columns, [&](const sql::Column& c) { return c.name == name; });
    return it == info_.columns.end() ? nullptr : &*it;
  }
  sql::Connection* db_;
  sql::TableInfo info_{};
  std::string sql_name_{};
};

/// A row on its way back.
struct Returning {
  manifest::Header header{};
  Item item{};
  ArchivedRow row{};
  std::string key{};
};

class Restorer {
 public:
  Restorer(std::unique_ptr<sql::Connection> db, SourceFiles files, object::Store& archive, RunContext& run)
      : owned_(std::move(db)), db_(*owned_), files_(std::move(files)), archive_(archive), run_(run) {}

  /// Holds the rows, in one transaction of the ledger, and then brings them back one by one: a row that is there
  /// without its hold would go again tonight.
  Result<void> batch(const std::vector<Returning>& rows) {
    TRY(hold(rows));
    for (const Returning& row : rows) TRY(one(row.header, row.item, row.row, row.key));
    return {};
  }
  std::uint64_t damaged() const { return damaged_; }
  /// Rows whose files were missing already when they were archived.
  std::uint64_t without_file() const { return without_file_; }

 private:
  Result<void> hold(const std::vector<Returning>& rows) {
    const Instant now = run_.clock().now();
    const Holds* known = TRY(run_.holds());
    std::vector<ledger::Hold> holds;
    for (const Returning& row : rows) {
      if (known->covers_row(row.header.table, row.key)) continue;
      holds.push_back({.id = "h-" + random_hex(6),
                       .kind = "row",
                       .target = row.header.table,
                       .key = row.key,
                       .reason = "restored by run " + run_.run(),
                       .who = "steward",
                       .made = now,
                       .until = now + held_for});
    }
    return holds.empty() ? Result<void>{} : run_.ledger().add_holds(holds);
  }

  Result<void> one(const manifest::Header& header, const Item& item, const ArchivedRow& row, const std::string& key) {
    TRY(run_.checkpoint("restore: row"));
    const auto target = table(header.table);
    if (!target && target.error().kind == Kind::not_found) return skip("its table is gone", key);
    const Target& to = *TRY(target);
    if (const std::string column = to.missing_column(row); !column.empty())
      return skip(fmt::format("its column {} is gone", column), key);
    without_file_ += item.missing ? 1 : 0;
    if (!header.file_column.empty() && !item.missing && !TRY(bring_file(header, item, row, key))) return {};
    TRY(run_.checkpoint("restore: file is back"));
    return bring_row(header, to, item, row, key);
  }

  Result<void> skip(const std::string& reason, const std::string& key) {
    run_.skip(reason, key);
    return {};
  }

  Result<const Target*> table(const std::string& name) {
    auto known = tables_.find(name);
    if (known == tables_.end()) {
      // The archive's database may have had another schema than the one that rows come back to.
      auto opened = Target::open(db_, name);
      if (!opened && opened.error().kind == Kind::not_found)
        opened = Target::open(db_, name.substr(name.rfind('.') + 1));
      known = tables_.emplace(name, TRY(std::move(opened))).first;
    }
    return &known->second;
  }

  Result<bool> bring_file(const manifest::Header& header, const Item& item, const ArchivedRow& row,
                          const std::string& key) {
    const std::vector<std::string> column{header.file_column};
    const sql::Row stored = TRY(row.values_of(column));
    // Where the row says it is under today's root, which need not be where it was.
    const Location location = files_.locate(sql::to_text(stored.front()));
    const auto brought = files_.bring_back(location, item, archive_);
    if (!brought && (brought.error().kind == Kind::corrupt ||
                     (brought.error().kind == Kind::not_found && brought.error().message.contains(item.copy)))) {
      ++damaged_;  // one bad copy is no reason to keep the others away; the task says so at its end
      run_.note(Level::error, brought.error().message);
      TRY(skip("its copy is damaged or gone", key));
      return false;
    }
    if (!brought && (brought.error().kind == Kind::refused || brought.error().kind == Kind::not_found)) {
      TRY(skip(brought.error().code == "exists" ? "another file is in its place" : brought.error().message, key));
      return false;
    }
    TRY(brought);
    return true;
  }

  Result<void> bring_row(const manifest::Header& header, const Target& to, const Item& item, const ArchivedRow& row,
                         const std::string& key) {
    const std::string wanted = manifest::row_to_json(row.columns, row.values).dump();
    const std::string there = TRY(to.read(row, header.key_columns));
    if (there == wanted) {
      run_.done(1, item.rows == 0 ? std::optional(item.size) : std::nullopt);
      return {};
    }
    if (!there.empty()) return skip("a row with its key is there, and differs", key);
    sql::Transaction transaction = TRY(db_.begin());
    const auto inserted = to.insert(row);
    if (!inserted && inserted.error().kind == Kind::held) {
      TRY(transaction.rollback());
      if (inserted.error().message.contains("no partition of relation"))
        return skip(fmt::format("no partition of {} takes it: make one for its time, and restore again", header.table),
                    key);
      return skip("the database forbids it: " + inserted.error().message, key);
    }
    TRY(inserted);
    if (TRY(to.read(row, header.key_columns)) != wanted) {
      TRY(transaction.rollback());
      return skip("it reads back differently: a trigger or a changed column", key);
    }
    TRY(run_.checkpoint("restore: before commit"));
    TRY(transaction.commit());
    run_.done(1, item.rows == 0 ? std::optional(item.size) : std::nullopt);
    return {};
  }

  std::unique_ptr<sql::Connection> owned_;
  sql::Connection& db_;
  SourceFiles files_;
  object::Store& archive_;
  RunContext& run_;
  std::map<std::string, Target> tables_{};
  std::uint64_t damaged_ = 0, without_file_ = 0;
};

class Restore final : public Task {
 public:
  Restore(TaskInfo info, RestoreSettings settings, RestoreRequest request)
      : info_(std::move(info)), settings_(std::move(settings)), request_(std::move(request)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    Step step{.target = archive.shown(),
              .strategy = "file, then row, read back and compared; held for 30 days",
              .filter = filter(),
              .reason = "asked for",
              .cutoff = context.now};
    TRY(each_selected(archive.store(), request_,
                      [&](const manifest::Header& header, const Item& item, const ArchivedRow&,
                          const std::string& key) -> Result<void> {
                        step.planned.add(1, item.rows == 0 ? std::optional(item.size) : std::nullopt);
                        if (step.samples.size() < 3)
                          step.samples.push_back({.item = printable(fmt::format("{} {}", header.table, key))});
                        return {};
                      }));
    if (step.planned.items == 0)
      return fail(Kind::not_found, fmt::format("nothing in {} is {}", archive.shown(), filter()),
                  "Look with `steward archive list`.");
    return step;
  }

  /// Each table that rows come back to, against a cleanup of it.
  Result<std::vector<std::unique_ptr<Lock>>> lock() const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    std::map<std::pair<std::string, std::string>, const Home*> targets;  // by database and lock
    TRY(each_selected(
        archive.store(), request_,
        [&](const manifest::Header& header, const Item&, const ArchivedRow&, const std::string&) -> Result<void> {
          const Home* to = TRY(home(header));
          targets[{to->database.url, lock_name(header.table)}] = to;
          return {};
        }));
    std::vector<std::unique_ptr<Lock>> locks;
    for (const auto& [key, to] : targets) locks.push_back(TRY(lock_in_database(to->database, key.second)));
    return locks;
  }

  Result<void> execute(const Step&, RunContext& run) const override {
    const manifest::Archive archive = TRY(manifest::Archive::read(settings_.archive));
    std::map<const Home*, std::unique_ptr<Restorer>> restorers;
    std::map<const Home*, std::vector<Returning>> waiting;
    TRY(each_selected(archive.store(), request_,
                      [&](const manifest::Header& header, const Item& item, const ArchivedRow& row,
                          const std::string& key) -> Result<void> {
                        const Home* home = TRY(this->home(header));
                        std::unique_ptr<Restorer>& restorer = restorers[home];
                        if (!restorer) restorer = TRY(open(*home, archive.store(), run));
                        std::vector<Returning>& rows = waiting[home];
                        rows.push_back({header, item, row, key});
                        if (rows.size() < rows_at_once) return {};
                        TRY(restorer->batch(rows));
                        rows.clear();
                        return {};
                      }));
    std::uint64_t damaged = 0, without_file = 0;
    for (auto& [home, restorer] : restorers) {
      TRY(restorer->batch(waiting[home]));
      damaged += restorer->damaged();
      without_file += restorer->without_file();
    }
    if (without_file > 0)
      run.note(Level::info, fmt::format("{} of the rows came without a file: theirs was missing already when they were "
                                        "archived",
                                        format_count(without_file)));
    if (damaged == 0) return {};
    return fail(Kind::corrupt, fmt::format("{} of the copies are damaged or gone; all others are back", damaged),
                "`steward archive verify` names them; bring them back from a copy of the cold storage.");
  }

 private:
  Result<const Home*> home(const manifest::Header& header) const {
    if (const Home* found = home_of(settings_.homes, header.task, header.table, !header.file_column.empty()))
      return found;
    return fail(Kind::bad_input, fmt::format("no task is configured that says where {} belongs", header.table),
                "Configure a task on that table with this archive; enabled: false will do.", "not-configured");
  }

  Result<std::unique_ptr<Restorer>> open(const Home& home, object::Store& archive, RunContext& run) const {
    auto db = TRY(sql::connect(home.database));
    SourceFiles files = TRY(SourceFiles::open(home.root, settings_.s3, home.urls));
    return std::make_unique<Restorer>(std::move(db), std::move(files), archive, run);
  }

  std::string filter() const {
    std::string text = "archived";
    if (!request_.run.empty()) text += " by run " + request_.run;
    if (!request_.table.empty()) text += " from " + request_.table;
    if (!request_.keys.empty()) text += fmt::format(" with key {}", fmt::join(request_.keys, ", "));
    return text;
  }

  TaskInfo info_;
  RestoreSettings settings_;
  RestoreRequest request_;
};

}  // namespace

const Home* home_of(std::span<const Home> homes, std::string_view task, std::string_view table, bool with_files) {
  std::vector<const Home*> fit;
  for (const Home& home : homes)
    if (!with_files || !home.root.empty()) fit.push_back(&home);
  for (const Home* home : fit)
    if (home->task == task && names_table(home->table, table)) return home;
  for (const Home* home : fit)
    if (names_table(home->table, table)) return home;
  const bool one = !fit.empty() && std::ranges::all_of(fit, [&](const Home* home) {
    return home->database.url == fit.front()->database.url && home->root == fit.front()->root;
  });
  return one ? fit.front() : nullptr;
}

Result<bool> has_any(const object::StoreTarget& target, const RestoreRequest& request) {
  const auto archive = manifest::Archive::read(target);
  if (!archive && archive.error().kind == Kind::not_found) return false;
  if (!archive) return std::unexpected(archive.error());
  bool found = false;
  const auto looked =
      each_selected(archive->store(), request,
                    [&](const manifest::Header&, const Item&, const ArchivedRow&, const std::string&) -> Result<void> {
                      found = true;
                      return fail(Kind::interrupted, "one is enough");
                    });
  if (found) return true;
  TRY(looked);
  return false;
}

std::unique_ptr<Task> restore_archived(TaskInfo info, RestoreSettings settings, RestoreRequest request) {
  return std::make_unique<Restore>(std::move(info), std::move(settings), std::move(request));
}

Result<std::vector<ArchivedRun>> list_archive(const object::StoreTarget& target) {
  const manifest::Archive archive = TRY(manifest::Archive::read(target));
  std::vector<ArchivedRun> runs;
  for (const manifest::Listed& listed : TRY(manifest::list(archive.store(), ""))) {
    ArchivedRun run{.run = listed.run, .folder = listed.folder, .finished = listed.finished};
    const manifest::Header header = TRY(manifest::read(archive.store(), listed, [&](const Item& item) -> Result<bool> {
      if (!left_the_database(item)) return true;
      run.items += item.rows == 0 ? 1 : item.rows - item.kept.size();
      run.bytes += item.size;
      return true;
    }));
    run.task = header.task;
    run.table = header.table;
    run.began = header.began;
    runs.push_back(std::move(run));
  }
  return runs;
}

Result<Verified> verify_archive(const object::StoreTarget& target, const std::function<void(const Verified&)>& tick) {
  const manifest::Archive archive = TRY(manifest::Archive::read(target));
  Verified verified;
  for (const manifest::Listed& listed : TRY(manifest::list(archive.store(), "")))
    TRY(manifest::read(archive.store(), listed, [&](const Item& item) -> Result<bool> {
      if (!left_the_database(item) || item.missing) return true;
      const auto same = verify_copy(archive.store(), item);
      if (!same && same.error().kind != Kind::corrupt && same.error().kind != Kind::not_found)
        return std::unexpected(same.error());
      ++verified.copies;
      verified.bytes += item.size;
      if (!same) verified.faults.push_back(same.error().message);
      tick(verified);
      return true;
    }));
  return verified;
}

}  // namespace steward::retention
