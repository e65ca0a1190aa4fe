/// How many requests go to a server at once: more as long as it answers, half as many when it asks for fewer (503
/// SlowDown), as TCP does with its window. One for all threads that remove from a store.
///
///   Pace::Patience patience;
///   do {
///     const Pace::Turn turn = pace.enter(patience);
///     answer = …;
///   } while (asks_for_less(answer) && pace.slow_down(patience, "SlowDown: …"));
///
/// Promises  - After a SlowDown nothing is sent for a while: `backoff`, doubled each time until something succeeds.
///           - A request that is turned away is tried again for as long as others succeed meanwhile. Only a server that
///             turns away everything, `most_in_vain` times over, ends it.
/// Threads   Any.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace steward::object {

class Pace {
 public:
  static constexpr int most_in_vain = 8;

  Pace(unsigned most, std::chrono::milliseconds backoff, std::chrono::milliseconds longest_pause)
      : most_(most), backoff_(backoff), longest_pause_(longest_pause), limit_(most) {}

  /// What one request remembers between its attempts.
  struct Patience {
    std::uint64_t cuts = 0, successes = 0;  ///< Of the pace, when the last attempt began.
    int in_vain = 0;                        ///< Attempts since which nothing at all has succeeded.
  };

  /// A request under way.
  class Turn {
   public:
    explicit Turn(Pace& pace) : pace_(pace) {}
    ~Turn() { pace_.leave(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Pace& pace_;
  };

  /// Waits for a place, and for the end of a pause.
  Turn enter(Patience& patience);
  void succeeded();
  /// The server asked for fewer requests. Says whether to try again.
  bool slow_down(Patience& patience, std::string words);

  /// What the server said when it last did; nothing where it never has.
  std::optional<std::string> words() const;
  unsigned limit() const;

 private:
  void leave();

  const unsigned most_;
  const std::chrono::milliseconds backoff_, longest_pause_;
  mutable std::mutex mutex_{};
  std::condition_variable changed_{};
  double limit_;
  unsigned under_way_ = 0;
  std::uint64_t cuts_ = 0, successes_ = 0;
  int cuts_in_a_row_ = 0;
  std::chrono::steady_clock::time_point pause_until_{};
  std::optional<std::string> words_{};
};

}  // namespace steward::object
