#include "jobs/backup/by_hand.h"

#include <fmt/format.h>

namespace steward::backup {
namespace {

/// For a POSIX shell.
std::string quoted(std::string_view text) {
  if (text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:") ==
      std::string_view::npos)
    return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + '\'';
}

std::string reading(const std::string& store, const std::string& key) {
  constexpr std::string_view file = "file://";
  if (store.starts_with(file)) return "cat " + quoted(store.substr(file.size()) + '/' + key);
  return fmt::format("aws s3 cp {} -", quoted(store + '/' + key));
}

/// The names of a dump's parts are in its order, so a shell's or a listing's is.
std::string reading_parts(const Manifest& manifest, const std::string& store) {
  constexpr std::string_view file = "file://";
  const bool is_encrypted = manifest.find(postgres_part_key(0))->is_encrypted();
  const std::string_view decrypting = is_encrypted ? " | age -d -i KEY.txt" : "";
  const std::string parts = manifest.id() + "/dump-";
  if (store.starts_with(file))
    return fmt::format("for part in {}*; do cat \"$part\"{}; done", quoted(store.substr(file.size()) + '/' + parts),
                       decrypting);
  return fmt::format("for part in $(aws s3 ls {} | awk '{{print $4}}'); do aws s3 cp {}\"$part\" -{}; done",
                     quoted(store + '/' + parts), quoted(store + '/' + manifest.id() + '/'), decrypting);
}

}  // namespace

std::vector<std::string> by_hand(const Manifest& manifest, const std::string& store) {
  std::vector<std::string> out;
  const auto add = [&](std::string_view key, std::string_view rest) {
    const StoredObject* object = manifest.find(key);
    if (object == nullptr) return;
    const std::string_view decrypting = object->is_encrypted() ? " | age -d -i KEY.txt" : "";
    out.push_back(fmt::format("{}{} | zstd -d{}", reading(store, manifest.key_of(object->key)), decrypting, rest));
  };
  add(globals_key, " | psql -X -d \"$TARGET\"");
  add(postgres_dump_key, " | pg_restore --exit-on-error -d \"$TARGET\"");
  if (manifest.is_in_parts())
    out.push_back(reading_parts(manifest, store) + " | zstd -d | pg_restore --exit-on-error -d \"$TARGET\"");
  add(sqlite_dump_key, " -o restored.db");
  return out;
}

}  // namespace steward::backup
