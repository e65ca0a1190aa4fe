#include "engine/metrics.h"

#include <fmt/format.h>

#include <set>

#include "core/text.h"
#include "engine/freshness.h"
#include "run/ledger/agenda.h"
#include "run/ledger/approvals.h"
#include "run/ledger/totals.h"

namespace steward::engine {
namespace {

double seconds(std::chrono::microseconds span) { return std::chrono::duration<double>(span).count(); }
double seconds(Instant instant) { return seconds(instant.time_since_epoch()); }

/// One metric: its help, its type, and its samples.
class Page {
 public:
  /// `samples` of `name` follow.
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  void sample(Labels labels, double value) { add(name_, labels, fmt::format("{:.15g}", value)); }
  void sample(Labels labels, std::uint64_t value) { add(name_, labels, fmt::format("{}", value)); }
  std::string text() && { return std::move(text_); }

 private:
  void add(std::string_view name, Labels labels, std::string_view value) {
    std::string inside;
    for (const auto& [key, text] : labels)
      inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", key, label(text));
    text_ += inside.empty() ? fmt::format("{} {}\n", name, value) : fmt::format("{}{{{}}} {}\n", name, inside, value);
  }
  std::string name_{}, text_{};
};

void tell_runs(Page& page, const ledger::Totals& totals) {
  page.begin("steward_runs_total", "counter", "Runs that have ended, by how.");
  for (const ledger::RunTotal& total : totals.runs)
    if (total.status != ledger::Status::queued && total.status != ledger::Status::running &&
        total.status != ledger::Status::waiting)
      page.sample({{"job", total.job}, {"status", name_of(total.status)}}, total.runs);
  page.begin("steward_runs_open", "gauge", "Runs that are queued, running, or waiting for an approval.");
  for (const ledger::RunTotal& total : totals.runs)
    if (total.status == ledger::Status::queued || total.status == ledger::Status::running ||
        total.status == ledger::Status::waiting)
      page.sample({{"job", total.job}, {"status", name_of(total.status)}}, total.runs);
  page.begin("steward_run_seconds_total", "counter", "How long the runs that have ended took together.");
  for (const ledger::RunTotal& total : totals.runs)
    if (total.took.count() > 0)
      page.sample({{"job", total.job}, {"status", name_of(total.status)}}, seconds(total.took));
}

void tell_last(Page& page, const ledger::Totals& totals) {
  page.begin("steward_job_last_start_timestamp_seconds", "gauge", "When the last run of the whole job began.");
  for (const ledger::LastRun& last : totals.last) page.sample({{"job", last.job}}, seconds(last.started));
  page.begin("steward_job_last_success_timestamp_seconds", "gauge",
             "When the last run of the whole job that succeeded began; absent where none has.");
  for (const ledger::LastRun& last : totals.last)
    if (last.succeeded) page.sample({{"job", last.job}}, seconds(*last.succeeded));
  page.begin("steward_job_start_lag_seconds", "gauge", "How long after its tick the last scheduled run began.");
  for (const ledger::LastRun& last : totals.last)
    if (last.due) page.sample({{"job", last.job}}, seconds(last.started - *last.due));
}

void tell_tasks(Page& page, const ledger::Totals& totals) {
  page.begin("steward_tasks_total", "counter", "Tasks of runs, by how they ended.");
  for (const ledger::TaskTotal& total : totals.tasks)
    page.sample({{"job", total.job}, {"task", total.task}, {"status", total.status}}, total.runs);
  page.begin("steward_task_items_total", "counter", "Items that tasks have dealt with: removed, archived.");
  for (const ledger::TaskTotal& total : totals.tasks)
    if (total.items > 0) page.sample({{"job", total.job}, {"task", total.task}, {"status", total.status}}, total.items);
  page.begin("steward_task_bytes_total", "counter", "Their bytes, where they are known.");
  for (const ledger::TaskTotal& total : totals.tasks)
    if (total.bytes > 0) page.sample({{"job", total.job}, {"task", total.task}, {"status", total.status}}, total.bytes);
}

void tell_schedules(Page& page, const MetricsOf& of, const ledger::Totals& totals, Instant now) {
  page.begin("steward_ticks_total", "counter", "Due moments of schedules, by what became of them.");
  for (const ledger::TickTotal& total : totals.ticks)
    page.sample({{"job", total.job}, {"outcome", total.outcome}}, total.ticks);
  page.begin("steward_job_next_tick_timestamp_seconds", "gauge", "When the job is due next.");
  for (const auto& [job, schedule] : of.schedules)
    if (const auto next = next_tick(schedule, now)) page.sample({{"job", job}}, seconds(next->at));
}

/// A file that cron writes keeps an age as it was: for that there are the moments.
Result<void> tell_backups(Page& page, const MetricsOf& of, ledger::Ledger& ledger, Instant now) {
  const std::vector<Freshness> all = TRY(freshness(ledger, of.watched, now));
  const auto tell = [&](std::string_view name, std::string_view help, auto value_of) {
    page.begin(name, "gauge", help);
    for (const Freshness& one : all)
      if (const std::optional<double> value = value_of(one))
        page.sample({{"job", one.job}, {"task", one.task}}, *value);
  };
  using Value = std::optional<double>;
  const auto age = [&](const std::optional<Instant>& at) { return at ? Value(seconds(now - *at)) : Value(); };
  const auto moment = [](const std::optional<Instant>& at) { return at ? Value(seconds(*at)) : Value(); };
  tell("steward_backup_age_seconds", "How old the newest backup is; absent where there is none.",
       [&](const Freshness& one) { return age(one.newest); });
  tell("steward_backup_proof_age_seconds", "How long ago a backup was last proved; absent where none was.",
       [&](const Freshness& one) { return age(one.proved); });
  tell("steward_backup_last_timestamp_seconds", "When the run began that made the newest backup.",
       [&](const Freshness& one) { return moment(one.newest); });
  tell("steward_backup_last_proof_timestamp_seconds", "When the run began that last proved a backup.",
       [&](const Freshness& one) { return moment(one.proved); });
  tell("steward_backup_stale", "1 where the newest backup is too old, or the first is overdue.",
       [&](const Freshness& one) { return Value(one.is_stale(now) ? 1 : 0); });
  tell("steward_backup_proof_stale", "1 where a proof is overdue; absent where no task proves backups.",
       [&](const Freshness& one) { return one.is_proved ? Value(one.is_proof_stale(now) ? 1 : 0) : Value(); });
  return {};
}

Result<void> tell_safeguards(Page& page, ledger::Ledger& ledger, Instant now) {
  const std::vector<ledger::Approval> waiting = TRY(ledger.approvals().approvals({}));
  page.begin("steward_approvals_waiting", "gauge", "Runs that wait for a person.");
  page.sample({}, std::uint64_t{waiting.size()});
  page.begin("steward_approval_oldest_timestamp_seconds", "gauge", "Since when the oldest of them waits.");
  if (!waiting.empty()) page.sample({}, seconds(waiting.back().asked));
  page.begin("steward_freezes", "gauge", "Freezes in force: nothing is removed.");
  page.sample({}, std::uint64_t{TRY(ledger.freezes(now)).size()});
  page.begin("steward_holds", "gauge", "Holds in force.");
  page.sample({}, std::uint64_t{TRY(ledger.holds(now)).size()});
  page.begin("steward_job_paused", "gauge", "1 where a pause keeps the job from being started by its schedule.");
  std::set<std::string> paused;
  for (const ledger::Pause& pause : TRY(ledger.agenda().pauses(now))) paused.insert(pause.job);
  for (const std::string& job : paused) page.sample({{"job", job}}, std::uint64_t{1});
  return {};
}

void tell_outbox(Page& page, const ledger::Totals& totals) {
  page.begin("steward_notifications_waiting", "gauge", "Messages that have not arrived yet.");
  for (const ledger::ChannelTotal& total : totals.channels) page.sample({{"channel", total.channel}}, total.waiting);
  page.begin("steward_notification_oldest_timestamp_seconds", "gauge", "Since when the oldest of them waits.");
  for (const ledger::ChannelTotal& total : totals.channels)
    if (total.oldest) page.sample({{"channel", total.channel}}, seconds(*total.oldest));
  page.begin("steward_notifications_given_up", "gauge", "Messages of the last thirteen months that never arrived.");
  for (const ledger::ChannelTotal& total : totals.channels) page.sample({{"channel", total.channel}}, total.given_up);
}

Result<void> tell_leases(Page& page, ledger::Ledger& ledger, Instant now) {
  page.begin("steward_lease_held", "gauge", "1 where a daemon decides by this lease, 0 where its end has passed.");
  for (const ledger::LeaseState& state : TRY(ledger.agenda().leases(now)))
    page.sample({{"lease", state.lease.name}, {"holder", state.lease.holder}}, std::uint64_t{state.in_force ? 1U : 0U});
  return {};
}

}  // namespace

std::string label(std::string_view value) {
  std::string out;
  for (const char c : printable(value)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

Result<std::string> metrics(ledger::Ledger& ledger, const MetricsOf& of, Instant now) {
  const ledger::Totals totals = TRY(ledger.totals());
  Page page;
  page.begin("steward_info", "gauge", "Always 1; its labels say what this is.");
  page.sample({{"version", of.version}, {"environment", of.environment}}, std::uint64_t{1});
  tell_last(page, totals);
  tell_runs(page, totals);
  tell_tasks(page, totals);
  tell_schedules(page, of, totals, now);
  tell_outbox(page, totals);
  TRY(tell_leases(page, ledger, now));
  TRY(tell_backups(page, of, ledger, now));
  TRY(tell_safeguards(page, ledger, now));
  return std::move(page).text();
}

}  // namespace steward::engine
