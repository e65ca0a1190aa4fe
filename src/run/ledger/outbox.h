/// What people may want to be told of, and what became of telling them: an outbox, kept in the ledger.
///
///   audit trail, ticks --collect--> events --dispatch--> deliveries --take--> sent | to be tried again | given up
///
/// Events are not entered by those who cause them. They are read off what is durable already: the audit trail, whose
/// numbers have no gaps, and the ticks. So whatever was recorded is told of, wherever the process that recorded it
/// died; and nothing needs a second transaction.
///
/// Promises  - An event is there once, whoever collects at the same moment, and however often.
///           - Its deliveries are entered once, in one transaction.
///           - A delivery is one taker's until the end that was agreed on; then anybody's. So one that was taken by a
///             process that died is sent by another, and none is sent by two at once.
///           - A ledger begins to collect where it is when it comes to know of events: old runs are not told of.
/// Threads   Any, as with the ledger.
/// See also  engine/notify: which events become messages on which channels, and in what words.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"

namespace steward::ledger {

struct Event {
  std::int64_t id = 0;  ///< Given by the ledger; grows.
  /// What is so: "run-begun", "run-ended" (detail: status), "tick-missed", "approval-asked", "approval-reminded",
  /// "approval-expired", "break-glass", "late", "running-too-long", "backup-stale", "test". What it means for people,
  /// as "failed" or "recovered", engine/notify decides.
  std::string kind{};
  std::string key{};  ///< What makes it one event: "run-ended/RUN", "tick-missed/JOB/DUE". Unique.
  std::string job{};
  std::string run{};
  Instant at{};          ///< When it happened.
  std::string detail{};  ///< JSON, an object.
};

/// One message for one channel. Several events may be told of in one (a digest).
struct Delivery {
  std::int64_t id = 0;    ///< Given by the ledger; grows.
  std::string channel{};  ///< The channel's name in the configuration.
  std::string topic{};    ///< "failed", "recovered", …: what it tells, for lists and for grouping.
  std::string job{};
  std::vector<std::int64_t> events{};  ///< Those that it tells of.
  std::string message{};               ///< JSON: what the channel's sender needs, without a secret (engine/notify).
  Instant made{};
  Instant due{};  ///< Not before.
  int attempts = 0;
  std::string error{};  ///< Of the last attempt; never holds an address that is a secret.
  std::optional<Instant> sent{};
  std::optional<Instant> given_up{};
};

struct DeliveryFilter {
  std::string channel{};  ///< Empty: all.
  bool open = false;      ///< Only those that are neither sent nor given up.
  std::size_t limit = 50;
};

class Outbox {
 public:
  virtual ~Outbox() = default;

  /// Enters what has become known since the last time. Writes nothing where that is nothing.
  virtual Result<void> collect(Instant now) = 0;
  /// Enters an event that is read off nothing: a job that is late, a test. False where its key is known.
  virtual Result<bool> add_event(const Event& event) = 0;
  /// Events that have not been dispatched, oldest first.
  virtual Result<std::vector<Event>> undispatched(std::size_t limit) = 0;
  /// The events before `id` of a job, newest first: what came before, for "recovered" and for grouping.
  virtual Result<std::vector<Event>> events_before(std::int64_t id, std::string_view job, std::string_view kind,
                                                   std::size_t limit) = 0;
  /// These events are dispatched, with these messages (none: nobody wants to know). False, and nothing is entered,
  /// where one of them is dispatched already.
  virtual Result<bool> dispatch(std::span<const std::int64_t> events, std::span<const Delivery> deliveries) = 0;

  /// Takes what is due, oldest first, for `hold_for`: nobody else is given it before. At most `limit`.
  virtual Result<std::vector<Delivery>> take(std::string_view taker, Instant now, std::chrono::seconds hold_for,
                                             std::size_t limit) = 0;
  /// It has arrived.
  virtual Result<void> delivered(std::int64_t id, Instant now) = 0;
  /// It has not; it is due again at `retry`, or is given up where there is none.
  virtual Result<void> not_delivered(std::int64_t id, std::string_view error, std::optional<Instant> retry,
                                     Instant now) = 0;
  /// When the next delivery is due, or becomes free again; none where none is open.
  virtual Result<std::optional<Instant>> next_due() = 0;
  /// Newest first.
  virtual Result<std::vector<Delivery>> deliveries(const DeliveryFilter& filter) = 0;

  /// How many events are from before.
  virtual Result<std::uint64_t> old_events(Instant before) = 0;
  /// Removes them, and ended deliveries from before; how many events they were.
  virtual Result<std::uint64_t> forget_events(Instant before) = 0;
};

}  // namespace steward::ledger
