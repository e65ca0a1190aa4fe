/// Shards on the ledger's database. See shards.h.
#pragma once
#include "run/ledger/ledger_database.h"
#include "run/ledger/shards.h"

namespace steward::ledger {

class SqlShards final : public Shards {
 public:
  explicit SqlShards(LedgerDatabase& db) : db_(db) {}

  Result<void> enter(const ShardSetRecord& set) override;
  Result<ShardSetRecord> set(std::string_view job, std::string_view task, std::string_view digest) override;
  Result<void> take_on(std::string_view digest, std::uint64_t number, std::uint64_t items) override;
  Result<std::vector<ShardRun>> runs(std::string_view digest) override;
  Result<std::uint64_t> forget(Instant before) override;

 private:
  LedgerDatabase& db_;
};

}  // namespace steward::ledger
