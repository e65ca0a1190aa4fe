/// What the contract tests of the ledger share: one of their own for each case, on each database.
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/sql/connection_contract.h"
#include "run/ledger/ledger.h"

namespace steward::ledger {

using LedgerRun = Run;  // in a test's class, Run is Google Test's

template <class T>
std::vector<std::string> ids_of(const std::vector<T>& items) {
  std::vector<std::string> out;
  for (const T& item : items) out.push_back(item.id);
  return out;
}

/// On PostgreSQL (STEWARD_TEST_POSTGRES) and SQLite; a suite derives from it, and says `ON_EACH_DATABASE(Suite)`.
struct OnEachDatabase : testing::TestWithParam<sql::Dialect> {
  void SetUp() override {
    database = sql::TestDatabase::make(GetParam());
    ASSERT_TRUE(database);
    if (GetParam() == sql::Dialect::sqlite) std::filesystem::remove(database->path());  // it is for the ledger to make
    ledger = opened();
    ASSERT_TRUE(ledger);
  }
  std::unique_ptr<Ledger> opened(bool read_only = false) {
    auto out = open({.url = database->url(), .read_only = read_only});
    if (out) return std::move(*out);
    ADD_FAILURE() << out.error().message;
    return nullptr;
  }
  /// "run.begin 20261123T030000Z-4f2a91": the audit trail, newest first.
  std::vector<std::string> acts() {
    std::vector<std::string> out;
    const std::vector<AuditLine> lines = ledger->audit_lines(100).value();
    for (const AuditLine& line : lines) out.push_back(line.act + " " + line.subject);
    return out;
  }
  /// "ada run.begin 20261123T030000Z-4f2a91": with who it was.
  std::vector<std::string> deeds() {
    std::vector<std::string> out;
    const std::vector<AuditLine> lines = ledger->audit_lines(100).value();
    for (const AuditLine& line : lines) out.push_back(line.actor + " " + line.act + " " + line.subject);
    return out;
  }
  /// A connection past the ledger, as a person with psql has it.
  std::int64_t behind_its_back(std::string statement) {
    const auto db = database->connect();
    if (const auto at = statement.find('@'); at != std::string::npos)
      statement.replace(at, 1, GetParam() == sql::Dialect::postgres ? "steward." : "");
    const auto done = db->execute(statement);
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(-1);
  }
  void enter(const LedgerRun& run) {
    const auto done = ledger->begin_run(run);
    ASSERT_TRUE(done) << done.error().message;
  }

  std::unique_ptr<sql::TestDatabase> database;
  std::unique_ptr<Ledger> ledger;
};

#define ON_EACH_DATABASE(suite)                                                                          \
  INSTANTIATE_TEST_SUITE_P(Ledger, suite, testing::Values(sql::Dialect::postgres, sql::Dialect::sqlite), \
                           sql::dialect_name)

}  // namespace steward::ledger
