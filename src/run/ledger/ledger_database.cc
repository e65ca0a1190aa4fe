#include "run/ledger/ledger_database.h"

#include <span>

#include "core/text.h"

namespace steward::ledger {
namespace {

constexpr std::string_view escape = "base64:";

}  // namespace

LedgerDatabase::LedgerDatabase(sql::Target target, std::unique_ptr<sql::Connection> connection)
    : target_(std::move(target)), connection_(std::move(connection)), shown_(connection_->shown()) {}

std::string LedgerDatabase::in_dialect(std::string_view statement) const {
  const bool sqlite = is_sqlite();
  std::string out;
  for (const char c : statement) {
    if (c == '@')
      out += sqlite ? "main." : "steward.";
    else
      out += c == '?' && !sqlite ? '$' : c;
  }
  return out;
}

Result<void> LedgerDatabase::reconnect() {
  sql::Target target = target_;
  target.create = false;  // a ledger that has vanished is not replaced by an empty one
  connection_ = TRY(sql::connect(target));
  return {};
}

Result<sql::Transaction> LedgerDatabase::begin() {
  Result<sql::Transaction> transaction = connection_->begin();
  if (transaction || transaction.error().kind != Kind::unavailable) return transaction;
  TRY(reconnect());
  return connection_->begin();
}

Result<void> LedgerDatabase::change(const std::function<Result<void>()>& act) {
  const std::scoped_lock lock(one_at_a_time_);
  sql::Transaction transaction = TRY(begin());
  TRY(act());
  return transaction.commit();
}

Result<void> LedgerDatabase::read(const std::function<Result<void>()>& act) {
  const std::scoped_lock lock(one_at_a_time_);
  const Result<void> done = act();
  if (done || done.error().kind != Kind::unavailable) return done;
  TRY(reconnect());
  return act();
}

Result<sql::Rows> LedgerDatabase::query(std::string_view statement, std::initializer_list<sql::Value> parameters) {
  return connection_->query(in_dialect(statement), {parameters.begin(), parameters.size()});
}

Result<std::int64_t> LedgerDatabase::execute(std::string_view statement, std::initializer_list<sql::Value> parameters) {
  return connection_->execute(in_dialect(statement), {parameters.begin(), parameters.size()});
}

Result<void> LedgerDatabase::stream(std::string_view statement,
                                    const std::function<Result<bool>(const sql::Row&)>& take) {
  return connection_->stream(in_dialect(statement), {}, take);
}

sql::Value stored(std::string_view text) {
  const bool plain = is_utf8(text) && text.find('\0') == std::string_view::npos && !text.starts_with(escape);
  return plain ? std::string(text) : std::string(escape) + base64(text);
}

sql::Value stored(Instant instant) { return static_cast<std::int64_t>(instant.time_since_epoch().count()); }

sql::Value stored(const std::optional<Instant>& instant) { return instant ? stored(*instant) : sql::Value{}; }

sql::Value stored(std::uint64_t count) { return static_cast<std::int64_t>(count); }

sql::Value stored(bool flag) { return std::int64_t{flag ? 1 : 0}; }

std::string text_of(const sql::Value& value) {
  if (sql::is_null(value)) return {};
  std::string text = sql::to_text(value);
  if (!text.starts_with(escape)) return text;
  return from_base64(std::string_view(text).substr(escape.size())).value_or(text);
}

Instant instant_of(const sql::Value& value) { return Instant(std::chrono::microseconds(sql::to_integer(value))); }

std::optional<Instant> optional_instant_of(const sql::Value& value) {
  return sql::is_null(value) ? std::nullopt : std::optional(instant_of(value));
}

std::uint64_t count_of(const sql::Value& value) { return static_cast<std::uint64_t>(sql::to_integer(value)); }

bool flag_of(const sql::Value& value) { return sql::to_integer(value) != 0; }

}  // namespace steward::ledger
