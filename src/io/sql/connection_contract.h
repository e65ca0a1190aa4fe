/// For tests: the fixture of the cases that every implementation of connection.h must pass.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "io/sql/connection.h"
#include "io/sql/test_database.h"

namespace steward {
/// How a failed test shows it.
inline void PrintTo(Kind kind, std::ostream* out) { *out << row_of(kind).name; }
}  // namespace steward

namespace steward::sql {

inline std::string name_of(Dialect dialect) { return dialect == Dialect::postgres ? "postgres" : "sqlite"; }
inline void PrintTo(Dialect dialect, std::ostream* out) { *out << name_of(dialect); }
inline void PrintTo(const Value& value, std::ostream* out) { *out << '"' << to_text(value) << '"'; }

struct ConnectionContract : testing::TestWithParam<Dialect> {
  void SetUp() override {
    database = TestDatabase::make(GetParam());
    ASSERT_TRUE(database);
    db = database->connect();
    ASSERT_TRUE(db);
  }

  bool postgres() const { return GetParam() == Dialect::postgres; }
  /// Runs statements that only set the stage.
  void run(std::initializer_list<std::string_view> statements) {
    for (const std::string_view statement : statements) {
      const auto done = db->execute(statement);
      ASSERT_TRUE(done) << done.error().message;
    }
  }
  /// The one value of a query, as text; "ERROR: …" where it failed.
  static std::string one(Connection& connection, std::string_view statement, std::vector<Value> parameters = {}) {
    const auto rows = connection.query(statement, parameters);
    if (!rows) return "ERROR: " + rows.error().message;
    return rows->rows.size() == 1 && rows->rows[0].size() == 1 ? to_text(rows->rows[0][0]) : "not one value";
  }
  std::string one(std::string_view statement, std::vector<Value> parameters = {}) {
    return one(*db, statement, std::move(parameters));
  }

  std::unique_ptr<TestDatabase> database;
  std::unique_ptr<Connection> db;
};

inline std::string dialect_name(const testing::TestParamInfo<Dialect>& info) { return name_of(info.param); }

/// The kind of an error; fails the test where there is none.
template <class T>
Kind kind_of(const Result<T>& result) {
  if (!result) return result.error().kind;
  ADD_FAILURE() << "it succeeded";
  return Kind::bug;
}

template <class T>
std::string message_of(const Result<T>& result) {
  return result ? "it succeeded" : result.error().message;
}

}  // namespace steward::sql
