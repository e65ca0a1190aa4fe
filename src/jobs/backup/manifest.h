/// A backup's manifest, and the backups that are in a store.
#pragma once
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/instant.h"
#include "core/result.h"
#include "io/object/store.h"
#include "jobs/backup/contents.h"

namespace steward::backup {

inline constexpr std::string_view manifest_key = "manifest.json", contents_key = "contents.jsonl.zst",
                                  globals_key = "globals.sql.zst";
/// Of a database's dump, by what it is of.
inline constexpr std::string_view postgres_dump_key = "dump.pgc.zst", sqlite_dump_key = "database.sqlite.zst";
/// Of a PostgreSQL dump in many objects: "dump-000000.pgc.zst" is what comes before the rows, each further one a block.
/// Their names are in the order in which they are one archive.
std::string postgres_part_key(std::uint32_t part);

/// One object of a backup.
struct StoredObject {
  std::string key{};  ///< Within the backup's folder: "dump.pgc.zst".
  Bytes size{}, uncompressed{};
  std::string sha256{};  ///< Of the object as it is stored.
  bool is_encrypted() const { return key.ends_with(".age"); }
};

struct Manifest {
  std::string name{}, run{};
  std::string database{};  ///< Without secrets: "postgresql://app@db/app".
  std::string identity{};  ///< io/sql/connection.h
  std::string server{};    ///< "PostgreSQL 15.18".
  std::string client{};    ///< "pg_dump (PostgreSQL) 15.18"; of SQLite its version.
  std::string encoding{};  ///< PostgreSQL: "UTF8".
  Bytes database_size{};   ///< On the disk of its server.
  std::string snapshot{};  ///< PostgreSQL: the transactions that it sees, pg_current_snapshot().
  std::string lsn{};       ///< PostgreSQL: where the write-ahead log was.
  Instant begun{}, ended{};
  std::vector<StoredObject> objects{};
  std::uint64_t tables = 0, rows = 0, large_objects = 0;
  std::optional<Instant> locked_until{};  ///< Nobody can remove it before: the store's object lock.
  std::string steward{};                  ///< The version that made it.
  std::vector<std::string> by_hand{};     ///< The commands that restore it without steward.

  /// "app/20261129T000000Z-4f2a91".
  std::string id() const { return name + '/' + run; }
  /// The key of an object in the store.
  std::string key_of(std::string_view object) const { return id() + '/' + std::string(object); }
  /// With or without its ".age"; null where there is none.
  const StoredObject* find(std::string_view key) const;
  Bytes size() const;  ///< Of all objects.
  bool is_sqlite() const { return find(sqlite_dump_key) != nullptr; }
  bool is_in_parts() const { return find(postgres_part_key(0)) != nullptr; }
  /// The objects that are the database's dump, one after another.
  std::vector<const StoredObject*> dump() const;
};

/// With a hash of all that it says, so that no byte of it changes unseen.
nlohmann::json to_json(const Manifest& manifest);
/// corrupt where it is no manifest, or not as it was written; refused (code "backup-newer") where it is of a newer
/// format.
Result<Manifest> manifest_from(std::string_view text);

enum class Depth {
  bytes,    ///< Every object is read and hashed.
  restore,  ///< And the backup is restored, and compared.
};
std::string_view text_of(Depth depth);

/// What a verification found; kept beside the backup.
struct Proof {
  Depth depth = Depth::bytes;
  Instant at{};
  std::vector<std::string> faults{};  ///< None: it is what the manifest says.
};

/// A backup in a store, and what is known of it.
struct Backup {
  Manifest manifest{};
  std::vector<Proof> proofs{};              ///< The oldest first.
  std::optional<std::string> unreadable{};  ///< Why its manifest cannot be read, and so nothing is known of it.
  /// Its last proof found faults.
  bool is_bad() const { return !proofs.empty() && !proofs.back().faults.empty(); }
  /// When it was last restored without a fault.
  std::optional<Instant> restored() const;
  /// "restored", "read", "not proved", or "bad".
  std::string_view standing() const;
};

/// All that are whole, the oldest first. What lies there without a manifest is none; one whose manifest cannot be read
/// is bad, and so is no other. refused (code "backup-newer"): one is of a newer steward.
Result<std::vector<Backup>> list_backups(object::Store& store, std::string_view name = {});
/// The one that `text` names: an id, its run, or a beginning of that which fits one; "app/latest" is the newest of a
/// name. "latest" is the newest of `name`; where there is none of it, the newest of all, if all have one name.
/// not_found, or bad_input where it fits several.
Result<Backup> find_backup(object::Store& store, std::string_view text, std::string_view name = {});

Result<void> write_proof(object::Store& store, const Manifest& manifest, const Proof& proof);

/// So much is there, and so much more comes in a month, as far as the last month tells: nothing where there are not two
/// backups of different days.
struct Growth {
  std::uint64_t backups = 0;
  Bytes bytes{};
  std::optional<Bytes> monthly{};
};
Growth growth(std::span<const Backup> backups);
/// "31 backups with 12 GiB, about 11 GiB more in a month".
std::string text_of(const Growth& growth);

/// What one look at a store has found that is no backup: objects below a backup's folder that has no manifest, all
/// older than `before`.
Result<std::vector<object::ObjectInfo>> debris(object::Store& store, std::string_view name, Instant before);

}  // namespace steward::backup
