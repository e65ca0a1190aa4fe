#include "app/config/init.h"

#include <fmt/format.h>

#include "core/text.h"

namespace steward::app {
namespace {

const retention::TaskSpec* spec_named(const Settings& settings, std::string_view name) {
  for (const retention::TaskSpec& spec : settings.cleanup)
    if (spec.info.name == name) return &spec;
  return nullptr;
}

template <class Policy>
const Policy* policy_of(const Settings& settings, std::string_view name) {
  const retention::TaskSpec* spec = spec_named(settings, name);
  return spec == nullptr || !spec->policy ? nullptr : std::get_if<Policy>(&*spec->policy);
}

/// A double-quoted scalar of YAML, in which nothing is substituted.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '$') out += '$';
    out += c;
  }
  return out + '"';
}

/// The lines of a block, commented out unless `there`.
std::string block(bool there, std::string_view text) {
  if (there) return std::string(text);
  std::string out;
  for (const std::string& line : split(text.substr(0, text.size() - 1), '\n'))
    out += (line.empty() ? "" : "# " + line) + '\n';
  return out;
}

constexpr std::string_view head =
    R"(# steward's configuration. See that it is right:  steward config check --config FILE
# What each value is, and where it comes from:    steward config show --config FILE
#
# ${NAME} is a variable of the environment, ${NAME:-text} has a default, ${file:/run/secrets/x} is a file's content,
# $$ is a dollar. Paths are relative to this file's folder. A file replaces the built-in tasks: what is not here is not
# done.
version: 1

# A name that plans, manifests and the ledger show.
)";

constexpr std::string_view mockups = R"(
  # Rows with the file that each names: the file goes to the archive, verified; then the row, then the file.
  archive-mockups:
    kind: rows-with-files
    table: mockups
    age_column: created_at
    age: 12 months
    file_column: image_url
    root: {}
    archive: cold
)";
constexpr std::string_view signals = R"(
  # Rows that go for good. `archive: cold` would write them to the archive first.
  purge-signals:
    kind: rows
    table: signals
    age_column: timestamp
    age: 30 days
    # where: [{column: status, in: [done, failed]}]
    # hold_when: [{column: legal_hold, equals: true}]
)";
constexpr std::string_view logs = R"(
  purge-logs:
    kind: files
    folder: {}
    names: ["*.log", "*.log.[0-9]*", "*.log-[0-9]*", "*.log.gz", "*.log.zst", "*.log.xz", "*.log.bz2"]
    leave_out: [archive]
    age: 30 days
)";
constexpr std::string_view objects = R"(
  expire-objects:
    kind: objects
    store: bucket
    age: {}
)";
constexpr std::string_view audit = R"(
  purge-audit-logs:
    kind: rows
    table: audit_logs
    age_column: timestamp
    age: 18 months
    archive: cold
)";

constexpr std::string_view rotated = R"(
# The policies of `steward run rotate-logs`: each log goes to archive/LOG.TIME beside it.
rotate-logs:
  logs:
    folder: {}
    # reopen: {{signal: USR1, pid_file: /run/app.pid}}
    # compress: zstd
    keep: 7 days
)";

}  // namespace

std::string initial_file(const Settings& settings) {
  const auto* files = policy_of<retention::FileRowPolicy>(settings, "archive-mockups");
  const auto* log_files = policy_of<retention::FilePolicy>(settings, "purge-logs");
  const auto* bucket = policy_of<retention::ObjectPolicy>(settings, "expire-objects");
  const bool database = files != nullptr;
  std::string out(head);
  out += settings.environment.empty() ? "# environment: production\n"
                                      : fmt::format("environment: {}\n", quoted(settings.environment));
  out += "\n# By a name of yours. Better without a password: ~/.pgpass, PGPASSFILE, PGPASSWORD.\n";
  out += block(database, "databases:\n  app: ${DATABASE_URL}\n");
  out += "\n# Buckets and folders, by a name of yours. Keys come from AWS's chain, or stand here.\nstores:\n";
  out +=
      fmt::format("  cold: {}\n", quoted(settings.archives.empty() ? "cold_storage" : settings.archives.front().url));
  out += bucket != nullptr ? fmt::format("  bucket: {}\n", quoted(bucket->bucket.url))
                           : "  # bucket:\n  #   url: s3://NAME\n  #   endpoint: https://s3.example.net\n";
  out += "\n# The tasks of `steward run cleanup`, in their order.\ncleanup:";
  if (!database && log_files == nullptr && bucket == nullptr) out += " {}";
  out += '\n';
  out += block(database, fmt::format(fmt::runtime(mockups), quoted(database ? files->root : ".")));
  out += block(database, signals);
  out += block(log_files != nullptr,
               fmt::format(fmt::runtime(logs), quoted(log_files != nullptr ? log_files->folder : "logs")));
  out += block(bucket != nullptr,
               fmt::format(fmt::runtime(objects), bucket != nullptr ? format_age(bucket->age) : "90 days"));
  out += block(database, audit);
  out += block(log_files != nullptr,
               fmt::format(fmt::runtime(rotated), quoted(log_files != nullptr ? log_files->folder : "logs")));
  return out;
}

}  // namespace steward::app
