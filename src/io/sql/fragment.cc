#include "io/sql/fragment.h"

namespace steward::sql {
namespace {

Fragment joined(std::span<const Fragment> conditions, std::string_view word) {
  Fragment out;
  for (const Fragment& condition : conditions) {
    if (!out.empty()) out += word;
    out += "(" + condition + ")";
  }
  return out;
}

}  // namespace

Fragment Fragment::of(Value value) {
  Fragment out(std::string(1, '\0'));
  out.parameters.push_back(std::move(value));
  return out;
}

Fragment& Fragment::operator+=(const Fragment& more) {
  text += more.text;
  parameters.insert(parameters.end(), more.parameters.begin(), more.parameters.end());
  return *this;
}

Fragment all_of(std::span<const Fragment> conditions) {
  return conditions.empty() ? Fragment("true") : joined(conditions, " and ");
}

Fragment any_of(std::span<const Fragment> conditions) {
  return conditions.empty() ? Fragment("false") : "(" + joined(conditions, " or ") + ")";
}

std::string numbered(const Connection& db, const Fragment& statement) {
  std::string out;
  int n = 0;
  for (const char c : statement.text)
    if (c == '\0')
      out += db.placeholder(++n);
    else
      out += c;
  return out;
}

Result<Rows> query(Connection& db, const Fragment& statement) {
  return db.query(numbered(db, statement), statement.parameters);
}

Result<std::int64_t> execute(Connection& db, const Fragment& statement) {
  return db.execute(numbered(db, statement), statement.parameters);
}

Result<void> stream(Connection& db, const Fragment& statement, const std::function<Result<bool>(const Row&)>& take) {
  return db.stream(numbered(db, statement), statement.parameters, take);
}

}  // namespace steward::sql
