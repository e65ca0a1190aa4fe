#include "jobs/backup/pgbackrest_by_hand.h"

#include <fmt/format.h>

#include "jobs/backup/pgbackrest_program.h"

namespace steward::backup {
namespace {

/// As PostgreSQL reads it: "2026-11-30 01:24:49.5+00".
std::string time_of(Instant at) {
  std::string text = format_instant(at);
  text.replace(text.find('T'), 1, " ");
  if (text.ends_with('Z')) text.replace(text.size() - 1, 1, "+00");
  return text;
}

std::vector<std::string> words_of(const PgBackRest& policy, const ClusterRestore& what) {
  std::vector<std::string> out;
  const std::string user = policy.user.empty() ? "postgres" : policy.user;
  out.insert(out.end(), {"sudo", "-u", user, "pgbackrest", "--stanza=" + policy.stanza});
  if (!policy.config.empty()) out.push_back("--config=" + policy.config);
  if (policy.repo > 0) out.push_back(fmt::format("--repo={}", policy.repo));
  out.push_back("--set=" + what.label);
  out.push_back(what.to.empty() ? "--delta" : "--pg1-path=" + what.to);
  return out;
}

}  // namespace

std::string restore_command(const PgBackRest& policy, const ClusterRestore& what) {
  std::vector<std::string> words = words_of(policy, what);
  if (what.at) words.insert(words.end(), {"--type=time", "--target=" + time_of(*what.at), "--target-action=promote"});
  words.emplace_back("restore");
  return for_a_shell(words);
}

std::vector<std::string> by_hand(const PgBackRest& policy, const std::string& label) {
  return {restore_command(policy, {.label = label}),
          for_a_shell(words_of(policy, {.label = label})) +
              " --type=time --target=\"$TIME\" --target-action=promote restore"};
}

Result<ClusterBackup> backup_before(const Stanza& stanza, Instant at) {
  const ClusterBackup* found = nullptr;
  for (const ClusterBackup& one : stanza.backups)
    if (one.ended <= at) found = &one;
  if (found != nullptr) return *found;
  if (stanza.backups.empty())
    return fail(Kind::not_found, fmt::format("there is no backup of stanza {} yet", stanza.name),
                "steward run backup makes one.");
  return fail(Kind::not_found,
              fmt::format("no backup of stanza {} reaches back to {}", stanza.name, format_instant(at)),
              fmt::format("The oldest ended at {}.", format_instant(stanza.backups.front().ended)));
}

}  // namespace steward::backup
