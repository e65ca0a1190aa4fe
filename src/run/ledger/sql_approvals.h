/// The approvals on the ledger's database. See approvals.h.
#pragma once
#include "run/ledger/approvals.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

class SqlApprovals final : public Approvals {
 public:
  explicit SqlApprovals(LedgerDatabase& db) : db_(db) {}

  Result<bool> ask(const Approval& approval) override;
  Result<void> ask_anew(const Run& run, const Approval& approval) override;
  Result<std::vector<Approval>> approvals(const ApprovalFilter& filter) override;
  Result<Approval> approval(std::string_view run) override;
  Result<void> approve(const Decision& decision) override;
  Result<void> reject(const Decision& decision) override;
  Result<std::vector<Approval>> expire(Instant now) override;
  Result<std::vector<Approval>> remind(Instant now) override;

 private:
  LedgerDatabase& db_;
};

/// The approval of `run` is used, inside a change: false where it was asked and is not approved.
Result<bool> use_approval(LedgerDatabase& db, std::string_view run, Instant now);
/// Nobody needs to answer any more, inside a change.
Result<void> withdraw_approval(LedgerDatabase& db, std::string_view run, std::string_view who, Instant now);

}  // namespace steward::ledger
