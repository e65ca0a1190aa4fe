/// The words of messages: what people read at three in the morning. Environment and job come first, then what is so,
/// why, since when, and what to do. Pure; golden files show each (golden/).
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/notify/message.h"
#include "engine/notify/rules.h"

namespace steward::notify {

/// Where it is told from.
struct Place {
  std::string environment{};
  std::string public_url{};
};

/// Failures or refusals in a row, with the one that is told.
struct Streak {
  std::size_t count = 1;
  Instant since{};
};

/// `topic`: failed or refused.
Message words_of_end(const Place& place, Topic topic, const RunFacts& facts, const Streak& streak);
/// `streak`: what is over now.
Message words_of_recovery(const Place& place, const RunFacts& facts, const Streak& streak);
Message words_of_success(const Place& place, const RunFacts& facts);

/// `topic`: waiting, reminder, expired or break_glass. `facts` has an approval.
Message words_of_question(const Place& place, Topic topic, const RunFacts& facts, Instant at);

struct MissedTick {
  std::string job{};
  Instant due{};
  std::optional<Instant> since{};  ///< Older ticks that it stands for: the oldest.
  std::string reason{};
};
Message words_of_missed(const Place& place, std::span<const MissedTick> ticks, Instant at);

struct LateStart {
  std::string job{};
  std::string run{};
  Instant due{};
  std::optional<Instant> started{};
};
Message words_of_late(const Place& place, std::span<const LateStart> starts, Instant at);

/// What a run was to take at the most.
struct RuntimeLimit {
  std::string text{};  ///< In words: "4 h"; may be empty.
  bool usual = false;  ///< It is what runs of the job take; nobody has set it.
};
Message words_of_overrun(const Place& place, const RunFacts& facts, const RuntimeLimit& limit, Instant at);
/// A run that took too long has succeeded.
Message words_of_end_after_overrun(const Place& place, const RunFacts& facts);

/// backup-stale, secret-rotated: whoever raised the event has said it.
Message words_of_notice(const Place& place, Topic topic, const std::string& job, std::string_view text, Instant at);

Message words_of_test(const Place& place, std::string_view channel, std::string_view who, Instant at);

/// `act`: "start", "success" or "fail"; the text goes with the last two.
Message words_of_ping(const Place& place, std::string_view act, const RunFacts& facts, Instant at);

/// What became of a run, as one of these words, looking at its tasks: "succeeded", "failed" (also where `max_runtime`
/// has stopped it), "refused"; anything else ("cancelled", "waiting", …) is neither good nor bad.
std::string_view verdict_of(const RunFacts& facts);

}  // namespace steward::notify
