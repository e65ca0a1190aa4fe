/// The outbox on the ledger's database. See outbox.h.
#pragma once
#include "run/ledger/ledger_database.h"
#include "run/ledger/outbox.h"

namespace steward::ledger {

class SqlOutbox final : public Outbox {
 public:
  explicit SqlOutbox(LedgerDatabase& db) : db_(db) {}

  Result<void> collect(Instant now) override;
  Result<bool> add_event(const Event& event) override;
  Result<std::vector<Event>> undispatched(std::size_t limit) override;
  Result<std::vector<Event>> events_before(std::int64_t id, std::string_view job, std::string_view kind,
                                           std::size_t limit) override;
  Result<bool> dispatch(std::span<const std::int64_t> events, std::span<const Delivery> deliveries) override;

  Result<std::vector<Delivery>> take(std::string_view taker, Instant now, std::chrono::seconds hold_for,
                                     std::size_t limit) override;
  Result<void> delivered(std::int64_t id, Instant now) override;
  Result<void> not_delivered(std::int64_t id, std::string_view error, std::optional<Instant> retry,
                             Instant now) override;
  Result<std::optional<Instant>> next_due() override;
  Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) override;
  Result<std::uint64_t> old_events(Instant before) override;
  Result<std::uint64_t> forget_events(Instant before) override;

 private:
  LedgerDatabase& db_;
};

}  // namespace steward::ledger
