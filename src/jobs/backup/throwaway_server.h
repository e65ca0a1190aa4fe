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
#include <functional>
#include <memory>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "io/sql/connection.h"
#include "jobs/backup/clients.h"

namespace steward::backup {

class ThrowawayServer {
 public:
  /// `clients`: those with a server. `parent`: the folder that its folder is made in. `room`: what has to be free
  /// there. `check` is asked while it is waited for.
  static Result<ThrowawayServer> start(const Clients& clients, const std::string& parent, Bytes room,
                                       const std::function<Result<void>()>& check);
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
  std::unique_ptr<State> state_;
};

/// Where such folders are made: TMPDIR, else /var/tmp.
std::string scratch_folder();

}  // namespace steward::backup
