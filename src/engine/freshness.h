/// How old the newest backup of each task is, and the newest that was proved. `status`, `healthcheck`, the metrics and
/// the daemon have it from here, so that they cannot differ.
///
///   const auto found = TRY(freshness(*ledger, jobs, clock.now()));
///   found[0].newest             2026-11-29T00:00:00Z
///   found[0].is_stale(now)      false, until 26 h after the end of that run
///
/// It is read off the ledger, and no store is asked: the newest run in which the task succeeded has made the newest
/// backup, and the newest in which its proof succeeded and had one to prove has proved one. A run that failed elsewhere
/// counts.
///
/// Stale     From `stale_after` after the end of the run that made the newest. From its beginning, a backup that
///           takes four hours would be stale each night while the next is made. Where the schedule is less than daily,
///           not before its next tick has had its time. Nothing is stale for `stale_after` from the task's first run,
///           nor from the end of a pause; nor while one is in force.
/// Proofs    Those that the schedule makes and those that somebody asked for (`backup verify`, run/ledger's job
///           `backup-verify`) count alike. A proof is stale `stale_after` after the next one was due; where there was
///           none yet, after the first run that should have made one. Of several databases the oldest counts, and none
///           where one has none.
#pragma once
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "engine/scheduler.h"
#include "run/ledger/ledger.h"

namespace steward::engine {

struct Freshness {
  std::string job{}, task{};
  std::string what = "backup";      ///< Watched::what.
  std::optional<Instant> newest{};  ///< When the run began that made it.
  bool is_proved = false;           ///< A task proves them.
  std::string least_proved{};       ///< Of several databases the task of the one whose proof it is.
  std::optional<Instant> proved{};  ///< When the newest run began that proved one.
  std::optional<std::chrono::microseconds> proof_took{};  ///< That proof, where its run has said so.
  std::optional<Instant> since{};                         ///< Where there is none: since when there should be.
  std::optional<Instant> stale_at{};                      ///< It is stale from then on; none: it is not waited for.
  std::optional<Instant> proof_since{};                   ///< Where none was proved: since when one should be.
  std::optional<Instant> proof_stale_at{};                ///< As `stale_at`, of the proof.
  bool is_stale(Instant now) const { return stale_at && now >= *stale_at; }
  bool is_proof_stale(Instant now) const { return proof_stale_at && now >= *proof_stale_at; }
};

/// The job that a proof by hand is a run of; its task is named as the scheduled one.
inline constexpr std::string_view proof_by_hand_job = "backup-verify";

/// One for each task of the jobs that is watched; of a job that is off, none. A ledger that nobody has written to knows
/// of no backup.
Result<std::vector<Freshness>> freshness(ledger::Ledger& ledger, std::span<const ScheduledJob> jobs, Instant now);

/// "the newest backup by app-nightly is 3 days old", "there is no backup by app-nightly, 27 h after it was to be made
/// first".
std::string text_of(const Freshness& freshness, Instant now);

/// "no backup by app-nightly was proved for 9 days", "no backup by app-nightly.shop has been proved yet, 27 h after the
/// first should have been".
std::string proof_text_of(const Freshness& freshness, Instant now);

/// Enters an event `backup-stale` (run/ledger/outbox.h) when a backup or its proof becomes stale; once, until a newer
/// one is made, whoever looks: the ledger knows its key.
class Staleness {
 public:
  /// `ledger` outlives it.
  explicit Staleness(ledger::Ledger& ledger) : ledger_(ledger) {}
  Result<void> look(std::span<const ScheduledJob> jobs, Instant now);
  /// When something of what the last look has seen will be stale; none where nothing will.
  std::optional<Instant> next() const { return next_; }

 private:
  struct Told {
    std::optional<Instant> at{};
    std::string key{}, text{};
  };
  Result<void> tell(const std::string& job, const Told& one, Instant now, std::set<std::string>& entered);

  ledger::Ledger& ledger_;
  std::set<std::string> entered_{};  ///< Keys.
  std::optional<Instant> next_{};
};

}  // namespace steward::engine
