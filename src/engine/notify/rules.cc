#include "engine/notify/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "core/digest.h"
#include "engine/notify/words.h"

namespace steward::notify {
namespace {
using namespace std::chrono;
using nlohmann::json;

/// So long events of a digest wait for others.
constexpr seconds gathering{10};

/// The details of an event, as far as they are what they should be.
class Detail {
 public:
  explicit Detail(const ledger::Event& event) : document_(json::parse(event.detail, nullptr, false)) {}
  std::string text(const char* name) const {
    if (!document_.is_object()) return {};
    const auto found = document_.find(name);
    return found != document_.end() && found->is_string() ? found->get<std::string>() : std::string{};
  }
  bool flag(const char* name) const {
    return document_.is_object() && document_.contains(name) && document_[name] == true;
  }
  std::optional<Instant> instant(const char* name) const { return parse_instant(text(name)); }

 private:
  json document_;
};

class Decision {
 public:
  Decision(const Settings& settings, const History& history, Instant now)
      : settings_(settings),
        history_(history),
        place_{.environment = settings.environment, .public_url = settings.public_url},
        now_(now),
        jobs_(history.jobs) {}

  Decided of(std::span<const ledger::Event> events) {
    const bool gather = is_gathering(events);
    for (const ledger::Event& event : events) {
      if (gather && is_of_a_digest(event)) continue;
      out_.events.push_back(event.id);
      take(event);
    }
    tell_missed();
    tell_late();
    return std::move(out_);
  }

 private:
  /// Something to tell, and the events that it tells of.
  using Sources = std::vector<const ledger::Event*>;

  static bool is_of_a_digest(const ledger::Event& event) { return event.kind == "tick-missed" || event.kind == "late"; }

  bool is_gathering(std::span<const ledger::Event> events) {
    const auto first = std::ranges::find_if(events, is_of_a_digest);
    if (first == events.end() || first->at > now_ || now_ >= first->at + gathering) return false;
    out_.again = first->at + gathering;
    return true;
  }

  void take(const ledger::Event& event) {
    if (event.kind == "tick-missed") return missed_.push_back(&event);
    if (event.kind == "late") return late_.push_back(&event);
    if (event.kind == "test") return test(event);
    if (event.kind == "run-begun") return begun(event);
    if (event.kind == "run-ended") return ended(event);
    if (event.kind == "approval-asked") return question(event, Topic::waiting);
    if (event.kind == "approval-reminded") return question(event, Topic::reminder);
    if (event.kind == "approval-expired") return question(event, Topic::expired);
    if (event.kind == "break-glass") return question(event, Topic::break_glass);
    if (event.kind == "running-too-long") return overrun(event);
    if (event.kind == "backup-stale") return notice(event, Topic::backup_stale);
    if (event.kind == "secret-rotated") return notice(event, Topic::secret_rotated);
  }

  const RunFacts* facts_of(const ledger::Event& event) const {
    const auto found = history_.runs.find(event.run);
    return found == history_.runs.end() ? nullptr : &found->second;
  }

  void deliver(const std::string& channel, const std::string& job, const Sources& sources, Message message) {
    std::string names = message.topic + '\n' + channel;
    ledger::Delivery delivery{.channel = channel, .topic = message.topic, .job = job, .made = now_, .due = now_};
    for (const ledger::Event* event : sources) {
      names += '\n' + event->key;
      delivery.events.push_back(event->id);
    }
    message.id = "n-" + sha256_hex(names).substr(0, 24);
    delivery.message = to_json_text(message);
    out_.deliveries.push_back(std::move(delivery));
  }

  void tell(Topic topic, const ledger::Event& event, const Message& message) {
    for (const Channel& channel : settings_.channels)
      if (settings_.wants(channel, topic, event.job)) deliver(channel.name, event.job, {&event}, message);
  }

  void begun(const ledger::Event& event) {
    if (const RunFacts* facts = facts_of(event)) ping(event, *facts, "start");
  }

  void ping(const ledger::Event& event, const RunFacts& facts, std::string_view act) {
    if (!facts.run.scope.empty() || !settings_.pings.contains(event.job)) return;
    deliver(ping_channel(event.job), event.job, {&event}, words_of_ping(place_, act, facts, event.at));
  }

  void ended(const ledger::Event& event) {
    const RunFacts* facts = facts_of(event);
    if (facts == nullptr) return;
    const std::string_view verdict = verdict_of(*facts);
    const bool bad = verdict == "failed" || verdict == "refused";
    if (bad && facts->retry_follows) return;
    if (verdict == "succeeded") {
      ping(event, *facts, "success");
      good(event, *facts);
    } else if (bad || verdict == "cancelled") {
      ping(event, *facts, "fail");
      if (bad) failure(event, *facts, verdict == "failed" ? Topic::failed : Topic::refused);
    }
  }

  void failure(const ledger::Event& event, const RunFacts& facts, Topic topic) {
    JobPast& past = jobs_[event.job];
    ++past.failures;
    if (!past.since) past.since = event.at;
    const Streak streak{.count = past.failures, .since = *past.since};
    for (const Channel& channel : settings_.channels) {
      if (!settings_.wants(channel, topic, event.job)) continue;
      auto& told = past.told[channel.name];
      const auto last = told.find(std::string(name_of(topic)));
      if (last != told.end() && now_ < last->second + settings_.repeat) {
        retell(channel, event, words_of_end(place_, topic, facts, streak));
        continue;
      }
      told[std::string(name_of(topic))] = now_;
      deliver(channel.name, event.job, {&event}, words_of_end(place_, topic, facts, streak));
    }
  }

  /// What has failed again before the message of the first was entered is told of in that one.
  void retell(const Channel& channel, const ledger::Event& event, Message message) {
    for (ledger::Delivery& delivery : std::views::reverse(out_.deliveries)) {
      if (delivery.channel != channel.name || delivery.topic != message.topic || delivery.job != event.job) continue;
      delivery.events.push_back(event.id);
      const auto before = message_from_json(delivery.message);
      if (before) message.id = before->id;
      delivery.message = to_json_text(message);
      return;
    }
  }

  void good(const ledger::Event& event, const RunFacts& facts) {
    const bool whole = facts.run.scope.empty();
    const JobPast past = whole ? std::exchange(jobs_[event.job], {}) : JobPast{};
    for (const Channel& channel : settings_.channels) {
      const auto told = past.told.find(channel.name);
      const bool known = told != past.told.end() && !told->second.empty();
      if (known && past.since && settings_.wants(channel, Topic::recovered, event.job))
        deliver(channel.name, event.job, {&event},
                words_of_recovery(place_, facts, {.count = past.failures, .since = *past.since}));
      else if (facts.overran && settings_.wants(channel, Topic::running_too_long, event.job))
        deliver(channel.name, event.job, {&event}, words_of_end_after_overrun(place_, facts));
      else if (settings_.wants(channel, Topic::done, event.job))
        deliver(channel.name, event.job, {&event}, words_of_success(place_, facts));
    }
  }

  void question(const ledger::Event& event, Topic topic) {
    const RunFacts* facts = facts_of(event);
    if (facts == nullptr || !facts->approval) return;
    const bool asks = topic == Topic::waiting || topic == Topic::reminder;
    if (asks && facts->approval->state != ledger::Answer::waiting) return;  // answered before it was told of
    tell(topic, event, words_of_question(place_, topic, *facts, event.at));
  }

  void overrun(const ledger::Event& event) {
    const RunFacts* facts = facts_of(event);
    if (facts == nullptr || facts->run.ended) return;
    const Detail detail(event);
    tell(Topic::running_too_long, event,
         words_of_overrun(place_, *facts, {.text = detail.text("limit"), .usual = detail.flag("usual")}, event.at));
  }

  void notice(const ledger::Event& event, Topic topic) {
    tell(topic, event, words_of_notice(place_, topic, event.job, Detail(event).text("text"), event.at));
  }

  void test(const ledger::Event& event) {
    const Detail detail(event);
    if (const Channel* channel = settings_.channel(detail.text("channel")))
      deliver(channel->name, "", {&event}, words_of_test(place_, channel->name, detail.text("by"), event.at));
  }

  /// Those that the channel wants to hear of.
  Sources wanted(const Channel& channel, Topic topic, const Sources& all) const {
    Sources out;
    std::ranges::copy_if(all, std::back_inserter(out),
                         [&](const ledger::Event* event) { return settings_.wants(channel, topic, event->job); });
    return out;
  }

  void tell_missed() {
    for (const Channel& channel : settings_.channels) {
      const Sources events = wanted(channel, Topic::missed, missed_);
      std::vector<MissedTick> ticks;
      for (const ledger::Event* event : events) {
        const Detail detail(*event);
        ticks.push_back({.job = event->job,
                         .due = detail.instant("due").value_or(event->at),
                         .since = detail.instant("since"),
                         .reason = detail.text("reason")});
      }
      if (!ticks.empty())
        deliver(channel.name, ticks.size() == 1 ? ticks[0].job : "", events, words_of_missed(place_, ticks, now_));
    }
  }

  /// When the run of a late start has begun, if it has.
  std::optional<Instant> started_of(const ledger::Event& event, const Detail& detail) const {
    const RunFacts* facts = facts_of(event);
    const bool has_begun = facts != nullptr && facts->run.status != ledger::Status::queued;
    return has_begun ? facts->run.started : detail.instant("started");
  }

  void tell_late() {
    for (const Channel& channel : settings_.channels) {
      const Sources events = wanted(channel, Topic::late, late_);
      std::vector<LateStart> starts;
      for (const ledger::Event* event : events) {
        const Detail detail(*event);
        starts.push_back({.job = event->job,
                          .run = event->run,
                          .due = detail.instant("due").value_or(event->at),
                          .started = started_of(*event, detail)});
      }
      if (!starts.empty())
        deliver(channel.name, starts.size() == 1 ? starts[0].job : "", events, words_of_late(place_, starts, now_));
    }
  }

  const Settings& settings_;
  const History& history_;
  Place place_;
  Instant now_;
  std::map<std::string, JobPast> jobs_;
  Sources missed_{}, late_{};
  Decided out_{};
};

}  // namespace

std::string ping_channel(std::string_view job) { return fmt::format("ping:{}", job); }

Decided decide(const Settings& settings, std::span<const ledger::Event> events, const History& history, Instant now) {
  return Decision(settings, history, now).of(events);
}

}  // namespace steward::notify
