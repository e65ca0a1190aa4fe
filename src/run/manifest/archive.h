/// An archive: cold storage plus the manifests of what lies in it. It can be read and restored with nothing but itself.
///
///   steward-archive.json                     the archive's id: tells an unmounted folder from an empty one; and the
///   ledger and the environment that it belongs to
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

/// What the id file says.
struct Identity {
  std::string id{};
  std::string ledger{};       ///< The id of the ledger that it belongs to; empty in archives of steward 0.1.
  std::string environment{};  ///< Of the same; empty where it had no name.
  std::optional<Instant> adopted{};
  std::string adopted_by{};  ///< Who gave it to that ledger, where it was another's before.
};
/// Nothing where no archive is there.
Result<std::optional<Identity>> identity(object::Store& store);

/// Why `ledger` and `environment` may remove nothing while their settings name this archive. A ledger that the archive
/// does not belong to knows neither what was held nor what was frozen (code "ledger-foreign"); two environments that
/// write one place take each other's copies for their own ("environment-foreign"). An archive without a ledger is
/// anybody's, and so is an environment without a name.
std::optional<Error> foreign(const Identity& archive, const std::string& shown, const ledger::Ledger& ledger,
                             const std::string& environment);

/// Gives the archive to this ledger and environment: in its id file, which tells the ledger of before, and as an audit
/// line "archive.adopt". false where it is theirs already.
Result<bool> adopt(object::Store& store, ledger::Ledger& ledger, const Clock& clock, const std::string& environment,
                   const std::string& who);
/// The same, where it belongs to no ledger yet (it was made by steward 0.1); else nothing is done, and false.
Result<bool> adopt_ownerless(object::Store& store, ledger::Ledger& ledger, const Clock& clock,
                             const std::string& environment);

class Archive {
 public:
  /// Opens the archive for writing: makes it (folder, id file) where nothing is there and the ledger knows of nothing
  /// there. refused (code "archive-missing"): the ledger knows an archive here, and its id file is gone: an unmounted
  /// disk, the wrong bucket. refused (code "archive-changed"): it is another archive than the ledger knows here.
  /// refused as by `foreign`; an archive of no ledger becomes this one's.
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
