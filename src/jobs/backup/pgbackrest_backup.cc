// The task that makes a backup with pgBackRest.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "core/text.h"
#include "jobs/backup/pgbackrest.h"
#include "jobs/backup/pgbackrest_archiving.h"
#include "jobs/backup/pgbackrest_info.h"
#include "jobs/backup/pgbackrest_program.h"
#include "jobs/backup/pgbackrest_tasks.h"

namespace steward::backup {
namespace {

/// "backup file /srv/pg/base/5/1255 (768KB, 3.42%) checksum …" -> 768 KiB, rounded down: what is told on the way is
/// never more than what was copied.
Bytes copied_by(const std::string& line) {
  if (!line.starts_with("backup file ")) return {};
  const std::size_t percent = line.rfind("%)"), open = line.rfind('(', percent);
  if (percent == std::string::npos || open == std::string::npos) return {};
  double number = 0;
  const char* const end = line.data() + percent;
  const auto [unit, failed] = std::from_chars(line.data() + open + 1, end, number);
  if (failed != std::errc{} || unit == end) return {};
  double scale = 1;
  for (const char c : {'B', 'K', 'M', 'G', 'T'}) {
    if (*unit == c) break;
    scale *= 1024;
  }
  constexpr double one_digit_of_rounding = 0.95;
  return {static_cast<std::uint64_t>(number * scale * one_digit_of_rounding)};
}

/// What its log says of every run says nothing of this one.
bool is_worth_a_note(const LogLine& line) {
  return line.level == "INFO" && !line.text.starts_with("backup command ") && !line.text.starts_with("expire command ");
}

class BackUpCluster final : public Task {
 public:
  BackUpCluster(TaskInfo info, PgBackRest policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }
  bool removes() const override { return false; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = context.cutoff.value_or(context.now)};
    const PgBackRestProgram program = TRY(PgBackRestProgram::find(policy_));
    const Stanza stanza = TRY(stanza_of(program, policy_));
    const TypeChoice next = type_of_next(policy_.type, stanza.backups, context.now);
    step.planned.items = 1;
    step.target = shown(policy_);
    if (!stanza.systems.empty()) step.identity = fmt::format("pgbackrest:{}", stanza.systems.back().identifier);
    step.strategy = fmt::format("pgBackRest {}; nothing is expired by it", program.version());
    step.filter = "the whole cluster, as it is at one moment, and the write-ahead log since";
    step.reason = fmt::format("{}: {}",
                              next.type == "diff"   ? "differential"
                              : next.type == "incr" ? "incremental"
                                                    : "full",
                              next.reason);
    if (!stanza.backups.empty()) {
      const ClusterBackup& last = stanza.backups.back();
      if (next.type == "full") step.planned.bytes = last.cluster;
      step.reason +=
          fmt::format("; the last one is {} ({} of {} copied, {} stored, {})", last.label, format_bytes(last.copied),
                      format_bytes(last.cluster), format_bytes(last.stored), as_backup(last, stanza, "").standing());
    }
    step.notes = archiving_notes(context.now);
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return locks_of(policy_); }

  Result<void> execute(const Step&, RunContext& run) const override {
    const PgBackRestProgram program = TRY(PgBackRestProgram::find(policy_));
    const Stanza before = TRY(stanza_of(program, policy_));
    TRY(run.checkpoint("begin"));
    for (const std::string& note : archiving_notes(run.clock().now())) run.note(Level::warning, note);
    const std::string type = type_of_next(policy_.type, before.backups, run.clock().now()).type;
    // What goes is the other task's: a freeze and holds stop that one, and never a backup.
    TRY(program.run(
        "backup", {"--type=" + type, "--no-expire-auto", "--annotation=steward-run=" + run.run()},
        "back up stanza " + policy_.stanza,
        [&](const LogLine& line) -> Result<void> {
          if (line.level == "WARN") run.note(Level::warning, line.text);
          if (is_worth_a_note(line)) run.note(Level::info, line.text);
          if (const Bytes more = copied_by(line.text); line.level == "DETAIL" && more > Bytes{}) run.done(0, more);
          return {};
        },
        [&] { return run.checkpoint("backing up"); }));
    TRY(run.checkpoint("backed up"));
    return tally(before, TRY(stanza_of(program, policy_)), run);
  }

 private:
  std::vector<std::string> archiving_notes(Instant now) const {
    if (!policy_.database) return {};
    const auto archiving = archiving_of(*policy_.database);
    if (!archiving) return {fmt::format("how archiving goes is not known: {}", archiving.error().message)};
    return anomalies(*archiving, now);
  }

  /// What is there now and was not before.
  Result<void> tally(const Stanza& before, const Stanza& after, RunContext& run) const {
    std::set<std::string> known;
    for (const ClusterBackup& one : before.backups) known.insert(one.label);
    const auto made = std::ranges::find_if(after.backups, [&](const auto& one) { return !known.contains(one.label); });
    if (made == after.backups.end())
      return fail(Kind::unavailable,
                  fmt::format("pgBackRest has ended well, and stanza {} has no new backup", policy_.stanza),
                  "Look at its info and at its log.");
    const Bytes told = run.so_far().bytes.value_or(Bytes{});
    run.done(1, made->copied > told ? made->copied - told : Bytes{});
    run.note(Level::info, fmt::format("{}: {} of {} copied, {} stored", made->label, format_bytes(made->copied),
                                      format_bytes(made->cluster), format_bytes(made->stored)));
    if (made->has_bad_pages)
      return fail(Kind::corrupt,
                  fmt::format("the backup {} is made, and pages of the cluster have wrong checksums", made->label),
                  "The notes of this run name the files. Look at the cluster's disk before older backups go.");
    return {};
  }

  TaskInfo info_;
  PgBackRest policy_;
};

}  // namespace

std::unique_ptr<Task> back_up_cluster(TaskInfo info, PgBackRest policy) {
  return std::make_unique<BackUpCluster>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
