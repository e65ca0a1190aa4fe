/// The one database interface: PostgreSQL (libpq) and SQLite.
///
///   auto db = TRY(sql::connect({.url = "postgresql://app@db/app", .application = "steward cleanup 20261123T…"}));
///   const std::string table = TRY(db->quote_identifier("signals"));
///   const sql::Value limit = std::int64_t{17};
///   const sql::Rows rows =
///       TRY(db->query("select count(*) from " + table + " where id < " + db->placeholder(1), {&limit, 1}));
///
/// Promises  - Values are parameters, never text of a statement. Identifiers come from `quote_identifier`.
///           - A statement outside a transaction is one of its own. Nothing is retried, and a lost connection is not
///             opened again: the caller knows what is safe.
///           - After an error inside a transaction only its rollback is left, on both databases.
///           - Nothing is created in the database; SQLite files are never created (unless `create`, for steward's own).
///           - Errors name the database without its password.
/// Errors    - unavailable: no connection, connection lost, disk full, serialization failure, too many connections.
///           - permission: login or rights missing; also row-level security that would hide rows (`row_security =
///           off`).
///           - busy: lock_timeout, a deadlock, SQLITE_BUSY. not_found: no such database, table, column or file.
///           - held: a foreign key or another constraint forbids it (SQLSTATE class 23).
///           - interrupted: statement_timeout, cancelled, or told to stop.
///           - corrupt: SQLITE_CORRUPT / NOTADB, SQLSTATE class XX. bad_input: the rest of what the server refuses.
/// Threads   One connection, one thread at a time; but `cancel` from any.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/sql/value.h"

namespace steward::sql {

enum class Dialect { postgres, sqlite };

/// How to connect.
struct Target {
  std::string url{};                    ///< postgresql://… (also `postgres`, and Python's `+driver`) or sqlite:///….
  std::string application = "steward";  ///< application_name, so that a DBA sees who it is.
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds lock_timeout{
      5'000};  ///< How long a statement may wait for a lock (SQLite: for the database).
  std::chrono::milliseconds statement_timeout{0};  ///< 0: none.
  /// PostgreSQL: how long a transaction may wait for its client before the server ends it with its locks, as where the
  /// process was stopped. 0: for ever.
  std::chrono::milliseconds idle_timeout{0};
  bool create = false;     ///< SQLite only: make the file (0600) if it is absent. For steward's own.
  bool read_only = false;  ///< Every transaction is read-only.
  /// Once it is requested, the running statement is cancelled and no other begins: both fail as interrupted. Ending a
  /// transaction is always possible.
  std::stop_token stop{};
};

/// One column of a table, as the catalogue has it.
struct Column {
  std::string name{};
  std::string type{};  ///< As declared: "timestamp with time zone", "jsonb", "TEXT".
  bool not_null = false;
  bool generated = false;        ///< GENERATED ALWAYS AS (…) STORED or VIRTUAL: cannot be inserted.
  bool identity_always = false;  ///< GENERATED ALWAYS AS IDENTITY: insert with OVERRIDING SYSTEM VALUE.
};

enum class TableKind { table, partitioned, view, materialized_view, foreign, other };

/// What the catalogue says of a table.
struct TableInfo {
  std::string schema{};  ///< "public"; SQLite: "main".
  std::string name{};
  TableKind kind = TableKind::table;
  bool has_children = false;  ///< Other tables inherit from it (PostgreSQL), so its ctids are not unique.
  std::vector<Column> columns{};
  std::vector<std::string>
      primary_key{};  ///< In key order; empty where there is none. SQLite: a rowid table's INTEGER PRIMARY KEY counts.
  bool without_rowid = false;  ///< SQLite only.
  bool row_security = false;   ///< Policies exist and are enabled (PostgreSQL).
};

/// A foreign key of `table` that points at the table asked for, whatever its ON DELETE says.
struct Reference {
  std::string schema{}, table{};
  std::string name{};                         ///< Of the constraint; empty in SQLite.
  std::vector<std::string> columns{};         ///< Of the referencing table,
  std::vector<std::string> target_columns{};  ///< and what they point at, in the same order.
  std::string on_delete{};                    ///< "NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT".
  bool indexed =
      false;  ///< The referencing columns lead an index (any order), so that a lookup is not a scan of the table.
};

/// A privilege, as GRANT names it.
struct Right {
  std::string privilege{};  ///< "SELECT", "INSERT", "UPDATE", "DELETE".
  std::string schema{}, table{};
  /// On these columns; empty: on the whole table. UPDATE of any one column is what a row lock (FOR UPDATE) asks for,
  std::vector<std::string> columns{};
  bool of_each = false;  ///< UPDATE: of each of these columns, and not of any one.
};

/// How a lock is had.
enum class Sharing { alone, beside };

class Connection;

/// A transaction: rolled back when it goes out of scope, unless committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  /// On an error the outcome is unknown only if the kind is unavailable; otherwise it was rolled back.
  Result<void> commit();
  Result<void> rollback();

 private:
  Connection* connection_;
};

class Connection {
 public:
  virtual ~Connection() = default;

  virtual Dialect dialect() const = 0;
  /// The database without password: "postgresql://app@db:5432/app", "sqlite:////srv/app.db" (absolute).
  virtual const std::string& shown() const = 0;
  /// Names this database and no other: PostgreSQL "SYSTEM-IDENTIFIER/DATABASE-OID", SQLite "DEVICE:INODE" of the file.
  virtual const std::string& identity() const = 0;
  /// "PostgreSQL 15.18", "SQLite 3.40.1".
  virtual const std::string& version() const = 0;

  /// Runs one statement and gives all of its rows.
  virtual Result<Rows> query(std::string_view statement, std::span<const Value> parameters = {}) = 0;
  /// Runs one statement and gives the number of rows that it changed.
  virtual Result<std::int64_t> execute(std::string_view statement, std::span<const Value> parameters = {}) = 0;
  /// Runs one query (SELECT, VALUES, WITH that changes nothing) and hands over its rows one at a time, in constant
  /// memory. `take` returns false to stop early. Nothing else may be asked of this connection meanwhile.
  virtual Result<void> stream(std::string_view statement, std::span<const Value> parameters,
                              const std::function<Result<bool>(const Row&)>& take) = 0;

  /// Begins a transaction (READ COMMITTED; SQLite: BEGIN IMMEDIATE, or BEGIN where the connection is read-only).
  virtual Result<Transaction> begin() = 0;
  /// Asks the running statement to stop, which then fails as interrupted. From any thread.
  virtual void cancel() = 0;

  /// `name` as the driver quotes it, whatever is in it.
  virtual Result<std::string> quote_identifier(std::string_view name) const = 0;
  /// The `n`-th parameter, counted from 1: "$1" or "?1".
  virtual std::string placeholder(int n) const = 0;

  /// The table that an unqualified or "schema.table" name means here (search_path; names are taken as written, then in
  /// lower case for PostgreSQL). not_found names the nearest.
  virtual Result<TableInfo> describe(std::string_view table) = 0;
  /// All foreign keys that point at `table`, those of partitions' parents included, each once.
  virtual Result<std::vector<Reference>> references_to(const TableInfo& table) = 0;
  /// Whether some index of the table begins with `column`.
  virtual Result<bool> has_index_on(const TableInfo& table, std::string_view column) = 0;
  /// The planner's guess, from statistics; empty where it has none (or the driver has none).
  virtual Result<std::optional<std::uint64_t>> estimated_rows(const TableInfo& table) = 0;
  /// Those of `wanted` that this session's user has not: on the table, or on the columns. SQLite: all that write, where
  /// the file's folder cannot be written.
  virtual Result<std::vector<Right>> missing_rights(std::span<const Right> wanted) = 0;
  /// Who this session is, as GRANT names it: `current_user`. SQLite: empty.
  virtual Result<std::string> user() = 0;
  /// The server's clock; SQLite: this machine's.
  virtual Result<Instant> server_time() = 0;
  /// A lock that belongs to the open transaction and ends with it: PostgreSQL pg_try_advisory_xact_lock on a hash of
  /// `name`; true where it was had. Several may have it `beside` one another, and then nobody has it `alone`. SQLite:
  /// always true (the transaction itself excludes others).
  virtual Result<bool> try_transaction_lock(std::string_view name, Sharing sharing) = 0;
  Result<bool> try_transaction_lock(std::string_view name) { return try_transaction_lock(name, Sharing::alone); }

 protected:
  friend class Transaction;
  virtual Result<void> end(bool commit) = 0;
};

/// "schema"."name", quoted.
Result<std::string> qualified(const Connection& connection, const TableInfo& table);

/// Connects. Driver-only parameters of Python's URLs are dropped or translated; `notes` (if given) says each one in a
/// line. bad_input: no such scheme or a broken URL. The rest as above.
Result<std::unique_ptr<Connection>> connect(const Target& target, std::vector<std::string>* notes = nullptr);

}  // namespace steward::sql
