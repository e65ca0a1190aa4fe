/// A PostgreSQL server of steward's own, for as long as a backup is proved: in a folder of its own, reached by its Unix
/// socket alone, gone afterwards.
///
/// Promises  - It is stopped and its folder removed when this goes out of scope; when this process is killed,
///             the server ends by itself (prctl(2), PR_SET_PDEATHSIG), and the folder goes with the next one that
///             starts.
///           - It runs with less priority than others, for the processor and the disk.
///           - As root it runs as the user `postgres`, else `nobody`: PostgreSQL refuses root.
/// Errors    not_found: no such user. unavailable: no room, initdb or postgres failed, with what they said.
#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"

namespace steward::backup {

/// A cluster that somebody else puts there for a throwaway server to run on.
struct GivenCluster {
  /// Puts it into the empty folder `data`, which is the user's alone.
  std::function<Result<void>(const std::string& data)> fill{};
  std::string user{};             ///< Whose it is and who runs it; empty: as this process.
  std::string role = "postgres";  ///< A superuser of it.
  /// "restore_command=…", beyond what keeps it to itself.
  std::function<std::vector<std::string>(const std::string& data)> settings{};
  std::vector<std::string> environment{};  ///< "NAME=value", beside PATH, for what it starts itself.
};

class ThrowawayServer {
 public:
  /// `clients`: those with a server. `parent`: the folder that its folder is made in. `room`: what has to be free
  /// there. `check` is asked while it is waited for.
  static Result<ThrowawayServer> start(const Clients& clients, const std::string& parent, Bytes room,
                                       const std::function<Result<void>()>& check);
  /// The same on a cluster that was brought back. However it was configured, it archives nothing, connects to nobody,
  /// loads no libraries, and lets in nobody but through its socket. It is waited for as long as it recovers; `check`
  /// says when that is too long.
  static Result<ThrowawayServer> start_on(const GivenCluster& given, const Clients& clients, const std::string& parent,
                                          Bytes room, const std::function<Result<void>()>& check);
  ThrowawayServer(ThrowawayServer&&) noexcept;
  ThrowawayServer& operator=(ThrowawayServer&&) noexcept;
  ~ThrowawayServer();

  /// Its superuser's connection to a database.
  sql::Target target(const std::string& database) const;
  /// An empty database.
  Result<void> create_database(const std::string& name, const std::string& encoding) const;

 private:
  struct State;
  explicit ThrowawayServer(std::unique_ptr<State> state);
  /// Until it answers.
  Result<void> wait_for(const std::function<Result<void>()>& check,
                        std::chrono::steady_clock::time_point give_up) const;
  std::unique_ptr<State> state_;
};

/// Where such folders are made: TMPDIR, else /var/tmp.
std::string scratch_folder();

}  // namespace steward::backup
