/// How rows leave an archive for good: by `archive forget`, and where the archive's own retention ends. One mechanism,
/// and so one record of it.
///
///   A row with its file   its copy is removed, unless another item has it too; of its line in the manifest stays that
///                         there was an item, and why it was forgotten.
///   A row of a segment    the segment is written anew without it, read back, and takes the old one's place; without
///                         any row left it is forgotten as a whole.
///   A row that referred   of another table, recorded with one of these (manifest/referring.h): its record is left out
///   of
///                         that one's line in the manifest, or in a segment that is written anew.
///
/// First the manifest names what is to go and no longer what it was; then that goes; then nothing names it. Killed
/// anywhere between, `remove_superseded` finishes it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "core/result.h"
#include "io/object/store.h"
#include "run/holds.h"
#include "run/job.h"
#include "run/manifest/manifest.h"

namespace steward::retention {

class Forgetting {
 public:
  struct Goes {
    /// Whether a row goes, by its item, its key, and what referred to it, which goes with it. None: all do.
    std::function<Result<bool>(const manifest::Item& item, const std::string& key,
                               std::span<const manifest::Referring> referring)>
        row{};
    /// Whether the record of a row that referred goes from one that stays. None: none does.
    std::function<Result<bool>(const manifest::Referring&)> referring{};
  };
  /// What of an item goes: all of its rows that do, those among them that had left the database, and records of rows
  /// that referred to others.
  struct Covered {
    std::uint64_t rows = 0, archived = 0, referring = 0;
    bool any() const { return rows + referring > 0; }
  };
  struct Forgotten {
    std::uint64_t items = 0, rows = 0;  ///< Rows that had left the database.
    Bytes bytes{};                      ///< Of copies that are gone whole.
  };

  /// `reason` stays in the manifest.
  Forgetting(object::StoreTarget archive, object::Store& store, std::string reason)
      : archive_(std::move(archive)), store_(store), reason_(std::move(reason)) {}

  /// Nothing of an item that has not left the database.
  Result<Covered> covered(const manifest::Header& header, const manifest::Item& item, const Goes& goes) const;

  /// Forgets up to `most` items of a finished manifest, and removes their copies. Nothing, and nothing is done, where
  /// the holds have changed since `seen`: ask again what goes.
  Result<std::optional<Forgotten>> forget(const manifest::Listed& listed, const Goes& goes, std::uint64_t most,
                                          const Holds& seen, RunContext& run) const;

  /// Removes what the manifest names as superseded, and then its name.
  Result<void> remove_superseded(const manifest::Listed& listed, RunContext& run) const;

  /// What a crash left half written in a table's folder may hold what is forgotten, and no listing of the store shows
  /// it. The table's lock keeps out whoever writes there.
  Result<void> remove_half_written(const std::string& folder) const;

 private:
  void forget_file(manifest::Item& item) const;
  Result<void> forget_rows(const manifest::Header& header, manifest::Item& item, const Goes& goes,
                           const Covered& found) const;
  object::StoreTarget archive_;
  object::Store& store_;
  std::string reason_;
};

/// Whether an item's rows are in the archive and no longer in the database.
bool left_the_database(const manifest::Item& item);
/// The header of a manifest alone.
Result<manifest::Header> header_of(object::Store& store, const manifest::Listed& listed);

}  // namespace steward::retention
