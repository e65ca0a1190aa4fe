#include "run/manifest/archive.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/random.h"
#include "core/text.h"

namespace steward::manifest {
namespace {
using nlohmann::json;

constexpr int format = 1;

Result<std::optional<std::string>> small_object(object::Store& store, std::string_view key) {
  StringSink sink;
  auto got = store.get(key, sink);
  if (!got && got.error().kind == Kind::not_found) return std::nullopt;
  if (!got) return std::unexpected(std::move(got).error());
  return std::optional(std::move(sink.text));
}

Result<std::string> id_in(const std::string& text, const std::string& where) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object() || !document.contains("id") || !document["id"].is_string())
    return fail(Kind::corrupt, fmt::format("{}/{} is not an archive's id file", where, id_key),
                "Restore it from a copy of the archive, or choose another cold storage.");
  if (document.value("format", 0) > format)
    return fail(Kind::refused,
                fmt::format("the archive at {} is of format {}, this program knows {}", where,
                            document.value("format", 0), format),
                "Use the steward that wrote it, or a newer one.", "archive-newer");
  return document["id"].get<std::string>();
}

Result<std::string> make(object::Store& store, Instant now, const std::string& environment) {
  std::string id = random_hex(16);
  const json document{{"steward", "archive"},
                      {"format", format},
                      {"id", id},
                      {"made", format_instant(now)},
                      {"environment", environment}};
  const std::string text = document.dump(1) + '\n';
  StringSource source(text);
  auto put = store.put(id_key, source, {.only_if_absent = true, .size = Bytes{text.size()}});
  if (put) return id;
  if (put.error().code != "exists") return std::unexpected(std::move(put).error());
  const auto there = TRY(small_object(store, id_key));  // another run made it at the same moment
  if (!there)
    return fail(Kind::unavailable, fmt::format("the id file of {} came and went", store.shown()), "Run it again.");
  return id_in(*there, store.shown());
}

json hold_to_json(const ledger::Hold& hold) {
  const auto instant = [](const std::optional<Instant>& at) { return at ? json(format_instant(*at)) : json(nullptr); };
  return {{"steward", "hold"},
          {"format", format},
          {"id", hold.id},
          {"kind", hold.kind},
          {"target", hold.target},
          {"key", base64(hold.key)},
          {"key_shown", printable(hold.key)},
          {"prefix", hold.prefix},
          {"reason", printable(hold.reason)},
          {"who", hold.who},
          {"made", format_instant(hold.made)},
          {"until", instant(hold.until)},
          {"released", instant(hold.released)},
          {"released_by", hold.released_by}};
}

std::optional<ledger::Hold> hold_from_json(const json& j) {
  if (!j.is_object() || j.value("steward", "") != "hold") return {};
  const auto instant = [&](const char* key) {
    return j.contains(key) && j[key].is_string() ? parse_instant(j[key].get<std::string>()) : std::nullopt;
  };
  const auto key = from_base64(j.value("key", ""));
  if (!key) return {};
  return ledger::Hold{.id = j.value("id", ""),
                      .kind = j.value("kind", ""),
                      .target = j.value("target", ""),
                      .key = *key,
                      .prefix = j.value("prefix", false),
                      .reason = j.value("reason", ""),
                      .who = j.value("who", ""),
                      .made = instant("made").value_or(Instant{}),
                      .until = instant("until"),
                      .released = instant("released"),
                      .released_by = j.value("released_by", "")};
}

}  // namespace

Result<Archive> Archive::open(const object::StoreTarget& target, ledger::Ledger& ledger, const Clock& clock,
                              const std::string& environment) {
  object::StoreTarget making = target;
  std::optional<std::string> known;
  auto peek = object::open(target);  // without making a folder, to learn what the place is called
  const bool absent = !peek && peek.error().kind == Kind::not_found;
  if (!peek && !absent) return std::unexpected(std::move(peek).error());
  const std::string place = peek ? (*peek)->shown() : target.url;
  for (const ledger::ArchiveRecord& record : TRY(ledger.archives()))
    if (record.location == place) known = record.id;
  const auto missing = [&] {
    return fail(
        Kind::refused, fmt::format("the archive {} is not at {}", *known, place),
        "Mount or restore the cold storage first: its id file steward-archive.json is gone. Nothing was removed.",
        "archive-missing");
  };
  if (absent && known) return missing();
  making.create = true;
  auto store = peek ? *std::move(peek) : TRY(object::open(making));
  const auto there = TRY(small_object(*store, id_key));
  if (!there && known) return missing();
  std::string id = there ? TRY(id_in(*there, store->shown())) : TRY(make(*store, clock.now(), environment));
  TRY(ledger.remember_archive(store->shown(), id, clock.now()));
  return Archive(std::move(store), std::move(id));
}

Result<Archive> Archive::read(const object::StoreTarget& target) {
  auto store = TRY(object::open(target));
  const auto there = TRY(small_object(*store, id_key));
  if (!there)
    return fail(Kind::not_found, fmt::format("there is no archive at {}", store->shown()),
                "Set COLD_STORAGE_PATH to where it is.");
  std::string id = TRY(id_in(*there, store->shown()));
  return Archive(std::move(store), std::move(id));
}

Result<void> write_hold(object::Store& store, const ledger::Hold& hold) {
  const std::string text = hold_to_json(hold).dump(1) + '\n';
  StringSource source(text);
  TRY(store.put(fmt::format("holds/{}.json", hold.id), source, {.size = Bytes{text.size()}}));
  return {};
}

Result<std::vector<ledger::Hold>> read_holds(object::Store& store) {
  std::vector<std::string> keys;
  TRY(store.list("holds/", [&](const object::ObjectInfo& info) -> Result<bool> {
    if (info.key.ends_with(".json")) keys.push_back(info.key);
    return true;
  }));
  std::vector<ledger::Hold> holds;
  for (const std::string& key : keys) {
    const auto text = TRY(small_object(store, key));
    if (!text) continue;
    auto hold = hold_from_json(json::parse(*text, nullptr, false));
    if (!hold)
      return fail(Kind::corrupt, fmt::format("{}/{} is not a hold", store.shown(), key),
                  "Mend or remove that file; until then nothing is removed.");
    if (!hold->released) holds.push_back(*std::move(hold));
  }
  return holds;
}

}  // namespace steward::manifest
