/// The ledger's connection: one SQL for both databases, a transaction for each change, and a server that may come back.
#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::ledger {

/// In every statement given to it, `@runs` is the ledger's table "runs", and `?1` the first parameter.
///
/// A connection that was lost is opened again at the start of the next change or read, where nothing has been done yet:
/// a run outlives the restart of the server that keeps its ledger. Any thread may call.
class LedgerDatabase {
 public:
  LedgerDatabase(sql::Target target, std::unique_ptr<sql::Connection> connection);

  const std::string& shown() const { return shown_; }
  bool is_sqlite() const { return connection_->dialect() == sql::Dialect::sqlite; }
  const sql::Target& target() const { return target_; }

  /// Runs `act` in one transaction, committed if it succeeds. `act` may call query and execute.
  Result<void> change(const std::function<Result<void>()>& act);
  /// Runs `act`, which only reads. It may run twice.
  Result<void> read(const std::function<Result<void>()>& act);

  // Inside change and read:
  Result<sql::Rows> query(std::string_view statement, std::initializer_list<sql::Value> parameters = {});
  Result<std::int64_t> execute(std::string_view statement, std::initializer_list<sql::Value> parameters = {});
  Result<void> stream(std::string_view statement, const std::function<Result<bool>(const sql::Row&)>& take);

 private:
  std::string in_dialect(std::string_view statement) const;
  Result<sql::Transaction> begin();
  Result<void> reconnect();

  sql::Target target_;
  std::unique_ptr<sql::Connection> connection_;
  std::string shown_;
  std::mutex one_at_a_time_{};
};

// Values as the ledger stores them. Text that PostgreSQL would refuse (not UTF-8, a zero byte: file names may be both)
// is stored as "base64:…", and comes back as it was.
sql::Value stored(std::string_view text);
sql::Value stored(Instant instant);
sql::Value stored(const std::optional<Instant>& instant);
sql::Value stored(std::uint64_t count);
sql::Value stored(bool flag);

std::string text_of(const sql::Value& value);
Instant instant_of(const sql::Value& value);
std::optional<Instant> optional_instant_of(const sql::Value& value);
std::uint64_t count_of(const sql::Value& value);
bool flag_of(const sql::Value& value);

}  // namespace steward::ledger
