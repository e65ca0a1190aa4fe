/// The agenda on the ledger's database. See agenda.h.
#pragma once
#include "run/ledger/agenda.h"
#include "run/ledger/ledger_database.h"

namespace steward::ledger {

class SqlAgenda final : public Agenda {
 public:
  explicit SqlAgenda(LedgerDatabase& db) : db_(db) {}

  Result<std::optional<Lease>> take_lease(std::string_view name, std::string_view holder, std::chrono::seconds length,
                                          Instant now) override;
  Result<void> give_up_lease(const Lease& lease) override;
  Result<std::vector<LeaseState>> leases(Instant now) override;

  Result<bool> enter(const Tick& tick, const std::optional<Run>& queued, const std::optional<Lease>& lease) override;
  Result<std::map<std::string, Instant>> last_ticks() override;
  Result<std::vector<Tick>> ticks(const TickFilter& filter) override;

  Result<bool> enqueue(const Run& run) override;
  Result<std::string> enqueue_once(const Run& run, const RequestKey& key) override;
  Result<std::vector<Run>> without_retry(Instant since) override;
  Result<std::vector<Run>> open_runs() override;
  Result<bool> launch(std::string_view run, std::string_view before, std::string_view token, const Process& launcher,
                      Instant now) override;
  Result<bool> take_over(const Run& run, std::string_view token) override;

  Result<void> add_pause(const Pause& pause) override;
  Result<void> lift_pause(std::string_view id, std::string_view who, Instant now) override;
  Result<std::vector<Pause>> pauses(Instant now, bool all) override;

 private:
  LedgerDatabase& db_;
};

}  // namespace steward::ledger
