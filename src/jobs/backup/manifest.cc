#include "jobs/backup/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <ranges>
#include <set>

#include "core/digest.h"
#include "core/text.h"

namespace steward::backup {
namespace {
using nlohmann::json;

/// 1 is of dumps in one object alone, 2 knows those in parts, 3 has a hash of itself.
constexpr int newest_format = 3, first_with_a_hash = 3;
constexpr std::string_view kind = "steward-backup";
constexpr std::string_view proof_prefix = "proof-";
/// In a manifest: the hash of all that it says beside.
constexpr const char* hash_of_itself = "sha256";
/// A manifest says little; what is longer is none.
constexpr std::uint64_t longest_manifest = std::uint64_t{64} << 20;

Instant instant_at(const json& document, const char* key) {
  const auto parsed = parse_instant(document.at(key).get<std::string>());
  if (!parsed) throw std::invalid_argument(std::string(key) + " is no time");
  return *parsed;
}

Result<std::string> read_text(object::Store& store, const std::string& key) {
  StringSink text;
  TRY(store.get(key, text));
  return std::move(text.text);
}

Result<Proof> proof_from(std::string_view text) {
  try {
    const json document = json::parse(text);
    return Proof{.depth = document.at("depth").get<std::string>() == "restore" ? Depth::restore : Depth::bytes,
                 .at = instant_at(document, "at"),
                 .faults = document.at("faults").get<std::vector<std::string>>()};
  } catch (const std::exception& error) {
    return fail(Kind::corrupt, fmt::format("a proof cannot be read: {}", printable(error.what())));
  }
}

/// A key of the store, taken apart: "app", "20261129T000000Z-4f2a91", "manifest.json". Nothing where it is of another
/// form.
struct Parts {
  std::string folder{}, object{};
};
std::optional<Parts> parts_of(std::string_view key) {
  const std::size_t first = key.find('/');
  const std::size_t second = first == std::string_view::npos ? first : key.find('/', first + 1);
  if (second == std::string_view::npos) return {};
  return Parts{.folder = std::string(key.substr(0, second)), .object = std::string(key.substr(second + 1))};
}

std::string prefix_of(std::string_view name) { return name.empty() ? std::string{} : std::string(name) + '/'; }

}  // namespace

std::string postgres_part_key(std::uint32_t part) { return fmt::format("dump-{:06}.pgc.zst", part); }

std::vector<const StoredObject*> Manifest::dump() const {
  std::vector<const StoredObject*> out;
  for (const StoredObject& object : objects)
    if (object.key.starts_with("dump") || object.key.starts_with(sqlite_dump_key)) out.push_back(&object);
  return out;
}

const StoredObject* Manifest::find(std::string_view key) const {
  const auto found = std::ranges::find_if(objects, [&](const StoredObject& object) {
    return object.key == key || (object.is_encrypted() && object.key.substr(0, object.key.rfind('.')) == key);
  });
  return found == objects.end() ? nullptr : &*found;
}

Bytes Manifest::size() const {
  Bytes sum{};
  for (const StoredObject& object : objects) sum += object.size;
  return sum;
}

json to_json(const Manifest& manifest) {
  json objects = json::array();
  for (const StoredObject& object : manifest.objects)
    objects.push_back({{"key", object.key},
                       {"bytes", object.size.count},
                       {"uncompressed", object.uncompressed.count},
                       {"sha256", object.sha256}});
  json out{{"format", newest_format},
           {"kind", kind},
           {"id", manifest.id()},
           {"name", manifest.name},
           {"run", manifest.run},
           {"database", manifest.database},
           {"identity", manifest.identity},
           {"server", manifest.server},
           {"client", manifest.client},
           {"encoding", manifest.encoding},
           {"database_size", manifest.database_size.count},
           {"snapshot", manifest.snapshot},
           {"lsn", manifest.lsn},
           {"begun", format_instant(manifest.begun)},
           {"ended", format_instant(manifest.ended)},
           {"objects", objects},
           {"tables", manifest.tables},
           {"rows", manifest.rows},
           {"large_objects", manifest.large_objects},
           {"steward", manifest.steward},
           {"by_hand", manifest.by_hand}};
  if (manifest.locked_until) out["locked_until"] = format_instant(*manifest.locked_until);
  out[hash_of_itself] = sha256_hex(out.dump());
  return out;
}

Result<Manifest> manifest_from(std::string_view text) {
  try {
    json document = json::parse(text);
    if (document.at("kind").get<std::string>() != kind) return fail(Kind::corrupt, "it is no manifest of a backup");
    const std::string hash = document.value(hash_of_itself, std::string{});
    document.erase(hash_of_itself);
    if (!hash.empty() && hash != sha256_hex(document.dump()))
      return fail(Kind::corrupt, "a backup's manifest has other words than were written");
    const int format = document.at("format").get<int>();
    if (format > newest_format)
      return fail(
          Kind::refused,
          fmt::format("a backup's manifest has format {}, and this steward knows up to {}", format, newest_format),
          "Use the steward that made it, or a newer one.", "backup-newer");
    if (hash.empty() && format >= first_with_a_hash)
      return fail(Kind::corrupt, "a backup's manifest has no hash of itself");
    Manifest manifest{.name = document.at("name").get<std::string>(),
                      .run = document.at("run").get<std::string>(),
                      .database = document.at("database").get<std::string>(),
                      .identity = document.at("identity").get<std::string>(),
                      .server = document.at("server").get<std::string>(),
                      .client = document.at("client").get<std::string>(),
                      .encoding = document.at("encoding").get<std::string>(),
                      .database_size = {document.at("database_size").get<std::uint64_t>()},
                      .snapshot = document.at("snapshot").get<std::string>(),
                      .lsn = document.at("lsn").get<std::string>(),
                      .begun = instant_at(document, "begun"),
                      .ended = instant_at(document, "ended"),
                      .tables = document.at("tables").get<std::uint64_t>(),
                      .rows = document.at("rows").get<std::uint64_t>(),
                      .large_objects = document.at("large_objects").get<std::uint64_t>(),
                      .steward = document.at("steward").get<std::string>(),
                      .by_hand = document.at("by_hand").get<std::vector<std::string>>()};
    if (document.contains("locked_until")) manifest.locked_until = instant_at(document, "locked_until");
    for (const json& object : document.at("objects"))
      manifest.objects.push_back({.key = object.at("key").get<std::string>(),
                                  .size = {object.at("bytes").get<std::uint64_t>()},
                                  .uncompressed = {object.at("uncompressed").get<std::uint64_t>()},
                                  .sha256 = object.at("sha256").get<std::string>()});
    return manifest;
  } catch (const std::exception& error) {
    return fail(Kind::corrupt, fmt::format("a backup's manifest cannot be read: {}", printable(error.what())));
  }
}

std::string_view text_of(Depth depth) { return depth == Depth::restore ? "restore" : "bytes"; }

std::optional<Instant> Backup::restored() const {
  for (const Proof& proof : std::views::reverse(proofs)) {
    if (!proof.faults.empty()) return {};
    if (proof.depth == Depth::restore) return proof.at;
  }
  return {};
}

std::string_view Backup::standing() const {
  if (is_bad()) return "bad";
  if (restored()) return "restored";
  return proofs.empty() ? "not proved" : "read";
}

namespace {

/// What stands for a backup whose manifest cannot be read: it is bad since it was written so.
Backup unreadable(const std::string& folder, Instant written, const std::string& why) {
  const std::size_t slash = folder.find('/');
  return {.manifest = {.name = folder.substr(0, slash),
                       .run = folder.substr(slash + 1),
                       .begun = written,
                       .ended = written},
          .proofs = {{.depth = Depth::bytes, .at = written, .faults = {why}}},
          .unreadable = why};
}

/// Errors of the store alone: what is broken there is no reason to see nothing of the rest.
Result<Backup> read_backup(object::Store& store, const std::string& folder, Instant written,
                           const std::vector<std::string>& proofs) {
  const std::string text = TRY(read_text(store, folder + '/' + std::string(manifest_key)));
  auto manifest = manifest_from(text);
  if (!manifest && manifest.error().kind != Kind::corrupt) return fail_while(folder, std::move(manifest).error());
  if (!manifest) return unreadable(folder, written, manifest.error().message);
  Backup backup{.manifest = *std::move(manifest)};
  for (const std::string& key : proofs) {
    const std::string words = TRY(read_text(store, key));
    // One that cannot be read proves nothing, and no fault either.
    if (auto proof = proof_from(words)) backup.proofs.push_back(*std::move(proof));
  }
  std::ranges::sort(backup.proofs, {}, &Proof::at);
  return backup;
}

}  // namespace

Result<std::vector<Backup>> list_backups(object::Store& store, std::string_view name) {
  std::map<std::string, std::vector<std::string>> proofs;
  std::map<std::string, Instant> whole;
  TRY(store.list(prefix_of(name), [&](const object::ObjectInfo& object) -> Result<bool> {
    const auto parts = parts_of(object.key);
    if (!parts) return true;
    if (parts->object == manifest_key && object.size.count < longest_manifest)
      whole.emplace(parts->folder, object.modified);
    if (parts->object.starts_with(proof_prefix)) proofs[parts->folder].push_back(object.key);
    return true;
  }));
  std::vector<Backup> out;
  for (const auto& [folder, written] : whole) out.push_back(TRY(read_backup(store, folder, written, proofs[folder])));
  std::ranges::sort(out, {}, [](const Backup& one) { return std::pair(one.manifest.begun, one.manifest.id()); });
  return out;
}

Result<Backup> find_backup(object::Store& store, std::string_view text, std::string_view name) {
  std::vector<Backup> all = TRY(list_backups(store));
  if (all.empty())
    return fail(Kind::not_found, fmt::format("there is no backup at {}", store.shown()),
                "steward run backup makes one.");
  constexpr std::string_view latest = "/latest";
  const bool is_latest = text == "latest" || text.ends_with(latest);
  const std::string_view of = text.ends_with(latest) ? text.substr(0, text.size() - latest.size()) : name;
  for (Backup& one : std::views::reverse(all))
    if (is_latest && one.manifest.name == of) return std::move(one);
  const bool is_one =
      std::ranges::all_of(all, [&](const Backup& one) { return one.manifest.name == all[0].manifest.name; });
  if (text == "latest" && is_one) return std::move(all.back());
  if (text == "latest")
    return fail(Kind::bad_input, "there are backups of several databases",
                fmt::format("Say of which you mean the newest, as in {}/latest.", all.back().manifest.name));
  std::erase_if(all, [&](const Backup& one) {
    return !one.manifest.id().starts_with(text) && !one.manifest.run.starts_with(text);
  });
  if (all.empty())
    return fail(Kind::not_found, fmt::format("there is no backup {} at {}", printable(text), store.shown()),
                "steward backup list shows those that there are.");
  if (all.size() > 1)
    return fail(Kind::bad_input, fmt::format("{} backups begin with {}", all.size(), printable(text)),
                fmt::format("Write more of it, as in {}.", all.back().manifest.id()));
  return std::move(all.front());
}

Result<void> write_proof(object::Store& store, const Manifest& manifest, const Proof& proof) {
  const std::string text =
      json{{"depth", text_of(proof.depth)}, {"at", format_instant(proof.at)}, {"faults", proof.faults}}.dump(2) + '\n';
  StringSource source(text);
  const std::string key = manifest.key_of(fmt::format("{}{}.json", proof_prefix, format_compact(proof.at)));
  TRY(store.put(key, source, {.size = Bytes{text.size()}}));
  return {};
}

Growth growth(std::span<const Backup> backups) {
  constexpr std::chrono::days month{30};
  Growth out{.backups = backups.size()};
  if (backups.empty()) return out;
  const Instant newest = backups.back().manifest.begun;
  // Each backup of the month stands for the time since the one before.
  Bytes lately{};
  Instant first = newest;
  for (const Backup& one : std::views::reverse(backups)) {
    out.bytes += one.manifest.size();
    if (newest - one.manifest.begun > month) continue;
    lately += one.manifest.size();
    first = one.manifest.begun;
  }
  const auto span = newest - first;
  if (span < std::chrono::days{1}) return out;
  // The first one came before the span began.
  for (const Backup& one : backups)
    if (one.manifest.begun == first) lately.count -= one.manifest.size().count;
  out.monthly = Bytes{static_cast<std::uint64_t>(static_cast<double>(lately.count) *
                                                 static_cast<double>(std::chrono::microseconds(month).count()) /
                                                 static_cast<double>(span.count()))};
  return out;
}

std::string text_of(const Growth& growth) {
  std::string out = fmt::format("{} backup{} with {}", format_count(growth.backups), growth.backups == 1 ? "" : "s",
                                format_bytes(growth.bytes));
  if (growth.monthly) out += fmt::format(", about {} more in a month", format_bytes(*growth.monthly));
  return out;
}

Result<std::vector<object::ObjectInfo>> debris(object::Store& store, std::string_view name, Instant before) {
  std::map<std::string, std::vector<object::ObjectInfo>> folders;
  std::set<std::string> whole, fresh;
  TRY(store.list(prefix_of(name), [&](const object::ObjectInfo& object) -> Result<bool> {
    const auto parts = parts_of(object.key);
    if (!parts) return true;
    if (parts->object == manifest_key) whole.insert(parts->folder);
    if (object.modified >= before) fresh.insert(parts->folder);
    folders[parts->folder].push_back(object);
    return true;
  }));
  std::vector<object::ObjectInfo> out;
  for (auto& [folder, objects] : folders)
    if (!whole.contains(folder) && !fresh.contains(folder)) std::ranges::move(objects, std::back_inserter(out));
  return out;
}

}  // namespace steward::backup
