#include "io/sql/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "core/text.h"
#include "io/sql/sqlite_catalogue.h"
#include "io/sql/sqlite_file.h"
#include "io/sql/statement_error.h"

namespace steward::sql {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Value value_at(sqlite3_stmt* statement, int column) {
  // The size after the pointer: asking for the text may convert it.
  const auto bytes = [&](const void* data) {
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    return data == nullptr ? std::string{} : std::string(static_cast<const char*>(data), size);
  };
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_TEXT: return bytes(sqlite3_column_text(statement, column));
    case SQLITE_BLOB: return Blob{bytes(sqlite3_column_blob(statement, column))};
    default: return {};
  }
}

int bind(sqlite3_stmt* statement, int n, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, n, *integer);
  if (const auto* number = std::get_if<double>(&value)) return sqlite3_bind_double(statement, n, *number);
  if (const auto* text = std::get_if<std::string>(&value))
    return sqlite3_bind_text64(statement, n, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  if (const auto* blob = std::get_if<Blob>(&value))  // never a null pointer, which would bind NULL
    return sqlite3_bind_blob64(statement, n, blob->bytes.c_str(), blob->bytes.size(), SQLITE_STATIC);
  return sqlite3_bind_null(statement, n);
}

class SqliteConnection final : public Connection {
 public:
  SqliteConnection(OpenedFile file, const Target& target)
      : target_(target), file_(std::move(file.file)), shown_(shown_of_file(file.path)), identity_(file.identity) {
    sqlite3_busy_handler(
        file_.get(), [](void* self, int times) { return static_cast<SqliteConnection*>(self)->wait(times); }, this);
    // Long before this many instructions a COMMIT is done, so that none is stopped here.
    sqlite3_progress_handler(
        file_.get(), /*instructions=*/10'000,
        [](void* self) { return static_cast<SqliteConnection*>(self)->is_to_end() ? 1 : 0; }, this);
  }

  /// Sets the connection up, and reads the file for the first time.
  Result<void> prepare();

  Dialect dialect() const override { return Dialect::sqlite; }
  const std::string& shown() const override { return shown_; }
  const std::string& identity() const override { return identity_; }
  const std::string& version() const override { return version_; }

  Result<Rows> query(std::string_view statement, std::span<const Value> parameters) override;
  Result<std::int64_t> execute(std::string_view statement, std::span<const Value> parameters) override;
  Result<void> stream(std::string_view statement, std::span<const Value> parameters,
                      const std::function<Result<bool>(const Row&)>& take) override;
  Result<Transaction> begin() override;
  void cancel() override;

  Result<std::string> quote_identifier(std::string_view name) const override;
  std::string placeholder(int n) const override { return fmt::format("?{}", n); }
  Result<TableInfo> describe(std::string_view table) override { return sqlite_catalogue::describe(*this, table); }
  Result<std::vector<Reference>> references_to(const TableInfo& table) override {
    return sqlite_catalogue::references_to(*this, table);
  }
  Result<bool> has_index_on(const TableInfo& table, std::string_view column) override {
    return sqlite_catalogue::has_index_on(*this, table, column);
  }
  Result<std::optional<std::uint64_t>> estimated_rows(const TableInfo& table) override {
    return sqlite_catalogue::estimated_rows(*this, table);
  }
  Result<std::vector<Right>> missing_rights(std::span<const Right> wanted) override;
  Result<std::string> user() override { return std::string{}; }
  Result<Instant> server_time() override { return SystemClock{}.now(); }
  using Connection::try_transaction_lock;
  Result<bool> try_transaction_lock(std::string_view name, Sharing sharing) override;

 private:
  Result<void> end(bool commit) override;

  Result<Statement> compile(std::string_view text);
  Result<void> bind_all(sqlite3_stmt* statement, std::string_view text, std::span<const Value> parameters);
  Result<Statement> start(std::string_view text, std::span<const Value> parameters);
  Result<bool> step(sqlite3_stmt* statement, std::string_view text);
  Result<void> run(std::string_view text);
  Result<void> keep_a_write_ahead_log();
  Result<void> usable() const;
  std::unexpected<Error> failed(std::string_view text);
  int wait(int times);
  Result<void> ready() const;
  /// The running statement is to end early: cancelled, late, or told to stop.
  bool is_to_end() const { return cancelled_ || is_late() || target_.stop.stop_requested(); }
  bool is_late() const {
    return target_.statement_timeout.count() > 0 && steady_clock::now() - started_ > target_.statement_timeout;
  }

  Target target_;
  SqliteFile file_;
  std::string shown_, identity_;
  std::string version_ = std::string("SQLite ") + sqlite3_libversion();
  steady_clock::time_point started_{};  ///< Of the statement that runs.
  steady_clock::time_point waiting_since_{};
  std::atomic<bool> cancelled_ = false;
  bool in_transaction_ = false;
  bool broken_ = false;  ///< A statement of the transaction has failed.
  bool streaming_ = false;
  std::stop_callback<std::function<void()>> on_stop_{target_.stop, [this] { cancel(); }};  // last: first to go
};

/// SQLite's busy handler: 0 gives up. One of our own, since SQLite's cannot be interrupted.
int SqliteConnection::wait(int times) {
  if (times == 0) waiting_since_ = steady_clock::now();
  if (is_to_end() || steady_clock::now() - waiting_since_ >= target_.lock_timeout) return 0;
  std::this_thread::sleep_for(milliseconds(5));
  return 1;
}

std::unexpected<Error> SqliteConnection::failed(std::string_view text) {
  const int code = sqlite3_extended_errcode(file_.get());
  const std::string why = printable(sqlite3_errmsg(file_.get()));
  const Kind kind = kind_of(code, why);
  broken_ = in_transaction_;
  if ((cancelled_ || target_.stop.stop_requested()) && kind == Kind::busy)
    return statement_failed(Kind::interrupted, text, shown_, "it was cancelled while it waited for a lock");
  if (is_late() && (kind == Kind::busy || kind == Kind::interrupted))
    return statement_failed(Kind::interrupted, text, shown_,
                            fmt::format("it ran longer than {} ms", target_.statement_timeout.count()));
  std::string_view hint;
  if (kind == Kind::busy) hint = "Another program writes to the database; the next run tries again.";
  if ((code & 0xFF) == SQLITE_FULL) hint = "The disk is full: make room on it.";
  return statement_failed(kind, text, shown_, why, hint);
}

Result<void> SqliteConnection::usable() const {
  if (streaming_) return fail(Kind::bug, fmt::format("{} was asked for more while it streams a query", shown_));
  if (broken_)
    return fail(Kind::bug, fmt::format("a transaction on {} goes on after one of its statements failed", shown_));
  return {};
}

Result<void> SqliteConnection::ready() const { return not_stopped(target_, shown_); }

Result<Statement> SqliteConnection::compile(std::string_view text) {
  const auto one = [&](std::string_view part, const char** rest) -> Result<Statement> {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(file_.get(), part.data(), static_cast<int>(part.size()), 0, &statement, rest) != SQLITE_OK)
      return failed(text);
    return Statement(statement);
  };
  const char* rest = nullptr;
  Statement first = TRY(one(text, &rest));
  if (first == nullptr) return statement_failed(Kind::bad_input, text, shown_, "it is empty");
  // What follows may be a comment; a second statement would be skipped without a word.
  const std::string_view tail = text.substr(static_cast<std::size_t>(rest - text.data()));
  const Statement second = TRY(one(tail, &rest));
  if (second != nullptr) return statement_failed(Kind::bad_input, text, shown_, "it is more than one statement");
  return first;
}

Result<void> SqliteConnection::bind_all(sqlite3_stmt* statement, std::string_view text,
                                        std::span<const Value> parameters) {
  // SQLite takes what is missing for NULL, and `x = NULL` is true of nothing.
  if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement)) != parameters.size())
    return statement_failed(Kind::bad_input, text, shown_,
                            fmt::format("it has {} parameters and was given {}",
                                        sqlite3_bind_parameter_count(statement), parameters.size()));
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (bind(statement, static_cast<int>(i) + 1, parameters[i]) != SQLITE_OK) return failed(text);
  return {};
}

Result<Statement> SqliteConnection::start(std::string_view text, std::span<const Value> parameters) {
  TRY(usable());
  cancelled_ = false;
  started_ = steady_clock::now();
  broken_ = in_transaction_;  // until it has been compiled and bound
  Statement statement = TRY(compile(text));
  TRY(bind_all(statement.get(), text, parameters));
  broken_ = false;
  return statement;
}

/// Whether there is a row (another one) to read.
Result<bool> SqliteConnection::step(sqlite3_stmt* statement, std::string_view text) {
  if (cancelled_) sqlite3_interrupt(file_.get());  // one that came before the statement ran would be forgotten
  const int code = sqlite3_step(statement);
  if (code != SQLITE_DONE && code != SQLITE_ROW) return failed(text);
  return code == SQLITE_ROW;
}

Result<void> SqliteConnection::run(std::string_view text) {
  const Statement statement = TRY(start(text, {}));
  while (TRY(step(statement.get(), text))) {
  }
  return {};
}

Row values_of(sqlite3_stmt* statement) {
  Row row;
  for (int column = 0; column < sqlite3_data_count(statement); ++column) row.push_back(value_at(statement, column));
  return row;
}

Result<Rows> SqliteConnection::query(std::string_view text, std::span<const Value> parameters) {
  TRY(ready());
  const Statement statement = TRY(start(text, parameters));
  Rows out;
  for (int column = 0; column < sqlite3_column_count(statement.get()); ++column)
    out.columns.emplace_back(sqlite3_column_name(statement.get(), column));
  while (TRY(step(statement.get(), text))) out.rows.push_back(values_of(statement.get()));
  return out;
}

Result<std::int64_t> SqliteConnection::execute(std::string_view text, std::span<const Value> parameters) {
  TRY(ready());
  // sqlite3_changes keeps the count of the last INSERT, UPDATE or DELETE: it is this statement's only if the total
  // moved.
  const sqlite3_int64 before = sqlite3_total_changes64(file_.get());
  const Statement statement = TRY(start(text, parameters));
  while (TRY(step(statement.get(), text))) {
  }
  return sqlite3_total_changes64(file_.get()) == before ? 0 : sqlite3_changes64(file_.get());
}

Result<void> SqliteConnection::stream(std::string_view text, std::span<const Value> parameters,
                                      const std::function<Result<bool>(const Row&)>& take) {
  TRY(ready());
  const Statement statement = TRY(start(text, parameters));
  Result<bool> more = step(statement.get(), text);
  while (more && *more) {
    streaming_ = true;
    more = take(values_of(statement.get()));
    streaming_ = false;
    if (more && *more) more = step(statement.get(), text);
  }
  return more ? Result<void>{} : std::unexpected(more.error());
}

Result<Transaction> SqliteConnection::begin() {
  if (in_transaction_) return fail(Kind::bug, fmt::format("{} is in a transaction already", shown_));
  TRY(ready());
  TRY(run(target_.read_only ? "BEGIN" : "BEGIN IMMEDIATE"));
  in_transaction_ = true;
  return Transaction(*this);
}

Result<void> SqliteConnection::end(bool commit) {
  if (streaming_) return usable();
  const bool broken = std::exchange(broken_, false);
  const auto roll_back = [&]() -> Result<void> {
    in_transaction_ = false;
    // Some errors have rolled it back already; another ROLLBACK would be one more.
    return sqlite3_get_autocommit(file_.get()) != 0 ? Result<void>{} : run("ROLLBACK");
  };
  if (!commit) return roll_back();
  Result<void> done;
  if (broken)
    done =
        fail(Kind::bug, fmt::format("a transaction on {} was rolled back: one of its statements had failed", shown_));
  else
    done = run("COMMIT");
  broken_ = false;
  if (!done) (void)roll_back();  // a COMMIT that is busy leaves the transaction open
  in_transaction_ = false;
  return done;
}

void SqliteConnection::cancel() {
  cancelled_ = true;
  sqlite3_interrupt(file_.get());
}

Result<std::string> SqliteConnection::quote_identifier(std::string_view name) const {
  if (name.empty() || name.find('\0') != std::string_view::npos)
    return fail(Kind::bad_input, fmt::format("\"{}\" cannot be a name in SQLite", printable(name)));
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

Result<bool> SqliteConnection::try_transaction_lock(std::string_view, Sharing) {
  if (!in_transaction_) return fail(Kind::bug, "a transaction lock was asked for outside a transaction");
  return true;
}

Result<std::vector<Right>> SqliteConnection::missing_rights(std::span<const Right> wanted) {
  // The file itself was asked about when it was opened; the journal is made beside it.
  const std::string folder = std::filesystem::path(sqlite3_db_filename(file_.get(), "main")).parent_path();
  std::vector<Right> missing;
  if (!target_.read_only && faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return missing;
  for (const Right& right : wanted)
    if (right.privilege != "SELECT") missing.push_back(right);
  return missing;
}

// SQLite asks no busy handler where the mode changes: two that open a new file at once would refuse one another.
Result<void> SqliteConnection::keep_a_write_ahead_log() {
  for (int times = 0;; ++times) {
    auto changed = run("PRAGMA journal_mode = WAL");
    if (changed || changed.error().kind != Kind::busy || wait(times) == 0) return changed;
  }
}

Result<void> SqliteConnection::prepare() {
  const Result<Rows> schema = query("select count(*) from sqlite_schema", {});
  if (!schema && schema.error().kind == Kind::corrupt)
    return fail(Kind::corrupt, fmt::format("{} is not an SQLite database, or is damaged", shown_),
                "Check the path in the database's URL.");
  if (!schema) return std::unexpected(schema.error());
  if (target_.create) TRY(keep_a_write_ahead_log());
  TRY(run("PRAGMA synchronous = EXTRA"));
  TRY(run("PRAGMA foreign_keys = ON"));
  if (to_integer(TRY(query("PRAGMA foreign_keys", {})).rows.at(0).at(0)) != 1)
    return fail(Kind::bug, "this SQLite library was built without foreign keys");
  return {};
}

}  // namespace

Result<std::unique_ptr<Connection>> connect_sqlite(const DatabaseUrl& url, const Target& target) {
  auto connection = std::make_unique<SqliteConnection>(TRY(open_file(url.path, target)), target);
  TRY(connection->prepare());
  return connection;
}

}  // namespace steward::sql
