#include "engine/courier.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "engine/notify/history.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;

constexpr std::size_t events_at_once = 200;
constexpr std::chrono::hours too_old{72};
constexpr std::chrono::milliseconds longest_message{60'000};
constexpr std::chrono::seconds last_message{3};
/// Longer than a message may take to send.
constexpr std::chrono::seconds held_for{120};
constexpr std::chrono::minutes look_at_least{1};

std::optional<Instant> earlier(std::optional<Instant> a, std::optional<Instant> b) {
  if (a && b) return std::min(*a, *b);
  return a ? a : b;
}

}  // namespace

Courier::Courier(ledger::Ledger& ledger, const Clock& clock, const files::Folder& state, notify::Settings settings,
                 std::map<std::string, Schedule> schedules, std::string name)
    : ledger_(ledger),
      clock_(clock),
      state_(state),
      notifier_(std::make_unique<notify::Notifier>(std::move(settings))),
      schedules_(std::move(schedules)),
      name_(std::move(name)) {}

Result<std::optional<Instant>> Courier::round(const TimeLeft& time_left, const GiveUp& give_up) {
  TRY(ledger_.outbox().collect(clock_.now()));
  const std::optional<Instant> again = TRY(decide_all(clock_.now()));
  TRY(send_due(time_left, give_up));
  return earlier(again, TRY(ledger_.outbox().next_due()));
}

Result<std::optional<Instant>> Courier::decide_all(Instant now) {
  ledger::Outbox& outbox = ledger_.outbox();
  const auto retry_follows = [&](const ledger::Run& run, const std::vector<ledger::TaskRecord>& tasks) {
    const auto schedule = schedules_.find(run.job);
    return schedule != schedules_.end() && run.due && run.attempt <= schedule->second.retries.max &&
           now - run.ended.value_or(now) < retries_looked_for && is_worth_a_retry(run, tasks);
  };
  for (;;) {
    std::vector<ledger::Event> events = TRY(outbox.undispatched(events_at_once));
    std::vector<std::int64_t> old;
    std::erase_if(events, [&](const ledger::Event& event) {
      const bool gone = now - event.at > too_old;
      if (gone) old.push_back(event.id);
      return gone;
    });
    if (!old.empty()) TRY(outbox.dispatch(old, {}));
    if (events.empty() && old.empty()) return std::nullopt;
    if (events.empty()) continue;
    const notify::History history =
        TRY(notify::look_up(notifier_->settings(), events,
                            {.ledger = ledger_, .outbox = outbox, .state = &state_, .retry_follows = retry_follows}));
    const notify::Decided decided = notify::decide(notifier_->settings(), events, history, now);
    // False where another courier was faster: what it has left is looked at again.
    if (!decided.events.empty()) TRY(outbox.dispatch(decided.events, decided.deliveries));
    if (decided.events.empty()) return decided.again;
  }
}

Result<void> Courier::send_due(const TimeLeft& time_left, const GiveUp& give_up) {
  ledger::Outbox& outbox = ledger_.outbox();
  while (time_left() > 0ms) {
    // One at a time: what is taken and not sent would be nobody's for two minutes.
    const std::vector<ledger::Delivery> taken = TRY(outbox.take(name_, clock_.now(), held_for, 1));
    if (taken.empty()) return {};
    const ledger::Delivery& delivery = taken.front();
    std::this_thread::sleep_for(notifier_->pause_before(delivery));
    // Not 0, which is no limit, where the last of the time has just gone.
    const notify::Outcome outcome =
        notifier_->send(delivery, {.longest = std::clamp(time_left(), 1ms, longest_message), .give_up = give_up});
    const Instant now = clock_.now();
    if (outcome.arrived())
      TRY(outbox.delivered(delivery.id, now));
    else
      TRY(outbox.not_delivered(delivery.id, outcome.error, notify::next_try(delivery, outcome, now), now));
  }
  return {};
}

void Courier::work(const std::stop_token& stop, const Say& say) {
  std::string complained;
  std::optional<std::chrono::steady_clock::time_point> told_to_stop;
  const GiveUp give_up = [&] {
    if (!stop.stop_requested()) return false;
    const auto now = std::chrono::steady_clock::now();
    if (!told_to_stop) told_to_stop = now;
    return now - *told_to_stop >= last_message;
  };
  while (!stop.stop_requested()) {
    take_up_changes();
    const auto next = round([&] { return stop.stop_requested() ? 0ms : longest_message; }, give_up);
    if (next)
      complained.clear();
    else if (std::exchange(complained, next.error().message) != next.error().message)
      say(Level::warning, "", "notifications wait: " + next.error().message);
    std::chrono::microseconds wait = look_at_least;
    if (next && *next) wait = std::clamp(**next - clock_.now(), std::chrono::microseconds{0}, wait);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, wait, [this] { return woken_; });
    woken_ = false;
  }
}

void Courier::take(notify::Settings settings, std::map<std::string, Schedule> schedules) {
  const std::lock_guard lock(mutex_);
  change_ = {.settings = std::move(settings), .schedules = std::move(schedules)};
  woken_ = true;
  changed_.notify_one();
}

void Courier::take_up_changes() {
  std::optional<Change> change;
  {
    const std::lock_guard lock(mutex_);
    change = std::exchange(change_, {});
  }
  if (!change) return;
  notifier_ = std::make_unique<notify::Notifier>(std::move(change->settings));
  schedules_ = std::move(change->schedules);
}

void Courier::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_one();
}

}  // namespace steward::engine
