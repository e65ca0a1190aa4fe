/// An archive: cold storage plus the manifests of what lies in it. It can be read and restored with nothing but itself.
///
///   steward-archive.json                     the archive's id: tells an unmounted folder from an empty one
///   mockups/2024/11/17-name.png              copies, uncompressed, by the month of the row's age column in UTC
///   audit_logs/2025/04/RUN-000001.jsonl.zst  archived rows, one JSON object a line
///   mockups/manifest/RUN.jsonl               the manifest of a finished run; RUN.000001.jsonl its segments while it
///   goes on holds/h-4f2a91c0.json                    holds, so that a lost ledger loses none
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/instant.h"
#include "core/result.h"
#include "io/object/store.h"
#include "run/ledger/ledger.h"

namespace steward::manifest {

/// The id file's key.
inline constexpr std::string_view id_key = "steward-archive.json";

class Archive {
 public:
  /// Opens the archive for writing: makes it (folder, id file) where nothing is there and the ledger knows of nothing
  /// there. refused (code "archive-missing"): the ledger knows an archive here, and its id file is gone: an unmounted
  /// disk, the wrong bucket. refused (code "archive-changed"): it is another archive than the ledger knows here.
  static Result<Archive> open(const object::StoreTarget& target, ledger::Ledger& ledger, const Clock& clock,
                              const std::string& environment);
  /// Opens it for reading, without a ledger. not_found where there is none.
  static Result<Archive> read(const object::StoreTarget& target);

  object::Store& store() const { return *store_; }
  const std::string& id() const { return id_; }
  const std::string& shown() const { return store_->shown(); }

 private:
  Archive(std::unique_ptr<object::Store> store, std::string id) : store_(std::move(store)), id_(std::move(id)) {}
  std::unique_ptr<object::Store> store_;
  std::string id_;
};

/// Writes the hold beside the archive; and reads all that lie there which are not released.
Result<void> write_hold(object::Store& store, const ledger::Hold& hold);
Result<std::vector<ledger::Hold>> read_holds(object::Store& store);

}  // namespace steward::manifest
