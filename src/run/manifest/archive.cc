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

/// The id file's document, checked.
Result<json> document_in(const std::string& text, const std::string& where) {
  json document = json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object() || !document.contains("id") || !document["id"].is_string())
    return fail(Kind::corrupt, fmt::format("{}/{} is not an archive's id file", where, id_key),
                "Restore it from a copy of the archive, or choose another cold storage.");
  if (document.value("format", 0) > format)
    return fail(Kind::refused,
                fmt::format("the archive at {} is of format {}, this program knows {}", where,
                            document.value("format", 0), format),
                "Use the steward that wrote it, or a newer one.", "archive-newer");
  return document;
}

std::string text_in(const json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

Identity identity_in(const json& document) {
  Identity out{.id = document["id"].get<std::string>(),
               .ledger = text_in(document, "ledger"),
               .environment = text_in(document, "environment")};
  const auto adopted = document.find("adopted");
  if (adopted == document.end() || !adopted->is_array() || adopted->empty() || !adopted->back().is_object()) return out;
  out.adopted = parse_instant(text_in(adopted->back(), "at"));
  out.adopted_by = text_in(adopted->back(), "by");
  return out;
}

Result<Identity> make(object::Store& store, Instant now, const std::string& environment, const std::string& ledger) {
  const json document{{"steward", "archive"},        {"format", format}, {"id", random_hex(16)},
                      {"made", format_instant(now)}, {"ledger", ledger}, {"environment", environment}};
  const std::string text = document.dump(1) + '\n';
  StringSource source(text);
  auto put = store.put(id_key, source, {.only_if_absent = true, .size = Bytes{text.size()}});
  if (put) return identity_in(document);
  if (put.error().code != "exists") return std::unexpected(std::move(put).error());
  auto there = TRY(identity(store));  // another run made it at the same moment
  if (!there)
    return fail(Kind::unavailable, fmt::format("the id file of {} came and went", store.shown()), "Run it again.");
  return *std::move(there);
}

/// Whether the archive has yet to be told the ledger that it belongs to, or the name of its environment.
bool lacks_owner(const Identity& archive, const std::string& environment) {
  return archive.ledger.empty() || (archive.environment.empty() && !environment.empty());
}

/// "1234abcd": enough of an id to tell it from another.
std::string_view short_id(std::string_view id) { return id.substr(0, 8); }

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
          {"condition", base64(hold.condition)},
          {"condition_shown", printable(hold.condition)},
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
  const auto condition = from_base64(j.value("condition", ""));
  if (!key || !condition) return {};
  return ledger::Hold{.id = j.value("id", ""),
                      .kind = j.value("kind", ""),
                      .target = j.value("target", ""),
                      .key = *key,
                      .prefix = j.value("prefix", false),
                      .condition = *condition,
                      .reason = j.value("reason", ""),
                      .who = j.value("who", ""),
                      .made = instant("made").value_or(Instant{}),
                      .until = instant("until"),
                      .released = instant("released"),
                      .released_by = j.value("released_by", "")};
}

}  // namespace

Result<std::optional<Identity>> identity(object::Store& store) {
  const auto text = TRY(small_object(store, id_key));
  if (!text) return std::nullopt;
  return identity_in(TRY(document_in(*text, store.shown())));
}

std::optional<Error> foreign(const Identity& archive, const std::string& shown, const ledger::Ledger& ledger,
                             const std::string& environment) {
  if (!archive.environment.empty() && !environment.empty() && archive.environment != environment)
    return Error{
        Kind::refused,
        fmt::format("the archive {} is written by the environment {}, and this is {}", shown,
                    printable(archive.environment), environment),
        "Give this environment a cold storage of its own; or, if it takes that one over: steward ledger adopt.",
        "environment-foreign"};
  if (archive.ledger.empty() || archive.ledger == ledger.id()) return {};
  const std::string since =
      archive.adopted ? fmt::format(", adopted on {} by {}", format_instant(*archive.adopted), archive.adopted_by) : "";
  return Error{
      Kind::refused,
      fmt::format("the archive {} belongs to ledger {}{}, and this is {} ({}): it cannot know all that is held "
                  "or frozen",
                  shown, short_id(archive.ledger), since, short_id(ledger.id()), ledger.shown()),
      "Go on with that ledger (STEWARD_STATE_DIR, STEWARD_LEDGER_URL); or, if this one takes its place: "
      "steward ledger adopt.",
      "ledger-foreign"};
}

Result<bool> adopt(object::Store& store, ledger::Ledger& ledger, const Clock& clock, const std::string& environment,
                   const std::string& who) {
  const auto text = TRY(small_object(store, id_key));
  if (!text)
    return fail(Kind::not_found, fmt::format("there is no archive at {}", store.shown()),
                "The first run that archives makes it.");
  json document = TRY(document_in(*text, store.shown()));
  const Identity before = identity_in(document);
  const bool named = environment.empty() || before.environment == environment;
  if (before.ledger == ledger.id() && named) return false;
  // The audit line first: an adoption that is on no record would be the worse half.
  const json detail{{"archive", before.id},
                    {"location", store.shown()},
                    {"from_ledger", before.ledger},
                    {"from_environment", before.environment}};
  TRY(ledger.audit(who, "archive.adopt", store.shown(), detail.dump(-1, ' ', false, json::error_handler_t::replace),
                   clock.now()));
  document["ledger"] = ledger.id();
  if (!environment.empty()) document["environment"] = environment;
  if (!document.contains("adopted") || !document["adopted"].is_array()) document["adopted"] = json::array();
  document["adopted"].push_back({{"at", format_instant(clock.now())},
                                 {"by", who},
                                 {"from_ledger", before.ledger},
                                 {"from_environment", before.environment}});
  const std::string changed = document.dump(1) + '\n';
  StringSource source(changed);
  TRY(store.put(id_key, source, {.size = Bytes{changed.size()}}));
  return true;
}

Result<bool> adopt_ownerless(object::Store& store, ledger::Ledger& ledger, const Clock& clock,
                             const std::string& environment) {
  const auto there = TRY(identity(store));
  if (!there || foreign(*there, store.shown(), ledger, environment)) return false;
  if (!lacks_owner(*there, environment)) return false;
  TRY(adopt(store, ledger, clock, environment, "steward"));
  return there->ledger.empty();
}

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
  auto there = TRY(identity(*store));
  if (!there && known) return missing();
  if (!there) there = TRY(make(*store, clock.now(), environment, ledger.id()));
  // Another archive than was known here is told as that, whoever it belongs to.
  if (!known || *known == there->id)
    if (auto refusal = foreign(*there, store->shown(), ledger, environment))
      return std::unexpected(*std::move(refusal));
  TRY(ledger.remember_archive(store->shown(), there->id, clock.now()));
  if (lacks_owner(*there, environment)) TRY(adopt(*store, ledger, clock, environment, "steward"));
  return Archive(std::move(store), std::move(there->id));
}

Result<Archive> Archive::read(const object::StoreTarget& target) {
  auto store = TRY(object::open(target));
  auto there = TRY(identity(*store));
  if (!there)
    return fail(Kind::not_found, fmt::format("there is no archive at {}", store->shown()),
                "Set COLD_STORAGE_PATH to where it is.");
  return Archive(std::move(store), std::move(there->id));
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
