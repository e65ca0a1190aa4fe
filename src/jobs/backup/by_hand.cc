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
  add(sqlite_dump_key, " -o restored.db");
  return out;
}

}  // namespace steward::backup
