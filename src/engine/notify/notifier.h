/// Notifications, as whoever carries them uses them (the courier):
///
///   Notifier notifier(settings.notifications);
///   outbox.collect(now);
///   const auto events = outbox.undispatched(200);
///   const Decided decided = decide(notifier.settings(), events, TRY(look_up(notifier.settings(), events, sources)),
///   now); outbox.dispatch(decided.events, decided.deliveries);         // and again at decided.again for (const
///   Delivery& delivery : outbox.take(…)) {
///     wait(notifier.pause_before(delivery));                     // a second at the most; nothing is sent meanwhile
///     const Outcome outcome = notifier.send(delivery);
///     if (outcome.arrived()) outbox.delivered(delivery.id, now);
///     else outbox.not_delivered(delivery.id, outcome.error, next_try(delivery, outcome, now), now);
///   }
///
/// Promises  - `send` takes no longer than a minute, or than it is told to. It tries once.
///           - No error holds an address, a password or a key, nor anything that a server has answered but Slack's own
///             short words for what is wrong.
///           - A delivery has an id that stays the same however often it is sent, so that a receiver can tell a second
///             one: header `Steward-Delivery`, the Message-ID of mails.
///           - Reading a message never acts: links lead to pages that ask.
/// Threads   Any.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/instant.h"
#include "core/result.h"
#include "engine/notify/history.h"
#include "engine/notify/rules.h"
#include "engine/notify/settings.h"
#include "run/ledger/outbox.h"

namespace steward::notify {

/// What became of one attempt to send.
struct Outcome {
  enum class Kind {
    arrived,
    later,  ///< Worth another try.
    never   ///< As good as refused for good: 4xx but 408, 425 and 429; a channel that is gone or unusable.
  };
  Kind kind = Kind::arrived;
  std::string error{};                                ///< One line. Empty where it has arrived.
  std::optional<std::chrono::seconds> retry_after{};  ///< What the receiver has asked for.
  bool arrived() const { return kind == Kind::arrived; }
};

/// For how long one attempt to send may go on.
struct Patience {
  std::chrono::milliseconds longest = std::chrono::minutes{1};
  std::function<bool()> give_up{};  ///< Asked about once a second; true: it is given up, and has not arrived.
};

class Notifier {
 public:
  explicit Notifier(Settings settings);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  const Settings& settings() const;

  /// Sends it, once. While a channel has asked to be left alone (Retry-After), what else is for it is `later` at once.
  Outcome send(const ledger::Delivery& delivery, const Patience& patience = {});
  /// How long to wait before it, for the receiver's sake: Slack takes a message a second.
  std::chrono::milliseconds pause_before(const ledger::Delivery& delivery) const;

  /// A delivery that says that the channel works, asked for by `who`: for `steward notify test`. not_found names those
  /// that there are.
  Result<ledger::Delivery> test_delivery(std::string_view channel, std::string_view who, Instant now) const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

/// When to try again: after 15 s, twice as long each time, an hour at the most, a quarter more or less by a hash; not
/// before `retry_after`. None, and it is given up, where it never will, and after three days. Of pings the one that
/// says that a run begins is tried once, since late it would come after the end; the others for an hour.
std::optional<Instant> next_try(const ledger::Delivery& delivery, const Outcome& outcome, Instant now);

}  // namespace steward::notify
