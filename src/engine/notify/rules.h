/// Which events become messages on which channels. Pure: values in, values out, no clock, no I/O; what it has to know
/// beyond the events is a History (engine/notify/history.h).
///
/// Events    What is read of each, besides the run itself:
///   run-begun         -
///   run-ended         -                                 (the run's status counts)
///   tick-missed       {"due": "2026-…Z", "reason": "…", "since": "2026-…Z"}    since: older ticks it stands for
///   approval-asked, approval-reminded, approval-expired, break-glass      -     (the approval counts)
///   late              {"due": "2026-…Z", "started": "2026-…Z"}             started: absent where it had not begun; the
///                                                                          run itself knows whether it has meanwhile
///   running-too-long  {"limit": "4h", "usual": true}                           usual: nobody has said so; all optional
///   backup-stale, secret-rotated  {"text": "the newest backup is 3 days old"}
///   test              {"channel": "ops", "by": "anna"}
/// Others are dispatched, and nobody is told.
#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/instant.h"
#include "engine/notify/settings.h"
#include "run/ledger/approvals.h"
#include "run/ledger/ledger.h"
#include "run/ledger/outbox.h"

namespace steward::notify {

/// What is known of a run that an event names.
struct RunFacts {
  ledger::Run run{};
  std::vector<ledger::TaskRecord> tasks{};
  std::optional<ledger::Approval> approval{};  ///< What it asked for, and who has answered.
  bool retry_follows = false;                  ///< It failed, and another attempt is, or will be, entered.
  bool overran = false;                        ///< That it took too long was told, or was not any more when it ended.
  std::string log{};                           ///< The last lines of its log, for pings; empty where it is not here.
};

/// How a job stood before the events: its whole runs, newest first, back to the last success.
struct JobPast {
  std::size_t failures = 0;        ///< Failed or refused in a row, each with its retries counted once.
  std::optional<Instant> since{};  ///< When the first of these ended.
  std::map<std::string, std::map<std::string, Instant>> told{};  ///< By channel and topic: when last since `since`.
};

struct History {
  std::map<std::string, RunFacts> runs{};  ///< By id.
  std::map<std::string, JobPast> jobs{};   ///< By name.
};

/// What comes of events.
struct Decided {
  std::vector<std::int64_t> events{};          ///< Those that are dealt with: hand them to Outbox::dispatch.
  std::vector<ledger::Delivery> deliveries{};  ///< What tells of them.
  std::optional<Instant> again{};              ///< Events were left for a digest: ask again then.
};

/// The channel of a job's pings.
std::string ping_channel(std::string_view job);  ///< "ping:backup"

/// Decides. `events`: undispatched ones, oldest first.
///   failed, refused   told at once; again `repeat` later, with how many there were in a row since when. A failure that
///                     a retry follows is not told. A failure after refusals is told at once, and the other way round.
///   recovered         only where a failure or refusal since the last success was told on that channel.
///   missed, late      of all jobs in one message. Left for ten seconds, so that a start tells of everything in one.
///   running-too-long  while it is so; and when such a run has succeeded after all, that it has.
///   done              where a rule names it, and neither of the two above was told.
///   pings             of runs of whole jobs: start; success; fail, also for refused and cancelled.
Decided decide(const Settings& settings, std::span<const ledger::Event> events, const History& history, Instant now);

}  // namespace steward::notify
