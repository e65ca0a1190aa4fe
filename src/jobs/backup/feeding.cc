#include "jobs/backup/feeding.h"

#include "io/sql/postgres_environment.h"

namespace steward::backup {

Result<process::Piped> start_reader(const sql::Target& target, std::vector<std::string> arguments) {
  sql::ProgramEnvironment environment = TRY(sql::program_environment(target));
  // pg_restore writes a script unless it is told a database; "" is the one that the environment names.
  arguments.push_back("--dbname=" + environment.conninfo);
  return process::Piped::start(
      {.command = {.arguments = std::move(arguments), .environment = std::move(environment.variables)},
       .writes_to_it = true,
       .stop = target.stop});
}

std::vector<std::string> restore_arguments(const Clients& clients, const RestoreOptions& options) {
  std::vector<std::string> arguments{clients.program("pg_restore"), "--format=custom", "--exit-on-error",
                                     "--no-password"};
  if (!options.owners) arguments.emplace_back("--no-owner");
  if (!options.grants) arguments.emplace_back("--no-privileges");
  if (!options.tablespaces) arguments.emplace_back("--no-tablespaces");
  return arguments;
}

}  // namespace steward::backup
