/// Pieces of SQL that carry their parameters, and are numbered when the statement is put together: whoever writes a
/// condition need not know what stands before it.
///
///   Fragment where = "t.id < "; where += Fragment::of(17);
///   TRY(query(db, "select count(*) from t where " + where));
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/sql/connection.h"

namespace steward::sql {

struct Fragment {
  std::string text{};  ///< With a zero byte in the place of each parameter.
  std::vector<Value> parameters{};

  Fragment() = default;
  Fragment(std::string sql) : text(std::move(sql)) {}
  Fragment(std::string_view sql) : text(sql) {}
  Fragment(const char* sql) : text(sql) {}
  /// A parameter.
  static Fragment of(Value value);

  Fragment& operator+=(const Fragment& more);
  friend Fragment operator+(Fragment a, const Fragment& b) { return a += b; }
  bool empty() const { return text.empty(); }
};

/// "(a) and (b)" and so on; "true" for none.
Fragment all_of(std::span<const Fragment> conditions);
/// "((a) or (b))"; "false" for none.
Fragment any_of(std::span<const Fragment> conditions);

/// The statement with the placeholders of this database.
std::string numbered(const Connection& db, const Fragment& statement);

/// As Connection's functions of these names.
Result<Rows> query(Connection& db, const Fragment& statement);
Result<std::int64_t> execute(Connection& db, const Fragment& statement);
Result<void> stream(Connection& db, const Fragment& statement, const std::function<Result<bool>(const Row&)>& take);

}  // namespace steward::sql
