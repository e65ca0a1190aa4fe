#include "jobs/backup/requirements.h"

#include <algorithm>

#include "io/sql/database_url.h"
#include "jobs/backup/age.h"
#include "jobs/backup/clients.h"
#include "jobs/backup/pgbackrest_program.h"
#include "jobs/backup/postgres_dump.h"
#include "jobs/backup/verify.h"

namespace steward::backup {
namespace {

bool is_postgres(const sql::Target& target) {
  const auto url = sql::parse_database_url(target.url);
  return url && url->dialect == sql::Dialect::postgres;
}

bool is_restored(const Policy& policy) { return policy.proof && policy.proof->depth == Depth::restore; }

}  // namespace

std::vector<Lack> lacking(const PolicySpec& spec) {
  std::vector<Lack> out;
  if (spec.pgbackrest && spec.off_by.empty())
    if (const auto program = PgBackRestProgram::find(*spec.pgbackrest); !program)
      out.push_back({spec.name, program.error()});
  if (!spec.policy || !spec.off_by.empty()) return out;
  const Policy& policy = *spec.policy;
  const std::string proof = proof_info(spec).name;
  if (!policy.recipients.empty())
    if (const auto found = expect_age(); !found) out.push_back({spec.name, found.error()});
  if (!is_postgres(policy.database)) return out;
  const std::vector<Clients> installed = installed_clients(policy.clients);
  const auto facts = postgres_facts(policy.database);
  // A server of no version takes any client.
  const int major = facts ? facts->major : 0;
  if (!facts && !installed.empty()) return out;
  const auto clients = clients_for(major, installed);
  if (!clients) out.push_back({spec.name, clients.error()});
  if (clients && is_restored(policy))
    if (const auto server = clients_for(clients->major, installed, /*with_server=*/true); !server)
      out.push_back({proof, server.error()});
  return out;
}

std::optional<Error> lacking_for_proof(const Manifest& manifest, const std::string& clients) {
  if (manifest.is_sqlite()) return {};
  const auto found = clients_to_prove(manifest, installed_clients(clients));
  return found ? std::nullopt : std::optional(found.error());
}

}  // namespace steward::backup
