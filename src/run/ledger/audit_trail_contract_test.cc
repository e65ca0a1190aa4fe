// What ledger.h promises of the audit trail, on both databases.
#include <gmock/gmock.h>

#include <thread>

#include "run/ledger/ledger_contract.h"

namespace steward::ledger {
namespace {

using sql::kind_of;
using sql::message_of;
using testing::HasSubstr;
using namespace std::chrono_literals;

const Instant noon{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 12h};

struct AuditTrailContract : OnEachDatabase {};

TEST_P(AuditTrailContract, AuditLinesAreNumberedWithoutGapsAndChained) {
  EXPECT_EQ(ledger->verify_audit().value(), 0);
  for (const char* subject : {"a", "b", "c"}) ASSERT_TRUE(ledger->audit("ada", "archive.restore", subject, "{}", noon));
  const auto lines = ledger->audit_lines(2).value();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].number, 3);
  EXPECT_EQ(lines[0].subject, "c");
  EXPECT_EQ(lines[0].actor, "ada");
  EXPECT_EQ(lines[0].at, noon);
  EXPECT_EQ(lines[0].previous, lines[1].hash);
  EXPECT_EQ(lines[0].hash.size(), 64u);
  EXPECT_EQ(opened()->verify_audit().value(), 3);
}

TEST_P(AuditTrailContract, AChangeInsideTheTrailShows) {
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(ledger->audit("ada", "act", "subject", "{}", noon));
  ASSERT_EQ(behind_its_back("update @audit set actor = 'eve' where number = 3"), 1);
  const auto verified = ledger->verify_audit();
  EXPECT_EQ(kind_of(verified), Kind::corrupt);
  EXPECT_EQ(message_of(verified),
            "the audit trail of " + ledger->shown() + " does not fit at line 3: it has been changed");
}

TEST_P(AuditTrailContract, ARemovalInsideTheTrailShows) {
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(ledger->audit("ada", "act", "subject", "{}", noon));
  ASSERT_EQ(behind_its_back("delete from @audit where number = 2"), 1);
  EXPECT_THAT(message_of(ledger->verify_audit()), HasSubstr("does not fit at line 2: it is missing"));
}

TEST_P(AuditTrailContract, LinesCutOffTheEndShow) {
  for (int n = 0; n < 5; ++n) ASSERT_TRUE(ledger->audit("ada", "act", "subject", "{}", noon));
  ASSERT_EQ(behind_its_back("delete from @audit where number > 3"), 2);
  EXPECT_THAT(message_of(ledger->verify_audit()), HasSubstr("does not fit at line 4: it is missing"));
}

TEST_P(AuditTrailContract, FieldsCannotBeShiftedIntoOneAnother) {
  ASSERT_TRUE(ledger->audit("ada", "act", "subject", "{}", noon));
  behind_its_back("update @audit set actor = 'adaa', act = 'ct'");
  EXPECT_EQ(kind_of(ledger->verify_audit()), Kind::corrupt);
}

TEST_P(AuditTrailContract, SeveralProcessesWriteOneTrail) {
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w)
    writers.emplace_back([this, w] {
      const auto mine = opened();
      for (int n = 0; n < 25; ++n)
        EXPECT_TRUE(mine->audit("writer " + std::to_string(w), "act", std::to_string(n), "{}", noon));
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(ledger->verify_audit().value_or(-1), 100);
}

ON_EACH_DATABASE(AuditTrailContract);

}  // namespace
}  // namespace steward::ledger
