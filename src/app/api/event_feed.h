/// What happens, as events for whoever listens: each line of the audit trail (its number is the event's id, so that a
/// listener that comes back, to whichever daemon, goes on behind the last that it saw), and how far runs are.
///
/// The ledger is asked once a second while anybody listens, and not at all while nobody does.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "app/server/events.h"
#include "run/ledger/ledger.h"

namespace steward::api {

class EventFeed {
 public:
  /// `ledger` outlives it.
  explicit EventFeed(ledger::Ledger& ledger);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  /// For somebody who is about to listen: what has happened up to now is in it, for those who come back.
  Result<std::shared_ptr<server::EventSource>> source();

 private:
  void watch(const std::stop_token& stop);
  Result<void> look();

  ledger::Ledger& ledger_;
  std::shared_ptr<server::EventSource> source_ = std::make_shared<server::EventSource>();
  std::mutex mutex_{};
  std::condition_variable_any asked_{};
  bool wanted_ = false;
  std::int64_t last_ = 0;                          ///< The last line of the trail that was pushed.
  std::map<std::string, std::string> progress_{};  ///< Of runs, as last pushed.
  std::jthread thread_{};
};

}  // namespace steward::api
