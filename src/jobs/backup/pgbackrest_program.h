/// The program pgBackRest: found, called for one stanza as the right user, and listened to.
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "io/process/piped.h"
#include "jobs/backup/pgbackrest.h"

namespace steward::backup {

/// One line of its console log.
struct LogLine {
  std::string level{};  ///< "INFO", "WARN", "DETAIL"; empty: none of a log, as a report of verify.
  std::string text{};   ///< Printable, with the lines that go on with it.
};
/// "P00   WARN: no prior backup exists" -> WARN. A line that goes on with the one before has no level.
LogLine log_line(std::string_view line);

/// What it said on standard error as an error: "ERROR: [055]: unable to load info file" with its HINT lines as the
/// hint. `act` completes "pgBackRest cannot …". `otherwise`: where it said nothing of that form.
Error error_said(std::string_view said, const std::string& act, const Error& otherwise);

class PgBackRestProgram {
 public:
  /// not_found, with the package to install, also where it is too old to keep annotations; permission where it has to
  /// run as somebody else.
  static Result<PgBackRestProgram> find(const PgBackRest& policy);

  /// The version, "2.45".
  const std::string& version() const { return version_; }
  /// Runs a command to its end and gives what it wrote. `act` completes "cannot …".
  Result<std::string> ask(std::string_view command, std::vector<std::string> options, const std::string& act) const;
  /// Runs a command and hands over each line of its log, of level DETAIL and above. `check` is asked every half second,
  /// and after each line: an error of it, or of `take`, ends the command, and is the error.
  Result<void> run(std::string_view command, std::vector<std::string> options, const std::string& act,
                   const std::function<Result<void>(const LogLine&)>& take,
                   const std::function<Result<void>()>& check) const;

  /// The words of a command, for a person or a shell: without what is only for us to listen to.
  std::vector<std::string> words(std::string_view command, std::vector<std::string> options) const;
  /// Whom it runs as; empty: as this process.
  const std::string& user() const { return user_; }
  /// Its environment, "NAME=value".
  const std::vector<std::string>& environment() const { return environment_; }

 private:
  Result<void> learn_version();
  std::vector<std::string> as_user(std::vector<std::string> words) const;
  /// `told`: the level of what it writes to its standard output.
  Result<process::Piped> start(std::string_view command, std::vector<std::string> options, std::string_view told) const;
  std::string path_{}, user_{}, version_{};
  std::vector<std::string> environment_{}, options_{};
  std::stop_token stop_{};
};

/// Joined for a POSIX shell.
std::string for_a_shell(const std::vector<std::string>& words);

}  // namespace steward::backup
