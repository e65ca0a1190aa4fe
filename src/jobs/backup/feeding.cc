#include "jobs/backup/feeding.h"

#include "io/sql/postgres_environment.h"

namespace steward::backup {
namespace {

/// Knows whether it was the program that took no more, or the store that gave no more.
class Feed final : public Sink {
 public:
  explicit Feed(Sink& next) : next_(next) {}
  Result<void> write(std::span<const std::byte> bytes) override {
    auto written = next_.write(bytes);
    refused_ |= !written;
    return written;
  }
  bool refused() const { return refused_; }

 private:
  Sink& next_;
  bool refused_ = false;
};

}  // namespace

Result<process::Piped> start_reader(const sql::Target& target, std::vector<std::string> arguments) {
  sql::ProgramEnvironment environment = TRY(sql::program_environment(target));
  // pg_restore writes a script unless it is told a database; "" is the one that the environment names.
  arguments.push_back("--dbname=" + environment.conninfo);
  return process::Piped::start({.command = {.arguments = std::move(arguments),
                                            .environment = std::move(environment.variables)},
                                .writes_to_it = true,
                                .stop = target.stop});
}

Result<std::optional<Error>> feed(process::Piped& program, const std::string& act,
                                  const std::function<Result<void>(Sink&)>& content) {
  Feed input(program.input());
  const Result<void> fed = content(input);
  if (!fed && !input.refused()) return std::unexpected(fed.error());
  const Result<void> ended = program.finish(act);
  if (!ended && ended.error().kind != Kind::interrupted) return std::optional(ended.error());
  if (!ended) return std::unexpected(ended.error());
  if (!fed) return std::unexpected(fed.error());
  return std::nullopt;
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
