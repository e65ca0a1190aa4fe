#include "engine/health.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "run/holds.h"
#include "run/runner.h"

namespace steward::engine {
namespace {
using namespace std::chrono_literals;

constexpr std::chrono::hours soon{24};             // an approval that expires within it is told of
constexpr std::chrono::minutes to_be_started{10};  // a queued run, by whoever is to start it
constexpr std::chrono::minutes to_be_stopped{
    2};  // from the end of max_runtime: a cancel and half a minute until SIGKILL
constexpr std::size_t looked_at = 500;

Finding finding(std::string kind, std::string message, std::string hint) {
  return {.kind = std::move(kind), .message = std::move(message), .hint = std::move(hint)};
}

void look_at_daemon(const HealthFacts& facts, std::vector<Finding>& out) {
  std::vector<std::string> unkept;
  for (const JobFacts& job : facts.jobs)
    if (job.outlook.scheduled_here && !job.outlook.kept && !job.outlook.started_by_others)
      unkept.push_back(job.outlook.job);
  if (unkept.empty()) return;
  out.push_back(
      finding("daemon", fmt::format("no daemon is running, and nothing else starts {}", join_and(unkept)),
              "steward serve (systemctl start steward); or say `scheduler: cron` in the file for what cron starts."));
}

/// Whether somebody wants it to succeed at the moment.
bool is_expected(const Outlook& outlook) {
  switch (outlook.standing) {
    case Standing::paused:
    case Standing::frozen:
    case Standing::off:
    case Standing::not_configured: return false;
    default: return true;
  }
}

void look_at_success(const HealthFacts& facts, const JobFacts& job, std::vector<Finding>& out) {
  if (!is_expected(job.outlook)) return;
  const Schedule& schedule = job.job.schedule;
  const auto due = ticks_back(schedule, facts.now - schedule.start_grace - jitter_of(job.job.name, schedule.jitter), 2);
  const auto since = job.last_success ? job.last_success : job.known_since;
  if (!due || !since || std::max(*since, job.resumed.value_or(*since)) >= *due) return;
  out.push_back(finding(
      "overdue",
      job.last_success ? fmt::format("{} has not succeeded since {}, and was due twice since then: last {}",
                                     job.job.name, format_instant(std::chrono::floor<std::chrono::seconds>(*since)),
                                     format_instant(ticks_back(schedule, facts.now, 1).value_or(*due)))
                       : fmt::format("{} has never succeeded, and was due twice", job.job.name),
      fmt::format("steward runs --job {0}; steward schedule {0} --past", job.job.name)));
}

void look_at_backup(const HealthFacts& facts, const Freshness& backup, std::vector<Finding>& out) {
  if (backup.is_proof_stale(facts.now)) {
    Finding found = finding("proof-stale", proof_text_of(backup, facts.now),
                            "steward backup verify latest --depth restore proves one.");
    found.severity = Severity::warning;  // a restart of the container helps nobody, and there are backups
    out.push_back(std::move(found));
  }
  if (!backup.is_stale(facts.now)) return;
  out.push_back(
      finding("backup-stale", text_of(backup, facts.now),
              fmt::format("steward runs --job {0}; steward run {0}/{1} makes one.", backup.job, backup.task)));
}

void look_at_run(const HealthFacts& facts, const OpenRun& open, std::vector<Finding>& out) {
  const ledger::Run& run = open.run;
  const std::string show = fmt::format("steward runs show {}", run.id);
  if (run.status == ledger::Status::queued) {
    const Instant since = std::max(run.started, run.not_before.value_or(run.started));
    if (facts.now - since > to_be_started)
      out.push_back(finding(
          "late-start",
          fmt::format("run {} of {} waits to be started for {}", run.id, run.job, format_span(facts.now - since)),
          show));
  } else if (open.gone) {
    out.push_back(finding("lost-run", fmt::format("run {} of {} has no pulse: its process is gone", run.id, run.job),
                          show + "; the next run finishes or undoes what it left."));
  } else if (open.max_runtime && facts.now - run.started > *open.max_runtime + to_be_stopped) {
    out.push_back(finding("max-runtime",
                          fmt::format("run {} of {} is at work for {}, and may be for {}", run.id, run.job,
                                      format_span(facts.now - run.started), format_span(*open.max_runtime)),
                          fmt::format("steward runs cancel {}", run.id)));
  }
}

/// Less than 5 %, or less than 1 GiB of a file system on which that is not much.
bool is_scarce(const FolderSpace& space) {
  const std::uint64_t room = space.room.count, total = space.total.count;
  return room < total / 20 || (space.room < 1_GiB && room < total / 5);
}

void look_at_folder(const FolderSpace& space, std::vector<Finding>& out) {
  if (!is_scarce(space)) return;
  out.push_back(finding("disk",
                        fmt::format("{} of {} are free under the {} {}", format_bytes(space.room),
                                    format_bytes(space.total), space.what, printable(space.path)),
                        "Make room: a full disk ends runs, though it loses nothing."));
}

void look_at_people(const HealthFacts& facts, std::vector<Finding>& out) {
  for (const ledger::Approval& approval : facts.approvals) {
    if (approval.expires - facts.now > soon) continue;
    Finding found = finding("approval",
                            fmt::format("run {} of {} waits for an approval, until {}", approval.run, approval.job,
                                        format_instant(std::chrono::floor<std::chrono::seconds>(approval.expires))),
                            fmt::format("steward approvals show {}", approval.run));
    found.severity = Severity::warning;
    out.push_back(std::move(found));
  }
  if (const auto refusal = freeze_refusal(facts.freezes)) {
    Finding found = finding("freeze", refusal->message, refusal->hint);
    found.severity = Severity::warning;
    out.push_back(std::move(found));
  }
}

std::optional<Instant> earliest(const std::optional<Instant>& a, const std::optional<Instant>& b) {
  return a && b ? std::min(a, b) : a ? a : b;
}

/// Of a job that has never succeeded: since when it is known.
Result<std::optional<Instant>> first_of(ledger::Ledger& ledger, const std::string& job) {
  std::optional<Instant> tick, run;
  const std::vector<ledger::Tick> ticks = TRY(ledger.agenda().ticks({.job = job, .limit = looked_at}));
  if (!ticks.empty()) tick = ticks.back().due;
  const std::vector<ledger::Run> runs = TRY(ledger.runs({.job = job, .whole = true, .limit = looked_at}));
  if (!runs.empty()) run = runs.back().started;
  return earliest(tick, run);
}

Result<void> read(HealthFacts& facts, ledger::Ledger& ledger, const StateDirectory& state,
                  const std::vector<ScheduledJob>& jobs, bool shared) {
  TRY(ledger.check_writable());
  Outlooks found = TRY(outlooks(ledger, state, jobs, shared, facts.now));
  const std::vector<ledger::Pause> pauses = TRY(ledger.agenda().pauses(facts.now, true));
  const std::vector<ledger::Freeze> freezes = TRY(ledger.freezes(facts.now, true));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    JobFacts job{.job = jobs[i],
                 .outlook = std::move(found.jobs.at(i)),
                 .resumed = resumed(jobs[i], pauses, freezes, facts.now)};
    if (const auto success = TRY(ledger.last_success(jobs[i].name)))
      job.last_success = success->started;
    else
      job.known_since = TRY(first_of(ledger, jobs[i].name));
    facts.jobs.push_back(std::move(job));
  }
  facts.backups = TRY(freshness(ledger, jobs, facts.now));
  for (ledger::Run& run : TRY(ledger.agenda().open_runs())) {
    const auto job = std::ranges::find(jobs, run.job, &ScheduledJob::name);
    OpenRun open{.gone = run.status == ledger::Status::running && is_gone(run, facts.now)};
    if (job != jobs.end()) open.max_runtime = job->schedule.max_runtime;
    open.run = std::move(run);
    facts.runs.push_back(std::move(open));
  }
  facts.approvals = TRY(ledger.approvals().approvals({}));
  facts.freezes = std::move(found.facts.freezes);
  facts.latest = TRY(ledger.latest());
  return {};
}

}  // namespace

std::string_view name_of(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

std::vector<Finding> findings(const HealthFacts& facts) {
  std::vector<Finding> out;
  if (facts.ledger) out.push_back(finding("ledger", facts.ledger->message, facts.ledger->hint));
  if (facts.server) out.push_back(finding("server", facts.server->message, facts.server->hint));
  if (facts.latest && *facts.latest > facts.now)
    if (const auto off = clock_refusal(facts.now, *facts.latest, "the ledger's last entry"))
      out.push_back(finding("clock", off->message, off->hint));
  look_at_daemon(facts, out);
  for (const JobFacts& job : facts.jobs) look_at_success(facts, job, out);
  for (const Freshness& backup : facts.backups) look_at_backup(facts, backup, out);
  for (const OpenRun& run : facts.runs) look_at_run(facts, run, out);
  for (const FolderSpace& space : facts.folders) look_at_folder(space, out);
  look_at_people(facts, out);
  return out;
}

bool is_healthy(const std::vector<Finding>& findings) {
  return std::ranges::none_of(findings, [](const Finding& found) { return found.severity == Severity::error; });
}

void read_health(HealthFacts& facts, ledger::Ledger& ledger, const StateDirectory& state,
                 const std::vector<ScheduledJob>& jobs, bool shared) {
  if (auto done = read(facts, ledger, state, jobs, shared); !done) facts.ledger = std::move(done).error();
}

}  // namespace steward::engine
