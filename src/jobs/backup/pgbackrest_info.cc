#include "jobs/backup/pgbackrest_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace steward::backup {
namespace {
using nlohmann::json;

/// Its codes of a stanza's status.
constexpr int status_ok = 0, status_no_path = 1, status_no_backups = 2, status_no_data = 3, status_mixed = 4;
/// A nightly task that is due every seven days is due on the seventh night, although it begins some minutes earlier
/// than the last time.
constexpr std::chrono::hours slack{2};
constexpr std::string_view key_read = "steward-read", key_restored = "steward-restored", key_bad = "steward-bad";
constexpr std::size_t most_of_faults = 400;

Instant instant_of(const json& seconds) { return Instant{std::chrono::seconds{seconds.get<std::int64_t>()}}; }

std::vector<Proof> proofs_of(const json& backup) {
  std::vector<Proof> out;
  if (!backup.contains("annotation")) return out;
  const json& notes = backup.at("annotation");
  const auto add = [&](std::string_view key, Depth depth) {
    const auto found = notes.find(std::string(key));
    if (found == notes.end() || !found->is_string()) return;
    const std::string text = found->get<std::string>();
    const std::size_t space = std::min(text.find(' '), text.size());
    const auto at = parse_instant(text.substr(0, space));
    if (!at) return;
    Proof proof{.depth = depth, .at = *at};
    if (key == key_bad) proof.faults.push_back(printable(trim(std::string_view(text).substr(space))));
    out.push_back(std::move(proof));
  };
  add(key_read, Depth::bytes);
  add(key_restored, Depth::restore);
  add(key_bad, Depth::bytes);
  std::ranges::stable_sort(out, {}, &Proof::at);
  return out;
}

ClusterBackup backup_from(const json& one) {
  const json& sizes = one.at("info");
  const json& stored = sizes.at("repository");
  ClusterBackup out{.label = printable(one.at("label").get<std::string>()),
                    .type = printable(one.at("type").get<std::string>()),
                    .begun = instant_of(one.at("timestamp").at("start")),
                    .ended = instant_of(one.at("timestamp").at("stop")),
                    .cluster = {sizes.at("size").get<std::uint64_t>()},
                    .copied = {sizes.at("delta").get<std::uint64_t>()},
                    .stored = {stored.at("delta").get<std::uint64_t>()},
                    .repo = one.at("database").at("repo-key").get<unsigned>(),
                    .database = one.at("database").at("id").get<int>(),
                    .has_bad_pages = one.value("error", json(false)) == json(true),
                    .proofs = proofs_of(one)};
  if (one.contains("lsn")) {
    out.start_lsn = printable(one.at("lsn").value("start", ""));
    out.stop_lsn = printable(one.at("lsn").value("stop", ""));
  }
  if (const json& wal = one.at("archive").at("start"); wal.is_string())
    out.start_wal = printable(wal.get<std::string>());
  return out;
}

Stanza stanza_of(const json& document) {
  Stanza out{.name = printable(document.at("name").get<std::string>()),
             .code = document.at("status").at("code").get<int>(),
             .message = printable(document.at("status").at("message").get<std::string>())};
  // What lies behind "other" is said of the repository alone.
  if (document.contains("repo"))
    for (const json& repo : document.at("repo"))
      if (const json& status = repo.at("status"); status.at("code") == out.code && status.at("message") != out.message)
        out.message += ": " + printable(status.at("message").get<std::string>());
  for (const json& one : document.at("backup")) out.backups.push_back(backup_from(one));
  for (const json& one : document.at("db"))
    out.systems.push_back({.id = one.at("id").get<int>(),
                           .identifier = fmt::format("{}", one.at("system-id").get<std::uint64_t>()),
                           .version = printable(one.at("version").get<std::string>())});
  for (const json& one : document.at("archive"))
    if (const json& max = one.at("max"); max.is_string())
      out.newest_wal = std::max(out.newest_wal, printable(max.get<std::string>()));
  std::ranges::stable_sort(out.backups, {}, &ClusterBackup::begun);
  return out;
}

std::string when(Instant at) { return format_instant(std::chrono::floor<std::chrono::seconds>(at)); }

}  // namespace

const System* Stanza::system_of(const ClusterBackup& backup) const {
  const auto found = std::ranges::find(systems, backup.database, &System::id);
  return found == systems.end() ? nullptr : &*found;
}

Result<Stanza> stanza_from(std::string_view text, const std::string& name) {
  Stanza stanza;
  try {
    const json document = json::parse(text);
    const auto found = std::ranges::find_if(document, [&](const json& one) { return one.at("name") == name; });
    if (found == document.end()) stanza = {.name = name, .code = status_no_path, .message = "it is not configured"};
    if (found != document.end()) stanza = stanza_of(*found);
  } catch (const json::exception& e) {
    return fail(Kind::corrupt, fmt::format("pgBackRest's info is of a form that steward does not know: {}",
                                           printable(std::string_view(e.what()))));
  }
  if (stanza.code == status_no_path || stanza.code == status_no_data)
    return fail(Kind::not_found, fmt::format("there is no stanza {}: {}", printable(name), stanza.message),
                fmt::format("pgbackrest --stanza={} stanza-create makes it.", name));
  if (stanza.code != status_ok && stanza.code != status_no_backups && stanza.code != status_mixed)
    return fail(Kind::unavailable, fmt::format("the stanza {} is not well: {}", printable(name), stanza.message));
  return stanza;
}

std::vector<std::string> annotations_of(const Proof& proof) {
  const std::string at = when(proof.at);
  if (!proof.faults.empty()) {
    std::string faults = fmt::format("{}", fmt::join(proof.faults, "; "));
    if (faults.size() > most_of_faults) faults.resize(most_of_faults);
    return {fmt::format("{}={} {}", key_bad, at, faults)};
  }
  return {fmt::format("{}={}", proof.depth == Depth::restore ? key_restored : key_read, at),
          fmt::format("{}=", key_bad)};
}

TypeChoice type_of_next(const TypeRule& rule, std::span<const ClusterBackup> backups, Instant now) {
  const auto last = [&](bool differential_too) -> const ClusterBackup* {
    const ClusterBackup* found = nullptr;
    for (const ClusterBackup& one : backups)
      if (one.type == "full" || (differential_too && one.type == "diff")) found = &one;
    return found;
  };
  const ClusterBackup* full = last(false);
  if (full == nullptr) return {"full", "there is no full one yet"};
  const auto is_due = [&](const std::optional<Age>& age, const ClusterBackup& since) {
    return age && since.begun <= before(now, *age) + slack;
  };
  if (is_due(rule.full, *full))
    return {"full", fmt::format("the last full one is of {}, and one is due every {}", when(full->begun),
                                format_age(*rule.full))};
  if (const ClusterBackup* base = last(true); is_due(rule.differential, *base))
    return {"diff", fmt::format("the last full or differential one is of {}, and one is due every {}",
                                when(base->begun), format_age(*rule.differential))};
  return {"incr", fmt::format("the last full one is of {}", when(full->begun))};
}

Backup as_backup(const ClusterBackup& backup, const Stanza& stanza, const std::string& version) {
  const System* system = stanza.system_of(backup);
  Manifest manifest{.name = stanza.name,
                    .run = backup.label,
                    .database = "the cluster of stanza " + stanza.name,
                    .identity = system == nullptr ? std::string{} : system->identifier,
                    .server = system == nullptr ? std::string{} : "PostgreSQL " + system->version,
                    .client = "pgBackRest " + version,
                    .database_size = backup.cluster,
                    .lsn = backup.start_lsn,
                    .begun = backup.begun,
                    .ended = backup.ended};
  manifest.objects.push_back({.key = backup.type, .size = backup.stored, .uncompressed = backup.copied});
  return {.manifest = std::move(manifest), .proofs = backup.proofs};
}

Result<ClusterBackup> find_cluster_backup(const Stanza& stanza, std::string_view text) {
  if (stanza.backups.empty())
    return fail(Kind::not_found, fmt::format("there is no backup of stanza {} yet", stanza.name),
                "steward run backup makes one.");
  if (text == "latest") return stanza.backups.back();
  if (text.starts_with(stanza.name + '/')) text.remove_prefix(stanza.name.size() + 1);
  const ClusterBackup* found = nullptr;
  for (const ClusterBackup& one : stanza.backups) {
    if (one.label == text) return one;
    if (!one.label.starts_with(text)) continue;
    if (found != nullptr)
      return fail(Kind::bad_input, fmt::format("\"{}\" fits several backups", printable(text)),
                  fmt::format("For example {} and {}.", found->label, one.label));
    found = &one;
  }
  if (found != nullptr) return *found;
  return fail(Kind::not_found, fmt::format("there is no backup \"{}\" of stanza {}", printable(text), stanza.name),
              fmt::format("The newest is {}: steward backup list.", stanza.backups.back().label));
}

}  // namespace steward::backup
