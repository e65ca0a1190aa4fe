#include "engine/notify/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "engine/notify/log_tail.h"
#include "engine/notify/words.h"

namespace steward::notify {
namespace {

constexpr std::size_t page = 100, most_pages = 20;
constexpr std::size_t most_at_once = 20;
constexpr std::size_t most_deliveries = 20'000;

class LookUp {
 public:
  LookUp(const Settings& settings, const Sources& sources) : settings_(settings), sources_(sources) {}

  Result<History> of(std::span<const ledger::Event> events) {
    History out;
    for (const ledger::Event& event : events) {
      if (event.run.empty() || out.runs.contains(event.run)) continue;
      auto facts = TRY(facts_of(event.run));
      if (!facts) continue;
      const bool told_to_a_ping = event.kind == "run-ended" && settings_.pings.contains(event.job);
      if (told_to_a_ping && sources_.state != nullptr) facts->log = log_tail(*sources_.state, event.run);
      if (event.kind == "run-ended") facts->overran = TRY(has_overrun(event));
      out.runs[event.run] = *std::move(facts);
    }
    for (const ledger::Event& event : events) {
      if (event.kind != "run-ended" || out.jobs.contains(event.job)) continue;
      out.jobs[event.job] = TRY(past_of(event, out.runs));
    }
    return out;
  }

 private:
  /// None where the ledger does not know it any more.
  Result<std::optional<RunFacts>> facts_of(const std::string& id) {
    auto run = sources_.ledger.run(id);
    if (!run && run.error().kind == Kind::not_found) return std::nullopt;
    RunFacts facts;
    facts.run = TRY(std::move(run));
    facts.tasks = TRY(sources_.ledger.tasks(id));
    auto approval = sources_.ledger.approvals().approval(id);
    if (approval)
      facts.approval = *std::move(approval);
    else if (approval.error().kind != Kind::not_found)
      return std::unexpected(std::move(approval).error());
    facts.retry_follows = sources_.retry_follows && sources_.retry_follows(facts.run, facts.tasks);
    return facts;
  }

  Result<bool> has_overrun(const ledger::Event& end) {
    // Several at once are few: those of jobs that overlap.
    const auto overruns = TRY(sources_.outbox.events_before(end.id, end.job, "running-too-long", most_at_once));
    return std::ranges::find(overruns, end.run, &ledger::Event::run) != overruns.end();
  }

  Result<JobPast> past_of(const ledger::Event& event, const std::map<std::string, RunFacts>& known) {
    JobPast past;
    std::set<std::string> retried;  // runs that another attempt has followed
    for (const auto& [id, facts] : known)
      if (!facts.run.retry_of.empty()) retried.insert(facts.run.retry_of);
    std::int64_t before = event.id;
    for (std::size_t i = 0; i < most_pages; ++i) {
      const auto events = TRY(sources_.outbox.events_before(before, event.job, "run-ended", page));
      for (const ledger::Event& earlier : events) {
        before = earlier.id;
        const auto facts = TRY(facts_of(earlier.run));
        if (!facts) continue;
        if (!facts->run.retry_of.empty()) retried.insert(facts->run.retry_of);
        const std::string_view verdict = verdict_of(*facts);
        if (verdict == "succeeded" && facts->run.scope.empty()) return with_told(std::move(past), event.job);
        const bool bad = verdict == "failed" || verdict == "refused";
        if (!bad || facts->retry_follows || retried.contains(earlier.run)) continue;
        ++past.failures;
        past.since = earlier.at;
      }
      if (events.size() < page) break;
    }
    return with_told(std::move(past), event.job);
  }

  /// What of this row of failures was told, and where.
  Result<JobPast> with_told(JobPast past, const std::string& job) {
    if (!past.since) return past;
    for (const Channel& channel : settings_.channels) {
      for (std::size_t limit = 64;; limit *= 8) {
        const auto deliveries = TRY(sources_.outbox.deliveries({.channel = channel.name, .limit = limit}));
        const bool enough =
            deliveries.size() < limit || limit > most_deliveries || deliveries.back().made < *past.since;
        if (!enough) continue;
        for (const ledger::Delivery& delivery : deliveries) {
          const bool about = delivery.topic == name_of(Topic::failed) || delivery.topic == name_of(Topic::refused);
          if (!about || delivery.job != job || delivery.made < *past.since) continue;
          Instant& last = past.told[channel.name][delivery.topic];
          last = std::max(last, delivery.made);
        }
        break;
      }
    }
    return past;
  }

  const Settings& settings_;
  const Sources& sources_;
};

}  // namespace

Result<History> look_up(const Settings& settings, std::span<const ledger::Event> events, const Sources& sources) {
  return LookUp(settings, sources).of(events);
}

}  // namespace steward::notify
