/// Events for whoever listens: pushed by any thread, sent as server-sent events by the server.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace steward::server {

struct Event {
  std::string id{};     ///< What a client that comes back names as Last-Event-ID. One line; unique.
  std::string event{};  ///< Its name. One line; empty: "message".
  std::string data{};   ///< May have many lines.
};

/// The last events, for many listeners. A listener is a place in the ring, not a queue: its memory does not depend on
/// how much is pushed, and whoever falls behind by a whole ring is lost to it, and to nobody else. Threadsafe.
class EventSource {
 public:
  struct Bounds {
    std::size_t events = 1024;
    std::size_t bytes = std::size_t{1} << 20;
  };
  EventSource() : EventSource(Bounds{}) {}
  explicit EventSource(Bounds bounds) : bounds_(bounds) {}

  /// Line breaks in `id` and `event`, and NUL in `id`, are left out: they would end the field.
  void push(const Event& event);

  /// Where a new listener begins: at what comes next; or behind the event `last_id`, where it is still in the ring;
  /// else at the oldest, and it is told of the gap.
  struct Place {
    std::uint64_t next = 0;
    bool gap = false;
  };
  Place place_after(std::string_view last_id) const;

  /// As they go over the wire, at most `most`, from `next` on, which moves behind them. `lost` where `next` is not in
  /// the ring any more.
  struct Batch {
    std::vector<std::shared_ptr<const std::string>> events{};
    bool lost = false;
  };
  Batch take(std::uint64_t& next, std::size_t most) const;

  /// `wake` is called at each push, under a lock: it may only tell somebody. Until the returned thing is gone.
  std::shared_ptr<void> listen(std::function<void()> wake);
  bool has_listeners() const;

 private:
  struct Entry {
    std::string id;
    std::shared_ptr<const std::string> text;
  };
  /// Outlives the source, for those who listen longer.
  struct Listeners {
    std::mutex mutex{};
    std::uint64_t last = 0;
    std::map<std::uint64_t, std::function<void()>> wakes{};
  };

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::deque<Entry> ring_;
  std::uint64_t first_ = 0;  ///< The number of the ring's first.
  std::size_t bytes_ = 0;
  std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
};

/// An event as it goes over the wire.
std::string wire_form(const Event& event);

}  // namespace steward::server
