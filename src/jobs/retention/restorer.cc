#include "jobs/retention/restorer.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/random.h"
#include "run/manifest/row_json.h"

namespace steward::retention {
namespace {

using manifest::Item;

constexpr std::chrono::days held_for{30};

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

  /// Sets columns of the row with this key to the row's, where all of them are NULL. Whether they were.
  Result<bool> set_back(const ArchivedRow& row, std::span<const std::string> key_columns,
                        std::span<const std::string> columns) const {
    sql::Row values = TRY(row.values_of(columns));
    std::string set, where;
    for (const std::string& name : columns) {
      const std::string quoted = TRY(db_->quote_identifier(name));
      set += fmt::format("{}{} = {}", set.empty() ? "" : ", ", quoted,
                         db_->placeholder(static_cast<int>(&name - columns.data()) + 1));
      where += fmt::format("{}{} is null", where.empty() ? "" : " and ", quoted);
    }
    for (sql::Value& value : TRY(row.values_of(key_columns))) values.push_back(std::move(value));
    for (const std::string& name : key_columns)
      where += fmt::format(" and {} = {}", TRY(db_->quote_identifier(name)),
                           db_->placeholder(static_cast<int>(columns.size() + (&name - key_columns.data())) + 1));
    return TRY(db_->execute(fmt::format("update {} set {} where {}", sql_name_, set, where), values)) == 1;
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

class DatabaseRestorer final : public Restorer {
 public:
  DatabaseRestorer(std::unique_ptr<sql::Connection> db, SourceFiles files, object::Store& archive, RunContext& run)
      : owned_(std::move(db)), db_(*owned_), files_(std::move(files)), archive_(archive), run_(run) {}

  Result<void> batch(const std::vector<Returning>& rows) override {
    TRY(hold(rows));
    for (const Returning& row : rows) TRY(one(row.header, row.item, row.row, row.key));
    return {};
  }
  Result<void> referring(const std::vector<Returning>& rows) override {
    TRY(hold_referring(rows));
    for (const Returning& row : rows) TRY(referring_of(row));
    return {};
  }
  const Tally& tally() const override { return tally_; }

 private:
  Result<void> hold(const std::vector<Returning>& rows) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const Returning& row : rows) all.emplace_back(row.header.table, row.key);
    return hold(all);
  }

  Result<void> hold_referring(const std::vector<Returning>& rows) {
    std::vector<std::pair<std::string, std::string>> all;
    for (const Returning& row : rows)
      for (const manifest::Referring& one : row.row.referring)
        if (one.went) all.emplace_back(one.table, TRY(key_text_of(one)));
    return hold(all);
  }

  /// Rows by table and key.
  Result<void> hold(const std::vector<std::pair<std::string, std::string>>& rows) {
    const Instant now = run_.clock().now();
    const Holds* known = TRY(run_.holds());
    std::vector<ledger::Hold> holds;
    for (const auto& [table, key] : rows) {
      if (known->covers_row(table, key)) continue;
      holds.push_back({.id = "h-" + random_hex(6),
                       .kind = "row",
                       .target = table,
                       .key = key,
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
    tally_.without_file += item.missing ? 1 : 0;
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
      ++tally_.damaged;  // one bad copy is no reason to keep the others away; the task says so at its end
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
    if (const std::string reason = TRY(why_not_back(to, header.table, header.key_columns, row)); !reason.empty())
      return skip(reason, key);
    run_.done(1, item.rows == 0 ? std::optional(item.size) : std::nullopt);
    return {};
  }

  /// Inserts a row that is not there yet; why it is not there afterwards, or nothing.
  Result<std::string> why_not_back(const Target& to, const std::string& table,
                                   const std::vector<std::string>& key_columns, const ArchivedRow& row) {
    const std::string wanted = manifest::row_to_json(row.columns, row.values).dump();
    const std::string there = TRY(to.read(row, key_columns));
    if (there == wanted) return std::string{};
    if (!there.empty()) return "a row with its key is there, and differs";
    sql::Transaction transaction = TRY(db_.begin());
    const auto inserted = to.insert(row);
    if (!inserted && inserted.error().kind == Kind::held) {
      TRY(transaction.rollback());
      if (inserted.error().message.contains("no partition of relation"))
        return fmt::format("no partition of {} takes it: make one for its time, and restore again", table);
      return "the database forbids it: " + inserted.error().message;
    }
    TRY(inserted);
    if (TRY(to.read(row, key_columns)) != wanted) {
      TRY(transaction.rollback());
      return "it reads back differently: a trigger or a changed column";
    }
    TRY(run_.checkpoint("restore: before commit"));
    TRY(transaction.commit());
    return std::string{};
  }

  Result<void> referring_of(const Returning& returning) {
    const auto known = table(returning.header.table);
    if (!known && known.error().kind == Kind::not_found) return {};  // told already
    const Target& to = *TRY(known);
    if (!to.missing_column(returning.row).empty()) return {};
    const std::string wanted = manifest::row_to_json(returning.row.columns, returning.row.values).dump();
    const bool back = TRY(to.read(returning.row, returning.header.key_columns)) == wanted;
    for (const manifest::Referring& one : returning.row.referring) {
      TRY(run_.checkpoint("restore: referring"));
      const std::string named = fmt::format("{} {}", one.table, TRY(key_text_of(one)));
      const std::string reason = back ? TRY(why_not_referring(one)) : "what it refers to is not back";
      if (!reason.empty()) TRY(skip("of rows that referred: " + reason, named));
    }
    return {};
  }

  /// Brings one back, or lets it refer again; why it could not, or nothing.
  Result<std::string> why_not_referring(const manifest::Referring& one) {
    const auto known = table(one.table);
    if (!known && known.error().kind == Kind::not_found) return "its table is gone";
    const Target& to = *TRY(known);
    const ArchivedRow row = TRY(archived_row(one.row));
    if (const std::string column = to.missing_column(row); !column.empty())
      return fmt::format("its column {} is gone", column);
    if (one.went) {
      std::string reason = TRY(why_not_back(to, one.table, one.key_columns, row));
      tally_.back += reason.empty() ? 1 : 0;
      return reason;
    }
    std::string reason = TRY(why_not_set_back(to, one, row));
    tally_.set_back += reason.empty() ? 1 : 0;
    return reason;
  }

  Result<std::string> why_not_set_back(const Target& to, const manifest::Referring& one, const ArchivedRow& row) {
    const std::string wanted = manifest::row_to_json(row.columns, row.values).dump();
    sql::Transaction transaction = TRY(db_.begin());
    const auto set = to.set_back(row, one.key_columns, one.columns);
    if (!set && set.error().kind == Kind::held) {
      TRY(transaction.rollback());
      return "the database forbids it: " + set.error().message;
    }
    TRY(set);
    const std::string there = TRY(to.read(row, one.key_columns));
    if (there == wanted) {
      TRY(run_.checkpoint("restore: before commit"));
      TRY(transaction.commit());
      return std::string{};
    }
    TRY(transaction.rollback());
    if (there.empty()) return "it is gone";
    return *set ? "it reads back differently: a trigger or a changed column" : "it has been changed since";
  }

  std::unique_ptr<sql::Connection> owned_;
  sql::Connection& db_;
  SourceFiles files_;
  object::Store& archive_;
  RunContext& run_;
  std::map<std::string, Target> tables_{};
  Tally tally_{};
};

}  // namespace

std::unique_ptr<Restorer> make_restorer(std::unique_ptr<sql::Connection> db, SourceFiles files, object::Store& archive,
                                        RunContext& run) {
  return std::make_unique<DatabaseRestorer>(std::move(db), std::move(files), archive, run);
}

}  // namespace steward::retention
