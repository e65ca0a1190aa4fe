// The task that lets pgBackRest remove what its own retention does not keep.

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/text.h"
#include "jobs/backup/pgbackrest.h"
#include "jobs/backup/pgbackrest_info.h"
#include "jobs/backup/pgbackrest_program.h"
#include "jobs/backup/pgbackrest_tasks.h"

namespace steward::backup {
namespace {

constexpr std::size_t shown_samples = 5;

/// What `expire` would do, or has done, as its log says.
struct Expiry {
  std::vector<std::string> labels{};    ///< Of backups that go.
  std::vector<std::string> segments{};  ///< "15-1: 000000010000000000000005 to 000000010000000000000006".
  std::vector<std::string> warnings{};
  std::map<unsigned, std::string> repositories{};  ///< Where they are: "/var/lib/pgbackrest", "s3://bucket/path".
  bool has_retention = true;
  /// Backups; or one, where it is the log alone that goes.
  std::uint64_t items() const { return labels.empty() && !segments.empty() ? 1 : labels.size(); }
};

/// The value of an option in the words of a command's beginning; empty where it is not there.
std::string option_in(std::string_view text, const std::string& name) {
  const std::string mark = " --" + name + '=';
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + mark.size());
  return std::string(rest.substr(0, rest.find(" --")));
}

/// "expire command begin 2.45: --repo1-path=/srv/repo --stanza=app": what differs from the defaults.
std::map<unsigned, std::string> repositories_in(std::string_view text) {
  constexpr unsigned most_repositories = 256;
  std::map<unsigned, std::string> out;
  for (unsigned number = 1; number <= most_repositories; ++number) {
    const std::string prefix = fmt::format("repo{}-", number);
    if (number > 1 && !text.contains(" --" + prefix)) continue;
    std::string path = option_in(text, prefix + "path");
    if (path.empty()) path = "/var/lib/pgbackrest";
    const std::string bucket = option_in(text, prefix + "s3-bucket");
    out[number] = bucket.empty() ? path : "s3://" + bucket + path;
  }
  return out;
}

void take(const LogLine& line, Expiry& out) {
  constexpr std::string_view dry = "[DRY-RUN] ", remove = "remove expired backup ", archive = " remove archive, ";
  std::string_view text = line.text;
  if (text.starts_with(dry)) text.remove_prefix(dry.size());
  if (text.starts_with("expire command begin")) out.repositories = repositories_in(text);
  if (line.level == "WARN" && text.contains("retention-full") && text.contains("is not set"))
    out.has_retention = false;
  else if (line.level == "WARN")
    out.warnings.emplace_back(text);
  if (!text.starts_with("repo")) return;
  if (const std::size_t at = text.find(remove); at != std::string_view::npos)
    out.labels.emplace_back(trim(text.substr(at + remove.size())));
  if (const std::size_t at = text.find(archive); at != std::string_view::npos)
    out.segments.emplace_back(text.substr(text.find(": ") + 2));
}

class ExpireCluster final : public Task {
 public:
  ExpireCluster(TaskInfo info, PgBackRest policy) : info_(std::move(info)), policy_(std::move(policy)) {}
  const TaskInfo& info() const override { return info_; }

  Result<Step> plan(PlanContext& context) const override {
    Step step{.cutoff = context.cutoff.value_or(context.now), .final = true};
    step.planned.bytes = Bytes{};
    step.target = shown(policy_);
    step.filter = "not kept by the retention in pgBackRest's own file";
    step.strategy = "pgbackrest expire, with the write-ahead log that only those backups need";
    const PgBackRestProgram program = TRY(PgBackRestProgram::find(policy_));
    const Stanza stanza = TRY(stanza_of(program, policy_));
    step.population = stanza.backups.size();
    if (stanza.backups.empty()) {
      step.reason = "there is no backup yet";
      return step;
    }
    const Expiry expiry = TRY(ask(program, true, [] { return Result<void>{}; }));
    step.reason = expiry.has_retention ? fmt::format("{} backups are there", stanza.backups.size())
                                       : fmt::format(
                                             "pgBackRest has no retention configured: all {} stay "
                                             "(repo1-retention-full in its file)",
                                             stanza.backups.size());
    for (const std::string& segment : expiry.segments) step.notes.push_back(segment);
    if (const auto stopped = stopped_by(stanza, expiry, context.holds)) {
      Skips kept;
      kept.add(stopped->reason, stopped->item, expiry.items());
      step.skipped = kept.list();
      return step;
    }
    for (const std::string& label : expiry.labels) add(stanza, label, step);
    if (expiry.labels.empty() && expiry.items() > 0) {
      step.planned.add(1);
      step.samples.push_back({.item = expiry.segments.front()});
    }
    return step;
  }

  Result<std::vector<std::unique_ptr<Lock>>> lock() const override { return locks_of(policy_); }

  Result<void> execute(const Step& step, RunContext& run) const override {
    if (step.planned.items == 0) return {};
    const PgBackRestProgram program = TRY(PgBackRestProgram::find(policy_));
    const auto check = [&] { return run.checkpoint("expiring"); };
    const Stanza before = TRY(stanza_of(program, policy_));
    const Expiry expected = TRY(ask(program, true, check));
    if (expected.items() > step.planned.items) {
      run.skip("more than was planned would go: the next plan has them", policy_.stanza, expected.items());
      return {};
    }
    TRY(run.checkpoint("before a backup"));
    if (const auto stopped = stopped_by(before, expected, *TRY(run.holds()))) {
      run.skip(stopped->reason, stopped->item, expected.items());
      return {};
    }
    const Expiry gone = TRY(ask(program, false, check));
    for (const std::string& warning : gone.warnings) run.note(Level::warning, warning);
    for (const std::string& segment : gone.segments) run.note(Level::info, segment);
    const Stanza after = TRY(stanza_of(program, policy_));
    for (const ClusterBackup& one : before.backups) {
      if (std::ranges::find(after.backups, one.label, &ClusterBackup::label) != after.backups.end()) continue;
      run.done(1, one.stored);
      run.note(Level::info, "expired " + one.label);
    }
    if (expected.labels.empty() && !gone.segments.empty()) run.done(1);
    return {};
  }

 private:
  Result<Expiry> ask(const PgBackRestProgram& program, bool only_ask,
                     const std::function<Result<void>()>& check) const {
    Expiry out;
    std::vector<std::string> options;
    if (only_ask) options.emplace_back("--dry-run");
    TRY(program.run(
        "expire", std::move(options), "expire backups of stanza " + policy_.stanza,
        [&](const LogLine& line) -> Result<void> {
          take(line, out);
          return {};
        },
        check));
    return out;
  }

  static void add(const Stanza& stanza, const std::string& label, Step& step) {
    const auto found = std::ranges::find(stanza.backups, label, &ClusterBackup::label);
    if (found == stanza.backups.end()) return;
    step.planned.add(1, found->stored);
    if (!step.oldest || found->begun < *step.oldest) step.oldest = found->begun;
    if (!step.newest || found->begun > *step.newest) step.newest = found->begun;
    if (step.samples.size() < shown_samples)
      step.samples.push_back({.item = label, .at = found->begun, .size = found->stored});
  }

  struct Stop {
    std::string reason{}, item{};
  };
  /// It removes all or nothing: what keeps one of them keeps the others, too.
  std::optional<Stop> stopped_by(const Stanza& stanza, const Expiry& expiry, const Holds& holds) const {
    if (const auto held = held_by(expiry, holds)) return Stop{"held", *held};
    if (const auto proved = last_proved(stanza, expiry))
      return Stop{"the last that was proved goes with them: prove a newer one first", *proved};
    return std::nullopt;
  }

  /// Where it goes, and none that stays was proved.
  static std::optional<std::string> last_proved(const Stanza& stanza, const Expiry& expiry) {
    std::optional<std::string> last;
    for (const ClusterBackup& one : stanza.backups) {
      if (one.proofs.empty() || !one.proofs.back().faults.empty()) continue;
      if (std::ranges::find(expiry.labels, one.label) == expiry.labels.end()) return std::nullopt;
      last = one.label;
    }
    return last;
  }

  /// By a hold on one of the backups that go, or on the log beside them, wherever the repository is.
  std::optional<std::string> held_by(const Expiry& expiry, const Holds& holds) const {
    const auto covered = [&](const std::string& place) {
      if (!place.starts_with("s3://")) return holds.covers_file(place).has_value();
      const std::size_t slash = place.find('/', std::string_view("s3://").size());
      return holds.covers_object(place.substr(0, slash), place.substr(slash + 1)).has_value();
    };
    for (const auto& [number, where] : expiry.repositories) {
      for (const std::string& label : expiry.labels)
        if (covered(fmt::format("{}/backup/{}/{}/backup.manifest", where, policy_.stanza, label))) return label;
      if (!expiry.segments.empty() && covered(fmt::format("{}/archive/{}/archive.info", where, policy_.stanza)))
        return "the write-ahead log of " + policy_.stanza;
    }
    return std::nullopt;
  }

  TaskInfo info_;
  PgBackRest policy_;
};

}  // namespace

std::unique_ptr<Task> expire_cluster(TaskInfo info, PgBackRest policy) {
  return std::make_unique<ExpireCluster>(std::move(info), std::move(policy));
}

}  // namespace steward::backup
