/// Who keeps the schedules: the daemons that are alive.
///
///   STATE/serve/serve/              locked by the daemon of all jobs for as long as it lives
///   STATE/serve/serve_backup/       by that of `serve --only backup`
///   STATE/serve/NAME/daemon.json    what it says of itself; without the lock it is what a dead one has left
///
/// On an SQLite ledger, who has the lock decides. On PostgreSQL, where several machines share one, it is who has the
/// lease (run/ledger/agenda.h); those of this state directory that have none stand by.
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/files/folder.h"
#include "run/ledger/agenda.h"
#include "run/state.h"

namespace steward::engine {

/// A daemon that is alive.
struct Keeper {
  std::string daemon{};                       ///< "web-1:4711"; empty where it has not said so yet.
  std::set<std::string, std::less<>> jobs{};  ///< Those that it was started for; empty: all.
  bool here = false;                          ///< It has this state directory.
  bool decides = true;                        ///< Else it stands by.
  std::optional<Instant> since{};             ///< Of one that is here: when it began.
  std::optional<Instant> until{};             ///< Of a lease: its end, unless it is renewed.
  std::string url{};                          ///< Of one that is here: where its API answers; empty: nowhere.
  bool tells = false;                         ///< Of one that is here: it carries notifications (engine/courier.h).
  bool keeps(std::string_view job) const { return decides && (jobs.empty() || jobs.contains(job)); }
};

/// Of the daemons that serve these jobs (none: all) one at a time decides: "serve", "serve backup,cleanup".
std::string lease_name(const std::set<std::string, std::less<>>& jobs);

/// What a daemon is called in the ledger: "web-1:4711".
std::string daemon_name();

/// This process as the daemon of a state directory, for as long as the object lives.
class Keeping {
 public:
  /// busy (code "serving") where another serves these jobs from this state directory.
  static Result<Keeping> begin(const StateDirectory& state, const std::set<std::string, std::less<>>& jobs,
                               Instant now);
  /// Says where its API answers.
  Result<void> answers_at(const std::string& url);
  /// Says whether it carries notifications.
  Result<void> tells(bool does);

 private:
  Keeping(files::Folder folder, std::shared_ptr<void> lock, Keeper self)
      : folder_(std::move(folder)), lock_(std::move(lock)), self_(std::move(self)) {}
  Result<void> write() const;
  files::Folder folder_;
  std::shared_ptr<void> lock_;
  Keeper self_;
};

/// The daemons that are alive, of this state directory and (where the ledger is `shared`) of all that have a lease.
Result<std::vector<Keeper>> keepers(ledger::Ledger& ledger, const StateDirectory& state, bool shared, Instant now);

/// The same from what was found: the leases, and what the locked folders say. Pure.
std::vector<Keeper> keepers_of(const std::vector<ledger::LeaseState>& leases, std::vector<Keeper> here, bool shared);

}  // namespace steward::engine
